# Generated from the API; see appliance/powershell.
function Import-SlipwayCatalogue {
    <#
    .SYNOPSIS
    Import a catalogue, in place of the one of its name

    .DESCRIPTION
    With a Vendor (dell, hp, lenovo, microsoft) its published list is read, from Url when one is given; with Url alone a catalogue in Slipway's own form.
    Calls POST /api/v1/admin/catalogues and needs an API token of the role technician.

    .PARAMETER Url
    The address that the appliance fetches the file or list from.

    .PARAMETER Vendor
    dell, hp, lenovo or microsoft.

    .EXAMPLE
    Import-SlipwayCatalogue -Vendor dell
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter()][string]$Url,
        [Parameter()][string]$Vendor
    )
    $path = '/admin/catalogues'
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Url')) { $body['url'] = $Url }
    if ($PSBoundParameters.ContainsKey('Vendor')) { $body['vendor'] = $Vendor }
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Body $body
    }
}
