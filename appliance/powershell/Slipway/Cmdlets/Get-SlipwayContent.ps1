# Generated from the API; see appliance/powershell.
function Get-SlipwayContent {
    <#
    .SYNOPSIS
    Content items with their versions

    .DESCRIPTION
    Calls GET /api/v1/admin/content and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayContent
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/content'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'items'
}
