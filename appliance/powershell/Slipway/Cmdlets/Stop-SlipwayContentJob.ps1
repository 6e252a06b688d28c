# Generated from the API; see appliance/powershell.
function Stop-SlipwayContentJob {
    <#
    .SYNOPSIS
    Stop an import or verification

    .DESCRIPTION
    Calls DELETE /api/v1/admin/content-jobs/{id} and needs an API token of the role technician.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .EXAMPLE
    Stop-SlipwayContentJob -Id $job.id
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Id
    )
    $path = '/admin/content-jobs/{0}' -f [uri]::EscapeDataString($Id)
    $query = @{}
    if ($PSCmdlet.ShouldProcess($path, 'DELETE')) {
        Invoke-SlipwayCall -Method 'DELETE' -Path $path -Query $query
    }
}
