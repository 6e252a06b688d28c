# Generated from the API; see appliance/powershell.
function Get-SlipwayDeploymentLog {
    <#
    .SYNOPSIS
    A part of a deployment's log; with format (text, jsonl, cmtrace) all of it as a file

    .DESCRIPTION
    With Format (text, jsonl, cmtrace) the whole log, without it a page of lines.
    Calls GET /api/v1/admin/deployments/{id}/log and needs an API token of the role viewer.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .PARAMETER From
    The number of the first line.

    .PARAMETER Limit
    How many lines at most.

    .PARAMETER Format
    json or yaml for task sequences; text, jsonl or cmtrace for logs.

    .PARAMETER OutFile
    The file to write. Without it the document is answered as text.

    .EXAMPLE
    Get-SlipwayDeploymentLog -Id $deployment.id -Format cmtrace -OutFile deployment.log
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Id,
        [Parameter()][string]$From,
        [Parameter()][string]$Limit,
        [Parameter()][string]$Format,
        [Parameter()][string]$OutFile
    )
    $path = '/admin/deployments/{0}/log' -f [uri]::EscapeDataString($Id)
    $query = @{}
    if ($PSBoundParameters.ContainsKey('From')) { $query['from'] = $From }
    if ($PSBoundParameters.ContainsKey('Limit')) { $query['limit'] = $Limit }
    if ($PSBoundParameters.ContainsKey('Format')) { $query['format'] = $Format }
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -OutFile $OutFile
}
