//! Carries out an operator's request: calls to ledger objects, a look at the chain, an export.

use std::rc::Rc;

use farebox_core::channel::index::{self, ChannelRun, channel_object};
use farebox_core::gate::Gate;
use farebox_core::gate::call::LedgerCall;
use farebox_core::gate::operator::{
    ChannelPage, CopyCall, CopyQuery, CopyStep, Export, MAX_BODY_BYTES, MAX_PAGE_BYTES,
    OperatorQuery, OperatorStep, Piece, QueryStep,
};
use farebox_core::gate::reply::{Audience, Reply};
use farebox_core::http::RequestHead;
use farebox_core::problem::Code;
use futures_util::future::join_all;
use wasm_bindgen::{JsCast, JsValue};

use super::{chain, edge};
use crate::platform::now;

/// Milliseconds after which an object counts as down.
const DEADLINE_MS: u32 = 10_000;
/// The same while it reads or writes a page of a copy.
const COPY_DEADLINE_MS: u32 = 25_000;

/// The answer to a request for one of the operator's paths; `None` for other paths.
pub(super) fn answer(
    gate: &Rc<Gate>,
    head: &RequestHead,
    correlation: &str,
    request: &JsValue,
    namespace: &JsValue,
    channels: &JsValue,
    context: &JsValue,
) -> Option<JsValue> {
    let asked = gate.operator().begin(head, None, correlation, now())?;
    if let OperatorStep::Answer(reply) = &asked {
        return Some(edge::render(reply));
    }
    let (gate, head) = (gate.clone(), head.clone());
    let (correlation, request) = (correlation.to_owned(), request.clone());
    let (namespace, channels, context) = (namespace.clone(), channels.clone(), context.clone());
    Some(edge::promise(async move {
        let asked = match asked {
            OperatorStep::Body => {
                let text = edge::settled(edge::text_of(&request, MAX_BODY_BYTES as u32)).await;
                let text = text.and_then(|text| text.as_string()).unwrap_or_default();
                gate.operator().begin(&head, Some(&text), &correlation, now())
            }
            asked => Some(asked),
        };
        match asked {
            Some(OperatorStep::Answer(reply)) => edge::render(&reply),
            Some(OperatorStep::OperatorQuery(visit)) => {
                edge::render(&go(&gate, &namespace, &channels, visit).await)
            }
            Some(OperatorStep::Export(export)) => {
                let asked = if export.is_of_channels() { channels } else { namespace };
                self::export(asked, export, &correlation, &context).await
            }
            Some(OperatorStep::Channels(page)) => edge::render(&list(&channels, &page).await),
            Some(OperatorStep::Copy(copy)) => {
                edge::render(&copied(&namespace, &channels, copy, &request).await)
            }
            Some(OperatorStep::Body) | None => edge::render(&internal(&correlation)),
        }
    }))
}

async fn go(
    gate: &Gate,
    namespace: &JsValue,
    channels: &JsValue,
    mut visit: Box<OperatorQuery>,
) -> Reply {
    loop {
        match visit.turn() {
            QueryStep::Answer(reply) => return reply,
            QueryStep::Ask(calls) => {
                let answers = calls.iter().map(|call| ask(namespace, call));
                visit.answered(join_all(answers).await);
            }
            QueryStep::Channels(object, message) => {
                visit.summed(ask_list(channels, object, &message).await.as_deref());
            }
            QueryStep::Chain(network, body) => {
                let reply = chain::reply(chain::send(gate, &network, &body)).await;
                visit.read(reply.as_deref().map(str::as_bytes));
            }
        }
    }
}

/// Rows of a copy, read or put back. A page goes to its object as it came.
async fn copied(
    namespace: &JsValue,
    channels: &JsValue,
    mut copy: Box<CopyQuery>,
    request: &JsValue,
) -> Reply {
    let (mut lines, none) = (JsValue::NULL, JsValue::NULL);
    if copy.takes_page() {
        match edge::settled(edge::text_of(request, MAX_PAGE_BYTES as u32)).await {
            Some(text) => lines = text,
            None => return copy.without_page(),
        }
    }
    loop {
        let calls = match copy.turn() {
            CopyStep::Answer(reply) => return reply,
            CopyStep::Ask(calls) => calls,
        };
        let answers = calls.iter().map(|call| {
            let lines = if call.with_page { &lines } else { &none };
            ask_copy(if call.is_of_channels { channels } else { namespace }, call, lines)
        });
        copy.answered(join_all(answers).await);
    }
}

