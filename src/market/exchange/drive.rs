//! Carries out a request: asks the object of the profile, does what it answers, and tells it what came of that.

use std::rc::Rc;

use farebox_core::compute::Gateway;
use farebox_core::compute::message::{
    Answer, Command, Errand, JsonAnswer, PayoutAnswer, PayoutCall, ProofQuestion, SellerRequest,
};
use farebox_core::compute::settings::Profile;
use farebox_core::compute::shown::{
    GatePayment, code_told, not_sold, refusal_told, settlement_told, transaction_told,
};
use farebox_core::compute::terms::{GateTerms, is_challenge, terms_told};
use farebox_core::compute::vars::Profiles;
use farebox_core::compute::{identity, refused};
use farebox_core::gate::limit::WORKER_ZONE;
use farebox_core::http::RequestHead;
use farebox_core::machine::Envelope;
use farebox_core::skills::message::SellerAnswer;
use wasm_bindgen::JsValue;

use super::routes::{Addressed, Wish, client_of, payment_of};
use crate::market::bodies::{is_long, may_ask, may_parse};
use crate::market::calls::{self, RefundCall};
use crate::market::config;
use crate::platform::body::{Unusable, body_of};
use crate::platform::calls::{clock_ms, complain, pause};

/// Answers a request.
pub(in crate::market) async fn answer(
    wish: Wish,
    head: RequestHead,
    request: JsValue,
    env: JsValue,
) -> JsonAnswer {
    let Some(profiles) = config::profiles() else { return refused::not_configured() };
    let asked = match wish {
        Wish::Now(profile, command) => Ok(Some((profile, command))),
        Wish::Body(most, make) => match body_of(&request, most).await {
            Ok(body) => match wait(&profiles, &head, body.len()).await {
                true => make(body),
                false => Err(refused::crowded()),
            },
            Err(Unusable::Long) => Err(refused::too_long(most)),
            Err(Unusable::Broken) => Err(refused::no_json()),
        },
    };
    match asked {
        Ok(Some(addressed)) => Counter { env, head, profiles }.serve(addressed).await,
        Ok(None) => noted(),
        Err(answer) => answer,
    }
}

/// Waits until a body of so many bytes may be parsed; whether it may. One with a seller's session takes no turn.
async fn wait(profiles: &Profiles, head: &RequestHead, bytes: usize) -> bool {
    let authorization = head.headers.get("authorization").unwrap_or_default();
    !is_long(bytes)
        || profiles.is_session(authorization, clock_ms())
        || may_parse(&client_of(head), bytes).await
}

/// Wakes the objects of all profiles; whether each answered.
pub(in crate::market) async fn wake(env: &JsValue) -> bool {
    let Some(profiles) = config::profiles() else { return true };
    let envelope = serde_json::to_string(&Envelope::of(Command::Sweep));
    let envelope = envelope.unwrap_or_default();
    let mut all = true;
    for gateway in profiles.gateways() {
        // Rows leave faster than anyone can add them.
        for _ in 0..MAX_SWEEPS {
            let said = calls::exchange(env, gateway.profile().name(), &envelope).await;
            all &= said.is_some();
            let answer = said.and_then(|said| serde_json::from_str(&said).ok());
            if !matches!(answer, Some(Answer::Done)) {
                break;
            }
        }
    }
    all
}

