# Gives an account a password and unlocks it; root and Administrator are the built-in
# administrator, whatever it is called. Another account is made when it is missing, and
# is an administrator. The password comes on standard input: base64 of its UTF-16, so
# that no code page changes it and no list of processes shows it.
param([string]$Account)
$ErrorActionPreference = 'Stop'
$text = [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String([Console]::In.ReadLine()))
$password = ConvertTo-SecureString -String $text -AsPlainText -Force

if ($Account -eq 'root' -or $Account -eq 'Administrator') {
    $user = Get-LocalUser | Where-Object { $_.SID.Value -like 'S-1-5-21-*-500' }
} else {
    $user = Get-LocalUser -Name $Account -ErrorAction SilentlyContinue
}
if ($user) {
    Set-LocalUser -InputObject $user -Password $password
    Write-Output "$($user.Name) has a new password"
} else {
    $user = New-LocalUser -Name $Account -Password $password
    Write-Output "$Account was made"
}
Enable-LocalUser -InputObject $user
$members = Get-LocalGroupMember -SID 'S-1-5-32-544' | ForEach-Object { $_.SID.Value }
if ($members -notcontains $user.SID.Value) {
    Add-LocalGroupMember -SID 'S-1-5-32-544' -Member $user
    Write-Output "$($user.Name) is an administrator"
}
