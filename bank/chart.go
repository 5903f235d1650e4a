package bank

import "slices"

// Subject (科目) is a line of the chart of accounts at its eight-digit detail (SPEC 6.2). Ledger
// accounts are opened under a subject and carry its rules.
type Subject struct {
	Ledger uint32
	Code   uint16 // four digits, 企业会计准则—应用指南
	Detail uint32 // eight digits, ours
	Zh, En string
	Normal NormalSide
	Rules  SubjectRules
	Per    Granularity
	Demo   bool // for demonstrations; no part of the bank's chart
}

// NormalSide (余额方向) is the side on which a subject's balance usually stands.
type NormalSide byte

// The sides.
const (
	NormalDebit  NormalSide = 'D'
	NormalCredit NormalSide = 'C'
	NormalEither NormalSide = 'B'
)

// Granularity says for what the ledger keeps one account of a subject.
type Granularity string

// The granularities.
const (
	PerBank         Granularity = "bank"
	PerBranch       Granularity = "branch"
	PerShard        Granularity = "shard"
	PerChannel      Granularity = "channel"
	PerChannelShard Granularity = "channel x shard" // no single hot clearing account (SPEC 6.1.12)
	PerProduct      Granularity = "product"
	PerProductShard Granularity = "product x shard"
	PerCustomer     Granularity = "customer"
	PerAccount      Granularity = "account"
	PerDeposit      Granularity = "deposit"
	PerLine         Granularity = "credit line"
	PerLoan         Granularity = "loan"
	PerFundHouse    Granularity = "fund house"
	PerInsurer      Granularity = "insurer"
)

// SubjectOf finds a subject by its detail number.
func SubjectOf(detail uint32) (Subject, bool) {
	i, ok := slices.BinarySearchFunc(Chart, detail, func(s Subject, d uint32) int { return int(s.Detail) - int(d) })
	if !ok {
		return Subject{}, false
	}
	return Chart[i], true
}

// Account is the subject's ledger account of an owner (customer or organisation number), with the
// sequence that tells several apart and the contract it belongs to.
func (s Subject) Account(owner uint64, seq uint32, contract U128) LedgerAccount {
	return LedgerAccount{
		ID: LedgerID(s.Detail, owner, seq), Ledger: s.Ledger, Code: s.Code, Detail: s.Detail,
		Owner: owner, Contract: contract, Rules: s.Rules,
	}
}

// The subjects the postings name.
const (
	DetailLoanAccrued       uint32 = 11320101 // 应计利息—贷款(未到期)
	DetailLoanInterestDue   uint32 = 11320201 // 应收利息—贷款(到期未收)
	DetailLoanPenaltyDue    uint32 = 11320301 // 应收罚息及复利
	DetailLoanPrincipal     uint32 = 13030101 // 贷款本金—正常
	DetailLoanOverdue       uint32 = 13030201 // 贷款本金—逾期
	DetailLoanNonAccrual    uint32 = 13030301 // 贷款本金—非应计
	DetailClassI            uint32 = 20110101 // 个人活期—电子账户(Ⅰ类)
	DetailClassII           uint32 = 20110102 // 个人活期—电子账户(Ⅱ类)
	DetailClassIII          uint32 = 20110103 // 个人活期—电子账户(Ⅲ类)
	DetailDemoCurrent       uint32 = 20110191 // 个人活期—演示账户(可透支)
	DetailDormant           uint32 = 20110901 // 久悬未取
	DetailTaxWithheld       uint32 = 22210201 // 应交税费—代扣利息税
	DetailDemandPayable     uint32 = 22310101 // 应付利息—活期
	DetailJudicial          uint32 = 22410301 // 其他应付款—司法扣划待划
	DetailRiskHeld          uint32 = 22410501 // 其他应付款—风险暂缓资金
	DetailClearingIBPS      uint32 = 30010101 // 清算资金往来—超级网银
	DetailClearingUnionPay  uint32 = 30010201 // 清算资金往来—银联
	DetailClearingCore      uint32 = 30010301 // 清算资金往来—行内核心
	DetailCapControl        uint32 = 30019101 // Ⅲ类户余额上限控制
	DetailCapOperator       uint32 = 30019102 // Ⅲ类户余额上限—操作方
	DetailConsumerIncome    uint32 = 60110101 // 利息收入—个人消费贷款
	DetailBusinessIncome    uint32 = 60110102 // 利息收入—个人经营贷款
	DetailFarmerIncome      uint32 = 60110103 // 利息收入—农户贷款
	DetailPenaltyIncome     uint32 = 60110201 // 利息收入—罚息及复利
	DetailTransferFeeIncome uint32 = 60210101 // 手续费收入—转账
	DetailPrepayFeeIncome   uint32 = 60210301 // 手续费收入—提前还款
	DetailDemandExpense     uint32 = 64110101 // 利息支出—活期
	DetailCentralBank       uint32 = 10030101 // 存放中央银行款项—清算户
	DetailShortage          uint32 = 12210101 // 其他应收款—清算短款
	DetailAdvances          uint32 = 12210201 // 其他应收款—客户垫款
	DetailSurplus           uint32 = 22410101 // 其他应付款—清算长款
	DetailHeld              uint32 = 22410201 // 其他应付款—挂账待处理
	DetailCompound          uint32 = 30019001 // 复合分录控制
	DetailSurplusIncome     uint32 = 63010101 // 营业外收入—长款
	DetailChannelCost       uint32 = 64210101 // 手续费支出—渠道
	DetailShortageExpense   uint32 = 67110101 // 营业外支出—短款
	DetailUndrawn           uint32 = 70030101 // 表外—未使用授信
	DetailUndrawnContra     uint32 = 70039901 // 表外—未使用授信对应
	DetailLine              uint32 = 80010101 // 授信额度
	DetailLineOperator      uint32 = 80019901 // 授信额度—发放方
)

