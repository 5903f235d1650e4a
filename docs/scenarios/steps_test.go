package scenarios

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// story is one scenario: its bank, and whom it knows by name.
type story struct {
	t         *testing.T
	program   string
	bank      *bank
	names     []string // of accounts, in the order of their opening
	accounts  map[string]*account
	deposits  map[string]string // by the name the story gave them
	transfers map[string]string
	keys      int
}

// account is a customer's account and what the story has seen of it.
type account struct {
	customer, no string
	cursor       string // of the vouchers shown so far
	shown        string // balance
}

func (s *story) close() {
	if s.bank == nil {
		return
	}
	if err := s.bank.close(); err != nil {
		s.t.Errorf("the bank ended with %v", err)
	}
}

// steps by their names. What each does and which words it takes is in README.md.
var steps = map[string]func(*story, *words) string{
	"时钟":   (*story).moveClock,
	"开户":   (*story).openAccount,
	"来账":   (*story).inbound,
	"转入":   (*story).pull,
	"转出":   (*story).push,
	"渠道":   (*story).channel,
	"转账":   (*story).transfer,
	"买入":   (*story).buy,
	"支取":   (*story).redeem,
	"存单":   (*story).deposit,
	"新存单":  (*story).newest,
	"对账单":  (*story).statement,
	"渠道文件": (*story).file,
	"请求":   (*story).request,
}

func (s *story) step(d *datadriven.TestData) string {
	do, ok := steps[d.Cmd]
	if !ok {
		d.Fatalf(s.t, "there is no step %q", d.Cmd)
	}
	if s.bank == nil && d.Cmd != "时钟" {
		d.Fatalf(s.t, "a scenario begins with 时钟")
	}
	w := &words{data: d, t: s.t}
	out := do(s, w)
	w.done()
	return out
}

// words are a step's words: those in order, and those with a name (名=值).
type words struct {
	data *datadriven.TestData
	t    *testing.T
	used []string
	at   int
}

// next is the next word without a name.
func (w *words) next(what string) string {
	for ; w.at < len(w.data.CmdArgs); w.at++ {
		if a := w.data.CmdArgs[w.at]; len(a.Vals) == 0 && !slices.Contains(w.used, a.Key) {
			w.at++
			return a.Key
		}
	}
	w.data.Fatalf(w.t, "%s is missing", what)
	return ""
}

// named is the value of a word with a name, empty without one.
func (w *words) named(name string) string {
	w.used = append(w.used, name)
	for _, a := range w.data.CmdArgs {
		if a.Key == name && len(a.Vals) == 1 {
			return a.Vals[0]
		}
	}
	return ""
}

// has reports whether a word stands there.
func (w *words) has(word string) bool {
	w.used = append(w.used, word)
	return slices.ContainsFunc(w.data.CmdArgs, func(a datadriven.CmdArg) bool { return a.Key == word && len(a.Vals) == 0 })
}

func (w *words) done() {
	for i, a := range w.data.CmdArgs {
		if i >= w.at && !slices.Contains(w.used, a.Key) {
			w.data.Fatalf(w.t, "what does %s mean?", a)
		}
	}
}

// fen reads yuan with two decimals, such as 1,234.56.
func (w *words) fen() int64 {
	word := w.next("amount")
	fen, err := strconv.ParseInt(strings.NewReplacer(",", "", ".", "").Replace(word), 10, 64)
	if err != nil || len(word) < 4 || word[len(word)-3] != '.' {
		w.data.Fatalf(w.t, "%s is no amount such as 1,234.56", word)
	}
	return fen
}

func (s *story) account(w *words) *account {
	name := w.next("account")
	a := s.accounts[name]
	if a == nil {
		w.data.Fatalf(w.t, "nobody is called %s", name)
	}
	return a
}

// post sends a command; what it did is told in vouchers and balances, or why it was refused. accept sees the
// answer of one that succeeded.
func (s *story) post(path string, body map[string]any, accept func(map[string]any)) string {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(path, string(text), "", "", accept)
}

func (s *story) send(path, body, operator, approver string, accept func(map[string]any)) string {
	s.t.Helper()
	s.keys++
	status, document, err := s.bank.call(http.MethodPost, path, fmt.Sprintf("step-%d", s.keys), body, operator, approver)
	if err != nil {
		s.t.Fatal(err)
	}
	var reply map[string]any
	if err := json.Unmarshal(document, &reply); err != nil {
		s.t.Fatalf("POST %s: %d %s", path, status, document)
	}
	if status >= http.StatusBadRequest {
		return refusal(reply)
	}
	if accept != nil {
		accept(reply)
	}
	return s.news()
}

