# Generated from the API; see appliance/powershell.
function Get-SlipwayDeploymentList {
    <#
    .SYNOPSIS
    Deployments, newest first

    .DESCRIPTION
    Calls GET /api/v1/admin/deployments and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayDeploymentList
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/deployments'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'deployments'
}
