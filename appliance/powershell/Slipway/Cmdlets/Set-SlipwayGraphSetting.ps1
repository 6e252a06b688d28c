# Generated from the API; see appliance/powershell.
function Set-SlipwayGraphSetting {
    <#
    .SYNOPSIS
    Change the settings for Microsoft Graph, all or none, effective at once

    .DESCRIPTION
    Calls PATCH /api/v1/admin/graph and needs an API token of the role administrator.

    .PARAMETER Settings
    A hashtable of settings by the names that Get-SlipwayGraphSetting lists; an empty value removes one.

    .EXAMPLE
    Set-SlipwayGraphSetting -Settings @{ tenant = '1f0c9a52-6d3b-4a1e-9c57-0123456789ab'; client_secret = $secret }
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][hashtable]$Settings
    )
    $path = '/admin/graph'
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Settings')) { $body['settings'] = $Settings }
    if ($PSCmdlet.ShouldProcess($path, 'PATCH')) {
        Invoke-SlipwayCall -Method 'PATCH' -Path $path -Query $query -Body $body
    }
}