func refusal(reply map[string]any) string {
	out := fmt.Sprintf("拒绝 %v %v", reply["code"], reply["title"])
	if field, ok := reply["field"]; ok {
		out += fmt.Sprintf(" (%v)", field)
	}
	if limit, ok := reply["limit_fen"].(float64); ok {
		out += " 限额 " + yuan(int64(limit))
	}
	return out
}

// get reads a document.
func (s *story) get(path, operator string, into any) {
	s.t.Helper()
	status, document, err := s.bank.call(http.MethodGet, path, "", "", operator, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if status != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, status, document)
	}
	if err := json.Unmarshal(document, into); err != nil {
		s.t.Fatalf("GET %s: %v in %s", path, err, document)
	}
}

func (s *story) moveClock(w *words) string {
	at, err := time.ParseInLocation("2006-01-02 15:04", w.next("date")+" "+w.next("time"), time.FixedZone("Asia/Shanghai", 8*60*60))
	if err != nil {
		w.data.Fatalf(w.t, "%v", err)
	}
	if s.bank == nil {
		s.bank = open(s.t, s.program, at, w.named("产品"))
		return ""
	}
	status, document, err := s.bank.call(http.MethodPost, "/v1/clock", "", fmt.Sprintf(`{"to":%q}`, at.Format(time.RFC3339)), "", "")
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("clock: %d %s %v", status, document, err)
	}
	return s.news()
}

func (s *story) openAccount(w *words) string {
	name := w.next("name")
	class := strings.TrimSuffix(w.next("class"), "类")
	// Each person has a document of his own, and all the same bound card's bank.
	birth := "19850615"
	if b := w.named("生日"); b != "" {
		birth = strings.ReplaceAll(b, "-", "")
	}
	n := len(s.names) + 1
	person := map[string]any{"name": name, "id_number": identityNumber(birth, n), "mobile": fmt.Sprintf("138%08d", n)}
	opening := map[string]any{
		"class": class, "face_to_face": w.has("面签"),
		"bound_card": map[string]any{"card_no": "6228480402564890018", "bank": "中国农业银行", "kind": "CLASS_1"},
	}
	a := &account{}
	first, _, _ := strings.Cut(name, "·") // 张三·2 is another account of 张三
	if owner := s.accounts[first]; owner != nil {
		a.customer, a.cursor = owner.customer, owner.cursor
	} else if out := s.post("/v1/customers", person, func(reply map[string]any) { a.customer = reply["customer_id"].(string) }); a.customer == "" {
		return out
	}
	return s.post("/v1/customers/"+a.customer+"/accounts", opening, func(reply map[string]any) {
		a.no = reply["account_no"].(string)
		s.accounts[name] = a
		s.names = append(s.names, name)
	})
}

// identityNumber makes the n-th document number of people born on a day (GB 11643).
func identityNumber(birth string, n int) string {
	number := fmt.Sprintf("220113%s%03d", birth, n)
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(number[i]-'0') * w
	}
	return number + string("10X98765432"[sum%11])
}

func (s *story) inbound(w *words) string {
	a, fen := s.account(w), w.fen()
	body := map[string]any{"kind": "inbound", "to_account": a.no, "amount_fen": fen, "from_account": "6222020200001234567", "from_bank": "中国工商银行", "summary": w.named("附言")}
	if w.has("绑定卡") {
		body["from_account"], body["from_bank"], body["from_bound_card"] = "6228480402564890018", "中国农业银行", true
	}
	return s.post("/v1/transfers", body, nil)
}

func (s *story) pull(w *words) string {
	a, fen, name := s.account(w), w.fen(), w.named("交易")
	return s.post("/v1/transfers", map[string]any{"kind": "in_bound", "to_account": a.no, "amount_fen": fen}, s.remember(name))
}

func (s *story) push(w *words) string {
	a, fen, name := s.account(w), w.fen(), w.named("交易")
	body := map[string]any{"kind": "out", "from_account": a.no, "amount_fen": fen}
	if w.has("绑定卡") {
		body["to_bound_card"] = true
	} else {
		body["to_account"], body["to_name"], body["to_bank"] = "6222020200001234567", "王五", "中国工商银行"
	}
	return s.post("/v1/transfers", body, s.remember(name))
}

// remember keeps a transfer under the name that the story gives it.
func (s *story) remember(name string) func(map[string]any) {
	return func(reply map[string]any) { s.transfers[name] = reply["transfer_id"].(string) }
}

func (s *story) channel(w *words) string {
	id, ok := s.transfers[w.next("transfer")]
	if !ok {
		w.data.Fatalf(w.t, "no such transfer")
	}
	result := map[string]string{"成功": "SUCCESS", "失败": "FAILURE"}[w.next("成功 or 失败")]
	return s.post("/v1/channel/results", map[string]any{"transfer_id": id, "result": result}, nil)
}

