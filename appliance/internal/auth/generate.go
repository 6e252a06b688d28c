package auth

import "strings"

// The letters of a generated passcode sit at the same place on QWERTY, QWERTZ and
// AZERTY keyboards, as the space bar does: the prompt of a device may have another
// layout than the keyboard in front of it. That leaves out a, m, q, w, y and z,
// digits (shifted on AZERTY) and the hyphen. Of the consonants those remain that
// are told apart when they are read out in most European languages.
const (
	generateConsonants = "bdfghklnrstv"
	generateVowels     = "eiou"
)

// generateWords is the number of words: each is one of 27,648 (14.75 bits) as
// consonant, vowel, consonant, vowel, consonant, which makes 59 bits.
const generateWords = 4

// GeneratePasscode makes a memorable passcode of at least StrongPasscodeBits: four
// words that mean nothing but can be spoken. It is kept nowhere.
func GeneratePasscode() string {
	for {
		words := make([]string, generateWords)
		for i := range words {
			words[i] = randomWord("cvcvc")
		}
		// A common word may come up by chance; then the estimate is lower.
		if text := strings.Join(words, " "); Strength(text) >= StrongPasscodeBits {
			return text
		}
	}
}

// randomWord puts a consonant for each c of the form and a vowel for each v.
func randomWord(form string) string {
	out := make([]byte, len(form))
	for i := range form {
		letters := generateVowels
		if form[i] == 'c' {
			letters = generateConsonants
		}
		out[i] = randomLetter(letters)
	}
	return string(out)
}

// randomLetter is one of the letters, each of them equally likely.
func randomLetter(letters string) byte {
	even := 256 / len(letters) * len(letters)
	for {
		if b := int(randomBytes(1)[0]); b < even {
			return letters[b%len(letters)]
		}
	}
}
