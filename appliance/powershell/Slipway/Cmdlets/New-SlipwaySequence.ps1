# Generated from the API; see appliance/powershell.
function New-SlipwaySequence {
    <#
    .SYNOPSIS
    Make a task sequence of a template

    .DESCRIPTION
    Calls POST /api/v1/admin/templates and needs an API token of the role administrator.

    .PARAMETER Template
    One of those that Get-SlipwayTemplate lists.

    .PARAMETER Content
    A hashtable of the template's places to content items.

    .PARAMETER Name
    The name. That of an existing content item adds a version to it.

    .EXAMPLE
    New-SlipwaySequence -Template wipe-disk -Name 'Wipe the disk'
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Template,
        [Parameter()][hashtable]$Content,
        [Parameter()][string]$Name
    )
    $path = '/admin/templates'
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Template')) { $body['template'] = $Template }
    if ($PSBoundParameters.ContainsKey('Content')) { $body['content'] = $Content }
    if ($PSBoundParameters.ContainsKey('Name')) { $body['name'] = $Name }
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Body $body
    }
}
