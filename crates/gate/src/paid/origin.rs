//! The origin: asked once, its answer sealed or streamed, its failures distinguished by whether
//! money has moved.

use alloc::boxed::Box;
use alloc::string::String;

use super::claim::Claim;
use super::{Abort, AfterRecord, BodyLimits, Kept, PaidRequest, Payments, Recording, Step};
use crate::delivery::Worth;
use crate::forward::{ClientIdentity, Price, origin_call};
use crate::reply::{Body, CORRELATION, Reply, finish_paid, scrub};
use farebox_base::amount::Amount;
use farebox_base::http::ResponseHead;
use farebox_base::time::UnixTime;
use farebox_common::payment::{Terms, TxHash};
use farebox_common::problem::Code;
use farebox_ledger::command::{Command, Delivery, Failure, REQUEST_DIGITS};

/// Longest response that is stored, bytes: the edge holds it in memory, and the ledger object in
/// one value.
pub(crate) const MAX_SEALED_BYTES: u64 = 1024 * 1024;
/// Seconds within which a stored response must be complete: the client waits without a byte so
/// long.
pub(crate) const MAX_SEALING_SECS: u64 = 10;

/// Outcome of asking the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginReply {
    /// A head; the edge holds the body.
    Head(ResponseHead),
    /// No head in time.
    TimedOut,
    /// The connection failed.
    Lost,
}

/// Outcome of reading a body to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collected {
    /// All of it is at the edge.
    Whole {
        /// Its length.
        bytes: u64,
    },
    /// It is longer or slower than the limits; the edge holds its beginning and the rest of the
    /// stream.
    Open,
    /// The origin's time is up.
    TimedOut,
    /// The connection broke.
    Broken,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// After its last byte.
    Complete,
    /// The client hung up.
    ClientLeft,
    /// The origin broke off, idled, or sent fewer bytes than it had promised.
    Broken,
}

/// Waits for the origin's head.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Forwarding<'g> {
    paid: Box<PaidRequest<'g>>,
    claim: Claim,
    /// End of the time for the request's body and for the answer, within the lease.
    until: UnixTime,
}

/// Waits for the origin's body.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Collecting<'g> {
    paid: Box<PaidRequest<'g>>,
    claim: Claim,
    head: ResponseHead,
    whole_time: bool,
}

/// A response on its way to the client.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Streaming<'g> {
    paid: Box<PaidRequest<'g>>,
    claim: Claim,
}

