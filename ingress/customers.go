package ingress

import (
	"strings"

	"github.com/suanpan-bank/suanpan/bank"
)

// Registration, opening of accounts and the cards bound to them.

type customerRequest struct {
	Name         string `json:"name"`
	IDType       string `json:"id_type,omitzero"`
	IDNumber     string `json:"id_number"`
	Mobile       string `json:"mobile"`
	Channel      string `json:"channel,omitzero"`
	Branch       string `json:"branch,omitzero"`
	ReferrerCode string `json:"referrer_code,omitzero"`
	RegisteredOn string `json:"registered_on,omitzero"`
}

func register(s *Server, in *customerRequest, _ []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.RegisterCustomer{
		IDKind: bank.IDKind(in.IDType), Channel: f.channel(in.Channel), Date: f.date("registered_on", in.RegisteredOn),
		Branch:       f.text("branch", in.Branch, false, codeMax),
		ReferrerCode: f.text("referrer_code", in.ReferrerCode, false, codeMax),
	}
	f.text("name", in.Name, true, nameMax)
	f.text("id_number", in.IDNumber, true, otherIDMax)
	if f.p == nil && !isMobile(in.Mobile) {
		f.fail(string(bank.FieldInvalid), "mobile", "a mobile number has 11 digits and begins with 13 to 19")
	}
	number := in.IDNumber
	switch cmd.IDKind {
	case "", bank.ResidentID:
		cmd.IDKind = bank.ResidentID
		parsed, fault := bank.ParseIdentityNumber(number, bank.DateOf(s.options.Clock()))
		if fault != bank.NumberOK {
			f.fail(string(bank.FieldInvalid), "id_number", string(fault))
			break
		}
		number, cmd.Region = string(parsed), parsed.Region()
	case bank.OtherID:
	default:
		f.fail(string(bank.FieldInvalid), "id_type", "RESIDENT_ID or OTHER")
	}
	if f.p != nil {
		return nil, f.p
	}
	cmd.Person = bank.PersonSealed{
		NameSealed: s.seal(&f, in.Name), IDSealed: s.seal(&f, number), MobileSealed: s.seal(&f, in.Mobile),
		IDToken:     s.options.Vault.Token("id", string(cmd.IDKind)+":"+number),
		MobileToken: s.options.Vault.Token("mobile", in.Mobile), NameToken: s.options.Vault.Token("name", in.Name),
		NameMasked: bank.MaskName(in.Name), IDMasked: bank.MaskIdentity(number), MobileMasked: bank.MaskMobile(in.Mobile),
	}
	return cmd, f.p
}

func (s *Server) seal(f *fields, plain string) []byte {
	sealed, err := s.options.Vault.Seal(plain)
	if err != nil {
		s.options.Logger.Error("a field can't be sealed", "cause", err)
		f.fail(codeInternal, "", "")
	}
	return sealed
}

func isMobile(s string) bool {
	return len(s) == 11 && s[0] == '1' && s[1] >= '3' && strings.Trim(s, "0123456789") == ""
}

type cardRequest struct {
	CardNo string `json:"card_no"`
	Bank   string `json:"bank"`
	Kind   string `json:"kind,omitzero"`
}

type accountRequest struct {
	Class      string      `json:"class,omitzero"`
	Product    string      `json:"product,omitzero"`
	FaceToFace bool        `json:"face_to_face,omitzero"`
	BoundCard  cardRequest `json:"bound_card"`
	Channel    string      `json:"channel,omitzero"`
	OpenedOn   string      `json:"opened_on,omitzero"`
	// AwaitCardCheck: the bound card is not confirmed yet.
	AwaitCardCheck bool `json:"await_card_check,omitzero"`
}

func openAccount(s *Server, in *accountRequest, args []string) (bank.Command, *problem) {
	var f fields
	cmd := &bank.OpenAccount{
		Customer: f.customer("customer_id", args[0]), Class: 2, Product: f.text("product", in.Product, false, codeMax),
		FaceToFace: in.FaceToFace, Channel: f.channel(in.Channel), Date: f.date("opened_on", in.OpenedOn), Apply: in.AwaitCardCheck,
	}
	if in.Class != "" && cmd.Class.UnmarshalText([]byte(in.Class)) != nil {
		f.fail(string(bank.FieldInvalid), "class", "I, II or III")
	}
	cmd.Card = s.card(&f, &in.BoundCard, "bound_card.")
	return cmd, f.p
}

// card checks and seals a card; in is the beginning of its fields' names.
func (s *Server) card(f *fields, card *cardRequest, in string) bank.CardSealed {
	f.cardNo(in+"card_no", card.CardNo)
	f.text(in+"bank", card.Bank, true, codeMax)
	if card.Kind == "" {
		card.Kind = bank.CardClassI
	}
	if card.Kind != bank.CardClassI && card.Kind != bank.CardCredit {
		f.fail(string(bank.FieldInvalid), in+"kind", "CLASS_1 or CREDIT")
	}
	if f.p != nil {
		return bank.CardSealed{}
	}
	return bank.CardSealed{
		Sealed: s.seal(f, card.CardNo), Token: s.options.Vault.Token("card", card.CardNo),
		Masked: bank.MaskCard(card.CardNo), Bank: card.Bank, Kind: card.Kind,
	}
}

func (f *fields) cardNo(field, no string) {
	switch {
	case no == "":
		f.fail(string(bank.BoundCardRequired), field, "")
	case !bank.IsCardNumber(no):
		f.fail(string(bank.FieldInvalid), field, "8 to 19 digits with a correct check digit")
	}
}
