package auth

import (
	"fmt"
	"math"
	"slices"
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
	parts := cover(secret)
	return math.Round(parts[len(parts)-1].bits*10) / 10
}

// part is the end of the cheapest cover of a text up to here.
type part struct {
	bits float64 // of the whole cover
	from int     // where its last part begins
	kind kind    // of its last part
}

// kind is what a part of a secret was taken for.
type kind string

// The kinds, as they are told to people.
const (
	partSingle   kind = ""
	partRun      kind = "one character again and again"
	partSequence kind = "a row of keys or letters"
	partYear     kind = "a year"
	partCommon   kind = "a common word"
	partSpoken   kind = "a word"
	partRepeated kind = "a repetition"
)

// cover finds the cheapest cover of each beginning of a secret; the first is that
// of nothing.
func cover(secret string) []part {
	s := []rune(secret)
	if len(s) > 128 {
		s = s[:128] // far beyond every limit; bounds the work
	}
	each := math.Log2(max(1, alphabet(s)))
	best := make([]part, len(s)+1)
	for end := 1; end <= len(s); end++ {
		best[end] = part{best[end-1].bits + each, end - 1, partSingle}
		for start := max(0, end-40); start < end-1; start++ {
			if bits, k := pattern(s[start:end], each); best[start].bits+bits < best[end].bits {
				best[end] = part{best[start].bits + bits, start, k}
			}
		}
		if bits := block(s[:end], best); bits < best[end].bits {
			best[end] = part{bits, 0, partRepeated}
		}
	}
	return best
}

// weakWords say why a passcode is weak and what to do, without telling it.
func weakWords(secret string) string {
	parts := cover(secret)
	var kinds []string
	for at := len(parts) - 1; at > 0; at = parts[at].from {
		if k := string(parts[at].kind); k != "" && !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	slices.Reverse(kinds)
	why := "it is too short"
	if len(kinds) > 0 {
		why = "it is little more than " + strings.Join(kinds, " and ")
	}
	return fmt.Sprintf("This passcode is easy to guess: %s (about %.0f bits; %d are needed). "+
		"Use a longer one, e.g. three words that do not belong together.", why, Strength(secret), MinPasscodeBits)
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

// pattern is the cost of some characters as one thing; infinite when they are none.
func pattern(text []rune, each float64) (bits float64, k kind) {
	bits = math.Inf(1)
	take := func(cost float64, as kind) {
		if cost < bits {
			bits, k = cost, as
		}
	}
	length := math.Log2(float64(len(text)))
	if len(text) >= 3 && isRun(text) {
		take(each+length, partRun)
	}
	if len(text) >= 3 && isSequence(text) {
		take(5+length, partSequence) // where it starts, which way, how long
	}
	if n, err := strconv.Atoi(string(text)); err == nil && len(text) == 4 && n >= 1900 && n < 2100 {
		take(7, partYear)
	}
	if cost, found := word(text); found {
		take(cost, partCommon)
	}
	if soundsLikeWord(text) {
		take(11+0.5*float64(len(text)), partSpoken) // from a dictionary of some ten thousand
	}
	return bits + kindBits, k
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

// block is the cost of s when a repetition ends it, infinite otherwise: "abcabc"
// costs as much as "abc" and the count.
func block(s []rune, best []part) (bits float64) {
	bits = math.Inf(1)
	for size := 2; size <= len(s)/2; size++ {
		from := len(s) - size
		for from-size >= 0 && string(s[from-size:from]) == string(s[len(s)-size:]) {
			from -= size
		}
		if times := (len(s) - from) / size; times > 1 {
			bits = min(bits, best[from+size].bits+math.Log2(float64(times)))
		}
	}
	return bits
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
