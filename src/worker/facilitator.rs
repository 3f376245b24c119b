//! Carries out a facilitator call over `fetch`, and logs facilitators that misbehave.

use std::cell::RefCell;

use farebox_core::evm::known::KnownSigners;
use farebox_core::facilitator::auth::Moment;
use farebox_core::facilitator::breaker::{Breaker, Condition, Operation};
use farebox_core::facilitator::extensions;
use farebox_core::facilitator::fault::Fault;
use farebox_core::facilitator::funds::{Debit, LowBalances};
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::facilitator::redirect::Redirects;
use farebox_core::facilitator::reply::{FacilitatorReply, MAX_REPLY_BYTES};
use farebox_core::facilitator::unproven::queue::{Admittance, CallResult};
use farebox_core::facilitator::unproven::{
    ASK_AGAIN_MS, ChannelAccess, ChannelCaller, ChannelStanding, MAX_TURNS, UnverifiedCaller,
    UnverifiedLimiter,
};
use farebox_core::gate::Gate;
use farebox_core::gate::call::FacilitatorCall;
use farebox_core::sorted::Sorted;
use serde_json::{Map, Value};
use wasm_bindgen::JsValue;

use super::edge;
use super::origin::milliseconds;
use crate::platform::now;

/// Seconds for which the same line is not logged again.
const TELL_SECS: u64 = 60;
/// Limit on the lines that are remembered for that.
const MOST_TOLD: usize = 256;

thread_local! {
    /// State of facilitators, by base URL.
    static BREAKERS: RefCell<Sorted<String, Breaker>> = const { RefCell::new(Sorted::new()) };
    /// Payers, shared by all facilitators: who has paid one has paid.
    static PAYERS: RefCell<PayerHistory> = const { RefCell::new(PayerHistory::new()) };
    /// Wallets found short, shared by all facilitators: the wallet is as empty for the next one.
    static EMPTIES: RefCell<LowBalances> = const { RefCell::new(LowBalances::new()) };
    static REDIRECTS: RefCell<Redirects> = const { RefCell::new(Redirects::new()) };
    static UNPROVEN: RefCell<UnverifiedLimiter> = const { RefCell::new(UnverifiedLimiter::new()) };
    /// The last words of each about the extensions of a payment, by base URL.
    static SAID: RefCell<Sorted<String, Map<String, Value>>> = const { RefCell::new(Sorted::new()) };
    /// Lines of the log, and when each may be written again, Unix seconds.
    static TOLD: RefCell<Sorted<String, u64>> = const { RefCell::new(Sorted::new()) };
}

/// The reason if a facilitator has just refused a payment from this wallet for want of funds.
pub(super) fn recalled(draft: &Debit) -> Option<String> {
    match EMPTIES.with_borrow(|empties| empties.recall(draft, now()))? {
        FacilitatorReply::CachedRefusal(reason) => Some(reason),
        _ => None,
    }
}

/// The reply to a call that need not be made: its answer is known, or the facilitator is known to
/// be down.
pub(super) fn known_answer(gate: &Gate, call: &FacilitatorCall) -> Option<FacilitatorReply> {
    let recalled = |draft| EMPTIES.with_borrow(|empties| empties.recall(draft, now()));
    if let Some(reply) = call.draft.as_ref().and_then(recalled) {
        return Some(reply);
    }
    let admits = |breaker: &mut Breaker| {
        with_payers(|payers| breaker.admits(payers, &call.caller, now(), gate.breaker_secs()))
    };
    let down = call.guarded && !with_breaker(parts(&call.url).0, admits);
    down.then_some(FacilitatorReply::NotSent)
}

/// Notes how a call went.
pub(super) fn note(gate: &Gate, call: &FacilitatorCall, reply: &FacilitatorReply) {
    let (base, operation) = parts(&call.url);
    with_breaker(base, |breaker| {
        PAYERS.with_borrow_mut(|payers| {
            breaker.note(payers, &call.caller, operation, reply, now(), gate.breaker_secs());
        });
    });
    if let Some(draft) = &call.draft {
        EMPTIES.with_borrow_mut(|empties| empties.note(draft, reply, now()));
    }
}

