//! Settlement: evidence of a payment turns a quote into a receipt, once.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::books::QuoteChange;
use super::evidence::{Claim, ClaimReading};
use super::quote::{ANONYMOUS, SHOWN_MS, read_name, read_text};
use super::rail::Rails;
use super::receipts::write_receipt;
use super::reputation::{Reputation, Word, no_reputation};
use super::row::{OptionRow, QuoteRow, ReceiptTotals, SettledRow, SubscriptionRow};
use super::subscription::{Charge, CyclePayment, find_charge, write_proof};
use crate::skills::books::{Change, Rows};
use crate::skills::invoke::ledger_id;
use crate::skills::kernel::{Applied, Decision, Now};
use crate::skills::listing_request::object;
use crate::skills::message::{Answer, EvidenceCall, OriginalRequest, Response};
use crate::skills::price::USD_DECIMALS;
use crate::skills::refused::refusal;
use crate::skills::row::InvocationRow;
use crate::text::Members;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_evm::address::Address;

/// Longest `paymentRef`, bytes.
const MAX_REFERENCE: usize = 512;
/// Milliseconds after its end in which a quote is kept whose payment waits for its block, or for a
/// node that says of it.
const MOST_SHOWN_MS: u64 = 86_400_000;
/// Milliseconds by which it is kept longer at a time, at least.
const KEPT_MORE_MS: u64 = 60_000;
/// Milliseconds between two requests that ask others about a quote.
const PACE_MS: u64 = 1_000;
/// Settlements that are kept where payments are pretended, and subscriptions.
const KEPT_MOCKS: u32 = 10_000;

/// The content of a request to settle.
#[derive(Debug)]
struct Shown {
    /// `paymentRef`, or else `quoteId`.
    reference: String,
    /// Whether the first is missing.
    lookup: Lookup,
    chain: Option<String>,
    hash: String,
    paid_by: Option<String>,
    agent: Option<String>,
    subscription: Option<String>,
}

/// By what a quote is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Reference,
    Id,
}

/// The facts known of a payment.
#[derive(Debug)]
struct Payment {
    /// The transaction in its one spelling.
    tx: String,
    /// The wallet that sent it; `None` if it is pretended.
    sender: Option<Address>,
    /// Its block; `None` if it is pretended.
    block: Option<u64>,
}

/// Settlements of the quotes of the original's shapes.
pub(super) struct Settlements<'m> {
    pub rails: Rails<'m>,
    pub reputation: Reputation,
}

/// The facts of a receipt beside its quote.
struct Receipted {
    payment: Payment,
    /// Whether the operator's Worker vouched for the agent.
    vouched: bool,
    charge: Option<Charge>,
}

/// The quote that is settled, and how.
#[derive(Clone, Copy)]
struct Settled<'a> {
    quote: &'a QuoteRow,
    option: &'a OptionRow,
    body: &'a Shown,
}

