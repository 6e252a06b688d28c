# Generated from the API; see appliance/powershell.
function Remove-SlipwayContentVersion {
    <#
    .SYNOPSIS
    Delete a version, unless something needs it

    .DESCRIPTION
    Calls DELETE /api/v1/admin/content/{item}/versions/{version} and needs an API token of the role technician.

    .PARAMETER Item
    The content item, by its id or name.

    .PARAMETER Version
    The number of the version.

    .EXAMPLE
    Remove-SlipwayContentVersion -Item Editor -Version 1
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Item,
        [Parameter(Mandatory)][string]$Version
    )
    $path = '/admin/content/{0}/versions/{1}' -f [uri]::EscapeDataString($Item), [uri]::EscapeDataString($Version)
    $query = @{}
    if ($PSCmdlet.ShouldProcess($path, 'DELETE')) {
        Invoke-SlipwayCall -Method 'DELETE' -Path $path -Query $query
    }
}
