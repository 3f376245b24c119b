//! Views, which change nothing: dashboards, pages and feeds; and the demo run, which waits for what
//! it looks at.

use std::rc::Rc;

use farebox_core::compute::board::Board;
use farebox_core::compute::dashboard::{self, Scope};
use farebox_core::compute::feed::{self, FeedReader, Seen, View};
use farebox_core::compute::message::JsonAnswer;
use farebox_core::compute::operator::OperatorView;
use farebox_core::compute::settings::Profile;
use farebox_core::compute::vars::Profiles;
use farebox_core::compute::{page, refused};
use farebox_core::http::RequestHead;
use farebox_core::machine::Envelope;
use wasm_bindgen::JsValue;

use super::render;
use super::routes::{client_of, profile_of_id};
use crate::market::calls;
use crate::market::config::{self, Exchanging};
use crate::platform::request::response;

/// The subject of a view.
pub(in crate::market) enum Sight {
    /// `GET dashboard/summary`.
    Summary(Scope),
    /// `GET dashboard/market`.
    Market(Scope),
    /// `GET dashboard/events`, after these cursors or the newest.
    Events(Scope, Option<Vec<u64>>),
    /// `/exchange`, with the cookies that keep what was chosen.
    Page(Scope, Vec<String>),
    /// A document that needs no object.
    Document(&'static str, String),
    /// A feed.
    Feed(OpenedFeed),
    /// A read of the operator.
    Operator(Profile, OperatorView),
    /// An answer that needs no object.
    Answer(JsonAnswer),
    /// Another page.
    Moved(&'static str),
}

/// A feed that is asked for.
pub(in crate::market) struct OpenedFeed {
    profile: Profile,
    reader: FeedReader,
    after: Option<u64>,
    client: String,
    way: FeedWay,
}

/// How a feed is read.
#[derive(Clone, Copy)]
enum FeedWay {
    /// As it happens.
    Stream,
    /// From time to time.
    Poll,
}

/// The view that this request asks for; `None` if it asks for none, or for something else.
pub(in crate::market) fn read(head: &RequestHead) -> Option<Result<Sight, JsonAnswer>> {
    if !matches!(head.method.as_str(), "GET" | "HEAD") {
        return None;
    }
    let target = head.target();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let is_its = matches!(
        parts.as_slice(),
        ["exchange", ..]
            | ["api", "v1", "operator", ..]
            | ["api", "v1", "dashboard", _]
            | ["api", "v1", "feed"]
            | ["api", "v1", "sellers", "feed"]
            | ["api", "v1", "jobs", _, "feed"]
    );
    // Without a market of skills there is one page.
    let is_its = is_its || matches!(parts.as_slice(), [""]) && config::market().is_none();
    match config::exchange() {
        Exchanging::With(profiles) if is_its => Some(looked(&profiles, head, &parts, query)),
        Exchanging::Wrong if is_its => Some(Err(refused::not_configured())),
        Exchanging::With(_) | Exchanging::Wrong | Exchanging::No => None,
    }
}

fn looked(
    profiles: &Rc<Profiles>,
    head: &RequestHead,
    parts: &[&str],
    query: &str,
) -> Result<Sight, JsonAnswer> {
    let cookies = head.headers.get("cookie").unwrap_or_default();
    let preferred = page::preferred(cookies).or_else(|| usual(profiles));
    let authorization = || head.headers.get("authorization").unwrap_or_default().to_owned();
    let text = |text: &str| text.to_owned();
    match parts {
        [""] => Ok(Sight::Moved("/exchange")),
        ["api", "v1", "operator", rest @ ..] => operator_view(profiles, head, rest, query),
        ["api", "v1", "dashboard", what] => {
            let scope = Scope::of(query, preferred)?;
            match *what {
                "summary" => Ok(Sight::Summary(scope)),
                "market" => Ok(Sight::Market(scope)),
                "events" => match parameter(query, "cursor") {
                    None => Ok(Sight::Events(scope, None)),
                    Some(cursor) => {
                        let cursors = dashboard::cursors(scope, cursor);
                        let cursors = cursors.ok_or_else(feed::bad_cursor)?;
                        Ok(Sight::Events(scope, Some(cursors)))
                    }
                },
                _ => Err(refused::no_path()),
            }
        }
        ["api", "v1", "feed"] => feed_of(head, query, named(profiles, query)?, FeedReader::Anyone),
        ["api", "v1", "sellers", "feed"] => {
            let seller = text(parameter(query, "seller_id").unwrap_or_default());
            let reader = FeedReader::Seller(seller, authorization());
            feed_of(head, query, named(profiles, query)?, reader)
        }
        ["api", "v1", "jobs", id, "feed"] => {
            let reader = FeedReader::Buyer(text(id), authorization());
            feed_of(head, query, profile_of_id(profiles, id)?, reader)
        }
        ["exchange"] => {
            let scope = Scope::of(query, preferred)?;
            let is_chosen = query.contains("mode=") || query.contains("network=");
            let kept = if is_chosen { page::preference_cookies(scope) } else { Vec::new() };
            Ok(Sight::Page(scope, kept))
        }
        ["exchange", "market.js"] => Ok(Sight::Document(SCRIPT, text(page::MARKET_SCRIPT))),
        ["exchange", "style.css"] => Ok(Sight::Document(STYLE, text(farebox_core::page::STYLE))),
        ["exchange", "job.js"] => Ok(Sight::Document(SCRIPT, page::job_script())),
        ["exchange", "jobs", id] if is_id(id) => Ok(Sight::Document(HTML, page::job_page(id))),
        _ => Err(refused::no_path()),
    }
}

/// A read of the operator, who has shown their token.
fn operator_view(
    profiles: &Profiles,
    head: &RequestHead,
    parts: &[&str],
    query: &str,
) -> Result<Sight, JsonAnswer> {
    if !profiles.is_operator(head.headers.get("authorization").unwrap_or_default()) {
        return Err(refused::not_operator());
    }
    let text = || query.to_owned();
    let view = match parts {
        ["profiles"] => return Ok(Sight::Answer(profiles.list_profiles())),
        ["overview"] => OperatorView::Overview,
        ["sellers"] => OperatorView::Sellers(text()),
        ["jobs"] => OperatorView::Jobs(text()),
        ["jobs", id] => {
            let view = OperatorView::Job((*id).to_owned());
            return Ok(Sight::Operator(profile_of_id(profiles, id)?, view));
        }
        ["holds"] => OperatorView::Holds(text()),
        ["holds", _, "ask" | "end"] => return Err(refused::no_method("POST")),
        _ => return Err(refused::no_path()),
    };
    Ok(Sight::Operator(named(profiles, query)?, view))
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Whether text looks like the id of a job.
fn is_id(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The scope for a reader who chose none: the main network, if it is served, else one that is.
fn usual(profiles: &Profiles) -> Option<Scope> {
    let scopes = [Scope::Mainnet, Scope::Testnet, Scope::Demo];
    let is_served =
        |scope: &Scope| scope.profiles().iter().any(|it| profiles.gateway(*it).is_some());
    scopes.into_iter().find(is_served)
}

/// The profile that a query names: the first that is served if it names none.
pub(super) fn named(profiles: &Profiles, query: &str) -> Result<Profile, JsonAnswer> {
    let profile = match parameter(query, "network_profile") {
        Some(name) => Profile::from_name(name),
        None => profiles.gateways().next().map(|gateway| gateway.profile()),
    };
    let profile = profile.ok_or_else(feed::bad_profile)?;
    let served = profiles.gateway(profile).map(|_| profile);
    served.ok_or_else(refused::not_configured)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn feed_of(
    head: &RequestHead,
    query: &str,
    profile: Profile,
    reader: FeedReader,
) -> Result<Sight, JsonAnswer> {
    let field = |name: &str| head.headers.get(name);
    let after = feed::cursor(field("last-event-id").or_else(|| parameter(query, "cursor")))?;
    let is_socket = field("upgrade").is_some_and(|it| it.eq_ignore_ascii_case("websocket"));
    let is_stream = field("accept").is_some_and(|it| it.contains("text/event-stream"));
    let way = if is_socket || is_stream { FeedWay::Stream } else { FeedWay::Poll };
    Ok(Sight::Feed(OpenedFeed { profile, reader, after, client: client_of(head), way }))
}

/// Looks: the status, and the response.
pub(in crate::market) async fn show(
    sight: Sight,
    request: JsValue,
    env: JsValue,
) -> (u32, JsValue) {
    let answer = match sight {
        Sight::Summary(scope) => boards(&env, scope).await.map(|all| dashboard::summary(&all)),
        Sight::Market(scope) => boards(&env, scope).await.map(|all| dashboard::market(&all)),
        Sight::Events(scope, None) => boards(&env, scope).await.map(|all| dashboard::newest(&all)),
        Sight::Events(scope, Some(cursors)) => later(&env, scope, cursors).await,
        Sight::Page(scope, kept) => match boards(&env, scope).await {
            Ok(all) => {
                let beside = config::beside(config::market().is_some());
                let cookies = kept.into_iter().map(|cookie| ("set-cookie".to_owned(), cookie));
                return document(HTML, &page::market_page(scope, &all, beside), cookies.collect());
            }
            Err(answer) => Err(answer),
        },
        Sight::Moved(to) => {
            let fields = [("location".to_owned(), to.to_owned())];
            return (302, response(302, &fields, ""));
        }
        Sight::Answer(answer) => Ok(answer),
        Sight::Operator(profile, view) => match seen(&env, profile, View::Operator(view)).await {
            Ok(Seen::Reply(answer)) => Ok(answer),
            Ok(_) => Err(refused::internal()),
            Err(answer) => Err(answer),
        },
        Sight::Document(kind, text) => return document(kind, &text, Vec::new()),
        Sight::Feed(opened) => match opened.way {
            FeedWay::Poll => {
                let view = View::Feed(opened.reader, opened.after);
                match seen(&env, opened.profile, view).await {
                    Ok(Seen::Feed(page)) => Ok(page.poll_answer()),
                    Ok(Seen::Reply(answer)) => Ok(answer),
                    Ok(_) => Err(refused::internal()),
                    Err(answer) => Err(answer),
                }
            }
            FeedWay::Stream => match stream(&env, request, opened).await {
                Ok(shown) => return shown,
                Err(answer) => Err(answer),
            },
        },
    };
    let answer = answer.unwrap_or_else(|answer| answer);
    (answer.status, render(&answer))
}

fn document(kind: &str, text: &str, mut fields: Vec<(String, String)>) -> (u32, JsValue) {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    fields.extend([
        field("content-type", kind),
        field("cache-control", "no-store"),
        field("content-security-policy", page::CONTENT_SECURITY_POLICY),
        field("referrer-policy", "no-referrer"),
        field("x-content-type-options", "nosniff"),
    ]);
    (200, response(200, &fields, text))
}

/// The boards of a scope's profiles that are served.
async fn boards(env: &JsValue, scope: Scope) -> Result<Vec<Board>, JsonAnswer> {
    let mut boards = Vec::new();
    for profile in served(scope)? {
        match seen(env, profile, View::Board).await? {
            Seen::Board(board) => boards.push(*board),
            _ => return Err(refused::internal()),
        }
    }
    Ok(boards)
}

fn served(scope: Scope) -> Result<Vec<Profile>, JsonAnswer> {
    let profiles = config::profiles().ok_or_else(refused::not_configured)?;
    let is_served = |profile: &Profile| profiles.gateway(*profile).is_some();
    let served: Vec<Profile> = scope.profiles().iter().copied().filter(is_served).collect();
    if served.is_empty() { Err(refused::not_configured()) } else { Ok(served) }
}

async fn later(env: &JsValue, scope: Scope, cursors: Vec<u64>) -> Result<JsonAnswer, JsonAnswer> {
    let served = served(scope)?;
    let mut pages = Vec::new();
    for (profile, after) in scope.profiles().iter().copied().zip(cursors) {
        let events = if served.contains(&profile) {
            match seen(env, profile, View::Later(after)).await? {
                Seen::Events(events) => events,
                _ => return Err(refused::internal()),
            }
        } else {
            Vec::new()
        };
        pages.push((profile, after, events));
    }
    Ok(dashboard::later(&pages))
}

/// The view that the object of a profile gives.
async fn seen(env: &JsValue, profile: Profile, view: View) -> Result<Seen, JsonAnswer> {
    let said = calls::look(env, profile.name(), &letter(view)).await.ok_or_else(refused::down)?;
    serde_json::from_str(&said).map_err(|_| refused::internal())
}

fn letter(view: View) -> String {
    serde_json::to_string(&Envelope::of(view)).unwrap_or_default()
}

async fn stream(
    env: &JsValue,
    request: JsValue,
    opened: OpenedFeed,
) -> Result<(u32, JsValue), JsonAnswer> {
    let envelope = letter(View::Feed(opened.reader, opened.after));
    let name = opened.profile.name();
    let shown = calls::open_feed(env, name, &request, &envelope, &opened.client).await;
    let shown = shown.ok_or_else(refused::down)?;
    let status = crate::platform::calls::member(&shown, "status").as_f64().unwrap_or(0.0);
    Ok((status as u32, shown))
}

/// Waits for the end of a demo run.
pub(super) async fn demo(env: &JsValue, job: &str) -> JsonAnswer {
    for _ in 0..MAX_LOOKS {
        match seen(env, Profile::DemoTestnet, View::Demo(job.to_owned())).await {
            Ok(Seen::Reply(answer)) | Err(answer) => return answer,
            Ok(Seen::Wait) => crate::platform::calls::pause(LOOK_MS).await,
            Ok(Seen::Board(_) | Seen::Events(_) | Seen::Feed(_)) => return refused::internal(),
        }
    }
    refused::down()
}

/// Milliseconds between two looks at a demo run, and how many there are: it ends long before.
const LOOK_MS: u32 = 250;
const MAX_LOOKS: u32 = 240;
