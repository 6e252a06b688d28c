# Generated from the API; see appliance/powershell.
function Get-SlipwayBootImage {
    <#
    .SYNOPSIS
    Boot images

    .DESCRIPTION
    Calls GET /api/v1/admin/images and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayBootImage
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/images'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'images'
}
