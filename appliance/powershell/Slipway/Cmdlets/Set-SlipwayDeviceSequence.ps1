# Generated from the API; see appliance/powershell.
function Set-SlipwayDeviceSequence {
    <#
    .SYNOPSIS
    Assign a sequence

    .DESCRIPTION
    An empty Sequence assigns none.
    Calls PUT /api/v1/admin/devices/{id}/sequence and needs an API token of the role technician.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .PARAMETER Sequence
    The task sequence, as id or id:version; empty for none.

    .EXAMPLE
    Set-SlipwayDeviceSequence -Id PC-0815 -Sequence mdt-w11
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Id,
        [Parameter(Mandatory)][AllowEmptyString()][string]$Sequence
    )
    $path = '/admin/devices/{0}/sequence' -f [uri]::EscapeDataString($Id)
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Sequence')) { $body['sequence'] = $Sequence }
    if ($PSCmdlet.ShouldProcess($path, 'PUT')) {
        Invoke-SlipwayCall -Method 'PUT' -Path $path -Query $query -Body $body
    }
}
