# Generated from the API; see appliance/powershell.
function Stop-SlipwayDeployment {
    <#
    .SYNOPSIS
    Order a deployment to cancel, pause or continue

    .DESCRIPTION
    Calls POST /api/v1/admin/deployments/{id}/orders and needs an API token of the role technician.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .EXAMPLE
    Stop-SlipwayDeployment -Id $deployment.id
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Id
    )
    $path = '/admin/deployments/{0}/orders' -f [uri]::EscapeDataString($Id)
    $query = @{}
    $body = @{}
    $body['order'] = 'cancel'
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Body $body
    }
}
