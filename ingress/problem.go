package ingress

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"
	"golang.org/x/text/language"

	"github.com/suanpan-bank/suanpan/bank"
)

// problem is what went wrong with one request, on its way to a problem document (RFC 9457).
type problem struct {
	code    string
	field   string
	limit   int64
	because string // detail of this occurrence, from the parser; English
	allow   string // for the Allow header
}

// The codes of problems that are not refusals of the bank.
const (
	codeBody        = "BODY_MALFORMED"
	codeBodyMax     = "BODY_TOO_LARGE"
	codeHeaderMax   = "HEADERS_TOO_LARGE"
	codeFieldName   = "FIELD_UNKNOWN"
	codeFieldTwice  = "FIELD_DUPLICATE"
	codeFieldType   = "FIELD_TYPE"
	codeFieldMiss   = "FIELD_MISSING"
	codeFieldHere   = "FIELD_NOT_ALLOWED"
	codeKeyMissing  = "IDEMPOTENCY_KEY_MISSING"
	codeKeyBad      = "IDEMPOTENCY_KEY_INVALID"
	codeBatchMax    = "BATCH_TOO_LARGE"
	codeQuery       = "QUERY_INVALID"
	codePath        = "PATH_UNKNOWN"
	codeMethod      = "HTTP_METHOD_NOT_ALLOWED"
	codeRequest     = "REQUEST_MALFORMED"
	codeTimeout     = "REQUEST_TIMEOUT"
	codeOverloaded  = "OVERLOADED"
	codeStopping    = "STOPPING"
	codeUnknown     = "OUTCOME_UNKNOWN"
	codeUnavailable = "UNAVAILABLE"
	codeLedger      = "LEDGER_UNAVAILABLE"
	codeUnanswered  = "LEDGER_OUTCOME_UNKNOWN"
	codeInternal    = "INTERNAL"

	codeFile       = "FILE_INVALID"
	codeNoFile     = "FILE_UNKNOWN"
	codeCredential = "CREDENTIAL_REQUIRED"
	codeRole       = "ROLE_REQUIRED"
	codeApproval   = "APPROVAL_REQUIRED"
	codeClock      = "CLOCK_BACKWARDS"
	codeDay        = "DAY_NOT_DONE"
	codeNoReport   = "REPORT_UNKNOWN"
)

// explanation of a code: HTTP status, title, and what to do, in both languages.
type explanation struct {
	status             int
	titleZh, titleEn   string
	detailZh, detailEn string
}

// explain looks a code up. A code without an explanation is a programming error, found by test.
func explain(code string) explanation {
	e, ok := explanations[code]
	if !ok {
		return explanations[codeInternal]
	}
	return e
}

