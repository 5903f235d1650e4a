package main

import (
	"strings"
	"testing"
)

// What help prints is copied into tickets and chats; a token that is in the environment must not be in it.
func TestHelpNeverShowsAnOperatorsToken(t *testing.T) {
	const secret = "a-secret-of-an-operator"
	t.Setenv(tokenVariable, secret)
	p := &process{t: t}
	for _, command := range [][]string{{"day"}, {"day", "status"}, {"reconcile"}, {"verify"}, {"serve"}} {
		out, err := p.run(append(command, "--help")...)
		if err != nil || !strings.Contains(out, "Usage:") || strings.Contains(out, secret) {
			t.Errorf("%v: %v\n%s", command, err, out)
		}
	}
}

func TestAskingABankThatIsNotThereSaysWhatToDo(t *testing.T) {
	p := &process{t: t}
	nowhere := "http://" + freeAddress(t)
	t.Setenv(tokenVariable, "")
	out, err := p.run("day", "status", "--server", nowhere)
	if err == nil || !strings.Contains(out, tokenVariable) {
		t.Errorf("without a token: %v %s", err, out)
	}
	for _, command := range [][]string{{"day", "status", "--token", "0123456789abcdef"}, {"verify"}} {
		out, err := p.run(append(command, "--server", nowhere)...)
		if err == nil || !strings.Contains(out, "suanpan serve") || !strings.Contains(out, "--server") {
			t.Errorf("%v: %v %s", command, err, out)
		}
	}
}
