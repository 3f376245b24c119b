//! Carries out a request: asks the object, does what it answers, and tells it what came of that.

use std::rc::Rc;

use farebox_core::http::RequestHead;
use farebox_core::machine::Envelope;
use farebox_core::skills::catalogue::REMOVED;
use farebox_core::skills::index::SkillIndex;
use farebox_core::skills::message::{
    Answer, CallOutcome, Command, Errand, Forward, Invocation, MockProof, OriginalRequest,
    PayOrder, Response, SellerAnswer, SellerCall, Viewer,
};
use farebox_core::skills::offered::{Edition, Offered};
use farebox_core::skills::{Market, original, pay, refused};
use wasm_bindgen::JsValue;

use super::bodies::may_parse;
use super::calls::{self, Failed, Identity};
use super::config;
use super::following::{FollowTurn, Place};
use super::routes::{Asked, client_of, pack_of};
use super::showcase::{Showcase, Volume};
use super::shown::{self, Overview, Sheet};
use crate::platform::body::{self, Unusable};
use crate::platform::calls::{clock_ms, complain, pause};
use crate::platform::turns::Ticket;

/// The response to the client.
pub(super) enum Given {
    /// A response that was written here.
    Written(Response),
    /// A seller's, as it comes, and its status.
    Passed(JsValue, u32),
}

impl Given {
    pub(super) fn status(&self) -> u32 {
        match self {
            Self::Written(response) => response.status,
            Self::Passed(_, status) => *status,
        }
    }
}

impl From<Response> for Given {
    fn from(response: Response) -> Self {
        Self::Written(response)
    }
}

/// Longest body that is read of a client that has proven nothing yet, bytes: the one object parses it.
const OWNERS_BYTES: u32 = 64 * 1024;

/// Answers a request.
pub(super) async fn answer(
    asked: Asked,
    head: RequestHead,
    request: JsValue,
    env: JsValue,
) -> Given {
    let Some(market) = config::market() else {
        return refused::refusal(503, "not_configured").no_store().into();
    };
    let desk = Desk { env, head, request, market };
    let command = match asked {
        Asked::Now(command) => Ok(command),
        Asked::Sold(sale) => Ok(Command::Sold(Box::new(sale))),
        Asked::Body(make) => desk.body(OWNERS_BYTES).await.map(make),
        Asked::Ledger(make) => desk.reader(make).await,
        Asked::Invoke { skill, version } => desk.invocation(skill, version).await,
        Asked::Shown(sheet) => return desk.show(sheet).await,
    };
    match command {
        Ok(command) => {
            let is_list =
                matches!(&command, Command::Original(request) if original::is_list(request));
            let given = match viewer_of(&command) {
                Some(viewer) => desk.look(&command, viewer).await,
                None if is_list => desk.wait(command).await,
                None => desk.follow(command).await,
            };
            desk.tell_removal(&given);
            given
        }
        Err(response) => response.into(),
    }
}

/// Wakes the object, if skills are sold; whether it answered. It looks at the gate's table then: one that
/// stays awake for days has no other start.
pub(super) async fn wake(env: &JsValue) -> bool {
    if config::market().is_none() {
        return true;
    }
    let envelope = serde_json::to_string(&Envelope::of(Command::Wake));
    calls::object(env, &envelope.unwrap_or_default()).await.is_some()
}

/// The means to answer one request.
struct Desk {
    env: JsValue,
    head: RequestHead,
    request: JsValue,
    market: Rc<Market>,
}

/// A call that was answered, for the payment that it asks for.
type AnsweredCall = (SellerCall, SellerAnswer);

impl Desk {
    fn field(&self, name: &str) -> &str {
        self.head.headers.get(name).unwrap_or_default()
    }

    /// Tells the log that the operator took a skill back, and why.
    fn tell_removal(&self, given: &Given) {
        let Given::Written(response) = given else { return };
        let reason = response.headers.iter().find(|(name, _)| name == REMOVED);
        if let Some((_, reason)) = reason.filter(|_| self.head.method == "DELETE") {
            let target = self.head.target();
            complain(&format!("farebox-market: the operator removed {target}: {reason}"));
        }
    }

    async fn body(&self, limit: u32) -> Result<String, Response> {
        body::body_of(&self.request, limit).await.map_err(|unusable| match unusable {
            Unusable::Long => refused::too_large().no_store(),
            Unusable::Broken => refused::no_json().no_store(),
        })
    }

