# Generated from the API; see appliance/powershell.
@{
    RootModule        = 'Slipway.psm1'
    ModuleVersion     = '0.1.0'
    GUID              = '6f0d8c3e-52a1-4b6e-9f43-0c5b7a9d1e28'
    Author            = 'The Slipway authors'
    Description       = 'Task sequences, content, boot images, devices and deployments of a Slipway appliance.'
    PowerShellVersion = '5.1'
    FunctionsToExport = @(
        'Add-SlipwayContent',
        'Add-SlipwayWimboot',
        'Connect-Slipway',
        'Disconnect-Slipway',
        'Export-SlipwaySequence',
        'Find-SlipwayCatalogueEntry',
        'Get-SlipwayBootImage',
        'Get-SlipwayBootImageBuild',
        'Get-SlipwayBootImageBuildList',
        'Get-SlipwayCatalogue',
        'Get-SlipwayContent',
        'Get-SlipwayContentItem',
        'Get-SlipwayContentJob',
        'Get-SlipwayContentJobList',
        'Get-SlipwayDeployment',
        'Get-SlipwayDeploymentList',
        'Get-SlipwayDeploymentLog',
        'Get-SlipwayDevice',
        'Get-SlipwayDeviceList',
        'Get-SlipwayGraphSetting',
        'Get-SlipwaySequence',
        'Get-SlipwayStep',
        'Get-SlipwayTemplate',
        'Get-SlipwayWimboot',
        'Import-SlipwayCatalogue',
        'Import-SlipwaySequence',
        'New-SlipwaySequence',
        'Remove-SlipwayCatalogue',
        'Remove-SlipwayContent',
        'Remove-SlipwayContentVersion',
        'Remove-SlipwayWimboot',
        'Resume-SlipwayDeployment',
        'Send-SlipwayFile',
        'Set-SlipwayContent',
        'Set-SlipwayContentStatus',
        'Set-SlipwayDeviceBoot',
        'Set-SlipwayDeviceSequence',
        'Set-SlipwayDeviceWay',
        'Set-SlipwayGraphSetting',
        'Start-SlipwayBootImageBuild',
        'Stop-SlipwayContentJob',
        'Stop-SlipwayDeployment',
        'Suspend-SlipwayDeployment',
        'Test-SlipwayContent',
        'Test-SlipwayGraph',
        'Test-SlipwaySequence',
        'Update-SlipwayCatalogue'
    )
    CmdletsToExport   = @()
    VariablesToExport = @()
    AliasesToExport   = @()
}