impl Settlements<'_> {
    /// `POST /api/protocol/x402/settle`.
    pub fn settle<B: Rows>(
        &self,
        books: &B,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Applied<B> {
        let refuse = |response| Ok(Decision::reply(response));
        let body = or_reply!(object(&request.body).and_then(|members| read_body(&members)));
        let Some(quote) = books.quote(&body.reference)? else {
            return Ok(Decision::reply(repeat_receipt(books, &body, moment)?));
        };
        let option = or_reply!(choose_option(&quote, &body));
        // A transfer that was made in time counts also after the end; the chain tells the time.
        let end = if self.rails.mock { quote.expires } else { quote.until };
        if moment.now > end {
            let changes = Vec::from([Change::Original(QuoteChange::Gone(quote.id))]);
            let answer = Answer::Reply(refusal(400, "Quote expired"));
            return Ok(Decision { answer, changes });
        }
        let sender = or_reply!(find_sender(&quote, &body));
        let Some(tx) = spell_hash(&option.chain, &body.hash) else {
            return refuse(refusal(400, "Invalid tx hash format"));
        };
        // One that a seller alone names for an invocation stays the buyer's. What is in the archive is older than this
        // quote, or was paid by an authorization: the chain has to show a plain transfer here.
        let counts = |row: InvocationRow| row.is_shown;
        let is_used = books.settled_by_tx(&place(option), &tx)?.is_some()
            || !option.network.is_empty()
                && books.invocation_by_tx(&option.network, &tx)?.is_some_and(counts);
        if is_used {
            return refuse(refusal(400, "Transaction is used for another payment"));
        }
        let id = body.subscription.as_deref();
        let charge = or_reply!(find_charge(books, self.rails.rate, &quote, id)?);
        let is_first = request.replies.is_empty() && request.reputation.is_none();
        let outwards = |answer: Answer| {
            if !is_first {
                return Decision::told(answer);
            }
            if moment.now < quote.asked.saturating_add(PACE_MS) {
                return Decision::reply(refusal(429, "Too many requests").with("retry-after", "1"));
            }
            let row = Box::new(QuoteRow { asked: moment.now, ..quote.clone() });
            Decision { answer, changes: Vec::from([Change::Original(QuoteChange::Quote(row))]) }
        };
        let (mut vouched, mut is_silent) = (false, false);
        if let Some(agent) = body.agent.as_deref().filter(|_| self.reputation.is_bound) {
            match self.reputation.ask(request, write_question(agent, &quote, option)) {
                Word::Approved => vouched = true,
                Word::Open(answer) => return Ok(outwards(answer)),
                // No money is lost with a quote whose payment is pretended.
                Word::Silent if option.network.is_empty() => return refuse(no_reputation()),
                // Anyone can make up a hash: the chain says whether there is something to keep.
                Word::Silent => is_silent = true,
                Word::Denied(reason) => {
                    let why = reason.unwrap_or_else(|| "agent is not vouched for".to_string());
                    return refuse(refusal(402, &alloc::format!("Passport gate: {why}")));
                }
            }
        }
        let settled = Settled { quote: &quote, option, body: &body };
        let payment = if option.network.is_empty() {
            Payment { tx, sender: None, block: None }
        } else {
            match self.read_payment(settled, &tx, sender, request) {
                Ok(Evidenced::Paid(_)) if is_silent => {
                    return Ok(keep_shown(quote, no_reputation(), moment));
                }
                Ok(Evidenced::Paid(payment)) => payment,
                Ok(Evidenced::Open(answer)) => return Ok(outwards(answer)),
                Ok(Evidenced::Waits(answer)) => return Ok(keep_shown(quote, answer, moment)),
                Err(response) => return refuse(response),
            }
        };
        self.write_receipt(books, settled, Receipted { payment, vouched, charge }, moment)
    }

    /// Reads the chain.
    fn read_payment(
        &self,
        settled: Settled<'_>,
        tx: &str,
        sender: Option<Address>,
        request: &OriginalRequest,
    ) -> Result<Evidenced, Response> {
        let Settled { quote, option, .. } = settled;
        let network = ChainId::parse(&option.network).ok();
        let node = network.as_ref().and_then(|network| self.rails.node(network));
        let claim = network.as_ref().and_then(|network| {
            Some(Claim {
                chain_id: network.evm_id()?,
                asset: Address::parse(&option.asset).ok()?,
                to: Address::parse(&option.address).ok()?,
                value: Amount::from_atomic(&option.units).ok()?,
                transaction: TxHash::parse(tx)?,
                sender,
                after: secs(quote.created),
                until: secs(quote.expires),
            })
        });
        // The operator has taken the network or its node away since the quote was made.
        let (Some(claim), Some(node)) = (claim, node) else { return unread() };
        match claim.read(&request.replies) {
            ClaimReading::Ask(body) => {
                let (network, url) = (option.network.clone(), node.to_string());
                let call = EvidenceCall { network, url, requests: Vec::from([body]) };
                Ok(Evidenced::Open(Answer::Evidence(Box::new(call))))
            }
            ClaimReading::Paid { sender, block } => Ok(Evidenced::Paid(Payment {
                tx: tx.to_string(),
                sender: Some(sender),
                block: Some(block),
            })),
            ClaimReading::Early => Err(not_final()),
            ClaimReading::Shallow => Ok(Evidenced::Waits(not_final())),
            ClaimReading::Stranger => Err(stranger()),
            ClaimReading::Before => Err(refusal(400, "Payment was made before the quote")),
            ClaimReading::Late => Err(refusal(400, "Quote expired")),
            ClaimReading::Other => Err(refusal(400, "Transaction does not pay this quote")),
            ClaimReading::Unreadable => unread(),
        }
    }

    /// Writes the receipt, and takes the quote away.
    fn write_receipt<B: Rows>(
        &self,
        books: &B,
        settled: Settled<'_>,
        receipted: Receipted,
        moment: Now<'_>,
    ) -> Applied<B> {
        let Settled { quote, option, body } = settled;
        let Receipted { payment, vouched, charge } = receipted;
        let named = body.agent.as_ref().or(body.paid_by.as_ref()).unwrap_or(&quote.payer);
        let subscription = charge.map(|charge| {
            let (tx, block) = (payment.tx.as_str(), payment.block);
            let paid = CyclePayment { tx, block, contract: &option.asset };
            charge.pay(quote, &paid, moment.now)
        });
        let row = SettledRow {
            id: ledger_id("rcpt", moment, 0),
            quote: quote.id.clone(),
            reference: quote.reference.clone(),
            at: moment.now,
            hash: body.hash.clone(),
            place: place(option),
            chain: option.chain.clone(),
            usd: quote.usd.clone(),
            units: option.units.clone(),
            payer: quote.payer.clone(),
            agent: payment.sender.map_or_else(|| named.clone(), |sender| sender.to_checksum()),
            service: quote.service.clone(),
            subscription: subscription.as_ref().map(|row| row.id.clone()).unwrap_or_default(),
            tx: payment.tx,
            vouched,
            mock: option.network.is_empty(),
        };
        let (has_payer, has_service) = books.has_settled(&row.payer, &row.service)?;
        let before = books.receipt_totals()?;
        let totals = ReceiptTotals {
            agents: before.agents.saturating_add(u64::from(!has_payer)),
            services: before.services.saturating_add(u64::from(!has_service)),
            ..add_payment(before, &row)
        };
        let response = answer_receipt(&row, subscription.as_ref(), moment.now);
        let mut changes = Vec::from([
            QuoteChange::Gone(quote.id.clone()),
            QuoteChange::Settled(Box::new(row)),
            QuoteChange::Totals(totals),
        ]);
        changes.extend(subscription.map(|row| QuoteChange::Subscription(Box::new(row))));
        if self.rails.mock {
            // What cost nothing is kept for a while.
            changes.push(QuoteChange::Trim(KEPT_MOCKS));
        }
        let changes = changes.into_iter().map(Change::Original).collect();
        Ok(Decision { answer: Answer::Reply(response), changes })
    }
}

