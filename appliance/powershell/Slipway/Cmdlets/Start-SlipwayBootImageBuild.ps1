# Generated from the API; see appliance/powershell.
function Start-SlipwayBootImageBuild {
    <#
    .SYNOPSIS
    Build a boot image, or join the build under way

    .DESCRIPTION
    What names files of the appliance, as for Windows PE, is built on the appliance itself only: slipway image build.
    Calls POST /api/v1/admin/images/builds and needs an API token of the role administrator.

    .PARAMETER Kind
    The kind: of a boot image linux, of an entry driverpack or operatingsystem.

    .PARAMETER Keyboard
    The layout that the prompt starts with.

    .PARAMETER Lab
    For labs only: allow a rescue shell and a passcode on the kernel command line.

    .PARAMETER Profile
    Which drivers: client or server.

    .EXAMPLE
    Start-SlipwayBootImageBuild -Kind linux -Profile client
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Kind,
        [Parameter()][string]$Keyboard,
        [Parameter()][switch]$Lab,
        [Parameter()][string]$Profile
    )
    $path = '/admin/images/builds'
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Kind')) { $body['kind'] = $Kind }
    if ($PSBoundParameters.ContainsKey('Keyboard')) { $body['keyboard'] = $Keyboard }
    if ($PSBoundParameters.ContainsKey('Lab')) { $body['lab'] = [bool]$Lab }
    if ($PSBoundParameters.ContainsKey('Profile')) { $body['profile'] = $Profile }
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Body $body
    }
}
