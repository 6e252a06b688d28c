# Generated from the API; see appliance/powershell.
function Add-SlipwayWimboot {
    <#
    .SYNOPSIS
    Add wimboot: the body is the file, of a release of the wimboot project

    .DESCRIPTION
    The file is that of a release of the wimboot project.
    Calls PUT /api/v1/admin/images/wimboot and needs an API token of the role administrator.

    .PARAMETER LiteralPath
    The file; a task sequence is JSON or YAML.

    .EXAMPLE
    Add-SlipwayWimboot -LiteralPath .\wimboot
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$LiteralPath
    )
    $path = '/admin/images/wimboot'
    $query = @{}
    $bytes = [System.IO.File]::ReadAllBytes((Resolve-Path -LiteralPath $LiteralPath -ErrorAction Stop).ProviderPath)
    if ($PSCmdlet.ShouldProcess($path, 'PUT')) {
        Invoke-SlipwayCall -Method 'PUT' -Path $path -Query $query -Bytes $bytes
    }
}
