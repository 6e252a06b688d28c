# Generated from the API; see appliance/powershell.
function Get-SlipwayGraphSetting {
    <#
    .SYNOPSIS
    How the appliance reaches Microsoft Graph, and the permissions it needs there

    .DESCRIPTION
    Secrets are not answered, only what may be known of them.
    Calls GET /api/v1/admin/graph and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayGraphSetting
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/graph'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
