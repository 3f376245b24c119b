//! From a request's head to what it asks: a path's command, or a refusal that needs no object.

use farebox_core::gate::limit::{WORKER_ZONE, client_network};
use farebox_core::http::{BodyPresence, RequestHead};
use farebox_core::skills::message::{Command, Labels, OriginalRequest, Response, Sale, Viewer};
use farebox_core::skills::{original, refused};

use super::config;
use super::shown::{Overview, Sheet};
use crate::platform::calls::clock_ms;

/// The wish of a request.
pub(super) enum Asked {
    /// The object, without the request's body.
    Now(Command),
    /// The object, with the body.
    Body(Box<dyn FnOnce(String) -> Command>),
    /// The object, with who the treasury says that the token is of.
    Ledger(Box<dyn FnOnce(Viewer, String) -> Command>),
    /// To invoke a skill.
    Invoke { skill: String, version: Option<String> },
    /// To pass on what the gate sold.
    Sold(Sale),
    /// A list, a page or a document of what is sold.
    Shown(Sheet),
}

/// The wish of this request.
///
/// # Errors
/// The response if no object is asked.
pub(super) fn read(head: &RequestHead) -> Result<Asked, Response> {
    let target = head.target();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let market = config::market();
    if path == "/_market/health" && (market.is_some() || config::exchange().is_served()) {
        return Err(only(head, "GET").err().unwrap_or_else(|| health(&config::refused())));
    }
    let Some(market) = market else {
        return Err(refused::refusal(503, "not_configured").no_store());
    };
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match parts.as_slice() {
        ["s" | "packs" | "fees", _, ..] => market.read_sale(head, clock_ms()).map(Asked::Sold),
        ["api", "marketplace", rest @ ..] => marketplace(head, rest, query),
        [""] | ["SKILL.md"] | ["skills", ..] => shown(head, &parts, query),
        ["api", ..] if market.compatible => match original::methods(&parts) {
            Some(methods) if methods.split(", ").any(|method| method == head.method) => {
                Ok(of_the_original(head, path, query))
            }
            Some(methods) => Err(not_allowed(methods)),
            None => Err(not_found()),
        },
        _ => Err(not_found()),
    }
}

/// Whether all that is configured is served, and what is not.
fn health(refused: &[&str]) -> Response {
    if refused.is_empty() {
        return Response::json(200, "{\"ok\":true}".to_owned()).no_store();
    }
    let names = refused.join("\",\"");
    Response::json(503, format!("{{\"ok\":false,\"not_configured\":[\"{names}\"]}}")).no_store()
}

/// The contract's paths, and ours beside them.
fn marketplace(head: &RequestHead, parts: &[&str], query: &str) -> Result<Asked, Response> {
    let text = |text: &str| text.to_owned();
    let query = text(query);
    let method = head.method.as_str();
    let labels = || {
        let field = |name: &str| head.headers.get(name).map(str::to_owned);
        let (agent, authorization) = (field("x-agent-id"), field("authorization"));
        Labels { agent, authorization, client: client_of(head) }
    };
    let owned = |id: &str, make: fn(Labels, String, String) -> Command| {
        let (labels, id) = (labels(), text(id));
        Ok(Asked::Body(Box::new(move |body| make(labels, id, body))))
    };
    match (method, parts) {
        ("GET", ["skills"]) => Ok(Asked::Shown(Sheet::All(Overview::List(query)))),
        ("POST", ["skills"]) => {
            let labels = labels();
            Ok(Asked::Body(Box::new(move |body| Command::Publish(labels, body))))
        }
        ("POST", ["skills", "typed-data"]) => {
            Ok(Asked::Body(Box::new(move |body| Command::TypedData(query, body))))
        }
        ("GET", ["skills", id]) => Ok(Asked::Now(Command::Show(text(id)))),
        ("DELETE", ["skills", id]) => owned(id, Command::Deactivate),
        ("POST", ["skills", id, "versions"]) => owned(id, Command::Revise),
        ("POST", ["skills", id, "rotate"]) => owned(id, Command::Rotate),
        ("POST", ["skills", id, "invoke"]) => {
            Ok(Asked::Invoke { skill: text(id), version: parameter(&query, "version") })
        }
        ("GET", ["invocations"]) => {
            Ok(ledger(move |viewer, _| Command::Invocations(viewer, query)))
        }
        ("GET", ["invocations", id]) => {
            let id = text(id);
            Ok(ledger(move |viewer, _| Command::InvocationById(viewer, id)))
        }
        ("GET", ["agents", id, "spend"]) => {
            let id = text(id);
            Ok(ledger(move |viewer, _| Command::Spend(viewer, id)))
        }
        ("GET", ["export"]) => Ok(ledger(move |viewer, _| Command::Export(viewer, query))),
        ("POST", ["import"]) => Ok(ledger(Command::Import)),
        ("GET", ["metrics"]) => Ok(ledger(|viewer, _| Command::Metrics(viewer))),
        ("GET", ["packs", id]) => {
            // Servers on the way log paths: the key may stand in the header instead.
            Ok(Asked::Now(Command::Pack(pack_of(head).unwrap_or_else(|| text(id)))))
        }
        (_, parts) => Err(allowed(parts).map_or_else(not_found, not_allowed)),
    }
}