    /// The command of whoever reads the ledger.
    async fn reader(
        &self,
        make: Box<dyn FnOnce(Viewer, String) -> Command>,
    ) -> Result<Command, Response> {
        let authorization = self.field("authorization");
        let viewer = if self.market.is_operator(authorization) {
            Viewer::Operator
        } else if is_of_treasury(authorization) {
            match calls::identity(&self.env, authorization).await {
                Identity::Known(proven) => Viewer::Agent(proven),
                Identity::Unknown => Viewer::Anyone,
                Identity::Down => return Err(no_treasury()),
            }
        } else {
            Viewer::Anyone
        };
        // Only the operator's body is read: anyone else's would be for nothing.
        let is_read = self.head.method == "POST" && viewer == Viewer::Operator;
        let body = if is_read { self.body(body::BODY_BYTES).await? } else { String::new() };
        Ok(make(viewer, body))
    }

    async fn invocation(
        &self,
        skill: String,
        version: Option<String>,
    ) -> Result<Command, Response> {
        let authorization = self.field("authorization");
        let text = |name: &str| self.head.headers.get(name).map(str::to_owned);
        let pack = pack_of(&self.head);
        let caller = if pack.is_none() && is_of_treasury(authorization) {
            match calls::identity(&self.env, authorization).await {
                Identity::Known(proven) => Some(proven),
                Identity::Unknown => None,
                Identity::Down => return Err(no_treasury()),
            }
        } else {
            None
        };
        // Of whoever proves nothing the one object parses a short body alone.
        let is_long = body::may_be_longer(&self.head, body::UNPROVEN_BYTES);
        let is_known = caller.is_some()
            || match pack.as_ref().filter(|_| is_long) {
                Some(key) => self.follow(Command::Pack(key.clone())).await.status() == 200,
                None => false,
            };
        if is_long && !is_known {
            return Err(refused::no_identity().no_store());
        }
        let body = self.body(body::BODY_BYTES).await?;
        // An agent waits for its own; a pack costs a cent, so that its key is no sender.
        let sender = caller.as_ref().map(|it| format!("{} {}", it.organization, it.agent));
        if !may_parse(&sender.unwrap_or_else(|| client_of(&self.head)), body.len()).await {
            return Err(refused::crowded().no_store());
        }
        let key = text("idempotency-key");
        Ok(Command::Invoke(Box::new(Invocation { skill, version, caller, pack, key, body })))
    }

    /// Asks for a list of the original's once it is this request's turn: what others ask comes between two of them.
    async fn wait(&self, command: Command) -> Given {
        let ticket = match self.turn().await {
            Ok(ticket) => ticket,
            Err(refusal) => return refusal.into(),
        };
        let given = self.follow(command).await;
        ticket.end(clock_ms(), 0);
        given
    }

    /// Waits for a turn at what costs much.
    async fn turn(&self) -> Result<Ticket, Response> {
        let ticket = config::turns().turn(&client_of(&self.head)).await;
        ticket.ok_or_else(|| refused::crowded().no_store())
    }

    /// Looks at rows of the ledger. An agent's looks into the archive take turns: the one object reads up to four shelves for each.
    async fn look(&self, command: &Command, viewer: &Viewer) -> Given {
        let mut answer = self.ask(command).await;
        let mut ticket = None;
        for _ in 0..MAX_OPENED {
            let Some(Answer::Fetch(names)) = answer else { break };
            if let Viewer::Agent(proven) = viewer
                && ticket.is_none()
            {
                let sender = format!("{} {}", proven.organization, proven.agent);
                ticket = config::looks().turn(&sender).await;
                if ticket.is_none() {
                    return refused::crowded().no_store().into();
                }
            }
            answer = match self.shelves(names).await {
                Some(shelves) => {
                    self.report(&Command::Opened(Box::new(command.clone()), shelves)).await
                }
                None => Some(Answer::Reply(refused::no_archive())),
            };
        }
        if let Some(ticket) = ticket {
            ticket.end(clock_ms(), 0);
        }
        match answer {
            Some(Answer::Reply(response)) => response.into(),
            Some(Answer::Fetch(_)) => refused::no_archive().into(),
            Some(_) => refused::internal().no_store().into(),
            None => down().into(),
        }
    }

