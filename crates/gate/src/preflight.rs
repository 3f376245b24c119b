//! Preflights: what browsers ask before a page of another site may send a request.

use super::clients::Clients;
use super::cors::{AnswerReader, Cors};
use super::parts::PricedRoutes;
use super::path::Target;
use super::reply::{ALLOWED_HEADERS, Reply};
use super::route::RouteMatch;
use farebox_base::http::RequestHead;

/// Answers a browser's question what it may send, for the method that it asks about.
pub(super) fn answer_preflight(
    routes: &PricedRoutes,
    clients: &Clients,
    head: &RequestHead,
    allow: &str,
    correlation: &str,
) -> Reply {
    let reply = clients.let_ask(Reply::options(allow, correlation));
    let Some(cors) = find_cors(routes, head) else { return reply };
    let allowed = reply.head.headers.get(ALLOW_HEADERS).unwrap_or(ALLOWED_HEADERS);
    let allowed = [allowed, &cors.headers].concat();
    reply.with(ALLOW_HEADERS, &allowed)
}

/// The page that may read the answer to this request.
pub(super) fn find_reader<'h>(routes: &PricedRoutes, head: &'h RequestHead) -> AnswerReader<'h> {
    let Some(cors) = find_cors(routes, head).filter(|cors| !cors.origins.is_empty()) else {
        return AnswerReader::Any;
    };
    match head.headers.get("origin") {
        Some(page) if cors.origins.iter().any(|known| known == page) => AnswerReader::Trusted(page),
        _ => AnswerReader::Stranger,
    }
}

/// The settings of the route that a request is for, or would be for after its preflight.
fn find_cors<'g>(routes: &'g PricedRoutes, head: &RequestHead) -> Option<&'g Cors> {
    let method = match head.method.as_str() {
        "OPTIONS" => head.headers.get("access-control-request-method")?,
        method => method,
    };
    let target = Target::from_url(&head.url).ok()?;
    let RouteMatch::Route(route) = routes.table.find(method, &target) else {
        return None;
    };
    Some(&routes.offer(route)?.settings.cors)
}

const ALLOW_HEADERS: &str = "access-control-allow-headers";
