//! A stream that is paid by session, as `farebox/channels` reads it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_core::amount::Amount;
use farebox_core::channel::config::ChannelId;
use farebox_core::client::session::{self, ReceivedStream, StreamRaise};
use serde_json::json;
use wasm_bindgen::prelude::*;

use super::failure::{seconds, thrown};

/// A stream; times are milliseconds.
#[wasm_bindgen]
pub struct SessionStream(ReceivedStream);

impl SessionStream {
    pub(super) const fn new(stream: ReceivedStream) -> Self {
        Self(stream)
    }
}

#[wasm_bindgen]
impl SessionStream {
    /// The channel that pays.
    #[must_use]
    pub fn channel(&self) -> String {
        self.0.channel().to_string()
    }

    /// The amount that may be signed for it beyond what was received, atomic units.
    #[must_use]
    pub fn step(&self) -> String {
        self.0.step().to_string()
    }

    /// Whether its payee says when it waits.
    #[wasm_bindgen(js_name = hasEvents)]
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.0.has_events()
    }

    /// Takes what came, and returns what of it is the reader's.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.take(bytes)
    }

    /// The rest when the body ends.
    pub fn rest(&mut self) -> Vec<u8> {
        self.0.rest()
    }

    /// The raise that its payee asks for, once: `{channel, required, ahead}`, atomic units.
    pub fn asks(&mut self) -> Option<String> {
        self.0.asks().map(raise)
    }

    /// The raise that is signed when nothing comes any more, and the payee does not say why.
    #[must_use]
    pub fn stalls(&self) -> String {
        raise(self.0.stalls())
    }

    /// Lets its time stand still, once it has ended or was cut off.
    pub fn ends(&mut self, now: f64, cut: bool) {
        self.0.ends(now as u64, cut);
    }

    /// The price of what was received since this was last asked, atomic units.
    pub fn received(&mut self, now: f64) -> String {
        self.0.received(now as u64).to_string()
    }
}

fn raise(it: StreamRaise) -> String {
    let required = it.required.map(|amount| amount.to_string());
    json!({"channel": it.channel.to_string(), "required": required, "ahead": it.ahead.to_string()})
        .to_string()
}

/// The record with what was received by a session, if it changes; `received` is atomic units.
#[wasm_bindgen(js_name = noteReceived)]
pub fn note_received(
    record: Option<String>,
    channel: &str,
    received: &str,
    now: f64,
) -> Result<Option<String>, JsValue> {
    let (Some(channel), Ok(received)) = (ChannelId::parse(channel), Amount::from_atomic(received))
    else {
        return Ok(None);
    };
    session::noted(record.as_deref(), channel, received, seconds(now))
        .map_err(|error| thrown(&error))
}
