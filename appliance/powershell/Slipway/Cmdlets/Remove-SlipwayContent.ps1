# Generated from the API; see appliance/powershell.
function Remove-SlipwayContent {
    <#
    .SYNOPSIS
    Delete an item with all its versions, unless something needs one

    .DESCRIPTION
    Calls DELETE /api/v1/admin/content/{item} and needs an API token of the role technician.

    .PARAMETER Item
    The content item, by its id or name.

    .EXAMPLE
    Remove-SlipwayContent -Item Editor
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Item
    )
    $path = '/admin/content/{0}' -f [uri]::EscapeDataString($Item)
    $query = @{}
    if ($PSCmdlet.ShouldProcess($path, 'DELETE')) {
        Invoke-SlipwayCall -Method 'DELETE' -Path $path -Query $query
    }
}