var explanations = map[string]explanation{
	codeBody:        {400, "请求体无法解析", "The body can't be read", "请发送一个 JSON 对象(UTF-8);批量也可以是 Content-Type 所说的 protobuf。", "Send one JSON object in UTF-8; a batch may also be protobuf, if Content-Type says so."},
	codeBodyMax:     {413, "请求体过大", "The body is too large", "请减小请求体,或把批量拆成几个请求。", "Send less, or split the batch into several requests."},
	codeHeaderMax:   {431, "请求头过大", "The headers are too large", "请减少请求头。", "Send fewer or shorter headers."},
	codeFieldName:   {400, "字段不存在", "There is no such field", "请按接口描述(/openapi.json)检查字段名。", "Check the field's name in /openapi.json."},
	codeFieldTwice:  {400, "字段重复", "A field occurs twice", "每个字段只能出现一次。", "Send each field once."},
	codeFieldType:   {400, "字段类型错误", "A field has the wrong type", "金额为整数(分),日期为 YYYY-MM-DD,编号为字符串。", "Amounts are integer fen, dates YYYY-MM-DD, identifiers strings."},
	codeFieldMiss:   {400, "缺少字段", "A field is missing", "请补充该字段。", "Send the field."},
	codeFieldHere:   {400, "此处不允许该字段", "The field is not allowed here", "该字段不适用于此类操作,请去掉。", "Leave the field out: this kind of operation has no use for it."},
	codeKeyMissing:  {400, "缺少 Idempotency-Key", "The Idempotency-Key is missing", "每个 POST 请求须带 Idempotency-Key 头;重试时使用同一个值。", "Send an Idempotency-Key header with every POST; use the same one to repeat it."},
	codeKeyBad:      {400, "Idempotency-Key 无效", "The Idempotency-Key is not valid", "须为 1 至 128 个可见 ASCII 字符。", "Use 1 to 128 visible ASCII characters."},
	codeBatchMax:    {413, "批量过大", "The batch is too large", "每批 1 至 1000 个操作。", "Send 1 to 1,000 operations in a batch."},
	codeQuery:       {400, "查询参数无效", "A query parameter is not valid", "请按接口描述检查参数。", "Check the parameter in /openapi.json."},
	codePath:        {404, "路径不存在", "There is no such path", "接口描述见 /openapi.json。", "See /openapi.json for what there is."},
	codeMethod:      {405, "不支持该方法", "The method is not allowed here", "允许的方法见 Allow 头。", "See the Allow header."},
	codeRequest:     {400, "HTTP 请求格式错误", "The HTTP request is malformed", "请使用 HTTP/1.1,且不要同时发送 Content-Length 与 Transfer-Encoding。", "Speak HTTP/1.1, and send either Content-Length or Transfer-Encoding."},
	codeTimeout:     {408, "请求接收超时", "The request did not arrive in time", "请重试;若为 POST,请使用同一个 Idempotency-Key。", "Try again, with the same Idempotency-Key if it was a POST."},
	codeOverloaded:  {503, "系统繁忙", "Too busy", "未做任何处理,请稍后重试。", "Nothing was done. Try again in a moment."},
	codeStopping:    {503, "系统正在停止", "Shutting down", "请稍后用同一个 Idempotency-Key 重试。", "Try again in a moment with the same Idempotency-Key."},
	codeUnknown:     {504, "结果未知", "The outcome is not known yet", "请用同一个 Idempotency-Key 重试:若已执行,将返回首次结果,不会重复执行。", "Repeat with the same Idempotency-Key: if it was done you get the first result, and it is not done twice."},
	codeUnavailable: {503, "暂不可用", "Not available now", "请稍后重试。", "Try again in a moment."},
	codeLedger:      {503, "账务系统暂不可用", "The ledger is not available now", "未做任何处理,请稍后重试。", "Nothing was done. Try again in a moment."},
	codeUnanswered:  {503, "账务系统暂未答复", "The ledger has not answered yet", "请求已记录。请稍后用同一个 Idempotency-Key 重试以获知结果,不会重复执行。", "The request is written down. Repeat it in a moment with the same Idempotency-Key to hear the outcome; it is not done twice."},
	codeInternal:    {500, "内部错误", "Something went wrong here", "请用同一个 Idempotency-Key 重试;若仍失败,请联系运维。", "Try again with the same Idempotency-Key; if it goes on, tell the operators."},
	codeNoFile:      {404, "渠道尚无该日文件", "The channel has no file of that day yet", "请稍后再取,或由渠道另行提供。", "Fetch it later, or have the channel send it."},
	codeFile:        {422, "对账文件无效", "The file can't be used", "请核对文件格式与渠道(docs/channels.md)后重新发送。", "Check its form and channel (docs/channels.md), and send it again."},
	codeCredential:  {401, "需要操作员凭证", "An operator's credential is needed", "请在 Authorization 头中以 Bearer 方式提供操作员令牌。", "Send an operator's token in the header: Authorization: Bearer …"},
	codeRole:        {403, "操作员无此权限", "The operator's role does not allow that", "请由具备相应角色的操作员办理。", "Ask an operator in a role that may."},
	codeClock:       {409, "时钟不能倒拨", "A clock never goes backwards", "目标时间早于银行当前时间,请给出更晚的时间。", "The time asked for is before the bank's own; ask for a later one."},
	codeApproval:    {403, "需要复核", "A second operator must approve", "请在 Suanpan-Approver 头中提供另一名复核员的令牌(Bearer)。", "Send the token of a checker, another person, in the header: Suanpan-Approver: Bearer …"},

	string(bank.DateClosed):            {409, "会计日期已关闭", "The accounting date is closed", "请按当前会计日期办理。", "Book on the current accounting date."},
	string(bank.DayUnfinished):         {409, "上一会计日日终未完成", "The day before is not finished", "请先查看日终进度并续跑日终(suanpan day status, suanpan day run)。", "See how far the end of day is and let it go on (suanpan day status, suanpan day run)."},
	string(bank.CustomerUnknown):       {404, "客户不存在", "There is no such customer", "请检查客户号。", "Check the customer's number."},
	string(bank.CustomerExists):        {409, "客户已存在", "The person is a customer already", "该证件号已注册,请使用原客户号。", "This document is registered; use the customer's number."},
	string(bank.AccountUnknown):        {404, "账户不存在", "There is no such account", "请检查账号。", "Check the account's number."},
	string(bank.AccountClosed):         {409, "账户已销户", "The account is closed", "请使用其他账户。", "Use another account."},
	string(bank.PayeeUnknown):          {404, "收款账户不存在", "There is no such payee", "请检查收款账号。", "Check the payee's account number."},
	string(bank.PayeeClosed):           {409, "收款账户不可入账", "The payee's account can't receive", "请向收款人核实账户状态。", "Ask the payee about the account."},
	string(bank.SameAccount):           {422, "不能转给本账户", "A transfer to the same account", "付款与收款账户须不同。", "Payer and payee must differ."},
	string(bank.AmountInvalid):         {422, "金额无效", "The amount is not valid", "金额须为正整数(分),且不超过上限。", "Amounts are positive integers in fen, up to the limit."},
	string(bank.FieldInvalid):          {422, "字段值无效", "A field's value is not valid", "请检查该字段。", "Check the field."},
	string(bank.InsufficientFunds):     {422, "可用余额不足", "Not enough available", "请减少金额或先转入资金。", "Ask for less, or pay in first."},
	string(bank.ClassNotAllowed):       {422, "账户类别不支持此操作", "This class of account can't do that", "请使用其他类别的账户,或先面签升级。", "Use an account of another class, or confirm identity in person."},
	string(bank.DayOutLimit):           {422, "超过日累计转出限额", "Over the day's limit for money out", "请明日再试或减少金额。", "Try tomorrow, or less."},
	string(bank.YearOutLimit):          {422, "超过年累计转出限额", "Over the year's limit for money out", "请减少金额。", "Ask for less."},
	string(bank.DayInLimit):            {422, "超过日累计转入限额", "Over the day's limit for money in", "请明日再试或减少金额。", "Try tomorrow, or less."},
	string(bank.YearInLimit):           {422, "超过年累计转入限额", "Over the year's limit for money in", "请减少金额。", "Ask for less."},
	string(bank.BalanceCap):            {422, "超过账户余额上限", "Over the account's highest balance", "请减少金额。", "Ask for less."},
	string(bank.AccountsMax):           {422, "账户数已达上限", "No more accounts of this class", "同类账户数量已达监管上限。", "The customer has as many accounts of this class as the rules allow."},
	string(bank.BoundCardRequired):     {422, "须绑定银行卡", "A card must be bound", "请提供本人Ⅰ类户借记卡或信用卡。", "Give a debit card of the customer's class I account, or a credit card."},
	string(bank.AgeNotAllowed):         {422, "年龄不符合要求", "The age is not allowed", "线上开户须年满 18 周岁。", "Online accounts are for those aged 18 or more."},
	string(bank.DateNotAllowed):        {422, "日期不允许", "The date is not allowed", "期限(until)不得早于会计日期,冻结最长一年,已到期的不能续冻;其他日期仅演示产品可指定。", "until: not before the accounting date, a freeze at most a year ahead, and none that has lapsed is renewed. Other dates are for demonstration products only."},
	string(bank.ProductUnknown):        {422, "产品不存在", "There is no such product", "请检查产品代码。", "Check the product's code."},
	string(bank.ProductNotOnSale):      {422, "产品未在售", "The product is not on sale", "请选择在售产品或选项。", "Choose a product or option on sale."},
	string(bank.BelowMinimum):          {422, "低于起点金额", "Below the minimum", "请增加金额,起点见 limit_fen。", "Ask for more: the minimum is in limit_fen."},
	string(bank.DepositUnknown):        {404, "存单不存在", "There is no such deposit", "请检查存单号。", "Check the deposit's number."},
	string(bank.DepositClosed):         {409, "存单已结清", "The deposit is paid out", "该存单已全部支取。", "Nothing is left in it."},
	string(bank.OverDeposit):           {422, "超过存单余额", "More than the deposit holds", "请减少支取金额或全部支取。", "Redeem less, or all of it."},
	string(bank.RestBelowMinimum):      {422, "剩余低于起存金额", "The rest would be below the minimum", "请全部支取,或保留不低于起存金额。", "Redeem all of it, or leave at least the minimum."},
	string(bank.ContractsMax):          {422, "合约数已达上限", "No more contracts can be numbered", "请联系网点。", "Ask at a branch."},
	string(bank.LineUnknown):           {404, "授信不存在", "There is no such credit line", "请检查授信编号。", "Check the line's number."},
	string(bank.LineNotActive):         {409, "授信已失效", "The credit line is not active", "请重新申请。", "Apply again."},
	string(bank.OverLine):              {422, "超过可用额度", "More than the line has left", "请减少金额。", "Draw less."},
	string(bank.LoanUnknown):           {404, "借据不存在", "There is no such loan", "请检查借据号。", "Check the loan's number."},
	string(bank.LoanClosed):            {409, "贷款已结清", "The loan is settled", "无需再还款。", "Nothing is owed."},
	string(bank.LoanOverdue):           {409, "存在逾期", "An instalment is overdue", "请先归还逾期款项。", "Pay what is overdue first."},
	string(bank.MethodNotAllowed):      {422, "不支持该还款方式", "The repayment method is not offered", "请选择产品支持的还款方式。", "Choose a method the product offers."},
	string(bank.TermNotAllowed):        {422, "期限不允许", "The term is not offered", "请选择产品支持的期限。", "Choose a term the product offers."},
	string(bank.TransferUnknown):       {404, "转账不存在", "There is no such transfer", "请检查转账编号。", "Check the transfer's number."},
	string(bank.RefusedByLedger):       {422, "账务系统已拒绝", "The ledger refused", "首次执行时已被拒绝(余额、额度或账户状态),具体原因未能取回。未做任何处理;请核对后使用新的 Idempotency-Key 再试。", "It was refused when it was first carried out (balance, line or state of an account), and the exact reason was lost. Nothing was done; check, and try again with a new Idempotency-Key."},
	string(bank.KeyReused):             {409, "Idempotency-Key 已用于其他请求", "The Idempotency-Key was used for another request", "请为不同的请求使用不同的键。", "Use a new key for a new request."},
	string(bank.AccountIsRestricted):   {409, "账户受限", "The account is restricted", "账户存在止付、冻结或挂失等限制,请联系网点。", "The account is stopped, frozen or reported lost. Ask at a branch."},
	string(bank.AccountIsDormant):      {409, "账户已转久悬", "The account is dormant", "请重新核实身份后激活账户。", "Have your identity confirmed to wake the account."},
	string(bank.AccountIsClosing):      {409, "账户正在销户", "The account is being closed", "请完成销户,或撤销销户后再试。", "Finish closing it, or withdraw the closing first."},
	string(bank.AccountNotClosing):     {409, "账户未预销户", "The account is not being closed", "请先办理预销户(action=PREPARE)。", "Begin with action PREPARE."},
	string(bank.AccountInUse):          {409, "账户仍有未结业务", "Something still belongs to the account", "存在定期、贷款、冻结、限制或在途交易,请先结清。", "Deposits, loans, holds, restrictions or transfers under way must end first."},
	string(bank.AccountBusy):           {409, "账户有款项正在入账", "A credit is on its way in", "请稍后使用新的 Idempotency-Key 再试。", "Try again in a moment, with a new Idempotency-Key."},
	string(bank.FundsFrozen):           {409, "资金已冻结", "The money is frozen", "冻结金额尚未足额,账户内资金均须先用于冻结。", "The freeze is not filled yet: all that is on the account belongs to it first."},
	string(bank.TransactionLimit):      {422, "超过单笔限额", "Over the limit for one transaction", "请减少金额,限额见 limit_fen;Ⅰ类户可到柜面办理。", "Ask for less: the limit is in limit_fen. A class I account can go to the counter."},
	string(bank.RestrictionUnknown):    {404, "限制不存在", "There is no such restriction", "请检查限制编号,或该限制已解除。", "Check its number; it may have ended."},
	string(bank.RestrictionsFull):      {422, "限制数已达上限", "No more restrictions or holds", "请先解除不再需要的限制或冻结。", "Release one that is no longer needed."},
	string(bank.HoldUnknown):           {404, "冻结不存在", "There is no such hold", "请检查冻结编号;司法冻结随其限制解除。", "Check its number; a judicial hold ends with its restriction."},
	string(bank.OverHold):              {422, "超过冻结金额", "More than the hold has", "扣划金额不得超过已冻结金额,见 limit_fen。", "No more than is held can be deducted: see limit_fen."},
	string(bank.DeductionUnknown):      {404, "扣划不存在", "There is no such deduction", "请检查扣划编号,或该扣划已划出。", "Check its number; it may have been remitted."},
	string(bank.CardUnknown):           {404, "未绑定该银行卡", "The card is not bound", "请检查卡号或先绑卡。", "Check the card's number, or bind it first."},
	string(bank.CardExists):            {409, "该银行卡已绑定", "The card is bound already", "无需重复绑定。", "There is nothing to do."},
	string(bank.CardsFull):             {422, "绑定卡数已达上限", "No more cards can be bound", "请先解绑一张卡。", "Remove a card first."},
	string(bank.CardTooNew):            {422, "新绑卡暂不可转出", "Nothing can leave for a card just bound", "新绑银行卡 24 小时内不能转出,请使用其他绑定卡。", "For 24 hours nothing leaves for a new card. Use another one."},
	string(bank.LastCard):              {409, "不能解绑最后一张卡", "The last card can't be removed", "账户有余额或在途资金时须保留一张绑定卡。", "An account with money on it or on its way keeps a card."},
	string(bank.LoanMoneyToCreditCard): {422, "贷款资金不得转入信用卡", "Loan money can't go to a credit card", "请转出至借记卡。", "Use a debit card."},
	string(bank.NotDue):                {409, "未到处理时间", "It is not due", "未做任何处理。", "Nothing was done."},
	string(bank.TransferSettledElse):   {409, "转账已有结果", "The transfer has been settled already", "不再改变结果。field 为 result 时与已记录的结果相反,由对账处理。", "Nothing changes. With the field result it was settled otherwise: the channel's file decides."},
	string(bank.OverOriginal):          {422, "超过原交易金额", "More than the original transaction", "可退金额见 limit_fen。", "What can still be given back is in limit_fen."},
	string(bank.TransferNotSettled):    {409, "转账尚无结果", "The transfer has not been settled", "请先等待渠道结果或通过对账处理。", "Wait for the channel's answer, or for its file."},
	string(bank.NotReversible):         {409, "该交易不可撤销", "The transaction can't be undone like this", "该交易失败、已退回一部分或属于其他业务,请人工核对后处理。", "It failed, part of it has been given back, or it is of another kind; a person must look at it."},
	string(bank.AlreadyReversed):       {409, "交易已抹账或冲正", "The transaction has been reversed already", "同一笔交易只能撤销一次。", "A transaction is reversed once."},
	string(bank.AlreadyResolved):       {409, "差错已处理", "The difference has been resolved already", "无需再处理。", "There is nothing left to do."},
	string(bank.NothingOwed):           {409, "没有欠款", "Nothing is owed", "该账户没有待收回的垫款或短款。", "There is no advance or shortage to collect."},
	string(bank.SuspenseUnknown):       {404, "挂账不存在", "There is no such suspense", "请检查挂账编号;已处置的挂账不能再次处置。", "Check its id; what has ended can't be ended again."},
	string(bank.NameMismatch):          {422, "户名不符", "The name is not the account holder's", "请核对收款人户名与账号。", "Check the payee's name and account number."},
	string(bank.ChannelLimit):          {422, "超过渠道单笔限额", "Over the channel's limit for one transfer", "单笔限额见 limit_fen,请减少金额。", "The limit is in limit_fen; send less."},
	string(bank.ConfirmationRequired):  {422, "需要客户确认", "The customer must confirm", "当日累计转出超过提醒金额(limit_fen),请提示客户并带 confirmed 重新提交。", "The day's total passes what customers are reminded of (limit_fen): ask, and send it again with confirmed."},
	string(bank.PaymentNotDelayed):     {409, "该付款不在暂缓中", "The payment does not wait for review", "可能从未暂缓,或已放行、拒绝、撤回、过期,请查询交易状态。", "It never waited, or was let go, refused, withdrawn or has lapsed; see how the transfer stands."},
	string(bank.AccountNotOpen):        {409, "账户待启用", "The account is not open yet", "请等待绑定卡核验,或由绑定卡转入首笔资金。", "Wait until its bound card is confirmed, or pay in from that card."},
	string(bank.AccountIsOpen):         {409, "账户已启用", "The account is open already", "无需再次核验。", "There is nothing to confirm."},
	codePaperMax:                       {422, "明细过多", "Too many entries for a PDF", "请缩短期间,或改用 CSV 或 JSON 格式(不限笔数)。", "Ask for a shorter period, or for CSV or JSON, which have no limit."},
	codePaperUnready:                   {409, "暂无回单", "There is no slip", "仅成功的转账和已支付的利息有回单,请查询交易状态。", "Only transfers that succeeded and interest that was paid have one; see how the transfer stands."},
	codePaperUnknown:                   {404, "编号不存在", "There is no such paper", "请核对编号。", "Check the paper's number."},
	string(bank.DepositMature):         {409, "存单已到期", "The deposit's term is over", "到期日前一日止方可变更。", "It can be changed until the day before maturity."},
	string(bank.DepositHeld):           {409, "存单已冻结或质押", "An amount of the deposit is held", "可支取部分见 limit_fen(未列出则为零);其余须待质押、证明或冻结解除。", "What can be redeemed is in limit_fen (nothing, if it is absent); the rest when the pledge, proof or freeze has ended."},
	string(bank.DepositHoldUnknown):    {404, "质押、证明或冻结不存在", "There is no such pledge, proof or freeze", "请检查编号;可能已解除,或不是司法冻结。", "Check its number; it may have ended, or be no freeze."},
	string(bank.PartialsMax):           {422, "部分支取次数已用完", "No more part redemptions", "请全部支取。", "Redeem all of it."},
	string(bank.SalesCap):              {422, "超过限购金额", "More than one person may hold of the product", "请减少金额,限额见 limit_fen。", "Buy less: the limit for all of one's deposits in it is in limit_fen."},
	string(bank.RegionNotAllowed):      {422, "所在地区未发售", "The product is not sold in the customer's region", "请选择本地区在售产品。", "Choose a product sold there."},
	string(bank.AgreementOutdated):     {409, "协议版本已更新", "There is another version of the agreement", "请阅读并同意新版协议(见产品列表)。", "Accept the version in the list of products."},
	codeDay:                            {500, "日终未完成", "The end of day is not done", "系统会自动重试;请按所附原因处理后续跑(suanpan day run)。", "It is tried again by itself; mend what is named and let it go on (suanpan day run)."},
	codeNoReport:                       {404, "无此日终报告", "There is no report of that day", "该日期尚未日终,或报告文件已不在。", "The end of that day is not done, or its report is not kept."},
}

