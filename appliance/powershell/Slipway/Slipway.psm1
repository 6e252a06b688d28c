# The PowerShell module of Slipway: what its cmdlets share. The cmdlets themselves are
# generated from the API into the folder Cmdlets.
Set-StrictMode -Version 2.0

$script:SlipwayConnection = $null

function Connect-Slipway {
    <#
    .SYNOPSIS
    Says which appliance the other cmdlets call, and with which API token.

    .DESCRIPTION
    An API token is made on the appliance: slipway token add NAME --role technician. The
    appliance's certificate has to be trusted by this machine: import the appliance's
    authority (slipway ca show) into its trusted roots, or give the appliance a certificate
    of your own. PowerShell 7 can leave the check out, for labs only.

    .PARAMETER Server
    Address and port of the appliance, for example slipway.example.com:8443.

    .PARAMETER Token
    The API token, as a secure string.

    .PARAMETER SkipCertificateCheck
    For labs only, PowerShell 7: take any certificate.

    .EXAMPLE
    Connect-Slipway -Server slipway.example.com:8443 -Token (Read-Host -AsSecureString 'API token')
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Server,
        [Parameter(Mandatory)][securestring]$Token,
        [Parameter()][switch]$SkipCertificateCheck
    )
    if ($SkipCertificateCheck -and $PSVersionTable.PSVersion.Major -lt 6) {
        throw 'SkipCertificateCheck needs PowerShell 7. Import the authority of the appliance into the trusted roots of this machine instead.'
    }
    $script:SlipwayConnection = @{
        Base                 = 'https://{0}/api/v1' -f $Server.TrimEnd('/')
        Token                = $Token
        SkipCertificateCheck = [bool]$SkipCertificateCheck
    }
    $null = Invoke-SlipwayCall -Method 'GET' -Path '/admin/sequences' -Query @{}
}

function Disconnect-Slipway {
    <#
    .SYNOPSIS
    Forgets the appliance and the API token.

    .DESCRIPTION
    The token stays valid on the appliance: slipway token revoke ends it.

    .EXAMPLE
    Disconnect-Slipway
    #>
    [CmdletBinding()]
    param()
    $script:SlipwayConnection = $null
}

# Get-SlipwayRequest returns what every request has: the token, and how certificates are
# checked.
function Get-SlipwayRequest {
    if ($null -eq $script:SlipwayConnection) {
        throw 'Call Connect-Slipway first.'
    }
    $token = (New-Object System.Management.Automation.PSCredential 'token', $script:SlipwayConnection.Token).GetNetworkCredential().Password
    $request = @{
        Headers         = @{ Authorization = 'Bearer ' + $token }
        UseBasicParsing = $true
        ErrorAction     = 'Stop'
    }
    if ($script:SlipwayConnection.SkipCertificateCheck) {
        $request['SkipCertificateCheck'] = $true
    }
    return $request
}

# Invoke-SlipwayCall makes one call. Member names the list in the answer that is given
# out one by one; OutFile writes the answer to a file.
function Invoke-SlipwayCall {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$Method,
        [Parameter(Mandatory)][string]$Path,
        [Parameter()][hashtable]$Query = @{},
        [Parameter()][hashtable]$Body,
        [Parameter()][string]$Text,
        [Parameter()][byte[]]$Bytes,
        [Parameter()][string]$Member,
        [Parameter()][string]$OutFile
    )
    $request = Get-SlipwayRequest
    $address = $script:SlipwayConnection.Base + $Path
    $pairs = @(foreach ($name in $Query.Keys) { '{0}={1}' -f $name, [uri]::EscapeDataString([string]$Query[$name]) })
    if ($pairs.Count -gt 0) {
        $address += '?' + ($pairs -join '&')
    }
    $request['Uri'] = $address
    $request['Method'] = $Method
    if ($PSBoundParameters.ContainsKey('Body')) {
        $request['Body'] = [System.Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject $Body -Depth 32 -Compress))
        $request['ContentType'] = 'application/json'
    } elseif ($PSBoundParameters.ContainsKey('Text')) {
        $request['Body'] = [System.Text.Encoding]::UTF8.GetBytes($Text)
        $request['ContentType'] = 'application/json'
    }
    if ($PSBoundParameters.ContainsKey('Bytes')) {
        $request['Body'] = $Bytes
        $request['ContentType'] = 'application/octet-stream'
    }
    if ($OutFile) {
        $request['OutFile'] = $OutFile
    }
    try {
        $answer = Invoke-RestMethod @request
    } catch {
        throw (Get-SlipwayProblem -Record $_)
    }
    if ($Member) {
        return $answer.$Member
    }
    return $answer
}

