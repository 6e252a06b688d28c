// Package backup writes the whole of what makes an appliance itself into one file,
// and makes a new data folder from it.
//
// # What is in it
//
// The state, the key file that its secrets are sealed under, the audit log, the
// catalogues and a copy of the configuration file. So the certificate authority and its key, the passcodes,
// accounts, API tokens, sequences and deployments come back, and devices that boot
// from media made before trust the restored appliance. Not in it: boot images and
// loaders (they are built again), downloaded packages, the log lines of deployments.
//
// # Format
//
// An age file (https://age-encryption.org/v1) with one scrypt recipient, the recovery
// passphrase, at work factor 2^18 (about a second and 256 MiB of memory a try). In it
// is a tar archive (POSIX ustar) with these entries, in this order:
//
//	manifest.json       Manifest: format, who wrote it, the next entries with SHA-256
//	state               the form of package state's snapshots
//	secret.key          the form of package secrets' key file
//	audit/audit-*.jsonl the form of package audit's files, up to their last whole line
//	catalogues/*.json   format 3: the form of package catalogue's files
//	slipway.yaml        the configuration file, when there was one
//	content/<sha256>    from format 2 on: blobs of content, in ascending order
//
// A blob of 8 GiB or more has a PAX header for its size. The lowest format that says all
// is written: 1 where there are neither catalogues nor content in it, 2 without catalogues.
//
// Without Slipway: age -d FILE | tar -t.
//
// Every byte is authenticated: age refuses a file that was changed, cut or put together
// from two. The sums of the manifest guard against mistakes of the writer.
package backup
