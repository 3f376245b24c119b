//! From a request's head to what it asks of which profile, or to a refusal that needs no object.

use std::rc::Rc;

use farebox_core::compute::body::{MAX_BODY_BYTES, profile_in, profile_of};
use farebox_core::compute::message::{Callback, Command, JsonAnswer, SellerRequest, TillPayment};
use farebox_core::compute::settings::Profile;
use farebox_core::compute::shown::is_credential;
use farebox_core::compute::vars::Profiles;
use farebox_core::compute::{notice, refused};
use farebox_core::http::RequestHead;

use crate::market::config::{self, Exchanging};
pub(super) use crate::market::routes::client_of;
use crate::platform::body::UNPROVEN_BYTES;
use crate::platform::calls::clock_ms;

use super::views::named;

/// Longest body with a prompt or a result, bytes.
const LONGEST: u32 = MAX_BODY_BYTES as u32;

/// The wish of a request.
pub(in crate::market) enum Wish {
    /// The object of a profile, without the request's body.
    Now(Profile, Command),
    /// The object of the profile that a body of at most so many bytes names.
    Body(u32, MakeInstruction),
}

/// Makes a command of a body; none if there is nothing to do.
type MakeInstruction = Box<dyn FnOnce(String) -> Result<Option<Addressed>, JsonAnswer>>;
/// A command, and whose object it is for.
pub(super) type Addressed = (Profile, Command);

/// The wish of this request; `None` if it is not about the exchange.
pub(in crate::market) fn read(head: &RequestHead) -> Option<Result<Wish, JsonAnswer>> {
    let target = head.target();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let is_its = matches!(
        parts.as_slice(),
        ["api", "v1", ..]
            | ["price"]
            | ["till", _]
            | ["_market", "notices"]
            | ["skills", "quotadex-buyer" | "quotadex-seller", "SKILL.md"]
    );
    match config::exchange() {
        Exchanging::With(profiles) if is_its => Some(asked(&profiles, head, &parts, query)),
        Exchanging::Wrong if is_its => Some(Err(refused::not_configured())),
        Exchanging::With(_) | Exchanging::Wrong | Exchanging::No => None,
    }
}

fn asked(
    profiles: &Rc<Profiles>,
    head: &RequestHead,
    parts: &[&str],
    query: &str,
) -> Result<Wish, JsonAnswer> {
    let authorization = head.headers.get("authorization").unwrap_or_default().to_owned();
    match (head.method.as_str(), parts) {
        ("POST", ["api", "v1", "sellers", rest @ ..]) => {
            let make: fn(SellerRequest) -> Command = match rest {
                ["register"] => {
                    let client = client_of(head);
                    return Ok(by_body(UNPROVEN_BYTES, profiles.usual(), move |body| {
                        Command::Register { client, request: SellerRequest { authorization, body } }
                    }));
                }
                ["heartbeat"] => Command::Heartbeat,
                ["offline"] => Command::Offline,
                ["jobs"] => Command::SellerJobs,
                ["session"] => {
                    |request| Command::Session { request, identity: None, evidence: None }
                }
                ["session", "challenge"] => {
                    let client = client_of(head);
                    return Ok(by_body(UNPROVEN_BYTES, profiles.usual(), move |body| {
                        Command::Challenge {
                            client,
                            request: SellerRequest { authorization, body },
                            evidence: None,
                        }
                    }));
                }
                _ => return Err(refused::no_path()),
            };
            let make = move |body| make(SellerRequest { authorization, body });
            Ok(by_body(UNPROVEN_BYTES, profiles.usual(), make))
        }
        ("GET", ["api", "v1", "buyers", "capabilities"]) => {
            Ok(Wish::Now(profile_in(query, profiles.usual())?, Command::Capabilities))
        }
        ("POST", ["api", "v1", "jobs", "quote"]) => {
            let client = client_of(head);
            Ok(by_body(LONGEST, profiles.usual(), move |body| Command::Quote { client, body }))
        }
        ("POST", ["api", "v1", "demo", "run"]) => {
            let client = client_of(head);
            Ok(Wish::Body(
                LONGEST,
                Box::new(move |body| {
                    Ok(Some((Profile::DemoTestnet, Command::Demo { client, body })))
                }),
            ))
        }
        ("POST", ["api", "v1", "jobs", "verify"]) => {
            let payment = payment_of(head);
            Ok(by_body(LONGEST, profiles.usual(), move |body| Command::Verify { payment, body }))
        }
        ("POST", ["api", "v1", "jobs"]) => {
            let client = client_of(head);
            let payment = payment_of(head);
            let make = move |body| Command::Buy { client, payment, body };
            Ok(by_body(LONGEST, profiles.usual(), make))
        }
        ("GET", ["api", "v1", "jobs", id]) => {
            let command = Command::Job { authorization, id: (*id).to_owned() };
            Ok(Wish::Now(profile_of_id(profiles, id)?, command))
        }
        ("POST", ["api", "v1", "jobs", id, callback]) => {
            let (callback, most) = match *callback {
                "start" => (Callback::Start, UNPROVEN_BYTES),
                "complete" => (Callback::Complete, LONGEST),
                "fail" => (Callback::Fail, LONGEST),
                _ => return Err(refused::no_path()),
            };
            let (profile, id) = (profile_of_id(profiles, id)?, (*id).to_owned());
            Ok(Wish::Body(
                most,
                Box::new(move |body| {
                    let request = SellerRequest { authorization, body };
                    Ok(Some((profile, Command::Call { id, callback, request })))
                }),
            ))
        }
        ("GET" | "HEAD", ["skills", id, "SKILL.md"]) => {
            Err(profiles.skill_document(id).unwrap_or_else(refused::no_path))
        }
        ("POST", ["api", "v1", "operator", "holds", payment, deed @ ("ask" | "end")]) => {
            if !profiles.is_operator(&authorization) {
                return Err(refused::not_operator());
            }
            let payment = (*payment).to_owned();
            let command = match *deed {
                "end" => Command::EndNow(payment),
                _ => Command::AskNow(payment),
            };
            Ok(Wish::Now(named(profiles, query)?, command))
        }
        ("POST", ["price"]) => {
            Ok(Wish::Body(UNPROVEN_BYTES, Box::new(|body| notice::price_asked(&body).map(Some))))
        }
        ("POST", ["till", quote]) => sold(profiles, head, quote),
        ("POST", ["_market", "notices"]) => {
            let signature = head.headers.get("farebox-signature").unwrap_or_default().to_owned();
            let profiles = Rc::clone(profiles);
            let owed = move |body: String| profiles.read_debt(&signature, &body, clock_ms());
            Ok(Wish::Body(UNPROVEN_BYTES, Box::new(owed)))
        }
        (_, parts) => Err(methods(parts).map_or_else(refused::no_path, refused::no_method)),
    }
}

