# Generated from the API; see appliance/powershell.
function Remove-SlipwayWimboot {
    <#
    .SYNOPSIS
    Remove wimboot

    .DESCRIPTION
    Calls DELETE /api/v1/admin/images/wimboot and needs an API token of the role administrator.

    .EXAMPLE
    Remove-SlipwayWimboot
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param()
    $path = '/admin/images/wimboot'
    $query = @{}
    if ($PSCmdlet.ShouldProcess($path, 'DELETE')) {
        Invoke-SlipwayCall -Method 'DELETE' -Path $path -Query $query
    }
}
