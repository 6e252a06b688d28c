# Sets name, time zone and language of the running Windows. What is empty stays as it
# is. The last line tells whether a restart is needed.
param([string]$ComputerName, [string]$TimeZone, [string]$SystemLocale, [string]$UserLocale, [string]$UILanguage, [string]$InputLocale)
$ErrorActionPreference = 'Stop'
$restart = 0

if ($ComputerName -and $ComputerName -ne $env:COMPUTERNAME) {
    Rename-Computer -NewName $ComputerName -Force
    Write-Output "computer name: $ComputerName"
    $restart = 1
}
if ($TimeZone) {
    Set-TimeZone -Id $TimeZone
    Write-Output "time zone: $TimeZone"
}
if ($SystemLocale -and (Get-WinSystemLocale).Name -ne $SystemLocale) {
    Set-WinSystemLocale -SystemLocale $SystemLocale
    Write-Output "system locale: $SystemLocale"
    $restart = 1
}
if ($UserLocale) {
    Set-Culture -CultureInfo $UserLocale
    Write-Output "user locale: $UserLocale"
}
if ($UILanguage -or $InputLocale) {
    $language = $UILanguage
    if (-not $language) { $language = (Get-WinUserLanguageList)[0].LanguageTag }
    $list = New-WinUserLanguageList -Language $language
    if ($InputLocale) {
        $list[0].InputMethodTips.Clear()
        foreach ($keyboard in $InputLocale.Split(';')) {
            # 0407:00000407 names a keyboard; of a language it is the usual one
            if ($keyboard -match '^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{8}$') {
                $list[0].InputMethodTips.Add($keyboard)
            } else {
                $usual = New-WinUserLanguageList -Language $keyboard
                foreach ($tip in $usual[0].InputMethodTips) { $list[0].InputMethodTips.Add($tip) }
            }
        }
    }
    Set-WinUserLanguageList -LanguageList $list -Force
    if ($UILanguage) { Set-WinUILanguageOverride -Language $UILanguage }
    Write-Output "language and keyboard: $language $InputLocale"
}
if ($UserLocale -or $UILanguage -or $InputLocale) {
    # The welcome screen and new accounts get the same.
    if (Get-Command -Name 'Copy-UserInternationalSettingsToSystem' -ErrorAction SilentlyContinue) {
        Copy-UserInternationalSettingsToSystem -WelcomeScreen $true -NewUser $true
    } else {
        $file = [IO.Path]::GetTempFileName()
        try {
            $text = '<gs:GlobalizationServices xmlns:gs="urn:longhornGlobalizationUnattend"><gs:UserList>' +
                '<gs:User UserID="Current" CopySettingsToDefaultUserAcct="true" CopySettingsToSystemAcct="true"/>' +
                '</gs:UserList></gs:GlobalizationServices>'
            [IO.File]::WriteAllText($file, $text)
            Start-Process -FilePath 'rundll32.exe' -ArgumentList "shell32.dll,Control_RunDLL intl.cpl,,/f:`"$file`"" -Wait
        } finally {
            Remove-Item -LiteralPath $file -Force
        }
    }
    Write-Output 'the welcome screen and new accounts get the same language and keyboard'
}
Write-Output "slipway: restart=$restart"
