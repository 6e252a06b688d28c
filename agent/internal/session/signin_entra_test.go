package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
)

// polls answers the polls of Entra sign-ins one after the other; the last answer
// stands for all that follow.
func (d *device) polls(answers ...wire.Problem) {
	d.appliance.Do(func() {
		d.appliance.EntraAnswer = func(poll int) wire.Problem { return answers[min(poll, len(answers))-1] }
	})
}

func answer(status int, word string) wire.Problem {
	p := wire.Problem{Status: status, Title: http.StatusText(status)}
	if word != "" {
		p.Type = "urn:slipway:problem:" + word
	}
	return p
}

// TestEntraAnswers meets every answer to a poll.
func TestEntraAnswers(t *testing.T) {
	t.Parallel()
	pending, granted := answer(http.StatusAccepted, ""), answer(http.StatusOK, "")
	for _, tt := range []struct {
		name  string
		polls []wire.Problem
		sees  []string
		types string // after that
		then  []string
		codes int
	}{
		{"granted", []wire.Problem{pending, granted}, []string{"CODE-0001", "Choose a task sequence"}, "", nil, 1},
		{"denied", []wire.Problem{pending, answer(403, "denied"), granted}, []string{"CODE-0001", "The sign-in was denied", "A new code comes in"}, "\x14",
			[]string{"CODE-0002", "Choose a task sequence"}, 2},
		{"no role", []wire.Problem{answer(403, "role"), granted}, []string{"This person may not set up computers"}, "\x14", []string{"CODE-0002", "Choose a task sequence"}, 2},
		{"expired", []wire.Problem{pending, answer(410, "expired"), granted}, []string{"CODE-0001", "CODE-0002", "Choose a task sequence"}, "", nil, 2},
		{"provider down", []wire.Problem{pending, answer(503, "provider"), answer(503, "provider"), granted},
			[]string{"CODE-0001", "The sign-in provider does not", "Asking again in", "Choose a task sequence"}, "", nil, 1},
		{"and up again", []wire.Problem{answer(503, "provider"), pending, granted},
			[]string{"CODE-0001", "The sign-in provider does not", "Waiting for the sign-in", "Choose a task sequence"}, "", nil, 1},
		{"asked too often", []wire.Problem{answer(429, ""), granted}, []string{"CODE-0001", "Too many attempts", "Choose a task sequence"}, "", nil, 1},
		{"something else", []wire.Problem{answer(400, ""), granted}, []string{"The appliance refused the sign-in"}, "\x14", []string{"CODE-0002", "Choose a task sequence"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t)
			d.offers("entra")
			d.polls(tt.polls...)
			d.powerOn()
			for _, text := range tt.sees {
				d.sees(text)
			}
			d.types(tt.types)
			for _, text := range tt.then {
				d.sees(text)
			}
			d.appliance.Do(func() {
				if d.appliance.EntraStarted != tt.codes {
					t.Errorf("%d codes", d.appliance.EntraStarted)
				}
			})
			d.boundTo("slipway agent")
		})
	}
}

// TestEntraSlowsDown waits as long as the appliance asks for between polls.
func TestEntraSlowsDown(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.offers("entra")
	var polled []time.Time
	d.appliance.Do(func() {
		d.appliance.EntraInterval = 3
		d.appliance.EntraAnswer = func(int) wire.Problem {
			if polled = append(polled, time.Now()); len(polled) > 1 {
				return answer(http.StatusOK, "")
			}
			return answer(http.StatusAccepted, "")
		}
	})
	d.powerOn()
	d.sees("CODE-0001")
	d.sees("Choose a task sequence")
	d.appliance.Do(func() {
		if gap := polled[1].Sub(polled[0]); gap < 3*time.Second {
			t.Errorf("polled again after %v", gap)
		}
	})
}

// TestEntraCodesComeByThemselves lets a code run out, and restarts the appliance.
func TestEntraCodesComeByThemselves(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.offers("entra")
	d.appliance.EntraLife = 8
	d.powerOn()
	d.sees("CODE-0001")
	d.sees("The code is good for 0:0")
	d.sees("CODE-0002")
	d.appliance.Do(func() { d.appliance.EntraLife = 900; d.appliance.ForgetCodes() })
	d.sees("CODE-0003")
	d.polls(answer(http.StatusOK, ""))
	d.sees("Choose a task sequence")
}

// TestEntraProviderDownAtTheStart has no code to show, says so, and goes on by itself.
func TestEntraProviderDownAtTheStart(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.offers("entra")
	down := 1
	d.appliance.Answer = func(r *http.Request) *wire.Problem {
		if strings.HasSuffix(r.URL.Path, "/auth/entra") && down > 0 {
			down--
			p := answer(503, "provider")
			p.Detail = "The sign-in provider does not answer."
			return &p
		}
		return nil
	}
	d.powerOn()
	d.sees("The sign-in provider does not answer")
	d.sees("Trying again in")
	d.sees("CODE-0001")
}

// TestEntraIsSwitchedOffWhileItWaits asks anew which ways there are: when the code
// is called expired and there is no other, and when the poll itself is refused.
func TestEntraIsSwitchedOffWhileItWaits(t *testing.T) {
	t.Parallel()
	for _, poll := range []wire.Problem{answer(http.StatusAccepted, ""), answer(http.StatusForbidden, "not-allowed")} {
		d := newDevice(t)
		d.offers("entra")
		d.powerOn()
		d.sees("CODE-0001")
		if poll.Status == http.StatusForbidden {
			d.appliance.Do(func() {
				d.appliance.EntraAnswer = func(int) wire.Problem {
					d.appliance.Mechanisms.Mechanisms = []string{"passcode"}
					return poll
				}
			})
		} else {
			d.offers("passcode")
		}
		d.sees("Passcode")
		d.sees("Entra ID is not allowed here any more; trying the passcode")
	}
}

// TestEntraFallsThroughToThePasscode where that is offered too.
func TestEntraFallsThroughToThePasscode(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	d.session.Environment = wire.FullOS
	d.offers("entra", "passcode")
	d.polls(answer(403, "denied"))
	d.powerOn()
	d.sees("CODE-0001")
	d.sees("Passcode")
	d.sees("Entra ID: sign-in denied; trying the passcode")
}
