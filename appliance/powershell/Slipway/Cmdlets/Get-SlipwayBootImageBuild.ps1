# Generated from the API; see appliance/powershell.
function Get-SlipwayBootImageBuild {
    <#
    .SYNOPSIS
    A build and its progress

    .DESCRIPTION
    Calls GET /api/v1/admin/images/builds/{id} and needs an API token of the role viewer.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .EXAMPLE
    Get-SlipwayBootImageBuild -Id $build.id
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Id
    )
    $path = '/admin/images/builds/{0}' -f [uri]::EscapeDataString($Id)
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
