# Generated from the API; see appliance/powershell.
function Get-SlipwayTemplate {
    <#
    .SYNOPSIS
    Task sequences to begin with

    .DESCRIPTION
    Calls GET /api/v1/admin/templates and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayTemplate
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/templates'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'templates'
}
