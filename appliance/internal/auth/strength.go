package auth

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// The strength that a secret must have at least, in bits: the logarithm of how
// many guesses an attacker who tries the likely ones first needs.
const (
	// MinPasscodeBits: at 2,000 guesses a day (see limits.go), a million guesses
	// last more than a year. A weaker one must be forced.
	MinPasscodeBits = 20
	// StrongPasscodeBits: from here on guessing through the network is hopeless
	// and the cap over all devices is lifted.
	StrongPasscodeBits = 50
	// MinPasswordBits is for console accounts, which have no cap over all.
	MinPasswordBits = 28
)

// Strength estimates the bits of a secret. It covers the text with the cheapest
// combination of single characters, runs ("aaaa"), sequences ("4567", "qwert"),
// years, repeated blocks, common words and what sounds like a word, and adds what
// each costs to guess. It is a floor against thoughtless choices, not a measure of
// randomness, and errs on the low side.
func Strength(secret string) float64 {
	s := []rune(secret)
	if len(s) == 0 {
		return 0
	}
	if len(s) > 128 {
		s = s[:128] // far beyond every limit; bounds the work
	}
	single := math.Log2(alphabet(s))
	best := make([]float64, len(s)+1)
	for end := 1; end <= len(s); end++ {
		best[end] = best[end-1] + single
		for start := max(0, end-40); start < end-1; start++ {
			if bits, ok := pattern(s[start:end], single); ok {
				best[end] = min(best[end], best[start]+bits)
			}
		}
		if start, bits, ok := block(s[:end], best); ok {
			best[end] = min(best[end], best[start]+bits)
		}
	}
	return math.Round(best[len(s)]*10) / 10
}

// alphabet is the size of the set an attacker must assume the characters to
// come from.
func alphabet(s []rune) float64 {
	var lower, upper, digit, other, beyond float64
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z':
			lower = 26
		case r >= 'A' && r <= 'Z':
			upper = 26
		case r >= '0' && r <= '9':
			digit = 10
		case r < 0x80:
			other = 33
		default:
			beyond = 100
		}
	}
	return lower + upper + digit + other + beyond
}

// kindBits is for guessing which kind of thing a part is.
const kindBits = 2

// pattern is the cost of a part as one thing, when it is one.
func pattern(part []rune, single float64) (bits float64, ok bool) {
	bits = math.Inf(1)
	length := math.Log2(float64(len(part)))
	if len(part) >= 3 && isRun(part) {
		bits = single + length
	}
	if len(part) >= 3 && isSequence(part) {
		bits = min(bits, 5+length) // where it starts, which way, how long
	}
	if year, err := strconv.Atoi(string(part)); err == nil && len(part) == 4 && year >= 1900 && year < 2100 {
		bits = min(bits, 7)
	}
	if cost, found := word(part); found {
		bits = min(bits, cost)
	}
	if soundsLikeWord(part) {
		bits = min(bits, 11+0.5*float64(len(part))) // from a dictionary of some ten thousand
	}
	return bits + kindBits, !math.IsInf(bits, 1)
}

// soundsLikeWord reports whether letters of one case, but perhaps the first, have
// the vowels of a word.
func soundsLikeWord(part []rune) bool {
	if len(part) < 4 || len(part) > 16 {
		return false
	}
	vowels, row := 0, 0
	for i, r := range part {
		if !unicode.IsLetter(r) || i > 0 && unicode.IsUpper(r) {
			return false
		}
		if strings.ContainsRune("aeiouyäöüåéèáàóíú", unicode.ToLower(r)) {
			vowels++
			row = 0
		} else if row++; row > 4 {
			return false
		}
	}
	return vowels*6 >= len(part) && vowels*3 <= len(part)*2
}

func isRun(part []rune) bool {
	for _, r := range part {
		if r != part[0] {
			return false
		}
	}
	return true
}

// Neighbours on common keyboards, beside the alphabet and the digits.
const keyboardRows = "qwertyuiop asdfghjkl zxcvbnm qwertzuiopü asdfghjklöä yxcvbnm azertyuiop qsdfghjklm wxcvbn 1234567890 1qay2wsx3edc4rfv 1qaz2wsx3edc4rfv"

func isSequence(part []rune) bool {
	up, down := true, true
	for i := 1; i < len(part); i++ {
		up = up && part[i] == part[i-1]+1
		down = down && part[i] == part[i-1]-1
	}
	if up || down {
		return true
	}
	text := strings.ToLower(string(part))
	return strings.Contains(keyboardRows, text) || strings.Contains(keyboardRows, reverse(text))
}

// block finds the longest repetition that ends s: "abcabc" costs as much as
// "abc" and the count.
func block(s []rune, best []float64) (start int, bits float64, ok bool) {
	bits = math.Inf(1)
	for size := 2; size <= len(s)/2; size++ {
		from := len(s) - size
		for from-size >= 0 && string(s[from-size:from]) == string(s[len(s)-size:]) {
			from -= size
		}
		times := (len(s) - from) / size
		if times < 2 {
			continue
		}
		once := best[from+size] - best[from]
		if cost := best[from] + once + math.Log2(float64(times)); cost < bits {
			start, bits, ok = 0, cost, true
		}
	}
	return start, bits, ok
}

var plainLetters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// word is the cost of a common word: its place in the list, and a little more for
// capitals and for digits in place of letters.
func word(part []rune) (bits float64, ok bool) {
	if len(part) < 3 || len(part) > 16 {
		return 0, false
	}
	text := strings.ToLower(string(part))
	plain := plainLetters.Replace(text)
	rank, extra := commonRank(text), 0.0
	if rank == 0 && plain != text {
		rank, extra = commonRank(plain), 1.5
	}
	if rank == 0 {
		rank, extra = commonRank(reverse(text)), 1
	}
	if rank == 0 {
		return 0, false
	}
	if strings.IndexFunc(string(part), unicode.IsUpper) >= 0 {
		extra++
	}
	return max(3, math.Log2(float64(rank))) + extra, true
}

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}
