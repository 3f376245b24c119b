//! Carries out a request: asks the object, does what it answers, and tells it what came of that.

use farebox_core::http::RequestHead;
use farebox_core::machine::Envelope;
use farebox_core::problem::Code;
use farebox_core::treasury::message::{
    Answer, Caller, ClaimTold, Command, Enquiry, LinkClaim, LinkCommand, Operation, Order,
    Preparation, Reply,
};
use farebox_core::treasury::{Treasury, Turn, payout, refused};
use futures_util::future::join;
use wasm_bindgen::JsValue;

use super::calls::{self, Transport};
use super::routes::{Asked, Wanted};
use super::{config, refusal};
use crate::platform::body::{self, Unusable};
use crate::platform::calls::pause;
use crate::platform::send::Sent;
use crate::platform::{fresh_id, now};

/// Answers a request.
pub(super) async fn answer(
    asked: Asked,
    head: RequestHead,
    request: JsValue,
    env: JsValue,
) -> Reply {
    let Some(treasury) = config::treasury() else {
        return refusal::operator(Code::NotConfigured, &fresh_id());
    };
    let (organization, wanted) = match asked {
        Asked::Organizations => return organizations(&treasury),
        Asked::Object(organization, wanted) => (organization, wanted),
        Asked::PayOutFrom(organization, wallet) => {
            let pay_out = |body| Command::Operate(Operation::PayOutFrom(wallet, body));
            (organization, Wanted::Body(body::BODY_BYTES, Box::new(pay_out)))
        }
        Asked::PayOut | Asked::MakeLink(_) => {
            let body = match body::body_of(&request, body::BODY_BYTES).await {
                Ok(body) => body,
                Err(unusable) => return unusable_body(&head, &unusable),
            };
            let mut all = treasury.organizations();
            let only = all.next().filter(|_| all.next().is_none());
            let named = payout::organization_of(&body);
            let is_link = matches!(asked, Asked::MakeLink(_));
            let Some(name) = named.or_else(|| only.filter(|_| is_link).map(str::to_owned)) else {
                return refusal::operator(Code::InvalidRequest, &fresh_id());
            };
            if treasury.organization(&name).is_none() {
                return refusal::operator(Code::NotFound, &fresh_id());
            }
            let command = match asked {
                Asked::MakeLink(origin) => Command::Link(LinkCommand::Make(body, origin)),
                _ => Command::Operate(Operation::PayOut(body)),
            };
            (name, Wanted::Now(command))
        }
    };
    let said = Said { env, organization, head };
    let (limit, make) = match wanted {
        Wanted::Now(command) => return said.conclude(&treasury, command).await,
        Wanted::Body(limit, make) => (limit, make),
        Wanted::OfCaller(caller, make) => {
            let is_long = body::may_be_longer(&said.head, body::UNPROVEN_BYTES);
            if is_long && let Some(reply) = said.refusal_of(&treasury, caller).await {
                return reply;
            }
            (body::BODY_BYTES, make)
        }
    };
    match body::body_of(&request, limit).await {
        Ok(body) => said.conclude(&treasury, make(body)).await,
        Err(unusable) => unusable_body(&said.head, &unusable),
    }
}

fn unusable_body(head: &RequestHead, unusable: &Unusable) -> Reply {
    let status = match unusable {
        Unusable::Long => 413,
        Unusable::Broken => 400,
    };
    if head.target().starts_with("/api/sdk/") {
        return match unusable {
            Unusable::Long => refused::too_large(),
            Unusable::Broken => refused::invalid(&["The body broke off, or is not UTF-8."], &[]),
        };
    }
    refusal::with_status(Code::InvalidRequest, status, &fresh_id())
}

fn organizations(treasury: &Treasury) -> Reply {
    let items: Vec<_> = treasury
        .organizations()
        .filter_map(|name| treasury.organization(name))
        .map(|it| serde_json::json!({"name": it.name, "environment": it.environment.name()}))
        .collect();
    Reply::json(200, serde_json::json!({"items": items}).to_string())
}

/// Wakes every organization's object, so that one that lost its alarm goes on; returns how many did
/// not answer.
pub(super) async fn sweep(env: &JsValue) -> u32 {
    let Some(treasury) = config::treasury() else { return 0 };
    let wake = serde_json::to_string(&Envelope::of(Command::Operate(Operation::Overview)));
    let (wake, mut silent) = (wake.unwrap_or_default(), 0);
    for name in treasury.organizations() {
        if calls::object(env, name, &wake).await.is_none() {
            silent += 1;
        }
    }
    silent
}

/// Where a request's object is.
struct Said {
    env: JsValue,
    organization: String,
    head: RequestHead,
}