impl<'g> Forwarding<'g> {
    /// Asks the origin.
    pub(super) fn begin(paid: Box<PaidRequest<'g>>, claim: Claim, now: UnixTime) -> Step<'g> {
        let Payments { origin, keys, .. } = paid.asked.parts;
        let terms = &paid.asked.choice.terms;
        let price = Price {
            amount: &alloc::format!("{}", paid.moved()),
            asset: &terms.asset,
            network: terms.network.as_str(),
            transaction: paid.work.transaction.as_ref().map_or("", TxHash::on_wire),
        };
        let request = paid.request_digest();
        let caller = ClientIdentity::Payer {
            payer: &paid.payer_text(),
            receipt: &paid.row.receipt,
            request: request.get(..REQUEST_DIGITS).unwrap_or(&request),
            price,
        };
        let secs = paid.asked.offer.settings.origin_timeout_secs;
        let mut call = origin_call(&origin.asked, &paid.asked.request, caller, secs, keys, now);
        call.upload_secs = upload_secs(&paid, now);
        let until = now.plus(secs.saturating_add(call.upload_secs));
        Step::Forward(call, Self { paid, claim, until })
    }

    /// Whether this answer leads to a settlement. If so, the edge hands it in once the whole
    /// request has gone out, or as [`OriginReply::Lost`] if the request body broke off, and
    /// [`OriginReply::TimedOut`] if it still flows when no time is [`left`](Self::left).
    #[must_use]
    pub fn is_to_be_settled(&self, reply: &OriginReply) -> bool {
        matches!(reply, OriginReply::Head(head) if self.worth(head) == Worth::Sold)
            && !self.paid.is_paid()
    }

    /// Whether an answer with this head is read, as far as that may be stored, before anything else.
    #[must_use]
    pub fn is_collected(&self, head: &ResponseHead) -> bool {
        is_collected(&self.paid, head)
    }

    fn worth(&self, head: &ResponseHead) -> Worth {
        Worth::of(head, &self.paid.asked.offer, &self.paid.asked.request.head)
    }

    /// Seconds left for the request's body and for the answer.
    #[must_use]
    pub const fn left(&self, now: UnixTime) -> u64 {
        self.until.secs_since(now)
    }

    /// Takes the origin's head, or the reason why there is none.
    pub fn answered(self, reply: OriginReply, now: UnixTime) -> Step<'g> {
        let left = self.left(now);
        let mut head = match reply {
            OriginReply::Head(head) => head,
            OriginReply::TimedOut => return fail(self.paid, self.claim, Code::OriginTimeout),
            OriginReply::Lost => return fail(self.paid, self.claim, Code::OriginFailed),
        };
        let mut worth = self.worth(&head);
        if worth != Worth::Sold {
            // A redirect within the origin is judged as the client sees it.
            scrub(&mut head, &self.paid.asked.parts.origin.asked);
            worth = self.worth(&head);
        }
        let Self { mut paid, claim, .. } = self;
        paid.work.served = now;
        match worth {
            Worth::Sold => {}
            Worth::Withheld(code) => return fail(paid, claim, code),
            Worth::Nothing if paid.is_paid() => return fail(paid, claim, Code::OriginFailed),
            Worth::Nothing => {
                let mut reply = Reply::new(head, Body::Held);
                reply.code = Some(Code::OriginFailed);
                finish_paid(&mut reply.head, &paid.asked.request.correlation);
                return Recording::release(paid, claim, Failure::Origin, Abort::Said(reply));
            }
        }
        if !is_collected(&paid, &head) {
            return serve(paid, claim, head, Kept::Not);
        }
        let limits = BodyLimits { bytes: MAX_SEALED_BYTES, secs: left.clamp(1, MAX_SEALING_SECS) };
        let whole_time = left <= MAX_SEALING_SECS;
        Step::Collect(limits, Collecting { paid, claim, head, whole_time })
    }
}

impl<'g> Collecting<'g> {
    /// Seconds without a byte after which the origin counts as broken.
    #[must_use]
    pub fn idle_secs(&self) -> u64 {
        self.paid.asked.offer.settings.origin_timeout_secs
    }

    /// Takes the outcome of reading the body.
    pub fn answered(self, collected: Collected) -> Step<'g> {
        let Self { paid, claim, head, whole_time } = self;
        match collected {
            Collected::Whole { bytes }
                if is_short(&head, &paid.asked.request.head.method, bytes) =>
            {
                fail(paid, claim, Code::OriginFailed)
            }
            Collected::Whole { .. } => serve(paid, claim, head, Kept::Whole),
            Collected::Open => serve(paid, claim, head, Kept::Not),
            Collected::TimedOut if whole_time => fail(paid, claim, Code::OriginTimeout),
            Collected::TimedOut => serve(paid, claim, head, Kept::Not),
            Collected::Broken => fail(paid, claim, Code::OriginFailed),
        }
    }
}

