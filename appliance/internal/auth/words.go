package auth

import "strings"

// commonWords are words people put into passcodes, roughly the likeliest first:
// what public studies of leaked passwords agree on, the words of this trade, and
// months, days, seasons, colours and animals in a few languages.
const commonWords = `password admin welcome passwort master login letmein test user root guest
changeme secret default temp hello iloveyou dragon monkey football baseball sunshine princess shadow
administrator passcode passwd pass geheim hallo start support service server computer network internet office
company school windows linux ubuntu debian microsoft deploy deployment install installer image imaging boot
slipway pxe lab demo local system setup config device client desktop laptop workstation technician helpdesk
summer winter spring autumn fall sommer herbst frühling monday tuesday wednesday thursday friday saturday sunday
montag dienstag mittwoch donnerstag freitag samstag sonntag january february march april may june july august
september october november december januar februar märz mai juni juli oktober dezember
red green blue black white yellow orange purple silver gold rot grün blau schwarz
love sex god money freedom superman batman starwars pokemon matrix hunter ranger killer soccer hockey tennis
michael daniel thomas jordan andrew joshua charlie robert jessica ashley nicole michelle jennifer amanda anna peter
maria stefan martin andreas alexander sandra sabine
ginger pepper cookie cheese banana apple cherry chocolate coffee pizza flower
tiger lion eagle falcon wolf bear horse dolphin cat dog bird fish hund katze
mustang ferrari porsche mercedes toyota corvette harley yamaha
access enter open key lock door house home work school trust trustno secure security private public
new old big good best first one two three four five six seven eight nine ten zero
the and for you me my our your this that with from have please thanks
mother father brother sister baby angel family friend forever
google facebook apple amazon samsung nokia cisco dell lenovo intel oracle
berlin london paris germany america england france deutschland
hospital clinic factory bank city university student teacher
snow rain storm star moon sun sky ocean river mountain forest garden
qwerty azerty qwertz asdf yxcv zxcv abc xyz`

// ranks is built once: the list never changes.
var ranks = func() map[string]int {
	m := map[string]int{}
	for i, w := range strings.Fields(commonWords) {
		if m[w] == 0 {
			m[w] = i + 1
		}
	}
	return m
}()

// commonRank is the place of a lower-case word in the list from 1, or 0.
func commonRank(word string) int { return ranks[word] }