/// Decides with what this isolate has seen of payers.
pub(super) fn with_payers<T>(decide: impl FnOnce(&PayerHistory) -> T) -> T {
    PAYERS.with_borrow(decide)
}

/// Decides with the signers that this isolate knows.
pub(super) fn with_signers<T>(decide: impl FnOnce(&mut KnownSigners) -> T) -> T {
    PAYERS.with_borrow_mut(|payers| decide(&mut payers.signers))
}

/// Health of the gate's facilitators, in the order of its configuration.
pub(super) fn conditions(gate: &Gate) -> Vec<Condition> {
    let condition = |base| with_breaker(base, |breaker| breaker.condition(now()));
    gate.facilitator_urls().map(condition).collect()
}

/// Waits until an unverified payment may be looked at; returns whether it may.
pub(super) async fn admits(sender: &UnverifiedCaller) -> bool {
    let mut place = UNPROVEN.with_borrow_mut(|unproven| unproven.begin(sender, now()));
    for _ in 0..MAX_TURNS {
        let Admittance::Queued(ticket) = place else { break };
        edge::pause(ASK_AGAIN_MS).await;
        place = UNPROVEN.with_borrow_mut(|unproven| unproven.turn(sender, ticket, now()));
    }
    if let Admittance::Queued(ticket) = place {
        UNPROVEN.with_borrow_mut(|unproven| unproven.left(sender, ticket, now()));
    }
    place == Admittance::Begun
}

/// How this caller may ask the object of a channel.
pub(super) fn access(object: &String, caller: Option<ChannelCaller>) -> ChannelAccess {
    UNPROVEN.with_borrow(|unproven| unproven.access(object, caller, now()))
}

/// Takes what the answer of an object says; that ends the call of one that had a place.
pub(super) fn met(object: String, access: &ChannelAccess, standing: ChannelStanding) {
    UNPROVEN.with_borrow_mut(|unproven| unproven.met(object, access, standing, now()));
}

/// Ends the look at it.
pub(super) fn ended(sender: &UnverifiedCaller, verdict: CallResult) {
    UNPROVEN.with_borrow_mut(|unproven| unproven.ended(sender, verdict, now()));
}

fn parts(url: &str) -> (&str, Operation) {
    match url.rsplit_once('/') {
        Some((base, "verify")) => (base, Operation::Verify),
        Some((base, _)) => (base, Operation::Settle),
        None => ("", Operation::Settle),
    }
}

fn with_breaker<T>(base: &str, act: impl FnOnce(&mut Breaker) -> T) -> T {
    BREAKERS.with_borrow_mut(|breakers| act(breakers.get_or(base.to_owned(), Breaker::default)))
}

/// Starts a call; its promise resolves to the text that [`reply`] reads.
pub(super) fn send(gate: &Gate, call: &FacilitatorCall) -> js_sys::Promise {
    let within = milliseconds(call.secs);
    ask(gate, "POST", &call.url, call.body.clone(), within, MAX_REPLY_BYTES)
}

/// Starts a request with the gate's credentials.
pub(super) fn ask(
    gate: &Gate,
    method: &str,
    url: &str,
    body: String,
    milliseconds: u32,
    bytes: usize,
) -> js_sys::Promise {
    let mut nonce = [0; 16];
    // Without randomness the nonce repeats: a key that signs the same text twice reveals nothing.
    let _ = getrandom::fill(&mut nonce);
    let moment = Moment { milliseconds: edge::clock_ms(), nonce };
    let place = REDIRECTS.with_borrow(|redirects| redirects.place(url).to_owned());
    let signed = gate.auth(url).sign(method, &place, body, moment);
    let signing = signed.signing.as_ref().map(|signing| signing.expose().as_str());
    edge::ask_json(&place, signed.lines.expose(), signing, &signed.body, milliseconds, bytes as u32)
}

