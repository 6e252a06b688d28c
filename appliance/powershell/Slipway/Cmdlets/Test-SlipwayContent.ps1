# Generated from the API; see appliance/powershell.
function Test-SlipwayContent {
    <#
    .SYNOPSIS
    Read content at rest again and compare it with its hashes; the answer is a job

    .DESCRIPTION
    Calls POST /api/v1/admin/content-jobs/verify and needs an API token of the role technician.

    .PARAMETER Item
    The content item, by its id or name.

    .PARAMETER Version
    The number of the version.

    .EXAMPLE
    Test-SlipwayContent -Item Editor
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter()][string]$Item,
        [Parameter()][long]$Version
    )
    $path = '/admin/content-jobs/verify'
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Item')) { $body['item'] = $Item }
    if ($PSBoundParameters.ContainsKey('Version')) { $body['version'] = $Version }
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Body $body
    }
}
