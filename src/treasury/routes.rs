//! From a request's head to what it asks: a path's command, or a refusal that needs no object.

use farebox_core::http::RequestHead;
use farebox_core::problem::Code;
use farebox_core::treasury::config::PayoutToken;
use farebox_core::treasury::message::{Caller, Command, LinkCommand, Listing, Operation, Reply};
use farebox_core::treasury::row::Scope;
use farebox_core::treasury::token::Token;
use farebox_core::treasury::{Treasury, refused, version};

use super::{config, refusal};
use crate::platform::body::{BODY_BYTES, UNPROVEN_BYTES};
use crate::platform::fresh_id;

/// The wish of a request.
pub(super) enum Asked {
    /// An organization's object.
    Object(String, Wanted),
    /// The list of organizations.
    Organizations,
    /// The object of the organization that the body names.
    PayOut,
    /// The object of this organization, to pay out of this wallet.
    PayOutFrom(String, String),
    /// A link of the organization that the body names, under this origin.
    MakeLink(String),
}

/// Makes a command of a body.
pub(super) type MakeCommand = Box<dyn FnOnce(String) -> Command>;

/// Makes the command, with the body if there is one to be read.
pub(super) enum Wanted {
    /// Without the body.
    Now(Command),
    /// With it, of at most that many bytes.
    Body(u32, MakeCommand),
    /// With it, for a caller who proves itself before a long one is read.
    OfCaller(Caller, MakeCommand),
}

/// The wish of this request.
///
/// # Errors
/// The reply if no object is asked.
pub(super) fn read(head: &RequestHead) -> Result<Asked, Reply> {
    let target = head.target();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(treasury) = config::treasury() else {
        return Err(refusal::operator(Code::NotConfigured, &fresh_id()));
    };
    if let Some(rest) = path.strip_prefix("/api/sdk/") {
        return agents(&treasury, head, rest);
    }
    if path == "/.well-known/farebox-keys.json" {
        let reply = Reply::json(200, treasury.keys());
        return Err(if head.method == "GET" { reply } else { not_allowed("GET") });
    }
    if let Some(rest) = path.strip_prefix("/api/lookup/") {
        return lookups(&treasury, head, rest, query);
    }
    if let Some(rest) = path.strip_prefix("/api/payouts") {
        return payouts(&treasury, head, rest, query);
    }
    if let Some(rest) = path.strip_prefix("/api/v6/pay/a2a/") {
        return links(&treasury, head, rest);
    }
    if let Some(id) = path.strip_prefix("/a2a/") {
        if !matches!(head.method.as_str(), "GET" | "HEAD" | "POST") {
            return Err(not_allowed("GET, HEAD, POST"));
        }
        let payment = head.headers.get("payment-signature").map(str::to_owned);
        return linked(&treasury, id, |id| LinkCommand::Visit(id, head.url.clone(), payment));
    }
    match path.strip_prefix("/api/organizations") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            if !treasury.is_operator(head.headers.get("authorization").unwrap_or_default()) {
                return Err(refusal::operator(Code::Unauthorized, &fresh_id()));
            }
            operators(&treasury, head, rest.trim_matches('/'), query)
        }
        _ => Err(not_found()),
    }
}