# Get-SlipwayProblem turns a problem document (RFC 9457) into words.
function Get-SlipwayProblem {
    param([Parameter(Mandatory)]$Record)
    $detail = $null
    if ($Record.ErrorDetails -and $Record.ErrorDetails.Message) {
        try {
            $problem = ConvertFrom-Json -InputObject $Record.ErrorDetails.Message
            $detail = $problem.detail
            if (-not $detail) {
                $detail = $problem.title
            }
        } catch {
            $detail = $Record.ErrorDetails.Message
        }
    }
    if ($detail) {
        return $detail
    }
    return $Record.Exception.Message
}

function Send-SlipwayFile {
    <#
    .SYNOPSIS
    Sends a file to the appliance, for Add-SlipwayContent.

    .DESCRIPTION
    The file goes in pieces of 16 MiB (tus protocol 1.0). The answer is what the parameter
    Uploads of Add-SlipwayContent takes.

    .PARAMETER LiteralPath
    The file.

    .PARAMETER Name
    What the file is called in the content; folders are separated by /. Default: its own name.

    .EXAMPLE
    Add-SlipwayContent -Name Editor -Purpose application -Command 'setup.exe /quiet' -Uploads (Send-SlipwayFile .\setup.exe)
    #>
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0)][string]$LiteralPath,
        [Parameter()][string]$Name
    )
    $file = Get-Item -LiteralPath $LiteralPath -ErrorAction Stop
    if (-not $Name) {
        $Name = $file.Name
    }
    if (-not $PSCmdlet.ShouldProcess($file.FullName, 'send')) {
        return
    }
    $request = Get-SlipwayRequest
    $request['Uri'] = $script:SlipwayConnection.Base + '/admin/content-uploads'
    $request['Method'] = 'POST'
    $request['Headers']['Tus-Resumable'] = '1.0.0'
    $request['Headers']['Upload-Length'] = [string]$file.Length
    $begun = Invoke-WebRequest @request
    $id = ([string]@($begun.Headers['Location'])[0]).TrimEnd('/').Split('/')[-1]
    $stream = [System.IO.File]::OpenRead($file.FullName)
    try {
        $buffer = New-Object byte[] (16 * 1024 * 1024)
        $offset = 0
        while ($offset -lt $file.Length) {
            $read = $stream.Read($buffer, 0, $buffer.Length)
            if ($read -le 0) {
                throw ('{0} became shorter while it was sent.' -f $file.FullName)
            }
            $piece = New-Object byte[] $read
            [System.Array]::Copy($buffer, $piece, $read)
            $request = Get-SlipwayRequest
            $request['Uri'] = '{0}/admin/content-uploads/{1}' -f $script:SlipwayConnection.Base, $id
            $request['Method'] = 'PATCH'
            $request['Headers']['Tus-Resumable'] = '1.0.0'
            $request['Headers']['Upload-Offset'] = [string]$offset
            $request['ContentType'] = 'application/offset+octet-stream'
            $request['Body'] = $piece
            $null = Invoke-WebRequest @request
            $offset += $read
        }
    } finally {
        $stream.Dispose()
    }
    return @{ id = $id; path = $Name }
}

foreach ($cmdlet in Get-ChildItem -LiteralPath (Join-Path $PSScriptRoot 'Cmdlets') -Filter '*.ps1') {
    . $cmdlet.FullName
}
