# Generated from the API; see appliance/powershell.
function Get-SlipwayCatalogue {
    <#
    .SYNOPSIS
    Catalogues of driver packs and operating systems

    .DESCRIPTION
    Calls GET /api/v1/admin/catalogues and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayCatalogue
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/catalogues'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'catalogues'
}
