# Generated from the API; see appliance/powershell.
function Import-SlipwaySequence {
    <#
    .SYNOPSIS
    Import a sequence (JSON or YAML)

    .DESCRIPTION
    The file is JSON or YAML. Without an id it becomes a new task sequence, without a version the next version.
    Calls POST /api/v1/admin/sequences and needs an API token of the role administrator.

    .PARAMETER LiteralPath
    The file; a task sequence is JSON or YAML.

    .EXAMPLE
    Import-SlipwaySequence -LiteralPath w11.json
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$LiteralPath
    )
    $path = '/admin/sequences'
    $query = @{}
    $text = Get-Content -LiteralPath $LiteralPath -Raw -Encoding UTF8 -ErrorAction Stop
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Text $text
    }
}