/// A command for the object of the profile that the body names, or of the usual one.
fn by_body(most: u32, usual: Profile, make: impl FnOnce(String) -> Command + 'static) -> Wish {
    Wish::Body(most, Box::new(move |body| Ok(Some((profile_of(&body, usual)?, make(body))))))
}

/// A payment that the gate forwarded.
fn sold(profiles: &Profiles, head: &RequestHead, quote: &str) -> Result<Wish, JsonAnswer> {
    let text = |name: &str| head.headers.get(name).unwrap_or_default().to_owned();
    let profile = Profile::of_id(quote).ok_or_else(refused::no_path)?;
    if !profiles.is_from_gate(head, clock_ms()) || text("farebox-payment").is_empty() {
        return Err(refused::not_forwarded());
    }
    let sale = TillPayment {
        quote: quote.to_owned(),
        payment: text("farebox-payment"),
        payer: text("farebox-payer"),
        amount: text("farebox-amount"),
        asset: text("farebox-asset"),
        network: text("farebox-network"),
        transaction: text("farebox-transaction"),
    };
    Ok(Wish::Now(profile, Command::Sold(Box::new(sale))))
}

/// The profile of a job's id. What is no id is asked for like one, so that both are answered alike.
pub(super) fn profile_of_id(profiles: &Profiles, id: &str) -> Result<Profile, JsonAnswer> {
    let named = Profile::of_id(id).filter(|profile| profiles.gateway(*profile).is_some());
    let any = || profiles.gateways().next().map(|gateway| gateway.profile());
    named.or_else(any).ok_or_else(refused::not_configured)
}

/// The methods of a path that there is.
fn methods(parts: &[&str]) -> Option<&'static str> {
    Some(match parts {
        ["api", "v1", "buyers", "capabilities"]
        | ["api", "v1", "dashboard", "summary" | "market" | "events"]
        | ["api", "v1", "feed"]
        | ["api", "v1", "sellers", "feed"]
        | ["api", "v1", "jobs", _, "feed"] => "GET",
        ["api", "v1", "operator", "profiles" | "overview" | "sellers" | "jobs" | "holds"]
        | ["api", "v1", "operator", "jobs", _] => "GET",
        ["api", "v1", "operator", "holds", _, "ask" | "end"] => "POST",
        ["api", "v1", "demo", "run"] => "POST",
        ["skills", _, "SKILL.md"] => "GET, HEAD",
        ["api", "v1", "jobs"]
        | ["api", "v1", "jobs", "quote" | "verify"]
        | ["price"]
        | ["till", _] => "POST",
        ["api", "v1", "jobs", _] => "GET",
        ["api", "v1", "jobs", _, "start" | "complete" | "fail"] => "POST",
        ["api", "v1", "sellers", "register" | "heartbeat" | "offline" | "jobs" | "session"]
        | ["api", "v1", "sellers", "session", "challenge"]
        | ["_market", "notices"] => "POST",
        _ => return None,
    })
}

/// The payment that a request shows, in whichever field; empty if there is none.
pub(super) fn payment_of(head: &RequestHead) -> String {
    let field = |name| head.headers.get(name).filter(|value| !value.is_empty());
    let shown = field("payment-signature").or_else(|| field("x-payment"));
    let shown = shown.or_else(|| field("authorization").filter(|value| is_credential(value)));
    shown.unwrap_or_default().to_owned()
}
