// Package installed is the agent in an installed operating system: it reads a
// configuration file, signs in with the machine's certificate or the passcode
// that stands in the file, and runs a task sequence, over restarts too.
//
// The file is JSON. Keys may be written in any letter case; a key that is not
// known is an error that names it. All but Server, Installation and CA may be
// left out; `slipway agent-config` prints a file with those three filled in
// (testdata/agent-config.json).
//
//	{
//	  "Server": "192.0.2.10:8443",          the appliance; the port may be left out
//	  "Installation": "abcdefghijklmnop",   the appliance's id
//	  "CA": "-----BEGIN CERTIFICATE-----…", its authorities: PEM, or the path of a PEM file
//	  "Certificate": {                      the machine's own certificate, one of three ways
//	    "File": "/etc/ssl/device.pem",        PEM: the certificate, intermediates behind it
//	    "Key": "/etc/ssl/device.key",         PEM: its key; left out: in File
//	    "PKCS12": "device.p12",               or both in one PKCS#12 file
//	    "PasswordFile": "device.password",    file whose first line opens it
//	    "Store": {"Subject": "", "Issuer": ""} or Windows' machine store: parts of the names
//	  },
//	  "Variables": {                        strings or lists of strings
//	    "TSID": "<id>" or "<id>:<version>",   runs without asking
//	    "Passcode": "…",                      tried once; never sent as a variable
//	    "Peering": "false"                    all others go to the task sequence
//	  },
//	  "Temporary": true                     the agent came with one deployment: at its end it removes itself and this file
//	}
//
// Paths that are not absolute count from the file's folder. Variables whose name
// holds "password", "passcode" or "secret" are treated as secrets.
package installed
