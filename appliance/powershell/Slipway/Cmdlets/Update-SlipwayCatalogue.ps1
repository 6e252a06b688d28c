# Generated from the API; see appliance/powershell.
function Update-SlipwayCatalogue {
    <#
    .SYNOPSIS
    Read a catalogue anew from where it came

    .DESCRIPTION
    Calls POST /api/v1/admin/catalogues/{name}/refresh and needs an API token of the role technician.

    .PARAMETER Name
    The name. That of an existing content item adds a version to it.

    .EXAMPLE
    Update-SlipwayCatalogue -Name dell
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Name
    )
    $path = '/admin/catalogues/{0}/refresh' -f [uri]::EscapeDataString($Name)
    $query = @{}
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query
    }
}
