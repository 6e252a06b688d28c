# Generated from the API; see appliance/powershell.
function Set-SlipwayDeviceWay {
    <#
    .SYNOPSIS
    Set how the device's UEFI firmware is brought to it

    .DESCRIPTION
    Calls PUT /api/v1/admin/devices/{id}/way and needs an API token of the role technician.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .PARAMETER Way
    ipxe, one-file, shim or signed-ipxe; empty for the appliance's default.

    .EXAMPLE
    Set-SlipwayDeviceWay -Id PC-0815 -Way one-file
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Id,
        [Parameter(Mandatory)][AllowEmptyString()][string]$Way
    )
    $path = '/admin/devices/{0}/way' -f [uri]::EscapeDataString($Id)
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Way')) { $body['way'] = $Way }
    if ($PSCmdlet.ShouldProcess($path, 'PUT')) {
        Invoke-SlipwayCall -Method 'PUT' -Path $path -Query $query -Body $body
    }
}