/// The answer about a quote that is not there: the receipt again, if this paid it.
fn repeat_receipt<B: Rows>(books: &B, body: &Shown, moment: Now<'_>) -> Result<Response, B::Error> {
    let known = books.settled_quote(&body.reference)?;
    let known = known.filter(|row| spell_hash(&row.chain, &body.hash).as_ref() == Some(&row.tx));
    let Some(row) = known else { return Ok(refusal(400, "Quote not found for paymentRef")) };
    let subscription = match row.subscription.as_str() {
        "" => None,
        id => books.subscription(id)?,
    };
    Ok(answer_receipt(&row, subscription.as_ref(), moment.now))
}

/// The result of a reading.
enum Evidenced {
    Paid(Payment),
    Open(Answer),
    /// It is or may be paid; this is said meanwhile.
    Waits(Response),
}

/// The reading without a node's answer: who has paid does not lose the quote by that.
fn unread() -> Result<Evidenced, Response> {
    Ok(Evidenced::Waits(unreadable()))
}

/// Keeps a quote whose payment waits: the safe block of a chain may stand still for hours, and a node
/// or the operator's Worker be silent.
fn keep_shown(quote: QuoteRow, answer: Response, moment: Now<'_>) -> Decision {
    let most = quote.expires.saturating_add(MOST_SHOWN_MS);
    let until = moment.now.saturating_add(SHOWN_MS).min(most);
    let is_worth_it = until > quote.until.saturating_add(KEPT_MORE_MS);
    let kept = is_worth_it;
    let change = || Change::Original(QuoteChange::Quote(Box::new(QuoteRow { until, ..quote })));
    let changes = kept.then(change).into_iter().collect();
    Decision { answer: Answer::Reply(answer), changes }
}

fn not_final() -> Response {
    refusal(402, "Payment is not final yet").with("retry-after", "5")
}

fn answer_receipt(row: &SettledRow, subscription: Option<&SubscriptionRow>, now: u64) -> Response {
    let members = Members::ok().raw("receipt", &write_receipt(row));
    let members = match subscription {
        Some(row) => members.raw("subscriptionProof", &write_proof(Members::new(), row, now)),
        None => members,
    };
    Response::json(200, members.done())
}

