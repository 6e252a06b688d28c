# Generated from the API; see appliance/powershell.
function Test-SlipwaySequence {
    <#
    .SYNOPSIS
    Say all that is wrong with a sequence (JSON or YAML), and what may go wrong, without importing it

    .DESCRIPTION
    Calls POST /api/v1/admin/sequences/validation and needs an API token of the role viewer.

    .PARAMETER LiteralPath
    The file; a task sequence is JSON or YAML.

    .EXAMPLE
    Test-SlipwaySequence -LiteralPath w11.json
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$LiteralPath
    )
    $path = '/admin/sequences/validation'
    $query = @{}
    $text = Get-Content -LiteralPath $LiteralPath -Raw -Encoding UTF8 -ErrorAction Stop
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Text $text -Member 'problems'
    }
}
