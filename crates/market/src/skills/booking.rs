//! How an invocation ends: its row, its answer and its agent's totals, written together.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::{Change, Rows};
use super::message::{Answer, Response, SellerAnswer};
use super::refused::said;
use super::row::{Ending, InvocationRow, Moved, Phase, ReplyRow, SpendRow, SpendTally};
use super::text::{Members, number, quoted};
use super::{Decision, Market};
use farebox_base::amount::Amount;
use farebox_base::encoding::base64;
use farebox_base::mutant::{Mutant, planted};
use farebox_payer::client::asset::is_dollar;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// Longest answer as a text that is escaped, bytes.
const MAX_ESCAPED: usize = 1_500_000;
/// Fraction digits of sums.
pub(super) const SUM_DECIMALS: u8 = 18;

/// How an invocation ends.
#[derive(Clone, Debug)]
pub(super) struct Finish<'a> {
    pub ending: Ending,
    pub paid: Moved,
    /// Of a failure.
    pub error: &'a str,
    /// The skill's answer, of a success.
    pub answer: Option<&'a SellerAnswer>,
    /// The amount that the money would have to be, and the amount that it is, in atomic units.
    pub figures: Option<(String, String)>,
}

impl<'a> Finish<'a> {
    pub(super) const fn failed(error: &'a str) -> Self {
        let (ending, paid) = (Ending::NotPaidFailed, Moved::No);
        Self { ending, paid, error, answer: None, figures: None }
    }
}

