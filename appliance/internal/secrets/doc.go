// Package secrets seals what must not be readable in the state, its log, its
// snapshots or a backup of them: private keys, secret variables.
//
// Values are sealed with a data key. The data key stands in the state, wrapped by
// the key of a file outside of it (secret.key). Whoever has only the state, or only
// the key file, has nothing. Passcodes, passwords and tokens are not sealed: they
// are kept as hashes elsewhere.
//
// # Rotation
//
// A rotation (Rotate) replaces the file's key: the data keys are wrapped under the new
// one, and a new data key seals from then on. What was sealed before stays sealed under
// the older data keys. So a key file that got into other hands is worth nothing any
// more with the present state; whoever had it together with a copy of the state of
// that time could read, and can still read, what was sealed until then: those secrets
// must be changed themselves.
//
// # Formats
//
// A sealed value is a format byte (1), the data key's id (4 bytes), a nonce (24
// bytes) and XChaCha20-Poly1305's output. The additional data is the format byte,
// the id and the purpose, so that a value opens only for what it was sealed for. A
// wrapped data key is the same with id 0 and the data key's id in its purpose.
package secrets
