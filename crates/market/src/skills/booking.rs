//! How an invocation ends: its row, its answer and its agent's totals, written together.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::{Change, Rows};
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Response, SellerAnswer};
use super::price::XlmRate;
use super::refused::{members, refusal};
use super::replies::{find_worth, keep_reply, key_of, make_room, size_of};
use super::row::{Ending, InvocationRow, Moved, Phase, ReplyRow};
use super::spend::{add_ending, find_spend, give_back};
use crate::text::{Members, number, quoted};
use farebox_base::encoding::base64;
use farebox_base::secret::Secret;
use farebox_payer::client::asset::is_dollar;

/// Milliseconds for which another request waits for an answer.
const FOLLOW_MS: u64 = 35_000;
/// Longest answer as a text that is escaped, bytes.
const MAX_ESCAPED: usize = 1_500_000;
/// The money that would have been needed, in atomic units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub required: String,
    pub available: String,
}

/// How an invocation ends.
#[derive(Clone, Debug)]
pub(super) struct Finish<'a> {
    pub ending: Ending,
    pub paid: Moved,
    /// Of a failure.
    pub error: &'a str,
    /// The skill's answer, of a success.
    pub answer: Option<&'a SellerAnswer>,
    pub figures: Option<Figures>,
}

impl<'a> Finish<'a> {
    /// A failure for which nothing was paid.
    pub const fn failure(error: &'a str) -> Self {
        let (ending, paid) = (Ending::NotPaidFailed, Moved::No);
        Self { ending, paid, error, answer: None, figures: None }
    }

    /// The same, paid or perhaps paid.
    pub const fn paid_failed(paid: Moved, error: &'a str) -> Self {
        Self { ending: Ending::PaidFailed, paid, error, answer: None, figures: None }
    }

    /// A success.
    pub const fn success(ending: Ending, paid: Moved, answer: &'a SellerAnswer) -> Self {
        Self { ending, paid, error: "", answer: Some(answer), figures: None }
    }

    /// A failure because the money would not have been enough.
    pub fn unaffordable(figures: Option<Figures>) -> Self {
        let ending = Ending::InsufficientBalance;
        Self { ending, figures, ..Self::failure("insufficient_balance") }
    }
}

/// Endings of the invocations of a market.
#[derive(Clone, Copy)]
pub(super) struct Bookings<'m> {
    pub rate: &'m XlmRate,
    /// Reads decisions of the treasury.
    pub lookup_token: Option<&'m Secret<String>>,
}

