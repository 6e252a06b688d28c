# Generated from the API; see appliance/powershell.
function Get-SlipwayContentItem {
    <#
    .SYNOPSIS
    A content item, by id or name

    .DESCRIPTION
    Calls GET /api/v1/admin/content/{item} and needs an API token of the role viewer.

    .PARAMETER Item
    The content item, by its id or name.

    .EXAMPLE
    Get-SlipwayContentItem -Item Editor
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Item
    )
    $path = '/admin/content/{0}' -f [uri]::EscapeDataString($Item)
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