fn ledger(make: impl FnOnce(Viewer, String) -> Command + 'static) -> Asked {
    Asked::Ledger(Box::new(make))
}

/// Pages and documents.
fn shown(head: &RequestHead, parts: &[&str], query: &str) -> Result<Asked, Response> {
    let page = match parts {
        [""] => Sheet::All(Overview::Page(query.to_owned())),
        ["SKILL.md"] => Sheet::All(Overview::Document),
        ["skills", id] if !id.is_empty() => Sheet::Skill((*id).to_owned()),
        ["skills", id, "SKILL.md"] => Sheet::SkillDocument((*id).to_owned()),
        _ => return Err(not_found()),
    };
    if matches!(head.method.as_str(), "GET" | "HEAD") {
        return Ok(Asked::Shown(page));
    }
    Err(not_allowed("GET, HEAD"))
}

/// A request of the original's shapes, with the network that it comes from.
fn of_the_original(head: &RequestHead, path: &str, query: &str) -> Asked {
    let request = OriginalRequest {
        method: head.method.clone(),
        path: path.to_owned(),
        query: query.to_owned(),
        authorization: head.headers.get("authorization").map(str::to_owned),
        client: client_of(head),
        ..OriginalRequest::default()
    };
    if head.body != BodyPresence::Present {
        return Asked::Now(Command::Original(Box::new(request)));
    }
    Asked::Body(Box::new(move |body| {
        Command::Original(Box::new(OriginalRequest { body, ..request }))
    }))
}

/// The network that a request comes from.
pub(in crate::market) fn client_of(head: &RequestHead) -> String {
    // The gate in front takes the platform's own field away and writes another.
    let field = if config::is_from_gate(head) { "x-forwarded-for" } else { "cf-connecting-ip" };
    client_network(head.headers.get(field), head.headers.get(WORKER_ZONE)).into_owned()
}

/// The pack's key in `Authorization: Bearer fbp_…`, or in a field of its own. The gate in front takes
/// that one away.
pub(super) fn pack_of(head: &RequestHead) -> Option<String> {
    let bearer = || {
        let (scheme, key) = head.headers.get("authorization")?.trim().split_once(' ')?;
        let key = key.trim();
        (scheme.eq_ignore_ascii_case("bearer") && key.starts_with("fbp_")).then_some(key)
    };
    head.headers.get("farebox-pack").or_else(bearer).map(str::to_owned)
}

/// The methods of a path that there is.
fn allowed(parts: &[&str]) -> Option<&'static str> {
    Some(match parts {
        ["skills"] => "GET, POST",
        ["skills", "typed-data"] | ["skills", _, "versions" | "rotate" | "invoke"] | ["import"] => {
            "POST"
        }
        ["skills", _] => "GET, DELETE",
        ["invocations"] | ["invocations", _] | ["agents", _, "spend"] | ["export" | "metrics"] => {
            "GET"
        }
        ["packs", _] => "GET",
        _ => return None,
    })
}

fn only(head: &RequestHead, method: &'static str) -> Result<(), Response> {
    if head.method == method { Ok(()) } else { Err(not_allowed(method)) }
}

fn not_allowed(methods: &str) -> Response {
    refused::refusal(405, "Method not allowed").no_store().with("allow", methods)
}

fn not_found() -> Response {
    refused::refusal(404, "Not found").no_store()
}

/// A parameter of a query; versions have no letters that need escaping.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut found = query.split('&').filter_map(|pair| pair.split_once('='));
    found.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
