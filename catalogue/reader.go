package catalogue

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/suanpan-bank/suanpan/bank"
)

// reader reads values out of a YAML document and collects what is wrong with it.
type reader struct{ faults []error }

// place is a value of the document, and the path to it by field names. Its node is nil where there is none.
type place struct {
	node *yaml.Node
	path string
}

func (r *reader) fail(at place, format string, args ...any) {
	line := 0
	if at.node != nil {
		line = at.node.Line
	}
	r.faults = append(r.faults, fmt.Errorf("line %d: %s: %s", line, at.path, fmt.Sprintf(format, args...)))
}

// fieldsOf are a mapping's values by name.
type fieldsOf struct {
	r  *reader
	at place
	by map[string]*yaml.Node
}

// mapping reads a mapping that has no fields but those.
func (r *reader) mapping(n *yaml.Node, path string, known ...string) fieldsOf {
	f := fieldsOf{r, place{n, path}, map[string]*yaml.Node{}}
	if n == nil {
		return f
	}
	if n.Kind != yaml.MappingNode {
		r.fail(f.at, "fields are expected here: %s", strings.Join(known, ", "))
		return f
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		switch at := (place{n.Content[i], join(path, name)}); {
		case !slices.Contains(known, name):
			r.fail(at, "no such field; there are %s", strings.Join(known, ", "))
		case f.by[name] != nil:
			r.fail(at, "twice")
		default:
			f.by[name] = n.Content[i+1]
		}
	}
	return f
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (f fieldsOf) has(name string) (place, bool) {
	n := f.by[name]
	return place{n, join(f.at.path, name)}, n != nil
}

func (f fieldsOf) need(name string) place {
	at, ok := f.has(name)
	if !ok && f.at.node != nil {
		f.r.fail(place{f.at.node, at.path}, "missing")
	}
	return at
}

func (r *reader) list(at place, longest int) (items []place) {
	switch {
	case at.node == nil:
		return nil
	case at.node.Kind != yaml.SequenceNode:
		r.fail(at, "a list is expected here")
		return nil
	case len(at.node.Content) > longest:
		r.fail(at, "more than %d", longest)
		return nil
	}
	for i, n := range at.node.Content {
		items = append(items, place{n, fmt.Sprintf("%s[%d]", at.path, i)})
	}
	return items
}

// scalar is the text of a plain value.
func (r *reader) scalar(at place) (string, bool) {
	if at.node == nil {
		return "", false
	}
	if at.node.Kind != yaml.ScalarNode {
		r.fail(at, "one value is expected here")
		return "", false
	}
	return at.node.Value, true
}

func (r *reader) text(at place, longest int) string {
	s, ok := r.scalar(at)
	if ok && (s == "" || utf8.RuneCountInString(s) > longest) {
		r.fail(at, "1 to %d characters", longest)
	}
	return s
}

var codes = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,19}$`)

func (r *reader) code(at place) string {
	s, ok := r.scalar(at)
	if ok && !codes.MatchString(s) {
		r.fail(at, "capital letters, digits and underlines, at most %d", codeMax)
	}
	return s
}

func (r *reader) choice(at place, options ...string) string {
	s, ok := r.scalar(at)
	if ok && !slices.Contains(options, s) {
		r.fail(at, "one of %s", strings.Join(options, ", "))
	}
	return s
}

func (r *reader) integer(at place, least, most int64) int64 {
	s, ok := r.scalar(at)
	n, err := strconv.ParseInt(s, 10, 64)
	if ok && (err != nil || n < least || n > most) {
		r.fail(at, "a whole number from %d to %d", least, most)
	}
	return n
}

// money reads yuan with at most two places, above zero.
func (r *reader) money(at place) int64 {
	s, ok := r.scalar(at)
	fen, exact := decimal(s, 2)
	if ok && (!exact || fen <= 0 || fen > bank.AmountMaxFen) {
		r.fail(at, "an amount in yuan, such as 50.00")
	}
	return fen
}

// rate reads a rate a year in per cent with at most four places.
func (r *reader) rate(at place) int64 {
	s, ok := r.scalar(at)
	number, percent := strings.CutSuffix(s, "%")
	e6, exact := decimal(number, 4)
	if ok && (!percent || !exact || e6 > rateMaxE6) {
		r.fail(at, "a rate a year from 0%% to 100%%, such as 1.35%%")
	}
	return e6
}

func (r *reader) date(at place) bank.Date {
	s, ok := r.scalar(at)
	d, err := bank.ParseDate(s)
	if ok && err != nil {
		r.fail(at, "a date such as 2026-01-15")
	}
	return d
}

// decimal reads digits with at most that many places behind the point, as a whole number of the last of them.
func decimal(s string, places int) (n int64, exact bool) {
	whole, rest, _ := strings.Cut(s, ".")
	if whole == "" || len(rest) > places || strings.HasSuffix(s, ".") {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+rest+strings.Repeat("0", places-len(rest)), 10, 64)
	return n, err == nil && n >= 0 && whole[0] != '-' && whole[0] != '+'
}
