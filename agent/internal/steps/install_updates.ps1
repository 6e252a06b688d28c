# Installs what Windows Update has for this computer, once. The last line tells how it
# went; the agent reads it and calls the script again as long as updates are left.
# Each parameter is 1 or 0: what to look for, and whether to install it.
param([int]$MicrosoftUpdate, [int]$Software, [int]$Drivers, [int]$Install)
$ErrorActionPreference = 'Stop'

function Report([int]$left, [int]$installed, [int]$failed, [bool]$restart) {
    Write-Output ("slipway: left={0} installed={1} failed={2} restart={3}" -f $left, $installed, $failed, [int]$restart)
}

$system = New-Object -ComObject 'Microsoft.Update.SystemInfo'
if ($system.RebootRequired) {
    Write-Output 'a restart is due before anything else can be installed'
    Report 1 0 0 $true
    exit 0
}

$session = New-Object -ComObject 'Microsoft.Update.Session'
$session.ClientApplicationID = 'Slipway'
$searcher = $session.CreateUpdateSearcher()
if ($MicrosoftUpdate -eq 1) {
    $service = '7971f918-a847-4430-9279-4a52d1efe18d'
    $manager = New-Object -ComObject 'Microsoft.Update.ServiceManager'
    $manager.ClientApplicationID = 'Slipway'
    # 7: allow pending, online and automatic registration
    [void]$manager.AddService2($service, 7, '')
    $searcher.ServerSelection = 3
    $searcher.ServiceID = $service
}

$kinds = @()
if ($Software -eq 1) { $kinds += "(IsInstalled=0 and IsHidden=0 and BrowseOnly=0 and Type='Software')" }
if ($Drivers -eq 1) { $kinds += "(IsInstalled=0 and IsHidden=0 and Type='Driver')" }
$found = $searcher.Search($kinds -join ' or ')

$wanted = New-Object -ComObject 'Microsoft.Update.UpdateColl'
foreach ($update in $found.Updates) {
    if ($update.InstallationBehavior.CanRequestUserInput) {
        Write-Output ("left out, it asks questions: {0}" -f $update.Title)
        continue
    }
    if (-not $update.EulaAccepted) { $update.AcceptEula() }
    Write-Output ("found: {0}" -f $update.Title)
    [void]$wanted.Add($update)
}
if ($wanted.Count -eq 0 -or $Install -ne 1) {
    Report $wanted.Count 0 0 $false
    exit 0
}

$downloader = $session.CreateUpdateDownloader()
$downloader.Updates = $wanted
[void]$downloader.Download()

$ready = New-Object -ComObject 'Microsoft.Update.UpdateColl'
foreach ($update in $wanted) {
    if ($update.IsDownloaded) { [void]$ready.Add($update) }
    else { Write-Output ("could not be downloaded: {0}" -f $update.Title) }
}
if ($ready.Count -eq 0) {
    Report $wanted.Count 0 $wanted.Count $false
    exit 0
}

$installer = $session.CreateUpdateInstaller()
$installer.Updates = $ready
$result = $installer.Install()
$installed = 0
for ($i = 0; $i -lt $ready.Count; $i++) {
    $one = $result.GetUpdateResult($i)
    # 2: succeeded, 3: succeeded with errors
    if ($one.ResultCode -eq 2 -or $one.ResultCode -eq 3) {
        $installed++
        Write-Output ("installed: {0}" -f $ready.Item($i).Title)
    } else {
        Write-Output ("failed with 0x{0:x8}: {1}" -f $one.HResult, $ready.Item($i).Title)
    }
}
Report ($wanted.Count - $installed) $installed ($wanted.Count - $installed) $result.RebootRequired
