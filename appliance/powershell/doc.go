// Package powershell writes the cmdlets of the PowerShell module Slipway out of the
// appliance's OpenAPI document: names and help are given here, requests, parameters and
// their types come from the document. The folder Slipway is the module as people get
// it; what is not generated in it is Slipway.psm1.
package powershell