    /// Asks, and does what is answered until that is a response.
    async fn follow(&self, command: Command) -> Given {
        let mut original = match &command {
            Command::Original(request) => Some((**request).clone()),
            _ => None,
        };
        let mut answered: Option<AnsweredCall> = None;
        let (mut questions, mut end) = (0_u32, None);
        let mut place: Option<Place> = None;
        // What was settled is not refused for one answer that was lost.
        let is_settled = matches!(&command, Command::Sold(sale) if !sale.transaction.is_empty());
        let first = if is_settled { self.report(&command).await } else { self.ask(&command).await };
        let Some(mut answer) = first else { return down().into() };
        loop {
            let next = match answer {
                Answer::Reply(response) => {
                    if let Some(place) = &place {
                        place.tell(&response);
                    }
                    return response.into();
                }
                Answer::Forward(forward) => return self.forward(&forward).await,
                Answer::Errand(Errand::Call(call)) => self.call(*call, &mut answered).await,
                Answer::Errand(Errand::Prove(proof)) => self.prove(*proof, answered.as_ref()).await,
                Answer::Errand(Errand::Pay(order)) => self.pay(&order, answered.as_ref()).await,
                Answer::Follow { invocation, until, late } => {
                    let end = *end.get_or_insert(until);
                    place = place.or_else(|| config::following().place(&invocation));
                    let Some(place) = &place else { return late.into() };
                    loop {
                        if clock_ms() >= end {
                            return late.into();
                        }
                        pause(FOLLOW_MS).await;
                        match place.turn(clock_ms()) {
                            FollowTurn::Wait => {}
                            FollowTurn::Ask => break,
                            FollowTurn::Told(response) => return response.into(),
                        }
                    }
                    Command::Follow(invocation)
                }
                question @ (Answer::Evidence(_) | Answer::Reputation(_)) => {
                    let Some(original) = original.as_mut().filter(|_| questions < MAX_QUESTIONS)
                    else {
                        return refused::internal().no_store().into();
                    };
                    questions += 1;
                    self.inquire(original, &question).await;
                    Command::Original(Box::new(original.clone()))
                }
                Answer::Table(_)
                | Answer::Fetch(_)
                | Answer::Shelf(_)
                | Answer::Edition(_)
                | Answer::Skills { .. }
                | Answer::Tasks(_)
                | Answer::Nothing => {
                    return refused::internal().no_store().into();
                }
            };
            match self.report(&next).await {
                Some(then) => answer = then,
                None => return down().into(),
            }
        }
    }

    /// Shows the skills that are sold now.
    async fn show(&self, sheet: Sheet) -> Given {
        let (id, write): (_, fn(&Market, Option<&Offered>) -> Response) = match sheet {
            Sheet::All(overview) => return self.overlook(&overview).await,
            Sheet::Skill(id) => (id, shown::write_skill_page),
            Sheet::SkillDocument(id) => (id, shown::write_skill_document),
        };
        match self.ask(&Command::Offered(id)).await {
            Some(Answer::Skills { skills, .. }) => write(&self.market, skills.first()).into(),
            _ => down().into(),
        }
    }

    async fn overlook(&self, overview: &Overview) -> Given {
        let Some(volume) = self.volume().await else { return down().into() };
        let write = || overview.written(&self.market, &volume.index);
        if let Some(common) = overview.common() {
            let sent = volume.send(common, write);
            return sent.map_or_else(|| write().into(), |response| Given::Passed(response, 200));
        }
        let ticket = match self.turn().await {
            Ok(ticket) => ticket,
            Err(refusal) => return refusal.into(),
        };
        let response = write();
        let bytes = volume.index.bytes().saturating_add(response.body.len());
        ticket.end(clock_ms(), u64::try_from(bytes / BYTES_PER_MS).unwrap_or(u64::MAX));
        response.into()
    }

    /// All listed skills, of the edition that the object has now, or a later one.
    async fn volume(&self) -> Option<Rc<Volume>> {
        let showcase = config::showcase()?;
        let Some(Answer::Edition(told)) = self.ask(&Command::Edition).await else { return None };
        for _ in 0..MAX_LOOKS {
            let began = clock_ms();
            if let Some(volume) = showcase.volume(told, began) {
                return Some(volume);
            }
            if showcase.turnstile.begin(began) {
                let read = self.read(&showcase).await;
                let now = clock_ms();
                let Some((edition, skills)) = read else {
                    showcase.fail(began, now);
                    return None;
                };
                return Some(
                    showcase.keep(Volume::of(edition, SkillIndex::of(skills), began), now),
                );
            }
            pause(LOOK_MS).await;
        }
        None
    }

    /// Reads all listed skills. What changes meanwhile makes another edition than the one they are said to be of.
    async fn read(&self, showcase: &Showcase) -> Option<(Edition, Vec<Offered>)> {
        let (mut of, mut all, mut after) = (None, Vec::new(), None);
        loop {
            let read = self.ask(&Command::Skills(after)).await;
            let Some(Answer::Skills { edition, skills, next }) = read else { return None };
            all.extend(skills);
            let of = *of.get_or_insert(edition);
            if next.is_none() {
                return Some((of, all));
            }
            after = next;
            showcase.turnstile.go_on(clock_ms());
        }
    }

    async fn ask(&self, command: &Command) -> Option<Answer> {
        let envelope = serde_json::to_string(&Envelope::of(command.clone())).ok()?;
        serde_json::from_str(&calls::object(&self.env, &envelope).await?).ok()
    }

    /// Tells the object what came of its answer, again if it does not hear: the money may have
    /// moved.
    async fn report(&self, command: &Command) -> Option<Answer> {
        for gap in GAPS_MS {
            match self.ask(command).await {
                None => pause(gap).await,
                answer => return answer,
            }
        }
        self.ask(command).await
    }