impl Market {
    /// Ends an invocation.
    pub(super) fn finish<B: Rows>(
        &self,
        books: &B,
        row: InvocationRow,
        finish: &Finish<'_>,
        now: u64,
    ) -> Result<Decision, B::Error> {
        let is_free = finish.ending == Ending::Free;
        let zero = || "0".to_string();
        let is_unseen =
            finish.paid == Moved::Yes && row.phase == Phase::Paying && row.tx.is_empty();
        let is_open = finish.paid == Moved::Unknown || is_unseen;
        let phase = if is_open { Phase::Doubtful } else { Phase::Done };
        let is_doubtful = phase == Phase::Doubtful && self.lookup_token.is_some();
        let mut ended = InvocationRow {
            phase,
            ending: finish.ending,
            paid: finish.paid,
            ended: Some(now),
            error: finish.error.chars().take(512).collect(),
            due: is_doubtful.then(|| now.saturating_add(60_000)),
            looks: 0,
            ..row
        };
        if is_free {
            (ended.amount, ended.xlm) = (zero(), zero());
        }
        let mut spend = self.spend_of(books, &ended)?;
        // What was refused before it was signed is given back to the day.
        let is_given_back = matches!(finish.ending, Ending::InsufficientBalance);
        if is_given_back {
            give_back(&mut spend, &mut ended, now);
        }
        add(&mut spend, &ended);
        let key = super::replies::key_of(&ended, now);
        let response = self.answer(&ended, finish);
        let reply = super::replies::kept(&ended, &response, now);
        let room = super::replies::room(books, reply.bytes, now)?;
        let mut changes =
            Vec::from([Change::Invocation(Box::new(ended)), Change::Reply(Box::new(reply))]);
        changes.extend(room);
        changes.extend(key);
        if !planted(Mutant::TotalsDrift) {
            changes.push(Change::Spend(Box::new(spend)));
        }
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    /// The answer that is there with what became known of its payment, if that is still kept.
    pub(super) fn retold<B: Rows>(
        &self,
        books: &B,
        row: &InvocationRow,
    ) -> Result<Option<Change>, B::Error> {
        let Some(reply) = books.reply(&row.id)? else { return Ok(None) };
        let finish = Finish {
            ending: row.ending,
            paid: row.paid,
            error: &row.error,
            answer: None,
            figures: None,
        };
        let Response { status, headers, mut body } = self.answer(row, &finish);
        if status == 200 {
            // What the skill answered is in the stored answer alone.
            let end = Members::new().text("ledgerId", &row.id).done().replacen('{', ",", 1);
            let Some(start) = reply.body.strip_suffix(&end) else { return Ok(None) };
            let told = |row: &InvocationRow| {
                let told = Members::new().raw("receipt", &receipt(self, row)).done();
                told.replacen('{', ",", 1).strip_suffix('}').unwrap_or_default().to_string()
            };
            // It may have been told without its transaction.
            let unseen = told(&InvocationRow { tx: String::new(), ..row.clone() });
            let start = start.strip_suffix(&unseen).unwrap_or(start);
            body = match row.paid {
                Moved::Yes => alloc::format!("{start}{}{end}", told(row)),
                Moved::No | Moved::Unknown => reply.body.clone(),
            };
        }
        let bytes = super::replies::size(&headers, &body);
        let reply = ReplyRow { status, headers, body, bytes, ..reply };
        Ok(Some(Change::Retold(Box::new(reply))))
    }

    /// The response about an invocation that is there, or was, and whose answer is not kept any
    /// more. It is over: a repeat calls no one and pays nothing.
    pub(super) fn unkept<B: Rows>(
        &self,
        books: &B,
        id: &str,
    ) -> Result<Option<Response>, B::Error> {
        let gone = Members::new().raw("ok", "false").text("error", "answer_gone");
        let Some(row) = books.invocation(id)? else {
            // The rest is in the archive.
            let is_departed = books.departed(id)?.is_some();
            let body = gone.text("ledgerId", id).done();
            return Ok(Some(if is_departed {
                Response::json(410, body).no_store()
            } else {
                said(404, "Invocation not found").no_store()
            }));
        };
        if !row.phase.is_over() {
            return Ok(None);
        }
        let gone = gone.text("outcome", row.ending.name());
        let gone = match row.paid {
            Moved::Yes => gone.raw("receipt", &receipt(self, &row)).raw("paid", "true"),
            Moved::Unknown => gone.text("paid", "unknown"),
            Moved::No => gone,
        };
        let body = gone.text("ledgerId", &row.id).done();
        let response = Response::json(410, body).no_store();
        Ok(Some(response.with("farebox-outcome", row.ending.name())))
    }

    /// The spend of an account so far.
    pub(super) fn spend_of<B: Rows>(
        &self,
        books: &B,
        row: &InvocationRow,
    ) -> Result<SpendRow, B::Error> {
        let zero = || "0".to_string();
        Ok(books.spend(&row.account)?.unwrap_or_else(|| SpendRow {
            account: row.account.clone(),
            organization: row.organization.clone(),
            agent: row.agent.clone(),
            xlm: zero(),
            failed_xlm: zero(),
            assets: Vec::new(),
            free: 0,
            paid_ok: 0,
            paid_failed: 0,
            not_paid_failed: 0,
            insufficient: 0,
            day: 0,
            counted: zero(),
        }))
    }

    /// The answer to the client.
    fn answer(&self, row: &InvocationRow, finish: &Finish<'_>) -> Response {
        let status = match finish.ending {
            Ending::Free | Ending::PaidOk => 200,
            Ending::InsufficientBalance => 402,
            Ending::Running | Ending::PaidFailed | Ending::NotPaidFailed => 500,
        };
        let members = match finish.answer {
            Some(answer) if status == 200 => Members::ok().raw("response", &shown(answer)),
            _ => Members::new().raw("ok", "false").text("error", finish.error),
        };
        let has_receipt = finish.paid == Moved::Yes
            && !(finish.ending == Ending::PaidFailed && planted(Mutant::ReceiptsAreLost));
        let members =
            if has_receipt { members.raw("receipt", &receipt(self, row)) } else { members };
        let members = match (finish.ending, finish.paid) {
            (Ending::PaidFailed, Moved::Yes) => members.raw("paid", "true"),
            (Ending::PaidFailed, Moved::Unknown) => members.text("paid", "unknown"),
            _ => members,
        };
        let members = members.text("ledgerId", &row.id);
        let members = match &finish.figures {
            Some((required, available)) => {
                members.text("required", required).text("available", available)
            }
            None => members,
        };
        let response = Response::json(status, members.done())
            .no_store()
            .with("farebox-outcome", finish.ending.name());
        if row.receipt.is_empty() {
            response
        } else {
            response.with("farebox-receipt", &row.receipt)
        }
    }
}

/// The receipt in the original's form.
pub(super) fn receipt(market: &Market, row: &InvocationRow) -> String {
    let usd = if is_dollar(&row.asset) {
        Some(row.amount.clone())
    } else {
        market.dollars_of(&row.xlm).filter(|_| row.asset == "XLM")
    };
    let members = Members::new().text("txHash", &row.tx).text("chain", &row.network);
    match usd {
        Some(usd) => members.raw("amountUsd", number(&usd)).done(),
        None => members.text("amount", &row.amount).text("asset", &row.asset).done(),
    }
}

/// A skill's answer as a JSON value: JSON as it came, other text as a string, and other bytes with
/// their type.
pub(super) fn shown(answer: &SellerAnswer) -> String {
    let kind = answer.headers.iter().find(|(name, _)| name == "content-type");
    let kind = kind.map_or("application/octet-stream", |(_, value)| value.as_str());
    let bytes =
        |base64: &str| Members::new().text("contentType", kind).text("base64", base64).done();
    if answer.base64 {
        return bytes(&answer.body);
    }
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&answer.body).is_ok();
    if is_json {
        return answer.body.trim().to_string();
    }
    let text = quoted(&answer.body);
    if text.len() <= MAX_ESCAPED { text } else { bytes(&base64::encode(answer.body.as_bytes())) }
}

