# Generated from the API; see appliance/powershell.
function Get-SlipwayDeployment {
    <#
    .SYNOPSIS
    One deployment with its steps

    .DESCRIPTION
    Calls GET /api/v1/admin/deployments/{id} and needs an API token of the role viewer.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .EXAMPLE
    Get-SlipwayDeployment -Id $deployment.id
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Id
    )
    $path = '/admin/deployments/{0}' -f [uri]::EscapeDataString($Id)
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
