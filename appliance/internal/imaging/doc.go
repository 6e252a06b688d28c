// Package imaging is the appliance's service around package bootimages: it runs
// builds, keeps the records of what was built, says which image devices get, and
// hands the images' files to the boot server.
//
// A build is started by a request and outlives it; equal requests made at the same
// time share one build, and different ones run one after the other. The record of
// an image is written only once its files are complete and durable, so a record
// never names half an image.
package imaging
