package tasksequence

import _ "embed"

// SampleID is the id of the sample sequence, the same on every appliance.
const SampleID = "0f8c2d7e-5b1a-4c39-9e64-51a9c0de0001"

//go:embed sample.json
var sampleText []byte

// Sample returns "Hello from Slipway", which a fresh appliance holds: it shows
// facts about the machine, changes nothing and ends in Succeeded.
func Sample() Sequence {
	s, err := ParseSequence(sampleText)
	if err != nil {
		panic(err) // embedded and tested
	}
	return s
}
