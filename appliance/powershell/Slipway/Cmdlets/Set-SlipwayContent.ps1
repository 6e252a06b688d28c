# Generated from the API; see appliance/powershell.
function Set-SlipwayContent {
    <#
    .SYNOPSIS
    Change a content item

    .DESCRIPTION
    Calls PATCH /api/v1/admin/content/{item} and needs an API token of the role technician.

    .PARAMETER Item
    The content item, by its id or name.

    .PARAMETER Description
    A text for people.

    .PARAMETER Manufacturer
    A driver pack's maker, as devices name it.

    .PARAMETER Models
    A driver pack's models, as devices name them.

    .PARAMETER Name
    The name. That of an existing content item adds a version to it.

    .PARAMETER Tags
    Words to find it by.

    .EXAMPLE
    Set-SlipwayContent -Item 'Latitude drivers' -Manufacturer 'Dell Inc.' -Models 'Latitude 5440'
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory)][string]$Item,
        [Parameter()][string]$Description,
        [Parameter()][string]$Manufacturer,
        [Parameter()][string[]]$Models,
        [Parameter()][string]$Name,
        [Parameter()][string[]]$Tags
    )
    $path = '/admin/content/{0}' -f [uri]::EscapeDataString($Item)
    $query = @{}
    $body = @{}
    if ($PSBoundParameters.ContainsKey('Description')) { $body['description'] = $Description }
    if ($PSBoundParameters.ContainsKey('Manufacturer')) { $body['manufacturer'] = $Manufacturer }
    if ($PSBoundParameters.ContainsKey('Models')) { $body['models'] = @($Models) }
    if ($PSBoundParameters.ContainsKey('Name')) { $body['name'] = $Name }
    if ($PSBoundParameters.ContainsKey('Tags')) { $body['tags'] = @($Tags) }
    if ($PSCmdlet.ShouldProcess($path, 'PATCH')) {
        Invoke-SlipwayCall -Method 'PATCH' -Path $path -Query $query -Body $body
    }
}