func (s *story) transfer(w *words) string {
	payer, payee, fen := s.account(w), s.account(w), w.fen()
	return s.post("/v1/transfers", map[string]any{
		"kind": "internal", "from_account": payer.no, "to_account": payee.no, "amount_fen": fen, "summary": w.named("附言"),
	}, s.remember(w.named("交易")))
}

func (s *story) buy(w *words) string {
	a, product, fen, name := s.account(w), w.next("product"), w.fen(), w.named("存单")
	code := map[string]string{"季富存": "JFC3M", "岁利存半年": "SLC6M", "岁利存一年": "SLC1Y", "岁丰存三年": "SFC3Y"}[product]
	body := map[string]any{"account_no": a.no, "product": code, "amount_fen": fen}
	switch choice := w.named("转存"); choice {
	case "":
	case "本金":
		body["rollover"] = "PRINCIPAL"
	case "本息":
		body["rollover"] = "PRINCIPAL_AND_INTEREST"
	default:
		w.data.Fatalf(w.t, "转存=%s", choice)
	}
	return s.post("/v1/deposits", body, func(reply map[string]any) { s.deposits[name] = reply["deposit_id"].(string) })
}

// newest names the customer's newest deposit, which nobody has bought: a rollover has made it.
func (s *story) newest(w *words) string {
	var v struct {
		Deposits []struct {
			ID string `json:"deposit_id"`
		} `json:"deposits"`
	}
	s.get("/v1/customers/"+s.account(w).customer, "", &v)
	if len(v.Deposits) == 0 {
		w.data.Fatalf(w.t, "there is no deposit")
	}
	name := w.next("name")
	s.deposits[name] = v.Deposits[len(v.Deposits)-1].ID
	return s.show(s.deposits[name])
}

func (s *story) named(w *words) string {
	id, ok := s.deposits[w.next("deposit")]
	if !ok {
		w.data.Fatalf(w.t, "no such deposit")
	}
	return id
}

func (s *story) redeem(w *words) string {
	id := s.named(w)
	body := map[string]any{"all": true}
	if !w.has("全部") {
		body = map[string]any{"amount_fen": w.fen()}
	}
	return s.post("/v1/deposits/"+id+"/redemptions", body, nil)
}

// request sends any command: its path, its body in the lines below, and whose it is. $名 stands for the number
// of an account, deposit or transfer, $名.客户 for an account's customer.
func (s *story) request(w *words) string {
	path := w.next("path")
	operator, approver, name := w.named("经办"), w.named("复核"), w.named("交易")
	return s.send(s.replace(path), s.replace(w.data.Input), operator, approver, func(reply map[string]any) {
		for _, member := range []string{"transfer_id", "deduction_id", "restriction_id", "hold_id"} {
			if id, ok := reply[member].(string); ok && name != "" {
				s.transfers[name] = id
				return
			}
		}
	})
}

// file gives the bank a channel's file to reconcile, and tells its report and what it did.
func (s *story) file(w *words) string {
	status, report, err := s.bank.read(http.MethodPost, "/v1/channel/files/"+w.next("channel"), s.replace(w.data.Input)+"\n", "text/plain", "finance")
	if err != nil {
		s.t.Fatal(err)
	}
	if status != http.StatusOK {
		w.data.Fatalf(w.t, "%d %s", status, report)
	}
	text := string(report)
	for name, id := range s.transfers {
		text = strings.ReplaceAll(text, id, "$"+name)
	}
	for name, a := range s.accounts {
		text = strings.ReplaceAll(text, a.no, "$"+name)
	}
	text = digest.ReplaceAllString(text, "…")
	// A report has empty lines, which would end the answer in the file.
	return strings.ReplaceAll(strings.TrimSpace(text), "\n\n", "\n") + "\n" + s.news()
}

// digest is the hash of a file whose identifiers differ from run to run.
var digest = regexp.MustCompile("[0-9a-f]{64}")

// replace puts numbers in the place of names; of two names that fit, the longer.
func (s *story) replace(text string) string {
	numbers := map[string]string{}
	for name, a := range s.accounts {
		numbers["$"+name], numbers["$"+name+".客户"] = a.no, a.customer
	}
	for name, id := range s.deposits {
		numbers["$"+name] = id
	}
	for name, id := range s.transfers {
		numbers["$"+name] = id
	}
	names := slices.SortedFunc(maps.Keys(numbers), func(a, b string) int { return len(b) - len(a) })
	for _, name := range names {
		text = strings.ReplaceAll(text, name, numbers[name])
	}
	return text
}
