# Generated from the API; see appliance/powershell.
function Add-SlipwayContent {
    <#
    .SYNOPSIS
    Add a version to an item, or a new item; the answer is a job

    .DESCRIPTION
    The bytes are those of an address (Url) or of files that Send-SlipwayFile sent (Uploads). The answer is a job: see Get-SlipwayContentJob.
    Calls POST /api/v1/admin/content and needs an API token of the role technician.

    .PARAMETER Name
    The name. That of an existing content item adds a version to it.

    .PARAMETER AsIs
    Convert nothing.

    .PARAMETER Command
    An application's installation command line.

    .PARAMETER Description
    A text for people.

    .PARAMETER KeepOriginal
    Keep a disk image beside its converted form.

    .PARAMETER Manufacturer
    A driver pack's maker, as devices name it.

    .PARAMETER Models
    A driver pack's models, as devices name them.

    .PARAMETER Purpose
    application, driverpack, operatingsystem or other; needed for a new item.

    .PARAMETER Sha256
    The hash that the fetched file must have, 64 hex digits.

    .PARAMETER Status
    development, active or deprecated.

    .PARAMETER Tags
    Words to find it by.

    .PARAMETER Uploads
    What Send-SlipwayFile answered.

    .PARAMETER Url
    The address that the appliance fetches the file or list from.

    .EXAMPLE
    Add-SlipwayContent -Name Editor -Purpose application -Command 'setup.exe /quiet' -Uploads (Send-SlipwayFile .\setup.exe)
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Name,
        [Parameter()][switch]$AsIs,
        [Parameter()][string]$Command,
        [Parameter()][string]$Description,
        [Parameter()][switch]$KeepOriginal,
        [Parameter()][string]$Manufacturer,
        [Parameter()][string[]]$Models,
        [Parameter()][string]$Purpose,
        [Parameter()][string]$Sha256,
        [Parameter()][string]$Status,
        [Parameter()][string[]]$Tags,
        [Parameter()][object[]]$Uploads,
        [Parameter()][string]$Url
    )
    $path = '/admin/content'
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Name')) { $body['name'] = $Name }
    if ($PSBoundParameters.ContainsKey('AsIs')) { $body['asIs'] = [bool]$AsIs }
    if ($PSBoundParameters.ContainsKey('Command')) { $body['command'] = $Command }
    if ($PSBoundParameters.ContainsKey('Description')) { $body['description'] = $Description }
    if ($PSBoundParameters.ContainsKey('KeepOriginal')) { $body['keepOriginal'] = [bool]$KeepOriginal }
    if ($PSBoundParameters.ContainsKey('Manufacturer')) { $body['manufacturer'] = $Manufacturer }
    if ($PSBoundParameters.ContainsKey('Models')) { $body['models'] = @($Models) }
    if ($PSBoundParameters.ContainsKey('Purpose')) { $body['purpose'] = $Purpose }
    if ($PSBoundParameters.ContainsKey('Sha256')) { $body['sha256'] = $Sha256 }
    if ($PSBoundParameters.ContainsKey('Status')) { $body['status'] = $Status }
    if ($PSBoundParameters.ContainsKey('Tags')) { $body['tags'] = @($Tags) }
    if ($PSBoundParameters.ContainsKey('Uploads')) { $body['uploads'] = @($Uploads) }
    if ($PSBoundParameters.ContainsKey('Url')) { $body['url'] = $Url }
    if ($PSCmdlet.ShouldProcess($path, 'POST')) {
        Invoke-SlipwayCall -Method 'POST' -Path $path -Query $query -Body $body
    }
}
