# Generated from the API; see appliance/powershell.
function Set-SlipwayContentStatus {
    <#
    .SYNOPSIS
    Change the status of a version

    .DESCRIPTION
    Calls PUT /api/v1/admin/content/{item}/versions/{version}/status and needs an API token of the role technician.

    .PARAMETER Item
    The content item, by its id or name.

    .PARAMETER Version
    The number of the version.

    .PARAMETER Status
    development, active or deprecated.

    .EXAMPLE
    Set-SlipwayContentStatus -Item Editor -Version 2 -Status deprecated
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Item,
        [Parameter(Mandatory)][string]$Version,
        [Parameter(Mandatory)][string]$Status
    )
    $path = '/admin/content/{0}/versions/{1}/status' -f [uri]::EscapeDataString($Item), [uri]::EscapeDataString($Version)
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Status')) { $body['status'] = $Status }
    if ($PSCmdlet.ShouldProcess($path, 'PUT')) {
        Invoke-SlipwayCall -Method 'PUT' -Path $path -Query $query -Body $body
    }
}
