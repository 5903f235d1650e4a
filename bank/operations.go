package bank

// Operation is a business operation and the template of its legs, as SPEC 6.3 prints them. It is
// what auditors and the console read; the functions of postings.go must agree with it, by test.
type Operation struct {
	ID, Zh, En string
	Group      string
	Note       string
	Legs       []LegTemplate
}

// LegTemplate is one row of the posting table. Debit and Credit are details or the symbols of
// SPEC 6.3 (CUST, TD, LN …), empty on a post or void. Code and Flags are as printed, since some rows
// name a choice or a condition; "1x" in No is the mirror case of leg 1.
type LegTemplate struct {
	No, Debit, Credit, Amount, Code, Flags string
}

// Operations is the posting table (分录表): 67 operations.
var Operations = []Operation{
	{"E01", "开户", "open e-account", "电子账户", "no transfer; create CUST account (DC + H), id deterministic, plus nothing else", nil},
	{"E02", "绑定卡转入(代扣)", "transfer in, pull from bound card, two-phase", "电子账户", "unknown result: stay pending, query the channel; never let the ledger time it out", []LegTemplate{
		{"1", "CLR", "CUST", "amt", "1101", "P, timeout 0"},
		{"1a", "", "", "amt", "1101", "post 1 on channel success"},
		{"1b", "", "", "", "1101", "void 1 on channel failure"},
	}},
	{"E03", "他行转入(贷记来账)", "inbound credit", "电子账户", "checks before: name match, account may take credit, class rule; otherwise refuse to the channel", []LegTemplate{
		{"1", "CLR", "CUST", "amt", "1102", ""},
	}},
	{"E04", "来账挂账", "inbound that can not be applied", "电子账户", "then either E05 or return", []LegTemplate{
		{"1", "CLR", "22410201", "amt", "1103", ""},
	}},
	{"E05", "挂账入账 / 退回", "apply or return a held receipt", "电子账户", "", []LegTemplate{
		{"1", "22410201", "CUST or CLR", "amt", "1104", ""},
	}},
	{"E06", "转出(绑定卡/非绑定)", "transfer out, two-phase with fee", "电子账户", "omit leg 2 and the link when fee = 0", []LegTemplate{
		{"1", "CUST", "CLR", "amt", "1111 bound / 1112 other", "l, P, timeout 0"},
		{"2", "CUST", "60210101", "fee", "1131", "P"},
		{"a", "", "", "", "", "post 1 + post 2 linked on success"},
		{"b", "", "", "", "", "void 1 + void 2 linked on failure"},
	}},
	{"E07", "消费/缴费", "payment / consumption", "电子账户", "", []LegTemplate{
		{"1", "CUST", "CLR", "amt", "1113", "P or single by channel"},
	}},
	{"E08", "行内转账", "internal transfer between customers", "电子账户", "payee permit asked first (state, class, limit)", []LegTemplate{
		{"1", "CUST(payer)", "CUST(payee)", "amt", "1121", "l if fee"},
		{"2", "CUST(payer)", "60210101", "fee", "1131", ""},
	}},
	{"E09", "行内转账至Ⅲ类户", "internal transfer to a class III account, balance bound", "电子账户", "same five legs behind any credit to class III; fails with exceeds_debits when the cap would be passed", []LegTemplate{
		{"1", "CUST(payer)", "CUST3", "amt", "1121", "l"},
		{"2", "30019101", "30019102", "cap 200000", "1190", "l"},
		{"3", "CUST3", "30019101", "AMOUNT_MAX", "1190", "l, P, bd"},
		{"4", "", "", "", "1190", "l, void 3"},
		{"5", "30019102", "30019101", "cap 200000", "1190", ""},
	}},
	{"E10", "转出后退汇", "returned after success", "电子账户", "user_data_128 = original business id", []LegTemplate{
		{"1", "CLR", "CUST", "amt", "1161", ""},
	}},
	{"E11", "手续费退还", "fee refund", "电子账户", "", []LegTemplate{
		{"1", "60210101", "CUST", "fee", "1132", ""},
	}},
	{"E12", "部分冻结(司法/质押/存款证明)", "hold an amount", "电子账户", "if less than asked was available the actor reserves the rest out of later credits by further holds", []LegTemplate{
		{"1", "CUST or TD", "22410301", "min(amt, available)", "1141", "P, bd, timeout 0"},
	}},
	{"E13", "解冻", "release a hold", "电子账户", "", []LegTemplate{
		{"1", "", "", "", "1141", "void"},
	}},
	{"E14", "司法扣划", "judicial deduction", "电子账户", "the rest of a partly posted hold is released by the ledger: place a new hold for it in the same chain", []LegTemplate{
		{"1", "", "", "amt <= hold", "1141", "l, post hold"},
		{"2", "22410301", "CLR", "amt", "1142", "P then post"},
	}},
	{"E15", "风险暂缓(可疑交易延迟)", "delay an outgoing payment for review", "电子账户", "", []LegTemplate{
		{"1", "CUST", "22410501", "amt", "1145", "P"},
		{"a", "", "", "", "", "void + E06 when cleared, or void when refused, one chain"},
	}},
	{"E16", "活期结息", "demand interest, 21 Mar/Jun/Sep/Dec", "电子账户", "", []LegTemplate{
		{"1", "64110101", "22310101", "max(0, I - accrued)", "2033", "l"},
		{"1x", "22310101", "64110101", "max(0, accrued - I)", "2032", "l"},
		{"2", "22310101", "CUST", "I", "1151", "l if tax"},
		{"3", "CUST", "22210201", "tax", "1152", ""},
	}},
	{"E17", "活期计提(每日)", "daily accrual of demand interest, aggregated", "电子账户", "", []LegTemplate{
		{"1", "64110101", "22310101", "sum of deltas of the shard", "2031", ""},
	}},
	{"E18", "销户", "close e-account", "电子账户", "only with no deposits, loans, holds, pendings, agency holdings", []LegTemplate{
		{"1", "", "", "", "0", "E16 for the broken quarter, linked"},
		{"2", "CUST", "CLR(bound card) or CUST2", "AMOUNT_MAX", "1171", "l, bd"},
		{"3", "CUST", "CLR or CUST2", "0", "1172", "P, cl"},
	}},
	{"E19", "转久悬 / 久悬支取", "dormant in / out", "电子账户", "", []LegTemplate{
		{"1", "CUST", "20110901", "bal", "1181", ""},
		{"1x", "20110901", "CUST", "bal", "1182", ""},
	}},
	{"E20", "抹账(当日) / 冲正(隔日)", "reversal same day / later day", "电子账户", "if CUST can no longer bear the debit: Dr 12210201 instead for the shortfall, then claim it; value date of the original adjusts 积数", []LegTemplate{
		{"1", "credit of the original", "debit of the original", "orig", "orig + 30000 same day, + 40000 later", "linked, legs in reverse order"},
	}},
	{"E21", "客户垫款收回", "collect an advance from a customer", "电子账户", "", []LegTemplate{
		{"1", "CUST", "12210201", "amt", "1183", ""},
	}},
	{"D01", "购买定期", "buy a term deposit", "存款", "create TD account first; TD user_data_128 = deposit id", []LegTemplate{
		{"1", "CUST", "TD(new)", "P", "2001", ""},
	}},
	{"D02", "定期计提(每日)", "daily accrual, aggregated per product x shard", "存款", "", []LegTemplate{
		{"1", "INTEXP", "INTPAY", "sum of deltas", "2031", ""},
	}},
	{"D03", "到期兑付", "maturity payout", "存款", "leg 1 (or its mirror 2032) only when the accrual differs, which rule D-ACC keeps at zero", []LegTemplate{
		{"1", "INTEXP", "INTPAY", "I - accrued (>0)", "2033", "l"},
		{"2", "TD", "CUST", "P", "2011", "l"},
		{"3", "INTPAY", "CUST", "I", "2012", "l if tax"},
		{"4", "CUST", "22210201", "tax", "1152", ""},
	}},
	{"D04", "到期本息转存", "rollover of principal and interest", "存款", "", []LegTemplate{
		{"1", "INTPAY", "TD(old)", "I", "2013", "l"},
		{"2", "TD(old)", "TD(new)", "P + I", "2014", ""},
	}},
	{"D05", "到期本金转存", "rollover of principal only", "存款", "", []LegTemplate{
		{"1", "INTPAY", "CUST", "I", "2012", "l"},
		{"2", "TD(old)", "TD(new)", "P", "2014", ""},
	}},
	{"D06", "提前支取(全部)", "early redemption, full", "存款", "if Id > accrued leg 1 is Dr INTEXP Cr INTPAY 2033", []LegTemplate{
		{"1", "INTPAY", "INTEXP", "accrued - Id (>0)", "2032", "l"},
		{"2", "TD", "CUST", "P", "2021", "l"},
		{"3", "INTPAY", "CUST", "Id", "2022", ""},
	}},
	{"D07", "提前支取(部分)", "early redemption, part X", "存款", "", []LegTemplate{
		{"1", "INTPAY", "INTEXP", "accrued(P) - accrued(P-X) - Id(X)", "2032", "l"},
		{"2", "TD", "CUST", "X", "2021", "l"},
		{"3", "INTPAY", "CUST", "Id(X)", "2022", ""},
	}},
	{"D08", "逾期支取", "redemption after maturity without rollover", "存款", "after maturity the deposit accrues at the demand rate into 22310101", []LegTemplate{
		{"1", "64110101", "22310101", "Iov - accrued", "2033", "l"},
		{"2", "TD", "CUST", "P", "2011", "l"},
		{"3", "INTPAY", "CUST", "I", "2012", "l"},
		{"4", "22310101", "CUST", "Iov", "2041", ""},
	}},
	{"D09", "存单质押/存款证明", "pledge / deposit certificate hold", "存款", "", []LegTemplate{
		{"1", "TD", "22410301", "amt", "1141", "P, timeout 0"},
	}},
	{"L01", "授信生效", "credit line granted", "贷款", "increase: same; reduce/expire/cancel: mirror with bd", []LegTemplate{
		{"1", "80019901", "LINE", "limit", "3001", "l"},
		{"2", "70030101", "70039901", "limit", "3001", ""},
	}},
	{"L02", "放款到电子账户", "drawdown to the e-account", "贷款", "leg 1 fails with exceeds_credits when over the line: nothing is posted", []LegTemplate{
		{"1", "LINE", "80019901", "P", "3003", "l"},
		{"2", "70039901", "70030101", "P", "3003", "l"},
		{"3", "LN", "CUST", "P", "3101", ""},
	}},
	{"L03", "受托支付—行内收款人", "entrusted payment to a payee with an account here", "贷款", "", []LegTemplate{
		{"1", "LINE", "80019901", "P", "3003", "l"},
		{"2", "70039901", "70030101", "P", "3003", "l"},
		{"3", "LN", "CUST", "P", "3101", "l"},
		{"4", "CUST", "CUST(payee)", "P", "3102", ""},
	}},
	{"L04", "受托支付—他行收款人", "entrusted payment to another bank", "贷款", "then retry (void b2, pend CLR) or cancel (L05); works because the ledger checks debits_pending", []LegTemplate{
		{"1", "LINE", "80019901", "P", "3003", "l"},
		{"2", "70039901", "70030101", "P", "3003", "l"},
		{"3", "LN", "CUST", "P", "3101", "l"},
		{"4", "CUST", "CLR", "P", "3103", "P"},
		{"a", "", "", "", "3103", "post 4 on success"},
		{"b1", "", "", "", "3103", "l, void 4"},
		{"b2", "CUST", "22410401", "P", "3104", "P: keep the money out of reach"},
	}},
	{"L05", "放款撤销(受托失败)", "cancel a failed drawdown", "贷款", "", []LegTemplate{
		{"1", "", "", "", "3104", "l, void hold"},
		{"2", "CUST", "LN", "P", "33101", "l"},
		{"3", "80019901", "LINE", "P", "3004", "l"},
		{"4", "70030101", "70039901", "P", "3004", ""},
	}},
	{"L06", "利息计提(每日)", "daily interest accrual, aggregated", "贷款", "", []LegTemplate{
		{"1", "ACC", "INC", "sum of deltas", "3201", ""},
	}},
	{"L07", "到期应收(还款日日初)", "interest falls due", "贷款", "", []LegTemplate{
		{"1", "ACC", "INC", "I - accrued (>0)", "3203", "l"},
		{"1x", "INC", "ACC", "accrued - I (>0)", "3203", "l"},
		{"2", "DUE", "ACC", "I", "3202", ""},
	}},
	{"L08", "还款(正常)", "repayment of an instalment", "贷款", "legs 3-4 only for revolving lines", []LegTemplate{
		{"1", "CUST", "DUE", "I", "3211", "l"},
		{"2", "CUST", "LN", "p", "3212", "l"},
		{"3", "80019901", "LINE", "p", "3004", "l"},
		{"4", "70030101", "70039901", "p", "3004", ""},
	}},
	{"L09", "本金转逾期(宽限期后日终)", "principal to overdue", "贷款", "", []LegTemplate{
		{"1", "LO", "LN", "p", "3221", ""},
	}},
	{"L10", "罚息/复利计提(每日)", "penalty and compound accrual", "贷款", "", []LegTemplate{
		{"1", "PEN", "PINC", "penalty delta", "3231", "l"},
		{"2", "PEN", "PINC", "compound delta", "3232", ""},
	}},
	{"L11", "逾期还款", "repayment of an overdue instalment", "贷款", "amounts by the waterfall; cured loan: Dr LN Cr LO 3222 for what is no longer overdue does not arise because overdue principal is repaid, not moved", []LegTemplate{
		{"1", "CUST", "60210101", "fee", "3210", "l"},
		{"2", "CUST", "PEN", "compound", "3214", "l"},
		{"3", "CUST", "PEN", "penalty", "3213", "l"},
		{"4", "CUST", "DUE", "I", "3211", "l"},
		{"5", "CUST", "LO", "p", "3212", ""},
	}},
	{"L12", "转非应计(逾期91天)", "to non-accrual", "贷款", "legs of zero are left out", []LegTemplate{
		{"1", "INC", "DUE", "due interest", "3241", "l"},
		{"2", "PINC", "PEN", "penalty + compound", "3241", "l"},
		{"3", "INC", "ACC", "accrued not due", "3241", "l"},
		{"4", "LX", "LN", "rest of LN", "3243", "l"},
		{"5", "LX", "LO", "rest of LO", "3243", "l"},
		{"6", "70010101", "70019901", "1+2+3", "3242", ""},
	}},
	{"L13", "非应计期间表外计息", "memo interest while non-accrual", "贷款", "", []LegTemplate{
		{"1", "70010101", "70019901", "delta", "3242", ""},
	}},
	{"L14", "非应计还款(先本后息)", "repayment while non-accrual", "贷款", "", []LegTemplate{
		{"1", "CUST", "LX", "principal first", "3212", "l"},
		{"2", "CUST", "INC", "interest after principal", "3211", "l"},
		{"3", "70019901", "70010101", "interest", "3244", ""},
	}},
	{"L15", "恢复应计", "back to accrual (all arrears paid)", "贷款", "only when all overdue amounts are paid; classification upgrade has its own observation rule", []LegTemplate{
		{"1", "LN", "LX", "rest", "3245", ""},
	}},
	{"L16", "减值计提 / 回拨", "allowance charge / release", "贷款", "", []LegTemplate{
		{"1", "67020101", "130401..03", "delta", "3251", ""},
		{"1x", "130401..03", "67020101", "delta", "3252", ""},
	}},
	{"L17", "阶段转移", "allowance stage transfer", "贷款", "", []LegTemplate{
		{"1", "1304 old stage", "1304 new stage", "ECL", "3253", ""},
	}},
	{"L18", "核销", "write-off", "贷款", "", []LegTemplate{
		{"1", "67020101", "13040301", "shortfall of allowance", "3251", "l"},
		{"2", "13040301", "LX", "principal", "3261", "l"},
		{"3", "70020101", "70029901", "principal", "3263", "l"},
		{"4", "70020201", "70029901", "memo interest", "3263", "l"},
		{"5", "70019901", "70010101", "memo interest", "3244", ""},
	}},
	{"L19", "核销后收回", "recovery after write-off", "贷款", "interest part: Dr CUST Cr INC, Dr 70029901 Cr 70020201", []LegTemplate{
		{"1", "CUST", "13040301", "r", "3271", "l"},
		{"2", "13040301", "67020101", "r principal", "3252", "l"},
		{"3", "70029901", "70020101", "r principal", "3263", ""},
	}},
	{"L20", "提前还款(部分)", "prepayment, part", "贷款", "", []LegTemplate{
		{"1", "DUE", "ACC", "I to date", "3202", "l"},
		{"2", "CUST", "DUE", "I to date", "3211", "l"},
		{"3", "CUST", "LN", "X", "3215", "l"},
		{"4", "CUST", "60210301", "fee", "3216", ""},
	}},
	{"L21", "提前结清", "settle in full", "贷款", "then settlement certificate (结清证明)", []LegTemplate{
		{"1", "DUE", "ACC", "I to date", "3202", "l"},
		{"2", "CUST", "DUE", "I to date", "3211", "l"},
		{"3", "CUST", "LN", "rest", "3215", "l"},
		{"4", "CUST", "60210301", "fee", "3216", ""},
	}},
	{"L22", "利息减免", "interest waiver", "贷款", "in non-accrual: memo only, Dr 70019901 Cr 70010101", []LegTemplate{
		{"1", "INC or PINC", "DUE or PEN", "amt", "3291", ""},
	}},
	{"L23", "展期/重组", "extension / restructuring", "贷款", "no leg when nothing was overdue; classification at least special mention for the observation period", []LegTemplate{
		{"1", "LN", "LO", "overdue principal brought current by the new terms", "3281", ""},
	}},
	{"L24", "价税分离", "VAT split of interest income (optional)", "贷款", "", []LegTemplate{
		{"1", "INC", "22210101", "round(gross*v/(1+v))", "9301", ""},
	}},
	{"K01", "清算轧差付出 / 收入", "net settlement with the clearing house", "渠道与对账", "", []LegTemplate{
		{"1", "CLR", "10030101", "net payable", "4001", ""},
		{"1x", "10030101", "CLR", "net receivable", "4001", ""},
	}},
	{"K02", "对账:渠道成功,本行在途", "recon: channel success, ours pending", "渠道与对账", "", []LegTemplate{
		{"1", "", "", "", "0", "post the pending leg"},
	}},
	{"K03", "对账:渠道成功,本行已撤(往账)", "recon: channel success, ours voided, outgoing", "渠道与对账", "", []LegTemplate{
		{"1", "12210101", "CLR", "amt", "4003", ""},
		{"2", "CUST", "12210101", "amt", "4004", "when the customer repays"},
	}},
	{"K04", "对账:渠道失败,本行已记(往账)", "recon: channel failed, ours posted, outgoing", "渠道与对账", "", []LegTemplate{
		{"1", "CLR", "CUST", "amt", "1161", ""},
	}},
	{"K05", "对账:渠道成功,本行无(来账)", "recon: channel success, ours missing, incoming", "渠道与对账", "", []LegTemplate{
		{"1", "CLR", "CUST or 22410101", "amt", "4002", ""},
	}},
	{"K06", "差错挂账处置", "clear an aged difference", "渠道与对账", "", []LegTemplate{
		{"1", "22410101", "63010101", "amt", "4004", ""},
		{"1x", "67110101", "12210101", "amt", "4004", ""},
	}},
	{"K07", "渠道手续费", "channel fee", "渠道与对账", "", []LegTemplate{
		{"1", "64210101", "CLR", "fee", "4005", ""},
	}},
	{"A01", "代销申购", "agency subscription", "代销", "", []LegTemplate{
		{"1", "CUST", "231401..03", "amt", "5001", "P"},
		{"a", "", "", "confirmed", "5001", "post (may be less: the rest returns)"},
		{"b", "", "", "", "5001", "void"},
	}},
	{"A02", "划付基金公司", "remit to the fund house", "代销", "", []LegTemplate{
		{"1", "231401..03", "CLR", "amt", "5002", ""},
	}},
	{"A03", "赎回到账", "redemption proceeds", "代销", "", []LegTemplate{
		{"1", "CLR", "CUST", "amt", "5004", ""},
	}},
	{"A04", "代销手续费", "commission", "代销", "", []LegTemplate{
		{"1", "CLR", "60210201", "amt", "5005", ""},
	}},
	{"G01", "年终损益结转", "year-end close", "总账", "", []LegTemplate{
		{"1", "6xxx income", "41030101", "balance", "9101", "l"},
		{"2", "41030101", "6xxx expense", "balance", "9101", ""},
	}},
	{"G02", "红字更正", "correction by a person", "总账", "", []LegTemplate{
		{"1", "any", "any", "amt", "9001", "two-person approval"},
	}},
}
