# Generated from the API; see appliance/powershell.
function Get-SlipwayDeviceList {
    <#
    .SYNOPSIS
    Devices

    .DESCRIPTION
    Calls GET /api/v1/admin/devices and needs an API token of the role viewer.

    .EXAMPLE
    Get-SlipwayDeviceList
    #>
    [CmdletBinding()]
    param()
    $path = '/admin/devices'
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -Member 'devices'
}
