# Generated from the API; see appliance/powershell.
function Get-SlipwayBootImageBuildList {
    <#
    .SYNOPSIS
    Image builds, newest first

    .DESCRIPTION
    Calls GET /api/v1/admin/images/builds and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayBootImageBuildList
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/images/builds'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'builds'
}