/// The contract's paths.
fn agents(treasury: &Treasury, head: &RequestHead, rest: &str) -> Result<Asked, Reply> {
    let field = |name: &str| head.headers.get(name).map(str::to_owned);
    let caller = Caller {
        authorization: field("authorization").unwrap_or_default(),
        version: field(version::HEADER),
        candidate: field("x-farebox-candidate"),
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let (method, wanted) = match parts.as_slice() {
        ["runtime-tokens"] => ("POST", Wanted::Now(Command::Exchange(caller.clone()))),
        ["payment-decisions"] => {
            let own = caller.clone();
            let decide = Box::new(move |body| Command::Decide(own, body));
            ("POST", Wanted::OfCaller(caller.clone(), decide))
        }
        ["open-decisions"] => ("GET", Wanted::Now(Command::Open(caller.clone()))),
        ["identity"] => ("GET", Wanted::Now(Command::Identify(caller.clone()))),
        ["receipts", id] => ("GET", Wanted::Now(Command::LookUp(caller.clone(), (*id).to_owned()))),
        _ => return Err(refusal::agent(Code::NotFound, 404)),
    };
    if head.method != method {
        return Err(refusal::agent(Code::MethodNotAllowed, 405).with("allow", method));
    }
    // A token of an organization that there is not is like any wrong one.
    let token = Token::of_header(&caller.authorization);
    match token.filter(|token| treasury.organization(&token.organization).is_some()) {
        Some(token) => Ok(Asked::Object(token.organization, wanted)),
        None => Err(refused::unauthorized()),
    }
}

/// The paths of who may look decisions up: other Workers of the operator.
fn lookups(
    treasury: &Treasury,
    head: &RequestHead,
    rest: &str,
    query: &str,
) -> Result<Asked, Reply> {
    if !treasury.may_look_up(head.headers.get("authorization").unwrap_or_default()) {
        return Err(refused::unauthorized());
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let asked = |name: &str| decoded(query, name);
    let command = match parts.as_slice() {
        ["decisions"] => asked("agent")
            .zip(asked("key"))
            .map(|(agent, key)| Command::Known { agent, key })
            .ok_or_else(refused::no_decision),
        ["receipts", id] => Ok(Command::KnownReceipt((*id).to_owned())),
        _ => return Err(refusal::agent(Code::NotFound, 404)),
    };
    if head.method != "GET" {
        return Err(refusal::agent(Code::MethodNotAllowed, 405).with("allow", "GET"));
    }
    let organization = asked("organization");
    match organization {
        Some(name) if treasury.organization(&name).is_some() => {
            Ok(Asked::Object(name, Wanted::Now(command?)))
        }
        Some(_) => Err(refused::unknown_organization()),
        None => Err(refused::no_decision()),
    }
}

/// The paths of payments by link. Whoever has a link pays it and follows it; the operator makes it
/// and takes it back.
fn links(treasury: &Treasury, head: &RequestHead, rest: &str) -> Result<Asked, Reply> {
    let is_operator =
        || treasury.is_operator(head.headers.get("authorization").unwrap_or_default());
    let parts: Vec<&str> = rest.split('/').collect();
    let (method, is_open) = match parts.as_slice() {
        ["payment", "create"] | ["p", _, "cancel"] => ("POST", false),
        ["p", _] | ["p", _, "status"] => ("GET", true),
        ["p", _, "credential"] => ("POST", true),
        _ => return Err(not_found()),
    };
    if head.method != method {
        return Err(not_allowed(method));
    }
    if !is_open && !is_operator() {
        return Err(refusal::operator(Code::Unauthorized, &fresh_id()));
    }
    match parts.as_slice() {
        ["p", id] => linked(treasury, id, LinkCommand::Read),
        ["p", id, "status"] => linked(treasury, id, LinkCommand::Status),
        ["p", id, "cancel"] => linked(treasury, id, LinkCommand::Cancel),
        ["p", id, _] => {
            let Some(organization) = treasury.organization_of_link(id) else {
                return Err(not_found());
            };
            let id = (*id).to_owned();
            let pay = |body| Command::Link(LinkCommand::Pay(id, body));
            Ok(Asked::Object(organization, Wanted::Body(UNPROVEN_BYTES, Box::new(pay))))
        }
        _ => Ok(Asked::MakeLink(origin_of(&head.url).to_owned())),
    }
}

/// Asks about a link, if it is one of this treasury.
fn linked(
    treasury: &Treasury,
    id: &str,
    asked: impl FnOnce(String) -> LinkCommand,
) -> Result<Asked, Reply> {
    let organization = treasury.organization_of_link(id).ok_or_else(not_found)?;
    let command = Command::Link(asked(id.to_owned()));
    Ok(Asked::Object(organization, Wanted::Now(command)))
}

/// Scheme and host of a URL.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(start..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or_default()
}

/// The paths of payouts, of operators and of who has the token of a wallet.
fn payouts(
    treasury: &Treasury,
    head: &RequestHead,
    rest: &str,
    query: &str,
) -> Result<Asked, Reply> {
    let authorization = head.headers.get("authorization").unwrap_or_default();
    if let Some(token) = treasury.payout_token(authorization) {
        return own_payouts(token, head, rest, query);
    }
    if !treasury.is_operator(authorization) {
        return Err(refusal::operator(Code::Unauthorized, &fresh_id()));
    }
    let operation = match (head.method.as_str(), rest.strip_prefix('/').filter(|id| !id.is_empty()))
    {
        _ if !rest.is_empty() && !rest.starts_with('/') => return Err(not_found()),
        ("POST", None) => return Ok(Asked::PayOut),
        ("GET", None) => Operation::Payouts(Listing::read(query, &["organization", "outcome"])?),
        ("GET", Some(id)) if !id.contains('/') => Operation::Payout(id.to_owned()),
        (_, None) => return Err(not_allowed("GET, POST")),
        (_, Some(id)) if !id.contains('/') => return Err(not_allowed("GET")),
        _ => return Err(not_found()),
    };
    let organization = parameter(query, "organization");
    match organization.filter(|name| treasury.organization(name).is_some()) {
        Some(organization) => {
            Ok(Asked::Object(organization, Wanted::Now(Command::Operate(operation))))
        }
        None => Err(not_found()),
    }
}

/// The two requests that the token of a wallet opens; the rest is as if it were none.
fn own_payouts(
    token: &PayoutToken,
    head: &RequestHead,
    rest: &str,
    query: &str,
) -> Result<Asked, Reply> {
    let (organization, wallet) = (token.organization.clone(), token.wallet.clone());
    match (head.method.as_str(), rest.strip_prefix('/')) {
        ("POST", None) if rest.is_empty() => Ok(Asked::PayOutFrom(organization, wallet)),
        ("GET", Some(id)) if !id.is_empty() && !id.contains('/') => {
            if parameter(query, "organization").is_none_or(|name| name != organization) {
                return Err(not_found());
            }
            let operation = Operation::PayoutFrom(wallet, id.to_owned());
            Ok(Asked::Object(organization, Wanted::Now(Command::Operate(operation))))
        }
        _ => Err(refusal::operator(Code::Unauthorized, &fresh_id())),
    }
}

/// The paths of operators.
fn operators(
    treasury: &Treasury,
    head: &RequestHead,
    rest: &str,
    query: &str,
) -> Result<Asked, Reply> {
    let method = head.method.as_str();
    let Some((organization, rest)) =
        rest.split_once('/').or((!rest.is_empty()).then_some((rest, "")))
    else {
        return if method == "GET" { Ok(Asked::Organizations) } else { Err(not_allowed("GET")) };
    };
    if treasury.organization(organization).is_none() {
        return Err(not_found());
    }
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let listing = |named: &[&str]| Listing::read(query, named);
    let agent = |name: &str| Scope::Agent(name.to_owned());
    let text = |text: &str| text.to_owned();
    let operation = match (method, parts.as_slice()) {
        ("GET", []) => Operation::Overview,
        ("PUT", ["policy"]) => return Ok(policy(organization, Scope::Organization)),
        ("PUT", ["agents", name, "policy"]) => return Ok(policy(organization, agent(name))),
        ("GET", ["agents"]) => Operation::Agents,
        ("PUT", ["agents", name]) => Operation::PutAgent(text(name)),
        ("DELETE", ["agents", name]) => Operation::DisableAgent(text(name)),
        ("POST", ["agents", name, "bootstrap-keys"]) => Operation::IssueKey(text(name)),
        ("GET", ["agents", name, "bootstrap-keys"]) => Operation::Keys(text(name)),
        ("GET", ["agents", name, "runtime-tokens"]) => Operation::Tokens(text(name)),
        ("DELETE", ["agents", name, "runtime-tokens"]) => Operation::RevokeTokens(text(name)),
        ("DELETE", ["bootstrap-keys", id]) => Operation::RevokeKey(text(id)),
        ("GET", ["budgets"]) => Operation::Budgets,
        ("GET", ["reviews"]) => Operation::Reviews(listing(&["agent", "state", "outcome"])?),
        ("POST", ["reviews", id, "approve"]) => Operation::Approve(text(id)),
        ("POST", ["reviews", id, "deny"]) => Operation::Deny(text(id)),
        ("GET", ["decisions"]) => Operation::Decisions(listing(&["agent", "outcome"])?),
        ("GET", ["decisions", id]) => Operation::Decision(text(id)),
        ("GET", ["export"]) => {
            let format = parameter(query, "format").unwrap_or_else(|| "jsonl".to_owned());
            Operation::Export(listing(&["format", "agent", "outcome"])?, format)
        }
        ("GET", ["audit"]) => Operation::Audit(listing(&["agent", "outcome"])?),
        ("GET", ["log"]) => Operation::Log(listing(&[])?),
        ("GET", ["metrics"]) => Operation::Metrics,
        (_, parts) => {
            return Err(allowed(parts).map_or_else(not_found, not_allowed));
        }
    };
    Ok(Asked::Object(organization.to_owned(), Wanted::Now(Command::Operate(operation))))
}

fn policy(organization: &str, scope: Scope) -> Asked {
    let command = |body| Command::Operate(Operation::PutPolicy(scope, body));
    Asked::Object(organization.to_owned(), Wanted::Body(BODY_BYTES, Box::new(command)))
}

/// The methods of a path that there is.
fn allowed(parts: &[&str]) -> Option<&'static str> {
    Some(match parts {
        []
        | [
            "agents" | "budgets" | "reviews" | "decisions" | "export" | "audit" | "log" | "metrics",
        ]
        | ["decisions", _] => "GET",
        ["policy"] | ["agents", _, "policy"] => "PUT",
        ["agents", _] => "PUT, DELETE",
        ["agents", _, "bootstrap-keys"] => "GET, POST",
        ["agents", _, "runtime-tokens"] => "GET, DELETE",
        ["bootstrap-keys", _] => "DELETE",
        ["reviews", _, "approve" | "deny"] => "POST",
        _ => return None,
    })
}

fn not_allowed(methods: &str) -> Reply {
    refusal::operator(Code::MethodNotAllowed, &fresh_id()).with("allow", methods)
}

fn not_found() -> Reply {
    refusal::operator(Code::NotFound, &fresh_id())
}

/// A parameter of a query; no value that means something here has letters that need escaping.
fn parameter(query: &str, name: &str) -> Option<String> {
    let found = query.split('&').filter_map(|pair| pair.split_once('='));
    found.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// A parameter of a query, with its letters unescaped.
fn decoded(query: &str, name: &str) -> Option<String> {
    farebox_core::http::query::decoded(&parameter(query, name)?)
}