/// Carries out a call, and notes how it went.
pub(super) async fn told(gate: &Gate, call: &FacilitatorCall) -> FacilitatorReply {
    let reply = finished(gate, &call.url, send(gate, call), || send(gate, call)).await;
    note(gate, call, &reply);
    reply
}

/// The reply to a request that was begun. A redirect within the facilitator's domain is followed
/// `again`, once: the address is remembered while it succeeds.
pub(super) async fn finished(
    gate: &Gate,
    url: &str,
    sent: js_sys::Promise,
    again: impl FnOnce() -> js_sys::Promise,
) -> FacilitatorReply {
    let mut said = edge::settled(sent).await;
    if let Ok(FacilitatorReply::Answer { status, body, .. }) = read(said.clone())
        && REDIRECTS.with_borrow_mut(|redirects| redirects.follows(url, status, &body))
    {
        said = edge::settled(again()).await;
    }
    let place = REDIRECTS.with_borrow(|redirects| redirects.place(url).to_owned());
    if let Some(header) = edge::take_extension_responses(&place) {
        hear(parts(url).0, &header);
    }
    let reply = reply(gate, url, said);
    let status = match &reply {
        FacilitatorReply::Answer { status, .. } => Some(*status),
        _ => None,
    };
    REDIRECTS.with_borrow_mut(|redirects| redirects.finish(url, status));
    reply
}

/// The reply from this URL of a facilitator; faults go to the operator's log.
fn reply(gate: &Gate, url: &str, said: Option<JsValue>) -> FacilitatorReply {
    let (reply, fault) = match read(said) {
        Ok(reply) => {
            let fault = Fault::of(&reply, url);
            (reply, fault)
        }
        Err(Fault::Unsigned) => (FacilitatorReply::Unsigned, Some(Fault::Unsigned)),
        Err(fault) => (FacilitatorReply::Nothing, Some(fault)),
    };
    if let Some(fault) = fault {
        complain(fault.line(url, gate.auth(url), &reply));
    }
    reply
}

/// Takes what a facilitator says of the extensions of a payment.
fn hear(base: &str, header: &str) {
    let Some(said) = extensions::read(header) else { return };
    for complaint in extensions::complaints(&said) {
        complain(format!("farebox: {base} {complaint}"));
    }
    SAID.with_borrow_mut(|all| *all.get_or(base.to_owned(), Map::new) = said);
}

/// The last words of a facilitator about the extensions of a payment.
pub(super) fn extensions_at(base: &str) -> Map<String, Value> {
    SAID.with_borrow_mut(|all| all.get_or(base.to_owned(), Map::new).clone())
}

/// Logs a line for the operator, at most once a minute.
fn complain(line: String) {
    TOLD.with_borrow_mut(|told| {
        // Some lines have words of a facilitator.
        if told.len() >= MOST_TOLD {
            *told = Sorted::new();
        }
        let (now, next) = (now().secs(), told.get_or(line.clone(), || 0));
        if *next <= now {
            *next = now + TELL_SECS;
            edge::complain(&line);
        }
    });
}

/// Reads a whole answer; else the fault.
pub(super) fn read(said: Option<JsValue>) -> Result<FacilitatorReply, Fault> {
    let text = said.and_then(|value| value.as_string()).unwrap_or_default();
    parse(&text).ok_or_else(|| Fault::named(&text))
}

fn parse(text: &str) -> Option<FacilitatorReply> {
    let (status, rest) = text.split_once('\n')?;
    let (kind, body) = rest.split_once('\n')?;
    Some(FacilitatorReply::Answer {
        status: status.parse().ok()?,
        is_json: kind == "json",
        body: body.to_owned(),
    })
}