impl<'g> Streaming<'g> {
    /// Serves the response that the edge holds.
    pub(super) fn begin(mut paid: Box<PaidRequest<'g>>, claim: Claim) -> Step<'g> {
        let Some((head, kept)) = paid.work.response.take() else {
            return paid.refuse(Code::Internal);
        };
        let mut reply = paid.settlement_served(Reply::new(head, Body::Held));
        reply.marks.served = true;
        match kept {
            Kept::Whole => Step::Respond(reply),
            Kept::Not => Step::Stream(reply, Self { paid, claim }),
        }
    }

    /// The command that keeps the row alive while bytes flow.
    #[must_use]
    pub fn flowing(&self) -> super::LedgerCall {
        self.report(Delivery::Flowing)
    }

    /// The command that ends the delivery.
    #[must_use]
    pub fn ended(&self, end: StreamEnd) -> super::LedgerCall {
        self.report(match end {
            StreamEnd::Complete => Delivery::Complete,
            StreamEnd::ClientLeft => Delivery::ClientLeft,
            StreamEnd::Broken => Delivery::Broken,
        })
    }

    /// Seconds without a byte after which the origin counts as broken.
    #[must_use]
    pub fn idle_secs(&self) -> u64 {
        self.paid.asked.offer.settings.origin_timeout_secs
    }

    /// Length that the origin promised; `None` if it cannot be compared.
    #[must_use]
    pub fn promised_bytes(reply: &Reply, method: &str) -> Option<u64> {
        promised(&reply.head, method)
    }

    fn report(&self, delivery: Delivery) -> super::LedgerCall {
        let fence = self.claim.fence();
        self.paid.call(Command::Fulfil { fence, delivery })
    }
}

/// Continues once the row says that money moved: serves the response at hand, or asks the origin now.
pub(super) fn captured<'g>(paid: Box<PaidRequest<'g>>, claim: Claim, now: UnixTime) -> Step<'g> {
    match paid.work.response.is_some() {
        true => Streaming::begin(paid, claim),
        false => Forwarding::begin(paid, claim, now),
    }
}

/// Seconds that a long body may take: before the settlement, as many as leave time for it.
fn upload_secs(paid: &PaidRequest<'_>, now: UnixTime) -> u64 {
    let most = paid.asked.body.upload_secs();
    if paid.is_paid() {
        return most;
    }
    let end = paid.checked.proof.valid_before.minus(paid.asked.offer.room.min_secs);
    most.min(end.secs_since(now))
}

/// Ends the work after a failure of the origin: in `after` nothing is charged, in `before` a
/// refund is due.
fn fail<'g>(paid: Box<PaidRequest<'g>>, claim: Claim, code: Code) -> Step<'g> {
    let reply = match (paid.is_paid(), code) {
        (true, Code::OriginTimeout) => paid.settlement(paid.problem(Code::RefundDueTimeout)),
        (true, _) => paid.settlement(paid.problem(Code::RefundDue)),
        (false, code) => paid.problem(code),
    };
    Recording::release(paid, claim, Failure::Origin, Abort::Said(reply))
}

/// Continues once the response is complete at the edge or streams: `after` settles next,
/// `before` stores.
fn serve<'g>(
    mut paid: Box<PaidRequest<'g>>,
    claim: Claim,
    mut head: ResponseHead,
    kept: Kept,
) -> Step<'g> {
    // What has moved stays what is charged, whatever is counted after it.
    if !paid.is_paid() {
        let Ok(charged) = charged(&paid.asked.choice.terms, &head) else {
            return fail(paid, claim, Code::OriginFailed);
        };
        paid.work.charged = charged;
    }
    let charged = paid.work.charged;
    scrub(&mut head, &paid.asked.parts.origin.asked);
    finish_paid(&mut head, &paid.asked.request.correlation);
    if charged.is_some_and(Amount::is_zero) {
        return give_away(paid, claim, head);
    }
    let fence = claim.fence();
    let response = match kept {
        Kept::Whole => Some(stored(&head, paid.work.served, charged)),
        Kept::Not => None,
    };
    paid.work.response = Some((head, kept));
    let after = if paid.is_paid() { AfterRecord::Stored(claim) } else { AfterRecord::Sealed };
    let seen_block = paid.row.first_sight.block;
    let charged = charged.filter(|_| !paid.is_paid());
    let charged = charged.map(|charged| alloc::format!("{charged}"));
    Recording::begin(paid, Command::Seal { fence, response, seen_block, charged }, after)
}

