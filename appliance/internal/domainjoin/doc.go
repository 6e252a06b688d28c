// Package domainjoin has computer accounts made for devices that join a domain offline.
// The appliance knows no domain controller: a program of the administrator makes the
// account and answers what Windows' djoin takes, the blob. It is a secret, as it holds
// the account's password: it is kept in memory for a short time only, and never logged.
package domainjoin
