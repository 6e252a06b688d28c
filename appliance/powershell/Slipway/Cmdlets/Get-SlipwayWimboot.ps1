# Generated from the API; see appliance/powershell.
function Get-SlipwayWimboot {
    <#
    .SYNOPSIS
    The wimboot that the administrator added

    .DESCRIPTION
    Calls GET /api/v1/admin/images/wimboot and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayWimboot
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/images/wimboot'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