    async fn call(&self, call: SellerCall, answered: &mut Option<AnsweredCall>) -> Command {
        let outcome = calls::seller(&self.env, &call).await;
        let (invocation, fence) = (call.invocation.clone(), call.fence);
        if let CallOutcome::Answer(answer) = &outcome {
            *answered = Some((call, answer.clone()));
        }
        Command::Called { invocation, fence, outcome }
    }

    /// Repeats a call with the proof of a pretended payment.
    async fn prove(&self, proof: MockProof, answered: Option<&AnsweredCall>) -> Command {
        let outcome = match answered {
            Some((call, _)) => {
                let mut call = call.clone();
                call.headers.push(proof.header);
                calls::seller(&self.env, &call).await
            }
            None => CallOutcome::Unreachable,
        };
        Command::Called { invocation: proof.invocation, fence: proof.fence, outcome }
    }

    async fn pay(&self, order: &PayOrder, answered: Option<&AnsweredCall>) -> Command {
        let answer = match answered {
            Some((call, terms)) => {
                pause(u32::try_from(order.delay_ms).unwrap_or(LONGEST_PAUSE_MS)).await;
                let document = order.document(call, terms);
                calls::decision(&self.env, self.field("authorization"), pay::PATH, &document).await
            }
            None => None,
        };
        Command::Paid { invocation: order.invocation.clone(), fence: order.fence, answer }
    }

    async fn forward(&self, to: &Forward) -> Given {
        let failed = match calls::forward(&self.request, to).await {
            Ok(response) => {
                let status = crate::platform::calls::member(&response, "status").as_f64();
                return Given::Passed(response, status.unwrap_or_default() as u32);
            }
            Err(failed) => failed,
        };
        let (status, error) = match failed {
            Failed::Late => (504, "seller_timeout"),
            Failed::Unreachable => (502, "seller_unreachable"),
            Failed::Redirect => (502, "seller_redirects"),
            Failed::TooLarge => (502, "response_too_large"),
        };
        refused::refusal(status, error).no_store().into()
    }

    /// Objects of the archive; `None` if one of them cannot be read.
    async fn shelves(&self, names: Vec<String>) -> Option<Vec<(String, String)>> {
        let mut shelves = Vec::new();
        for name in names {
            let Some(text) = calls::shelf(&self.env, &name).await else {
                complain(&format!("farebox-market: {name} cannot be read from the archive"));
                return None;
            };
            shelves.push((name, text));
        }
        Some(shelves)
    }

    /// Asks others what an answer depends on, and notes what they say.
    async fn inquire(&self, original: &mut OriginalRequest, question: &Answer) {
        match question {
            Answer::Evidence(call) => {
                for request in &call.requests {
                    let reply = calls::node(&call.url, request).await;
                    original.replies.push(reply.unwrap_or_default());
                }
            }
            Answer::Reputation(question) => {
                let word = calls::reputation(&self.env, question).await;
                original.reputation = Some(word.unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// The viewer of a question about rows of the ledger, which may be in the archive.
const fn viewer_of(command: &Command) -> Option<&Viewer> {
    match command {
        Command::Invocations(viewer, _)
        | Command::InvocationById(viewer, _)
        | Command::Export(viewer, _) => Some(viewer),
        _ => None,
    }
}

/// Whether this is a runtime token of a treasury, by its form.
fn is_of_treasury(authorization: &str) -> bool {
    let token = authorization.trim().split_once(' ').map_or("", |(_, token)| token.trim());
    token.starts_with("fbt_") && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn no_treasury() -> Response {
    refused::refusal(503, "Treasury is not available").no_store().with("retry-after", "5")
}

/// For an object that does not answer.
fn down() -> Response {
    refused::refusal(503, "Market is not available").no_store().with("retry-after", "5")
}

/// Milliseconds between reports that the object does not hear.
const GAPS_MS: [u32; 3] = [100, 500, 2_000];
/// Milliseconds between two looks whether another request has heard the answer that all wait for.
const FOLLOW_MS: u32 = 200;
/// Bytes that are looked through, or written, in a millisecond.
const BYTES_PER_MS: usize = 50_000;
/// Milliseconds between two looks whether another request has read all skills, and how many there are.
const LOOK_MS: u32 = 20;
const MAX_LOOKS: u32 = 500;
/// A pause that no answer may ask for.
const LONGEST_PAUSE_MS: u32 = 60_000;
/// How often objects of the archive are read for one request: a row may leave meanwhile.
const MAX_OPENED: u32 = 3;
/// How often others are asked for one request: for an agent's reputation once, a node three times.
const MAX_QUESTIONS: u32 = 4;