/// The object's answer; that of one which has nothing if no objects of this kind are bound.
async fn ask_copy(namespace: &JsValue, call: &CopyCall, lines: &JsValue) -> Option<String> {
    if edge::member(namespace, "namespace").is_undefined() {
        return Some(CopyCall::UNBOUND.to_owned());
    }
    let asked = edge::copy_object(namespace, &call.object, &call.command, lines, COPY_DEADLINE_MS);
    edge::settled(asked).await?.as_string()
}

/// A page of the list of channels.
async fn list(channels: &JsValue, page: &ChannelPage) -> Reply {
    let (object, message) = page.call();
    page.answered(ask_list(channels, object, &message).await.as_deref())
}

/// The object's answer as text; `None` if it is down.
pub(super) async fn ask(namespace: &JsValue, call: &LedgerCall) -> Option<String> {
    ask_list(namespace, &call.object, &call.command).await
}

/// The same; an empty list if no objects of this kind are bound.
async fn ask_list(namespace: &JsValue, object: &str, message: &str) -> Option<String> {
    if edge::member(namespace, "namespace").is_undefined() {
        return Some("[]".to_owned());
    }
    let asked = edge::ask_object(namespace, object, message, &JsValue::NULL, DEADLINE_MS);
    edge::settled(asked).await?.unchecked_into::<edge::Parts>().answer()
}

/// Wakes the channels of a run; how many did not answer.
pub(super) async fn wake_channels(channels: &JsValue, run: ChannelRun) -> usize {
    let [behind, first] = run.messages();
    let pages = (
        ask_list(channels, index::OBJECT, &behind).await,
        ask_list(channels, index::OBJECT, &first).await,
    );
    let names: Vec<String> = run
        .channels([pages.0.as_deref(), pages.1.as_deref()])
        .iter()
        .map(|id| channel_object(id))
        .collect();
    let mut silent = 0;
    for four in names.chunks(4) {
        let answers = join_all(four.iter().map(|name| ask_list(channels, name, index::WAKE))).await;
        silent += answers.iter().filter(|answer| answer.is_none()).count();
    }
    silent
}

/// Answers with rows as they come. If an object is down at the start, the answer is a refusal;
/// later, the last line says so.
async fn export(
    namespace: JsValue,
    mut export: Export,
    correlation: &str,
    context: &JsValue,
) -> JsValue {
    let mut piece = export.preamble().to_owned();
    while let Some(call) = export.call() {
        match export.answered(ask(&namespace, &call).await.as_deref()) {
            Piece::Text(text) => {
                piece += &text;
                if !piece.is_empty() {
                    break;
                }
            }
            Piece::Broken => {
                let code = Code::LedgerUnavailable;
                return edge::render(&Reply::problem(code, Audience::Other, correlation, None));
            }
        }
    }
    let channel = edge::channel();
    let head = export.head(correlation);
    let response = edge::render_with(&head, &edge::member(&channel, "readable"));
    let work = edge::promise(async move {
        loop {
            let written = piece.is_empty()
                || edge::settled(edge::write_piece(&channel, Some(&piece)))
                    .await
                    .is_some_and(|read| read.is_truthy());
            if !written {
                break;
            }
            let Some(call) = export.call() else {
                edge::settled(edge::write_piece(&channel, None)).await;
                break;
            };
            match export.answered(ask(&namespace, &call).await.as_deref()) {
                Piece::Text(text) => piece = text,
                Piece::Broken => {
                    // The runtime ends a body in an orderly way whatever happens, so that only text
                    // can report the fault.
                    edge::settled(edge::write_piece(&channel, Some(export.complaint()))).await;
                    edge::settled(edge::write_piece(&channel, None)).await;
                    break;
                }
            }
        }
        JsValue::UNDEFINED
    });
    edge::wait_until(context, &js_sys::Promise::from(work));
    response
}

fn internal(correlation: &str) -> Reply {
    Reply::problem(Code::Internal, Audience::Other, correlation, None)
}
