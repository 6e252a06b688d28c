# Generated from the API; see appliance/powershell.
function Set-SlipwayDeviceBoot {
    <#
    .SYNOPSIS
    Set what the device boots

    .DESCRIPTION
    Target is image, disk or silent.
    Calls PUT /api/v1/admin/devices/{id}/boot and needs an API token of the role technician.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .PARAMETER Target
    image, disk or silent.

    .PARAMETER Once
    At the next boot only.

    .EXAMPLE
    Set-SlipwayDeviceBoot -Id PC-0815 -Target image -Once
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Id,
        [Parameter(Mandatory)][string]$Target,
        [Parameter()][switch]$Once
    )
    $path = '/admin/devices/{0}/boot' -f [uri]::EscapeDataString($Id)
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Target')) { $body['target'] = $Target }
    if ($PSBoundParameters.ContainsKey('Once')) { $body['once'] = [bool]$Once }
    if ($PSCmdlet.ShouldProcess($path, 'PUT')) {
        Invoke-SlipwayCall -Method 'PUT' -Path $path -Query $query -Body $body
    }
}
