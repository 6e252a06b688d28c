# Generated from the API; see appliance/powershell.
function Test-SlipwayGraph {
    <#
    .SYNOPSIS
    Try the settings for Microsoft Graph out; nothing is changed there

    .DESCRIPTION
    Nothing is changed in the tenant.
    Calls POST /api/v1/admin/graph/test and needs an API token of the role administrator.

    .EXAMPLE
    Test-SlipwayGraph
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param()
    $path = '/admin/graph/test'
    $query = @{}
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query
    }
}
