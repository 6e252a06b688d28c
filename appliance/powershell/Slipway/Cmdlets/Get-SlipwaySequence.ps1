# Generated from the API; see appliance/powershell.
function Get-SlipwaySequence {
    <#
    .SYNOPSIS
    Every version of every sequence

    .DESCRIPTION
    Calls GET /api/v1/admin/sequences and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwaySequence
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/sequences'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'sequences'
}