// document is a problem document.
type document struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Code     string `json:"code"`
	Field    string `json:"field,omitzero"`
	LimitFen int64  `json:"limit_fen,omitzero"`
}

func (p *problem) document(zh bool) document {
	e := explain(p.code)
	d := document{
		Type:   "urn:suanpan:problem:" + strings.ReplaceAll(strings.ToLower(p.code), "_", "-"),
		Status: e.status, Title: e.titleEn, Detail: e.detailEn, Code: p.code, Field: p.field, LimitFen: p.limit,
	}
	if zh {
		d.Title, d.Detail = e.titleZh, e.detailZh
	}
	if p.because != "" {
		d.Detail = fmt.Sprintf("%s (%s)", d.Detail, p.because)
	}
	// Both may say back what the caller sent, such as the name of a parameter: JSON has no room for bad UTF-8.
	d.Field, d.Detail = strings.ToValidUTF8(d.Field, "\uFFFD"), strings.ToValidUTF8(d.Detail, "\uFFFD")
	return d
}

func problemOf(r *bank.Refusal) *problem {
	return &problem{code: string(r.Code), field: r.Field, limit: r.LimitFen}
}

// problemOfError is for outcomes that were not decided.
func problemOfError(err error) *problem {
	switch {
	case errors.Is(err, bank.ErrOverloaded):
		return &problem{code: codeOverloaded}
	case errors.Is(err, bank.ErrLedgerUnavailable):
		return &problem{code: codeLedger}
	case errors.Is(err, bank.ErrLedgerUnanswered):
		return &problem{code: codeUnanswered}
	case errors.Is(err, bank.ErrOutcomeUnknown), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &problem{code: codeUnknown}
	case errors.Is(err, bank.ErrStopping):
		return &problem{code: codeStopping}
	}
	return &problem{code: codeInternal}
}

