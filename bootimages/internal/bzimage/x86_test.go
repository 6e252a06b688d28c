package bzimage

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// xz filters and packs, we unpack: code thick with what the filter looks at comes
// back unchanged.
func TestDecodeX86(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	codes := []byte{0xe8, 0xe9, 0, 0, 0xff, 0xff, 1, 0xfe}
	for _, size := range []int{1, 4, 5, 6, 9, 1 << 16, 1<<18 + 3} {
		code := make([]byte, size)
		rare := 1 + random.IntN(6)
		for i := range code {
			if code[i] = byte(random.Uint32()); random.IntN(rare+1) < rare {
				code[i] = codes[random.IntN(len(codes))]
			}
		}
		dictionary, _ := dictionaryFor(size)
		packed, err := tool(t).Pack(t.Context(), code, true, dictionary)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpack(assemble([]block{{true, packed, size}}), size)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, code) {
			t.Errorf("%d bytes differ", size)
		}
	}
}