impl Bookings<'_> {
    /// Ends an invocation.
    pub fn finish<B: Rows>(
        &self,
        books: &B,
        row: InvocationRow,
        finish: &Finish<'_>,
        now: u64,
    ) -> Applied<B> {
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
        let mut spend = find_spend(books, &ended)?;
        // What was refused before it was signed is given back to the day.
        let is_given_back = matches!(finish.ending, Ending::InsufficientBalance);
        if is_given_back {
            give_back(&mut spend, &mut ended, now);
        }
        add_ending(&mut spend, &ended);
        let key = key_of(&ended, now);
        let response = self.answer(&ended, finish);
        let reply = keep_reply(&ended, &response, find_worth(books, &ended)?, now);
        let room = make_room(books, reply.bytes, now)?;
        let mut changes =
            Vec::from([Change::Invocation(Box::new(ended)), Change::Reply(Box::new(reply))]);
        changes.extend(room);
        changes.extend(key);
        changes.push(Change::Spend(Box::new(spend)));
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    /// The answer that is there with what became known of its payment, if that is still kept.
    pub fn retell<B: Rows>(
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
                let told = Members::new().raw("receipt", &receipt(self.rate, row)).done();
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
        let bytes = size_of(&headers, &body);
        let worth = find_worth(books, row)?;
        let reply = ReplyRow { status, headers, body, bytes, worth, ..reply };
        Ok(Some(Change::Retold(Box::new(reply))))
    }

    /// The answer to an invocation that another request began, or the wait for it.
    pub fn follow<B: Rows>(&self, books: &B, id: &str, moment: Now<'_>) -> Applied<B> {
        if let Some(response) = self.find_answer(books, id)? {
            return Ok(Decision::reply(response));
        }
        let until = moment.now.saturating_add(FOLLOW_MS);
        let answer = Answer::Follow { invocation: id.to_string(), until, late: pending(id) };
        Ok(Decision::told(answer))
    }

    /// The answer to a report that comes too late.
    pub fn answer_late<B: Rows>(&self, books: &B, id: &str) -> Applied<B> {
        Ok(Decision::reply(self.find_answer(books, id)?.unwrap_or_else(|| pending(id))))
    }

    /// The answer to an invocation; `None` while it is not over.
    fn find_answer<B: Rows>(&self, books: &B, id: &str) -> Result<Option<Response>, B::Error> {
        match books.reply(id)? {
            Some(ReplyRow { status, headers, body, .. }) => {
                Ok(Some(Response { status, headers, body }))
            }
            None => self.show_gone(books, id),
        }
    }

    /// The response about an invocation that is there, or was, and whose answer is not kept any
    /// more. It is over: a repeat calls no one and pays nothing.
    fn show_gone<B: Rows>(&self, books: &B, id: &str) -> Result<Option<Response>, B::Error> {
        let gone = members(410, "answer_gone");
        let Some(row) = books.invocation(id)? else {
            // The rest is in the archive.
            let is_departed = books.departed(id)?.is_some();
            let body = gone.text("ledgerId", id).done();
            return Ok(Some(if is_departed {
                Response::json(410, body).no_store()
            } else {
                refusal(404, "Invocation not found").no_store()
            }));
        };
        if !row.phase.is_over() {
            return Ok(None);
        }
        let gone = gone.text("outcome", row.ending.name());
        let gone = match row.paid {
            Moved::Yes => gone.raw("receipt", &receipt(self.rate, &row)).raw("paid", "true"),
            Moved::Unknown => gone.text("paid", "unknown"),
            Moved::No => gone,
        };
        let body = gone.text("ledgerId", &row.id).done();
        let response = Response::json(410, body).no_store();
        Ok(Some(response.with("farebox-outcome", row.ending.name())))
    }

    /// The answer to the client.
    fn answer(&self, row: &InvocationRow, finish: &Finish<'_>) -> Response {
        let status = match finish.ending {
            Ending::Free | Ending::PaidOk => 200,
            Ending::InsufficientBalance => 402,
            Ending::Running | Ending::PaidFailed | Ending::NotPaidFailed => 500,
        };
        let members = match finish.answer {
            Some(answer) if status == 200 => Members::ok().raw("response", &show_response(answer)),
            _ => members(status, finish.error),
        };
        let has_receipt = finish.paid == Moved::Yes;
        let members =
            if has_receipt { members.raw("receipt", &receipt(self.rate, row)) } else { members };
        let members = match (finish.ending, finish.paid) {
            (Ending::PaidFailed, Moved::Yes) => members.raw("paid", "true"),
            (Ending::PaidFailed, Moved::Unknown) => members.text("paid", "unknown"),
            _ => members,
        };
        let members = members.text("ledgerId", &row.id);
        let members = match &finish.figures {
            Some(Figures { required, available }) => {
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

/// The answer while an invocation runs for longer than its client waits.
pub(super) fn pending(id: &str) -> Response {
    let body = members(503, "Invocation in progress").text("ledgerId", id).done();
    Response::json(503, body).no_store().with("retry-after", "5")
}

/// The receipt in the original's form.
fn receipt(rate: &XlmRate, row: &InvocationRow) -> String {
    let usd = if is_dollar(&row.asset) {
        Some(row.amount.clone())
    } else {
        rate.dollars_of(&row.xlm).filter(|_| row.asset == "XLM")
    };
    let members = Members::new().text("txHash", &row.tx).text("chain", &row.network);
    match usd {
        Some(usd) => members.raw("amountUsd", number(&usd)).done(),
        None => members.text("amount", &row.amount).text("asset", &row.asset).done(),
    }
}

/// A skill's answer as a JSON value: JSON as it came, other text as a string, and other bytes with
/// their type.
fn show_response(answer: &SellerAnswer) -> String {
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

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn an_answer_is_shown_as_json_as_text_or_in_base64() {
        let shown = |body: &str, base64| {
            let headers = Vec::from([("content-type".to_string(), "text/plain".to_string())]);
            show_response(&SellerAnswer { status: 200, headers, body: body.to_string(), base64 })
        };
        assert_eq!(shown(" {\"a\":1} ", false), "{\"a\":1}");
        assert_eq!(shown("he said \"hi\"", false), "\"he said \\\"hi\\\"\"");
        assert_eq!(shown("", false), "\"\"");
        let of_type =
            |base64: &str| format!("{{\"contentType\":\"text/plain\",\"base64\":\"{base64}\"}}");
        assert_eq!(shown("aGk=", true), of_type("aGk="));
        // Escaped, a control character takes six bytes.
        let most = "\u{1}".repeat((MAX_ESCAPED - 2) / 6);
        assert_eq!(shown(&most, false).len(), 6 * most.len() + 2);
        let more = most.clone() + "\u{1}";
        assert_eq!(shown(&more, false), of_type(&base64::encode(more.as_bytes())));
    }
}
