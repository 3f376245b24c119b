//! The exchange of the market: [`routes`] says what a request asks of which profile, [`drive`] carries out what the profile's
//! object answers, [`views`] shows what changes nothing: dashboards, pages and feeds.

mod drive;
mod routes;
mod views;

use farebox_core::compute::message::JsonAnswer;
use wasm_bindgen::JsValue;

pub(super) use self::drive::{answer, payout, proof, wake};
pub(super) use self::routes::read;
pub(super) use self::views::{read as looked, show};
use crate::platform::request::response;

/// Sends a response; undefined if the platform cannot.
pub(super) fn render(answer: &JsonAnswer) -> JsValue {
    let has_type = answer.headers.iter().any(|(name, _)| name == "content-type");
    let kind = ("content-type".to_owned(), "application/json".to_owned());
    let mut fields = answer.headers.clone();
    fields.extend((!has_type).then_some(kind));
    response(answer.status, &fields, &answer.body)
}
