package papers

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

//go:embed font/WenQuanYiMicroHei-subset.ttf
var font []byte

// The layout of an A4 page, in millimetres; text sizes in points.
const (
	fontName   = "micro-hei"
	pageLeft   = 10.0
	pageWidth  = 190.0
	pageTop    = 10.0
	pageBottom = 279.0 // where the foot begins
	lineHeight = 3.4   // of small text

	sizeTitle = 15.0
	sizeText  = 9.0
	sizeSmall = 7.0
	sizeFine  = 6.0
)

// missing (缺字) is printed for characters outside the Basic Multilingual Plane, which the PDF library can't
// set. Of the others, those that the font lacks are printed as its own box.
const missing = '□'

// shown is text that can be printed: nothing is left out silently.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r > 0xFFFF:
			return missing
		case r < ' ':
			return ' '
		}
		return r
	}, s)
}

// sheet is a paper's pages, each with its head and foot.
type sheet struct {
	pdf    *fpdf.Fpdf
	number string
}

// newSheet begins a paper. The same content made at the same time gives the same bytes.
func newSheet(zh, en, number string, made time.Time) *sheet {
	s := &sheet{pdf: fpdf.New("P", "mm", "A4", ""), number: number}
	p := s.pdf
	p.SetCatalogSort(true)
	p.SetCreationDate(made)
	p.SetModificationDate(made)
	p.SetTitle(zh+" "+en, true)
	p.SetAuthor(Bank.Zh, true)
	p.SetLang("zh-CN")
	p.SetMargins(pageLeft, pageTop, pageLeft)
	p.SetAutoPageBreak(false, 0)
	p.AliasNbPages("{pages}")
	p.AddUTF8FontFromBytes(fontName, "", font)
	p.SetFont(fontName, "", sizeText)
	p.SetHeaderFunc(func() {
		s.text(pageLeft, pageTop, sizeText, Bank.Zh)
		s.text(pageLeft, pageTop+4.5, sizeFine, Bank.En)
		s.centred(pageLeft, pageTop, pageWidth, sizeTitle, zh)
		s.centred(pageLeft, pageTop+6.5, pageWidth, sizeSmall, en)
		s.right(pageLeft, pageTop, pageWidth, sizeSmall, "编号 No. "+s.number)
		p.SetLineWidth(0.4)
		p.Line(pageLeft, pageTop+11, pageLeft+pageWidth, pageTop+11)
		p.SetY(pageTop + 13)
	})
	p.SetFooterFunc(func() {
		p.SetLineWidth(0.2)
		p.Line(pageLeft, pageBottom+3, pageLeft+pageWidth, pageBottom+3)
		s.text(pageLeft, pageBottom+4, sizeSmall, "打印时间 Printed "+made.In(shanghai).Format("2006-01-02 15:04:05"))
		s.right(pageLeft, pageBottom+4, pageWidth, sizeSmall, fmt.Sprintf("第 %d 页 共 {pages} 页 Page %d of {pages}", p.PageNo(), p.PageNo()))
	})
	p.AddPage()
	return s
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// text sets a line whose top is at y.
func (s *sheet) text(x, y, size float64, text string) { s.cell(x, y, 0, size, "L", text) }

func (s *sheet) centred(x, y, w, size float64, text string) { s.cell(x, y, w, size, "C", text) }

func (s *sheet) right(x, y, w, size float64, text string) { s.cell(x, y, w, size, "R", text) }

func (s *sheet) cell(x, y, w, size float64, align, text string) {
	p := s.pdf
	p.SetFontSize(size)
	text = shown(text)
	switch align {
	case "C":
		x += (w - p.GetStringWidth(text)) / 2
	case "R":
		x += w - p.GetStringWidth(text)
	}
	_, height := p.GetFontSize()
	p.Text(x, y+0.88*height, text)
}

// wrap breaks text into lines that fit the width at a size: at the last space of a line if there is one, else
// anywhere, as Chinese may be.
func (s *sheet) wrap(text string, width, size float64) []string {
	s.pdf.SetFontSize(size)
	text = shown(text)
	if text == "" {
		return nil
	}
	var lines []string
	for s.pdf.GetStringWidth(text) > width {
		used, end, space := 0.0, 0, 0
		for i, r := range text {
			if used += s.pdf.GetStringWidth(string(r)); used > width && i > 0 {
				end = i
				break
			}
			if r == ' ' {
				space = i
			}
		}
		if end == 0 {
			break // a single character wider than the column
		}
		if space > 0 {
			end = space
		}
		lines, text = append(lines, text[:end]), strings.TrimPrefix(text[end:], " ")
	}
	return append(lines, text)
}

// field is a label in both languages and what it says.
type field struct{ zh, en, value string }

// fields sets a ruled table of two fields a row and moves below it.
func (s *sheet) fields(all []field) {
	const labelWidth, valueWidth, rowHeight = 32.0, 63.0, 8.0
	p := s.pdf
	p.SetLineWidth(0.1)
	for i := 0; i < len(all); i += 2 {
		y := p.GetY()
		row := all[i:min(i+2, len(all))]
		height := rowHeight
		lines := make([][]string, len(row))
		for k, f := range row {
			width := valueWidth
			if len(row) == 1 {
				width = pageWidth - labelWidth
			}
			lines[k] = s.wrap(f.value, width-2, sizeText)
			height = max(height, float64(len(lines[k]))*4.2+3)
		}
		x := pageLeft
		for k, f := range row {
			width := valueWidth
			if len(row) == 1 {
				width = pageWidth - labelWidth
			}
			p.Rect(x, y, labelWidth, height, "D")
			s.text(x+1, y+0.8, sizeText, f.zh)
			s.text(x+1, y+4.7, sizeFine, f.en)
			p.Rect(x+labelWidth, y, width, height, "D")
			for n, line := range lines[k] {
				s.text(x+labelWidth+1, y+(height-float64(len(lines[k]))*4.2)/2+float64(n)*4.2, sizeText, line)
			}
			x += labelWidth + width
		}
		p.SetY(y + height)
	}
}

// proof sets the code and how to check it, beside the frame that says what kind of paper it is. The frame is
// no seal and says so.
func (s *sheet) proof(kind, code string) {
	const height, frame = 24.0, 52.0
	p := s.pdf
	if p.GetY()+height+4 > pageBottom {
		p.AddPage()
	}
	y := p.GetY() + 4
	s.text(pageLeft, y+2, sizeText, "验证码 Verification code: "+code)
	s.text(pageLeft, y+8, sizeSmall, "凭编号和验证码可向本行核验内容是否与账务记录一致。")
	s.text(pageLeft, y+12, sizeSmall, "With number and code the bank confirms that its books say the same:")
	s.text(pageLeft, y+16, sizeFine, "GET /v1/papers/"+s.number+"?code="+code)
	x := pageLeft + pageWidth - frame
	p.SetDrawColor(190, 30, 30)
	p.SetTextColor(190, 30, 30)
	p.SetLineWidth(0.6)
	p.RoundedRect(x, y, frame, height-3, 3, "1234", "D")
	p.SetLineWidth(0.2)
	p.RoundedRect(x+1.2, y+1.2, frame-2.4, height-5.4, 2.2, "1234", "D")
	s.centred(x, y+3.5, frame, sizeText, Bank.Zh)
	s.centred(x, y+8.5, frame, sizeText, kind)
	s.centred(x, y+14.5, frame, sizeFine, "非印章 以验证码核验为准 Not a seal")
	p.SetDrawColor(0, 0, 0)
	p.SetTextColor(0, 0, 0)
	p.SetY(y + height)
}

// write ends the paper.
func (s *sheet) write(w io.Writer) error {
	if err := s.pdf.Output(w); err != nil {
		return fmt.Errorf("papers: %w", err)
	}
	return nil
}