impl Said {
    /// The reply to a command, or that the object is down.
    async fn conclude(&self, treasury: &Treasury, command: Command) -> Reply {
        let reporting = matches!(command, Command::Operate(_) | Command::Link(_));
        self.follow(treasury, command).await.unwrap_or_else(|| {
            if reporting {
                refusal::operator(Code::LedgerUnavailable, &fresh_id())
            } else {
                refusal::agent(Code::LedgerUnavailable, 503)
            }
        })
    }

    /// Asks, and does what is answered until that is a reply; `None` if the object is down.
    async fn follow(&self, treasury: &Treasury, command: Command) -> Option<Reply> {
        let mut answer = self.ask(command).await?;
        loop {
            let report = match answer {
                Answer::Reply(reply) => return Some(reply),
                Answer::Done | Answer::Held(_) => return None,
                Answer::Prepare(preparation) => self.prepare(*preparation).await,
                Answer::Send(order) => self.send(treasury, &order).await,
                Answer::Enquire(enquiry) => enquire(*enquiry).await,
                Answer::Claim(claim) => self.claim(*claim).await?,
            };
            answer = self.report(report).await?;
        }
    }

    /// The answer to a caller whose token does not count. The object is asked for the token alone: it
    /// parses no long body of whoever has none.
    async fn refusal_of(&self, treasury: &Treasury, caller: Caller) -> Option<Reply> {
        let told = self.conclude(treasury, Command::Identify(caller)).await;
        (told.status != 200).then_some(told)
    }

    async fn ask(&self, command: Command) -> Option<Answer> {
        let envelope = serde_json::to_string(&Envelope::of(command)).ok()?;
        let said = calls::object(&self.env, &self.organization, &envelope).await?;
        serde_json::from_str(&said).ok()
    }

    /// Tells the object what came of its answer, again if it does not hear: another one takes over
    /// in a moment, and the money may have moved.
    async fn report(&self, command: Command) -> Option<Answer> {
        for gap in GAPS_MS {
            match self.ask(command.clone()).await {
                None => pause(gap).await,
                answer => return answer,
            }
        }
        self.ask(command).await
    }

    /// Asks the signer and the node.
    async fn prepare(&self, preparation: Preparation) -> Command {
        let Preparation { attempt, fence, signer, balance } = preparation;
        let signature = async {
            let (binding, typed) = signer?;
            calls::signature(&self.env, &binding, &typed).await
        };
        let balance = async {
            let (url, body) = balance?;
            calls::node(&url, &body).await
        };
        let (signature, balance) = join(signature, balance).await;
        Command::Prepared { attempt, fence, signature, balance }
    }

    /// Asks the node about the authorization of a payment by link, and then for it.
    async fn claim(&self, claim: LinkClaim) -> Option<Command> {
        let (url, body) = &claim.node;
        let sight = calls::node(url, body).await;
        let holder = match claim.asks(sight.as_deref()) {
            None => None,
            Some(asks) => {
                let asks = serde_json::to_string(&Envelope::of(asks)).ok()?;
                let said = calls::object(&self.env, &claim.object, &asks).await?;
                let Ok(Answer::Held(holder)) = serde_json::from_str(&said) else { return None };
                Some(holder)
            }
        };
        let told = ClaimTold { holder, sight };
        Some(Command::Link(LinkCommand::Claimed(Box::new(claim.asked), told)))
    }

    async fn send(&self, treasury: &Treasury, order: &Order) -> Command {
        deliver(Transport { treasury, env: &self.env }, order).await
    }
}

/// Asks a node about a payment in an escrow contract, and returns what to report.
pub(super) async fn enquire(enquiry: Enquiry) -> Command {
    if enquiry.pause_ms > 0 {
        pause(enquiry.pause_ms).await;
    }
    let reply = calls::node(&enquiry.node, &enquiry.body).await;
    Command::Enquired { escrow: enquiry.escrow, fence: enquiry.fence, reply }
}

/// Sends an order, again where that is right, and returns what to report.
pub(super) async fn deliver(way: Transport<'_>, order: &Order) -> Command {
    let mut sent = 0_u32;
    loop {
        let answer = match calls::merchant(way, order).await {
            Sent::Answer(answer) => Some(answer),
            Sent::Lost | Sent::Late => None,
            Sent::Never => {
                let (attempt, fence) = (order.attempt.clone(), order.fence);
                return Command::Lost { attempt, fence, sent: sent > 0 };
            }
        };
        sent = sent.saturating_add(1);
        match way.treasury.turn(order, answer, sent, now()) {
            Turn::Again(milliseconds) => {
                pause(u32::try_from(milliseconds.max(1)).unwrap_or(LONGEST_PAUSE_MS)).await;
            }
            Turn::Report(command) => return command,
        }
    }
}

/// Milliseconds between reports that an object does not hear.
const GAPS_MS: [u32; 3] = [100, 500, 2_000];
/// A pause that no merchant may ask for.
const LONGEST_PAUSE_MS: u32 = 60_000;