/// Serves an answer that costs nothing: nothing is settled, and the row says that no money was
/// asked for.
fn give_away<'g>(mut paid: Box<PaidRequest<'g>>, claim: Claim, head: ResponseHead) -> Step<'g> {
    paid.work.transaction = None;
    let reply = paid.settlement_nothing(Reply::new(head, Body::Held));
    Recording::release(paid, claim, Failure::NotCharged, Abort::Said(reply))
}

/// The charge for this answer, if the route has a price of a unit: that of the units that the
/// origin counts, and never more than was signed. An origin that counts none asks for all of it;
/// one whose count cannot be read has failed.
pub(crate) fn charged(terms: &Terms, head: &ResponseHead) -> Result<Option<Amount>, Code> {
    let Some(unit) = terms.unit else { return Ok(None) };
    if head.headers.get(UNITS).is_none() {
        return Ok(Some(terms.amount));
    }
    let text = head.headers.joined(UNITS).unwrap_or_default();
    let units = Amount::from_atomic(&text).map_err(|_| Code::OriginFailed)?;
    let counted = units.checked_mul(unit).unwrap_or(Amount::MAX);
    Ok(Some(counted.min(terms.amount)))
}

fn is_collected(paid: &PaidRequest<'_>, head: &ResponseHead) -> bool {
    paid.asked.offer.settings.store && may_be_stored(head)
}

/// Whether a response with this head may be stored at all.
pub(crate) fn may_be_stored(head: &ResponseHead) -> bool {
    let kind = head.headers.get("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let streams = ["text/event-stream", "application/x-ndjson"];
    !streams.iter().any(|name| kind.eq_ignore_ascii_case(name))
        && head.content_length().is_none_or(|length| length <= MAX_SEALED_BYTES)
}

/// `Content-Length`; `None` if the body need not have that many bytes (it is encoded, or the answer
/// is to HEAD, a 204 or a 304).
fn promised(head: &ResponseHead, method: &str) -> Option<u64> {
    let comparable = method != "HEAD"
        && !matches!(head.status, 204 | 304)
        && head.headers.filled("content-encoding").is_none();
    head.content_length().filter(|_| comparable)
}

pub(crate) fn is_short(head: &ResponseHead, method: &str, bytes: u64) -> bool {
    promised(head, method).is_some_and(|promised| bytes < promised)
}

/// Field in which an origin says how many units it has served; in a stored head, what was charged.
const UNITS: &str = "farebox-units";

/// Removes what was charged from a stored head and returns it.
pub(super) fn charged_in(head: &mut ResponseHead) -> Option<Amount> {
    let charged = Amount::from_atomic(head.headers.get(UNITS)?).ok();
    head.headers.remove(UNITS);
    charged
}

/// Field of a stored head with the time of its response, so that every repeat has the same receipt.
const SERVED: &str = "farebox-served";

/// The stored form of a head: status, then one line per field, without what belongs to a single
/// answer.
fn stored(head: &ResponseHead, served: UnixTime, charged: Option<Amount>) -> String {
    let mut kept = head.clone();
    kept.headers.remove(CORRELATION);
    kept.headers.set(SERVED, &alloc::format!("{}", served.secs()));
    if let Some(charged) = charged {
        kept.headers.set(UNITS, &alloc::format!("{charged}"));
    }
    kept.to_text()
}

/// Removes the time of the response from a stored head and returns it; `None` if a version stored
/// it that wrote none.
pub(super) fn taken_out(head: &mut ResponseHead) -> Option<UnixTime> {
    let served = UnixTime::from_text(head.headers.get(SERVED)?).ok();
    head.headers.remove(SERVED);
    served
}
