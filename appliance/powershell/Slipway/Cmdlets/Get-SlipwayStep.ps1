# Generated from the API; see appliance/powershell.
function Get-SlipwayStep {
    <#
    .SYNOPSIS
    The catalogue of step definitions: the built-in ones, then the administrator's own

    .DESCRIPTION
    Calls GET /api/v1/admin/steps and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayStep
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/steps'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'steps'
}
