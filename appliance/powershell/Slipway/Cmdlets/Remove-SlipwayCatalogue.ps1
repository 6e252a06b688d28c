# Generated from the API; see appliance/powershell.
function Remove-SlipwayCatalogue {
    <#
    .SYNOPSIS
    Forget a catalogue; what was fetched of it stays

    .DESCRIPTION
    Calls DELETE /api/v1/admin/catalogues/{name} and needs an API token of the role technician.

    .PARAMETER Name
    The name. That of an existing content item adds a version to it.

    .EXAMPLE
    Remove-SlipwayCatalogue -Name hp
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Name
    )
    $path = '/admin/catalogues/{0}' -f [uri]::EscapeDataString($Name)
    $query = @{}
    if ($PSCmdlet.ShouldProcess($path, 'DELETE')) {
        Invoke-SlipwayCall -Method 'DELETE' -Path $path -Query $query
    }
}