/// Carries out an errand at the treasury; its report.
pub(in crate::market) async fn payout(
    env: &JsValue,
    profiles: &Profiles,
    errand: &Errand,
) -> Command {
    let answer = match (&errand.ask, &profiles.payout_token, &profiles.refund_token) {
        (PayoutCall::Refunding { payment, restored, sold }, _, Some(token)) => {
            let body = format!("{{\"key\":\"exchange\",\"restored\":{restored},\"sold\":{sold}}}");
            let call = RefundCall { payment, step: "refunding", body: &body };
            calls::refund(env, &profiles.till, token.expose(), &call).await
        }
        (PayoutCall::Refunded { payment, transaction }, _, Some(token)) => {
            let body = format!("{{\"transaction\":\"{transaction}\"}}");
            let call = RefundCall { payment, step: "refunded", body: &body };
            calls::refund(env, &profiles.till, token.expose(), &call).await
        }
        // The gate's operator leaves it to the exchange, and reports it.
        (PayoutCall::Refunding { .. } | PayoutCall::Refunded { .. }, _, None) => {
            Some(PayoutAnswer { status: 404, body: r#"{"code":"not_found"}"#.to_owned() })
        }
        (ask @ (PayoutCall::Pay(_) | PayoutCall::Look { .. }), Some(token), _) => {
            calls::payout(env, token.expose(), ask).await
        }
        (PayoutCall::Pay(_) | PayoutCall::Look { .. }, None, _) => None,
    };
    Command::PaidOut { payment: errand.payment.clone(), fence: errand.fence, answer }
}

/// Has a result judged by the bound Worker; the report of it.
pub(in crate::market) async fn proof(env: &JsValue, question: &ProofQuestion) -> Command {
    let answer = calls::proof(env, &question.body).await;
    Command::Proven { job: question.job.clone(), fence: question.fence, answer }
}

/// Serves one request.
struct Counter {
    env: JsValue,
    head: RequestHead,
    profiles: Rc<Profiles>,
}

impl Counter {
    /// Asks, and does what is answered until that is a response.
    async fn serve(&self, (profile, mut command): Addressed) -> JsonAnswer {
        let Some(gateway) = self.profiles.gateway(profile) else {
            return refused::not_configured();
        };
        if let Command::Session { request, identity, .. } = &mut command {
            match self.identified(request).await {
                Ok(known) => *identity = known,
                Err(answer) => return answer,
            }
        }
        // What the object asks for a challenge counts at once, so that its turn comes first.
        let mut has_turn = matches!(command, Command::Challenge { .. });
        if has_turn && !may_ask(&client_of(&self.head)).await {
            return refused::crowded();
        }
        let mut asked = command.clone();
        let Some(mut reaction) = self.ask(profile, &Envelope::of(command)).await else {
            return refused::down();
        };
        let (mut questions, mut is_asked_again) = (0, false);
        let (quote, job) = loop {
            let next = match reaction {
                Answer::Reply(answer) => return answer,
                Answer::Terms(quote, answer) => match self.with_terms(&quote, answer).await {
                    Some(answer) => return answer,
                    None => Command::Unpriced(quote),
                },
                Answer::Till(quote) => break (quote, String::new()),
                Answer::Settle(begun) => break begun,
                Answer::Wait(job) if matches!(asked, Command::Demo { .. }) => {
                    return super::views::demo(&self.env, &job).await;
                }
                Answer::Wait(job) => {
                    pause(FOLLOW_MS).await;
                    Command::Follow(job)
                }
                Answer::Prove(question) => proof(&self.env, &question).await,
                Answer::Errand(errand) => payout(&self.env, &self.profiles, &errand).await,
                Answer::Evidence(question) => {
                    questions += 1;
                    if questions > MAX_QUESTIONS {
                        return refused::internal();
                    }
                    if !std::mem::take(&mut has_turn) && !may_ask(&client_of(&self.head)).await {
                        return refused::crowded();
                    }
                    let Some(reply) = self.reply_of_node(profile, &question).await else {
                        return refused::crowded();
                    };
                    if let Command::Challenge { evidence, .. } | Command::Session { evidence, .. } =
                        &mut asked
                    {
                        *evidence = Some(reply);
                        asked.clone()
                    } else {
                        Command::Replied(Box::new(asked.clone()), reply)
                    }
                }
                // While the payment was registered, its job went on: it is told as it stands.
                Answer::Done | Answer::Nothing
                    if matches!(asked, Command::Sold(_) | Command::Verify { .. })
                        && !is_asked_again =>
                {
                    is_asked_again = true;
                    asked.clone()
                }
                Answer::Done | Answer::Nothing => return unchanged(&asked),
            };
            match self.report(profile, &Envelope::of(next)).await {
                Some(then) => reaction = then,
                None => return refused::down(),
            }
        };
        self.pay(gateway, &asked, quote, job).await
    }

    async fn ask(&self, profile: Profile, envelope: &Envelope<Command>) -> Option<Answer> {
        let envelope = serde_json::to_string(envelope).ok()?;
        let said = calls::exchange(&self.env, profile.name(), &envelope).await?;
        serde_json::from_str(&said).ok()
    }

    /// The node's reply to a question, empty if there is none; `None` if it is long and found no turn. Strangers choose
    /// what is asked, and so how long the reply is that the object parses.
    async fn reply_of_node(&self, profile: Profile, question: &str) -> Option<String> {
        let reply = match self.profiles.node(profile) {
            Some(url) => calls::node(url, question).await.unwrap_or_default(),
            None => String::new(),
        };
        may_parse(&client_of(&self.head), reply.len()).await.then_some(reply)
    }

    /// Tells the object what came of its answer, again if it does not hear: money may have moved.
    async fn report(&self, profile: Profile, envelope: &Envelope<Command>) -> Option<Answer> {
        for gap in GAPS_MS {
            match self.ask(profile, envelope).await {
                None => pause(gap).await,
                answer => return answer,
            }
        }
        self.ask(profile, envelope).await
    }

    /// The owner of the identity token of a request for a session.
    async fn identified(
        &self,
        request: &SellerRequest,
    ) -> Result<Option<farebox_core::compute::message::Identity>, JsonAnswer> {
        let Some(token) = identity::unproven(request)? else { return Ok(None) };
        let issuer = self.profiles.issuer.as_ref().ok_or_else(identity::no_issuer)?;
        let check = calls::rs256(&issuer.keys, &token).await;
        issuer.identity(&token, check, clock_ms()).map(Some)
    }

    /// Adds the gate's terms to the 402 of a quote: the body has them as well, for clients that
    /// read no header. `None` if the gate has no price for it.
    async fn with_terms(&self, quote: &str, answer: JsonAnswer) -> Option<JsonAnswer> {
        let fields = self.fields(None);
        let Some(gate) = calls::gate(&self.env, &self.till(quote), &fields, TERMS_MS).await else {
            return Some(answer);
        };
        match terms_told(gate.status, &gate.body, &gate.headers, &answer.body) {
            GateTerms::Told => {
                let fields = gate.headers.into_iter();
                Some(kept(answer, fields.filter(|(name, _)| is_challenge(name))))
            }
            GateTerms::Others => {
                complain(
                    "farebox-market's exchange: the gate asks for another payment than its quotes; give \
                     the till's route the network and asset of the profile",
                );
                Some(refused::terms_untold())
            }
            GateTerms::Unpriced => None,
            GateTerms::Untold => Some(refused::terms_untold()),
        }
    }

    /// Sends the payment of a request to the till of a quote; `job` is the one that it began, if it did.
    async fn pay(
        &self,
        gateway: &Gateway,
        asked: &Command,
        quote: String,
        job: String,
    ) -> JsonAnswer {
        let is_repeat = job.is_empty();
        let mut fields = self.fields(Some(gateway.present_payment(&payment_of(&self.head))));
        let key = gateway.till_key(asked, &client_of(&self.head), &quote);
        fields.extend(key.map(|key| ("idempotency-key".to_owned(), key)));
        let gate = calls::gate(&self.env, &self.till(&quote), &fields, TILL_MS).await;
        let status = gate.as_ref().map_or(NO_ANSWER, |gate| gate.status);
        let code = gate.as_ref().map(|gate| code_told(&gate.body)).unwrap_or_default();
        let settlement = gate.as_ref().and_then(|gate| {
            gate.headers.iter().find(|(name, _)| {
                matches!(name.as_str(), "payment-response" | "x-payment-response")
            })
        });
        let told = |by: fn(&str) -> String| settlement.map(|(_, value)| by(value));
        let reason = told(refusal_told).unwrap_or_default();
        let transaction = told(transaction_told).unwrap_or_default();
        let taken = Command::Taken { quote, job, status, code, reason, transaction };
        let reaction = self.report(gateway.profile(), &Envelope::of(taken)).await;
        let (gate, reaction) = match (gate, reaction) {
            (Some(gate), reaction) => (gate, reaction),
            (None, Some(Answer::Reply(answer))) => return answer,
            (None, _) => return not_sold(NO_ANSWER, ""),
        };
        let SellerAnswer { status, headers, body, .. } = gate;
        // Clients of the standards read the gate's own refusal, unless the payment is on its way.
        let is_standard = matches!(asked, Command::Buy { .. });
        let answer = match reaction {
            Some(Answer::Reply(answer)) if !is_standard || is_repeat => answer,
            _ if status == 200 || is_standard => JsonAnswer::new(status, body),
            _ => not_sold(status, &body),
        };
        let told = headers.into_iter().filter(|(name, _)| is_told(name));
        kept(
            answer,
            told.map(|(name, value)| match name.as_str() {
                "payment-response" | "x-payment-response" if is_standard => {
                    let value = settlement_told(&value);
                    (name, value)
                }
                _ => (name, value),
            }),
        )
    }

    fn till(&self, quote: &str) -> String {
        format!("{}/till/{quote}", self.profiles.till)
    }

    /// The fields of a request for the gate: the same each time, so that a price holds for all.
    fn fields(&self, payment: Option<GatePayment>) -> Vec<(String, String)> {
        let mut fields = vec![("accept".to_owned(), "application/json".to_owned())];
        // By which the gate counts a client.
        for name in ["cf-connecting-ip", WORKER_ZONE] {
            let value = self.head.headers.get(name);
            fields.extend(value.map(|it| (name.to_owned(), it.to_owned())));
        }
        fields.extend(payment.map(|it| (it.field.to_owned(), it.value)));
        fields
    }
}

fn kept(mut answer: JsonAnswer, more: impl Iterator<Item = (String, String)>) -> JsonAnswer {
    answer.headers.extend(more);
    answer
}

/// Whether a field of the gate is for who paid.
fn is_told(name: &str) -> bool {
    const TOLD: [&str; 9] = [
        "content-type",
        "payment-response",
        "x-payment-response",
        "payment-receipt",
        "payment-replayed",
        "farebox-redelivery",
        "retry-after",
        "x-correlation-id",
        "access-control-expose-headers",
    ];
    is_challenge(name) || TOLD.contains(&name)
}

/// The answer where a command changed nothing, or someone else reports what came of it.
fn unchanged(asked: &Command) -> JsonAnswer {
    match asked {
        Command::Call { callback, .. } => refused::not_moved_yet(*callback),
        _ => noted(),
    }
}

fn noted() -> JsonAnswer {
    JsonAnswer::new(200, "{\"ok\":true}".to_owned())
}

/// Most sweeps of a profile at one call of the trigger.
const MAX_SWEEPS: u32 = 50;
/// The status that stands for a gate that gave no answer.
const NO_ANSWER: u32 = 503;
/// Milliseconds between reports that the object does not hear.
const GAPS_MS: [u32; 3] = [100, 500, 2_000];
/// Milliseconds between two looks for the work that a request waits for.
const FOLLOW_MS: u32 = 500;
/// Deadline of the gate for its terms, milliseconds.
const TERMS_MS: u32 = 5_000;
/// Its deadline for a payment: the request may wait there for the work.
const TILL_MS: u32 = 280_000;
/// How often the node is asked for one request.
const MAX_QUESTIONS: u32 = 2;