var languages = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// chinese reports whether the client prefers Chinese (Accept-Language, RFC 9110 section 12.5.4).
func chinese(ctx *fasthttp.RequestCtx) bool {
	header := ctx.Request.Header.Peek(fasthttp.HeaderAcceptLanguage)
	if len(header) == 0 || len(header) > acceptLanguageMax {
		return false
	}
	tags, _, err := language.ParseAcceptLanguage(string(header))
	if err != nil {
		return false
	}
	_, index, _ := languages.Match(tags...)
	return index == 1
}

// acceptLanguageMax is the longest Accept-Language read; parsing is not for free.
const acceptLanguageMax = 256

// retryAfterSeconds is what an overloaded or stopping node asks of callers.
const retryAfterSeconds = "1"

// fail answers with a problem document.
func (s *Server) fail(ctx *fasthttp.RequestCtx, p *problem) {
	zh := chinese(ctx)
	d := p.document(zh)
	if d.Status == fasthttp.StatusServiceUnavailable {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, retryAfterSeconds)
	}
	if d.Status == fasthttp.StatusUnauthorized {
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, "Bearer")
	}
	if p.allow != "" {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, p.allow)
	}
	if zh {
		ctx.Response.Header.Set(fasthttp.HeaderContentLanguage, "zh")
	} else {
		ctx.Response.Header.Set(fasthttp.HeaderContentLanguage, "en")
	}
	s.write(ctx, d.Status, "application/problem+json", d)
}