// Chart (会计科目表) lists the subjects by detail number. It is data: nothing changes it.
var Chart = []Subject{
	{LedgerCNY, 1003, 10030101, "存放中央银行款项—清算户", "Deposit with PBoC, settlement", NormalDebit, KeepsHistory, PerBank, false},
	{LedgerCNY, 1011, 10110101, "存放同业款项—银联备付", "Due from banks, UnionPay settlement", NormalDebit, KeepsHistory, PerBank, false},
	{LedgerCNY, 1132, 11320101, "应计利息—贷款(未到期)", "Accrued loan interest, not yet due", NormalDebit, 0, PerProductShard, false},
	{LedgerCNY, 1132, 11320201, "应收利息—贷款(到期未收)", "Loan interest due", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerCNY, 1132, 11320301, "应收罚息及复利", "Penalty and compound interest due", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerCNY, 1221, 12210101, "其他应收款—清算短款", "Clearing shortage", NormalDebit, KeepsHistory, PerChannel, false},
	{LedgerCNY, 1221, 12210201, "其他应收款—客户垫款", "Advances recoverable from customers", NormalDebit, CreditsCapped | KeepsHistory, PerCustomer, false},
	{LedgerCNY, 1303, 13030101, "贷款本金—正常", "Loan principal, current", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerCNY, 1303, 13030201, "贷款本金—逾期", "Loan principal, overdue", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerCNY, 1303, 13030301, "贷款本金—非应计", "Loan principal, non-accrual", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerCNY, 1304, 13040101, "贷款损失准备—第一阶段", "Loan loss allowance, stage 1", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 1304, 13040201, "贷款损失准备—第二阶段", "Loan loss allowance, stage 2", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 1304, 13040301, "贷款损失准备—第三阶段", "Loan loss allowance, stage 3", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 2011, 20110101, "个人活期—电子账户(Ⅰ类)", "Personal demand, e-account class I", NormalCredit, DebitsCapped | KeepsHistory, PerAccount, false},
	{LedgerCNY, 2011, 20110102, "个人活期—电子账户(Ⅱ类)", "Personal demand, e-account class II", NormalCredit, DebitsCapped | KeepsHistory, PerAccount, false},
	{LedgerCNY, 2011, 20110103, "个人活期—电子账户(Ⅲ类)", "Personal demand, e-account class III", NormalCredit, DebitsCapped | KeepsHistory, PerAccount, false},
	{LedgerCNY, 2011, 20110191, "个人活期—演示账户(可透支)", "Personal demand, demonstration account (overdraft)", NormalCredit, KeepsHistory, PerAccount, true},
	{LedgerCNY, 2011, 20110201, "个人定期—季富存", "Personal time, 3 months", NormalCredit, DebitsCapped | KeepsHistory, PerDeposit, false},
	{LedgerCNY, 2011, 20110202, "个人定期—岁利存(半年)", "Personal time, 6 months", NormalCredit, DebitsCapped | KeepsHistory, PerDeposit, false},
	{LedgerCNY, 2011, 20110203, "个人定期—岁利存(一年)", "Personal time, 1 year", NormalCredit, DebitsCapped | KeepsHistory, PerDeposit, false},
	{LedgerCNY, 2011, 20110204, "个人定期—岁丰存(三年)", "Personal time, 3 years", NormalCredit, DebitsCapped | KeepsHistory, PerDeposit, false},
	{LedgerCNY, 2011, 20110901, "久悬未取", "Dormant balances", NormalCredit, DebitsCapped | KeepsHistory, PerBranch, false},
	{LedgerCNY, 2221, 22210101, "应交税费—增值税", "VAT payable", NormalCredit, 0, PerBank, false},
	{LedgerCNY, 2221, 22210201, "应交税费—代扣利息税", "Interest tax withheld", NormalCredit, 0, PerBank, false},
	{LedgerCNY, 2231, 22310101, "应付利息—活期", "Interest payable, demand", NormalCredit, 0, PerProductShard, false},
	{LedgerCNY, 2231, 22310201, "应付利息—季富存", "Interest payable, 3 months", NormalCredit, 0, PerProductShard, false},
	{LedgerCNY, 2231, 22310202, "应付利息—岁利存(半年)", "Interest payable, 6 months", NormalCredit, 0, PerProductShard, false},
	{LedgerCNY, 2231, 22310203, "应付利息—岁利存(一年)", "Interest payable, 1 year", NormalCredit, 0, PerProductShard, false},
	{LedgerCNY, 2231, 22310204, "应付利息—岁丰存(三年)", "Interest payable, 3 years", NormalCredit, 0, PerProductShard, false},
	{LedgerCNY, 2241, 22410101, "其他应付款—清算长款", "Clearing surplus", NormalCredit, KeepsHistory, PerChannel, false},
	{LedgerCNY, 2241, 22410201, "其他应付款—挂账待处理", "Unidentified receipts", NormalCredit, DebitsCapped | KeepsHistory, PerChannel, false},
	{LedgerCNY, 2241, 22410301, "其他应付款—司法扣划待划", "Judicial deductions to be remitted", NormalCredit, DebitsCapped | KeepsHistory, PerBank, false},
	{LedgerCNY, 2241, 22410401, "其他应付款—受托支付待划", "Entrusted payments in transit", NormalCredit, DebitsCapped | KeepsHistory, PerLoan, false},
	{LedgerCNY, 2241, 22410501, "其他应付款—风险暂缓资金", "Funds held for risk review", NormalCredit, DebitsCapped | KeepsHistory, PerBank, false},
	{LedgerCNY, 2314, 23140101, "代理业务负债—理财", "Agency liability, wealth management", NormalCredit, DebitsCapped | KeepsHistory, PerFundHouse, false},
	{LedgerCNY, 2314, 23140201, "代理业务负债—基金", "Agency liability, funds", NormalCredit, DebitsCapped | KeepsHistory, PerFundHouse, false},
	{LedgerCNY, 2314, 23140301, "代理业务负债—保险", "Agency liability, insurance", NormalCredit, DebitsCapped | KeepsHistory, PerInsurer, false},
	{LedgerCNY, 3001, 30010101, "清算资金往来—超级网银(IBPS)", "Clearing, IBPS", NormalEither, KeepsHistory, PerChannelShard, false},
	{LedgerCNY, 3001, 30010201, "清算资金往来—银联", "Clearing, UnionPay", NormalEither, KeepsHistory, PerChannelShard, false},
	{LedgerCNY, 3001, 30010301, "清算资金往来—行内核心", "Clearing, core banking system", NormalEither, KeepsHistory, PerChannelShard, false},
	{LedgerCNY, 3001, 30019001, "复合分录控制", "Compound-entry control (zero after each chain)", NormalEither, 0, PerShard, false},
	{LedgerCNY, 3001, 30019101, "Ⅲ类户余额上限控制", "Class III balance-bound control (zero after each chain)", NormalEither, CreditsCapped, PerShard, false},
	{LedgerCNY, 3001, 30019102, "Ⅲ类户余额上限—操作方", "Class III balance-bound operator", NormalEither, 0, PerShard, false},
	{LedgerCNY, 4001, 40010101, "实收资本", "Paid-in capital", NormalCredit, 0, PerBank, false},
	{LedgerCNY, 4103, 41030101, "本年利润", "Profit of the year", NormalEither, 0, PerBank, false},
	{LedgerCNY, 6011, 60110101, "利息收入—个人消费贷款", "Interest income, consumer loans", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 6011, 60110102, "利息收入—个人经营贷款", "Interest income, business loans", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 6011, 60110103, "利息收入—农户贷款", "Interest income, farmer loans", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 6011, 60110201, "利息收入—罚息及复利", "Penalty and compound income", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 6021, 60210101, "手续费收入—转账", "Fee income, transfers", NormalCredit, 0, PerBank, false},
	{LedgerCNY, 6021, 60210201, "手续费收入—代销", "Fee income, agency sales", NormalCredit, 0, PerBank, false},
	{LedgerCNY, 6021, 60210301, "手续费收入—提前还款", "Fee income, prepayment", NormalCredit, 0, PerProduct, false},
	{LedgerCNY, 6301, 63010101, "营业外收入—长款", "Other income, surplus", NormalCredit, 0, PerBank, false},
	{LedgerCNY, 6411, 64110101, "利息支出—活期", "Interest expense, demand", NormalDebit, 0, PerProduct, false},
	{LedgerCNY, 6411, 64110201, "利息支出—季富存", "Interest expense, 3 months", NormalDebit, 0, PerProduct, false},
	{LedgerCNY, 6411, 64110202, "利息支出—岁利存(半年)", "Interest expense, 6 months", NormalDebit, 0, PerProduct, false},
	{LedgerCNY, 6411, 64110203, "利息支出—岁利存(一年)", "Interest expense, 1 year", NormalDebit, 0, PerProduct, false},
	{LedgerCNY, 6411, 64110204, "利息支出—岁丰存(三年)", "Interest expense, 3 years", NormalDebit, 0, PerProduct, false},
	{LedgerCNY, 6421, 64210101, "手续费支出—渠道", "Fee expense, channels", NormalDebit, 0, PerBank, false},
	{LedgerCNY, 6702, 67020101, "信用减值损失—贷款", "Credit impairment loss", NormalDebit, 0, PerProduct, false},
	{LedgerCNY, 6711, 67110101, "营业外支出—短款", "Other expense, shortage", NormalDebit, 0, PerBank, false},
	{LedgerMemo, 7001, 70010101, "表外—非应计贷款应收息", "Memo: interest of non-accrual loans", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerMemo, 7001, 70019901, "表外—非应计应收息对应", "Memo contra", NormalCredit, 0, PerProduct, false},
	{LedgerMemo, 7002, 70020101, "表外—已核销本金", "Memo: written-off principal", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerMemo, 7002, 70020201, "表外—已核销利息", "Memo: written-off interest", NormalDebit, CreditsCapped | KeepsHistory, PerLoan, false},
	{LedgerMemo, 7002, 70029901, "表外—已核销对应", "Memo contra", NormalCredit, 0, PerProduct, false},
	{LedgerMemo, 7003, 70030101, "表外—未使用授信", "Memo: undrawn commitments", NormalDebit, CreditsCapped | KeepsHistory, PerLine, false},
	{LedgerMemo, 7003, 70039901, "表外—未使用授信对应", "Memo contra", NormalCredit, 0, PerProduct, false},
	{LedgerLimits, 8001, 80010101, "授信额度", "Credit line (credit balance = available)", NormalCredit, DebitsCapped | KeepsHistory, PerLine, false},
	{LedgerLimits, 8001, 80019901, "授信额度—发放方", "Credit line operator", NormalEither, 0, PerProduct, false},
}
