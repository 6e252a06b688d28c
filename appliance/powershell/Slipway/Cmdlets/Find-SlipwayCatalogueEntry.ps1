# Generated from the API; see appliance/powershell.
function Find-SlipwayCatalogueEntry {
    <#
    .SYNOPSIS
    Entries of catalogues whose name, model, Windows or edition holds every word of a text; 200 at most

    .DESCRIPTION
    The answer has at most 200 entries, and in total how many there are. Kind is driverpack or operatingsystem.
    Calls GET /api/v1/admin/catalogue-entries and needs an API token of the role viewer.

    .PARAMETER Text
    Words that name, model, Windows or edition must hold.

    .PARAMETER Catalogue
    The name of the catalogue.

    .PARAMETER Kind
    The kind: of a boot image linux, of an entry driverpack or operatingsystem.

    .PARAMETER Os
    The Windows, as Windows 11.

    .EXAMPLE
    Find-SlipwayCatalogueEntry -Text 'latitude 5440'
    #>
    [CmdletBinding()]
    param(
        [Parameter()][string]$Text,
        [Parameter()][string]$Catalogue,
        [Parameter()][string]$Kind,
        [Parameter()][string]$Os
    )
    $path = '/admin/catalogue-entries'
    $query = @{}
    if ($PSBoundParameters.ContainsKey('Text')) { $query['text'] = $Text }
    if ($PSBoundParameters.ContainsKey('Catalogue')) { $query['catalogue'] = $Catalogue }
    if ($PSBoundParameters.ContainsKey('Kind')) { $query['kind'] = $Kind }
    if ($PSBoundParameters.ContainsKey('Os')) { $query['os'] = $Os }
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query
}
