// Package bootimages builds what devices boot. From a kernel package, busybox
// and the agent it makes the kernel and initial RAM file system of the Linux
// boot image, and it takes the network boot loaders out of their package.
//
// A build is a function of its resolved inputs: package hashes, agent, CA set,
// settings, recipe. Their hash is the image's id, is carried inside the image,
// and the same inputs give the same bytes. Files appear under <data>/boot/<id>/
// in one rename and never change afterwards.
//
// The package runs apt for the machine's own package source and nothing else;
// unpacking, dependency resolution, cpio and zstd are done here. It keeps no
// records and knows nothing of devices: that is the appliance's imaging service.
package bootimages