fn read_body(members: &Map<String, Value>) -> Result<Shown, Response> {
    let reference = read_text(members, "paymentRef", MAX_REFERENCE)?;
    let lookup = if reference.is_some() { Lookup::Reference } else { Lookup::Id };
    let reference = match reference {
        Some(reference) => reference,
        None => read_text(members, "quoteId", MAX_REFERENCE)?.unwrap_or_default(),
    };
    Ok(Shown {
        reference,
        lookup,
        chain: read_name(members, "chain")?,
        hash: read_name(members, "txHash")?.unwrap_or_default(),
        paid_by: read_name(members, "paidBy")?,
        agent: read_name(members, "agentId")?,
        subscription: read_name(members, "subscriptionId")?,
    })
}

/// The question to the Worker that vouches for agents.
fn write_question(agent: &str, quote: &QuoteRow, option: &OptionRow) -> String {
    Members::new()
        .text("purpose", "settle")
        .text("agentId", agent)
        .text("serviceId", &quote.service)
        .text("chain", &option.chain)
        .text("amountUnits", &option.units)
        .done()
}

/// The option that is settled.
fn choose_option<'a>(quote: &'a QuoteRow, body: &Shown) -> Result<&'a OptionRow, Response> {
    let asked = body.chain.as_deref().unwrap_or(&quote.chain);
    let is_asked = |option: &&OptionRow| option.chain == asked || option.network == asked;
    let option = quote.options.iter().find(is_asked);
    let chain = option.map_or(asked, |option| &option.chain);
    if body.lookup == Lookup::Reference && chain != quote.chain {
        return Err(refusal(400, "Settlement chain does not match quote chain"));
    }
    option.ok_or_else(|| refusal(400, "Settlement chain is not available for quote"))
}

/// The account that has to have sent the money; `None` if anyone may.
fn find_sender(quote: &QuoteRow, body: &Shown) -> Result<Option<Address>, Response> {
    let said = body.paid_by.as_ref().or(body.agent.as_ref());
    let wallet = said.and_then(|text| Address::parse(text).ok());
    match (Address::parse(&quote.payer).ok(), said) {
        (Some(payer), None) => Ok(Some(payer)),
        (Some(payer), Some(_)) if wallet == Some(payer) => Ok(Some(payer)),
        (Some(_), Some(_)) => Err(stranger()),
        (None, None) => Ok(None),
        (None, Some(text)) => {
            let is_right = wallet.is_some()
                || *text == quote.payer
                || quote.payer == ANONYMOUS
                || is_stellar_key(text);
            if is_right { Ok(wallet) } else { Err(stranger()) }
        }
    }
}

fn stranger() -> Response {
    refusal(400, "paidBy does not match quote payer")
}

fn unreadable() -> Response {
    refusal(503, "Chain cannot be read").with("retry-after", "5")
}

/// Whether text has the form of a Stellar account, as far as its letters go.
fn is_stellar_key(text: &str) -> bool {
    text.len() == 56
        && text.starts_with('G')
        && text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b))
}

/// The one spelling of a transaction's hash; `None` if it is none of its chain.
fn spell_hash(chain: &str, text: &str) -> Option<String> {
    if chain != "stellar" {
        return TxHash::parse(text).map(|hash| hash.as_str().to_string());
    }
    let bare = text.strip_prefix("0x").unwrap_or(text);
    let is_hex = bare.len() == 64 && bare.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex {
        return Some(bare.to_lowercase());
    }
    let is_word = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (text.len() == 64 && text.bytes().all(is_word)).then(|| text.to_string())
}

/// Where a transaction of this option is unique.
fn place(option: &OptionRow) -> String {
    if option.network.is_empty() {
        return alloc::format!("mock:{}", option.chain);
    }
    option.network.clone()
}

const fn secs(ms: u64) -> UnixTime {
    UnixTime::from_secs(ms / 1_000)
}

/// The sums with one more settlement, but for its payer and service.
fn add_payment(totals: ReceiptTotals, row: &SettledRow) -> ReceiptTotals {
    let amount = |text: &str| Amount::from_decimal(text, USD_DECIMALS).unwrap_or(Amount::ZERO);
    let sum = amount(&totals.usd).checked_add(amount(&row.usd));
    ReceiptTotals {
        payments: totals.payments.saturating_add(1),
        usd: sum.map_or_else(|| totals.usd.clone(), |sum| sum.to_decimal(USD_DECIMALS)),
        ..totals
    }
}
