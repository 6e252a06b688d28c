// Package content keeps what devices fetch: operating system images, applications,
// driver packs and other files. Its records (items, versions, pins) stand in package
// state, the bytes in files of its own folder. It knows nothing of HTTP.
//
// # Glossary
//
//   - Item: a thing with a name and a purpose. Version: what it holds, numbered from 1;
//     it never changes, only its status does.
//   - Manifest: the list of a version's files with mode, size, SHA-256 and the SHA-256
//     of each wire.ChunkSize bytes. It is a blob itself, a JSON document with a format
//     number, so that a folder of many files does not stand in the state.
//   - Blob: bytes under the name of their SHA-256, stored once however many versions
//     name them.
//   - Intake: from files to a version: hashing, and the conversion of what cannot be
//     streamed as it is. Hold: keeps blobs of an intake from being collected before its
//     version is recorded.
//   - Pin: the answer to a deployment's query for content.
//
// # Files in the folder
//
//   - blobs/ab/<sha256>: complete and synced before they got this name.
//   - incoming/: what is being written; removed at the start.
//   - uploads/: unfinished uploads of devices (<id>.json, <id>.data).
//   - tus/: unfinished uploads of people and scripts.
package content
