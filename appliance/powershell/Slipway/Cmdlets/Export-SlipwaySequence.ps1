# Generated from the API; see appliance/powershell.
function Export-SlipwaySequence {
    <#
    .SYNOPSIS
    Export a sequence: id, or id:version

    .DESCRIPTION
    Secret settings are exported as ***. Imported again, *** keeps the value there is.
    Calls GET /api/v1/admin/sequences/{id} and needs an API token of the role viewer.

    .PARAMETER Id
    The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.

    .PARAMETER Format
    json or yaml for task sequences; text, jsonl or cmtrace for logs.

    .PARAMETER OutFile
    The file to write. Without it the document is answered as text.

    .EXAMPLE
    Export-SlipwaySequence -Id mdt-w11:2 -OutFile w11.json
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Id,
        [Parameter()][string]$Format,
        [Parameter()][string]$OutFile
    )
    $path = '/admin/sequences/{0}' -f [uri]::EscapeDataString($Id)
    $query = @{}
    if ($PSBoundParameters.ContainsKey('Format')) { $query['format'] = $Format }
    Invoke-SlipwayCall -Method 'GET' -Path $path -Query $query -OutFile $OutFile
}