/// The start of the UTC day.
pub(super) const fn day_of(now: u64) -> u64 {
    now.saturating_sub(now % DAY_MS)
}

/// The sum of two decimal texts; the first if there is none.
pub(super) fn sum(a: &str, b: &str) -> String {
    let parsed = |text: &str| Amount::from_decimal(text, SUM_DECIMALS).ok();
    let added = parsed(a).zip(parsed(b)).and_then(|(a, b)| a.checked_add(b));
    added.map_or_else(|| a.to_string(), |sum| sum.to_decimal(SUM_DECIMALS))
}

/// The difference of two decimal texts, at least zero.
pub(super) fn difference(a: &str, b: &str) -> String {
    let parsed = |text: &str| Amount::from_decimal(text, SUM_DECIMALS).unwrap_or(Amount::ZERO);
    parsed(a).checked_sub(parsed(b)).unwrap_or(Amount::ZERO).to_decimal(SUM_DECIMALS)
}

/// Dollars counted in the current day.
pub(super) fn counted_on(spend: &SpendRow, now: u64) -> Amount {
    if spend.day == day_of(now) {
        Amount::from_atomic(&spend.counted).unwrap_or(Amount::ZERO)
    } else {
        Amount::ZERO
    }
}

/// Takes what a row counted out of the day, if it is still the same.
pub(super) fn give_back(spend: &mut SpendRow, row: &mut InvocationRow, now: u64) {
    let held = Amount::from_atomic(&row.counted).unwrap_or(Amount::ZERO);
    if spend.day == day_of(row.invoked) && spend.day == day_of(now) {
        let rest = counted_on(spend, now).checked_sub(held).unwrap_or(Amount::ZERO);
        spend.counted = rest.to_string();
    }
    row.counted = "0".to_string();
}

/// Adds an ended row to the totals of its account.
pub(super) fn add(spend: &mut SpendRow, row: &InvocationRow) {
    let more = |count: u64| count.saturating_add(1);
    match row.ending {
        Ending::Running => {}
        Ending::Free => spend.free = more(spend.free),
        Ending::NotPaidFailed => spend.not_paid_failed = more(spend.not_paid_failed),
        Ending::InsufficientBalance => spend.insufficient = more(spend.insufficient),
        Ending::PaidFailed if !planted(Mutant::FailuresAreSuccesses) => {
            spend.paid_failed = more(spend.paid_failed);
            spend.failed_xlm = sum(&spend.failed_xlm, &row.xlm);
            tallied(spend, &row.asset, |it| it.failed = sum(&it.failed, &row.amount));
        }
        Ending::PaidOk | Ending::PaidFailed => {
            spend.paid_ok = more(spend.paid_ok);
            spend.xlm = sum(&spend.xlm, &row.xlm);
            tallied(spend, &row.asset, |it| it.spent = sum(&it.spent, &row.amount));
        }
    }
}

/// Takes a row of an uncertain payment that never moved out of the totals.
pub(super) fn take_back(spend: &mut SpendRow, row: &InvocationRow) {
    if row.ending == Ending::PaidOk {
        spend.paid_ok = spend.paid_ok.saturating_sub(1);
        spend.xlm = difference(&spend.xlm, &row.xlm);
        tallied(spend, &row.asset, |it| it.spent = difference(&it.spent, &row.amount));
        return;
    }
    spend.paid_failed = spend.paid_failed.saturating_sub(1);
    spend.failed_xlm = difference(&spend.failed_xlm, &row.xlm);
    tallied(spend, &row.asset, |it| it.failed = difference(&it.failed, &row.amount));
}

/// Adds to what was spent of an asset, or was paid and not delivered.
fn tallied(spend: &mut SpendRow, asset: &str, change: impl Fn(&mut SpendTally)) {
    if let Some(tally) = spend.assets.iter_mut().find(|tally| tally.asset == asset) {
        return change(tally);
    }
    let zero = || "0".to_string();
    let mut tally = SpendTally { asset: asset.to_string(), spent: zero(), failed: zero() };
    change(&mut tally);
    spend.assets.push(tally);
}
