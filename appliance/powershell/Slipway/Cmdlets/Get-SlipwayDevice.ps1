# Generated from the API; see appliance/powershell.
function Get-SlipwayDevice {
    <#
    .SYNOPSIS
    One device, by id, name, MAC or UUID

    .DESCRIPTION
    Calls GET /api/v1/admin/devices/{id} and needs an API token of the role viewer.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .EXAMPLE
    Get-SlipwayDevice -Id 52:54:00:12:34:56
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Id
    )
    $path = '/admin/devices/{0}' -f [uri]::EscapeDataString($Id)
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
