# Generated from the API; see appliance/powershell.
function Get-SlipwayContentJob {
    <#
    .SYNOPSIS
    An import or verification as it stands

    .DESCRIPTION
    Calls GET /api/v1/admin/content-jobs/{id} and needs an API token of the role viewer.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .EXAMPLE
    Get-SlipwayContentJob -Id $job.id
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Id
    )
    $path = '/admin/content-jobs/{0}' -f [uri]::EscapeDataString($Id)
    $query = @{}
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
