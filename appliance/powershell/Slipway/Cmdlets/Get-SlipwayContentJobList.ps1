# Generated from the API; see appliance/powershell.
function Get-SlipwayContentJobList {
    <#
    .SYNOPSIS
    Imports and verifications, newest first

    .DESCRIPTION
    Calls GET /api/v1/admin/content-jobs and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayContentJobList
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/content-jobs'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'jobs'
}
