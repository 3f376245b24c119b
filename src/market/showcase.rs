//! The skills that are sold, as this isolate read them last, and what all who ask get alike of them.
//!
//! A look costs the object its [`Edition`] alone: all skills are read when that has changed, part by part, by one request at a
//! time while others wait, and for no more than a fifth of the time. No promise of one request is kept for another, only values.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use farebox_core::http::Headers;
use farebox_core::skills::message::Response;
use farebox_core::skills::offered::{Edition, Offered};
use wasm_bindgen::JsValue;

use crate::platform::calls::respond;

/// The last volume, and when another may be read.
#[derive(Default)]
pub(super) struct Showcase {
    volume: RefCell<Option<Rc<Volume>>>,
    /// Millisecond from which a request may begin to read.
    free_from: Cell<u64>,
}

impl Showcase {
    /// The volume that has all of an edition, if there is one that is young enough.
    pub(super) fn volume(&self, told: Edition, now: u64) -> Option<Rc<Volume>> {
        let volume = self.volume.borrow();
        let fits =
            |it: &&Rc<Volume>| it.edition.covers(told) && now < it.read.saturating_add(MAX_AGE_MS);
        volume.as_ref().filter(fits).cloned()
    }

    /// Whether a request is the one that reads now. Others wait until it is done, or is taken for lost.
    pub(super) fn begin(&self, now: u64) -> bool {
        let is_free = self.free_from.get() <= now;
        if is_free {
            self.go_on(now);
        }
        is_free
    }

    /// Notes that the request that reads is at it.
    pub(super) fn go_on(&self, now: u64) {
        self.free_from.set(now.saturating_add(READ_MS));
    }

    /// Keeps what was read until this millisecond.
    pub(super) fn keep(&self, volume: Volume, now: u64) -> Rc<Volume> {
        self.rest(volume.read, now, 0);
        let volume = Rc::new(volume);
        self.volume.replace(Some(Rc::clone(&volume)));
        volume
    }

    /// Notes that nothing came of what began to be read at a millisecond: it costs as much as what succeeds.
    pub(super) fn fail(&self, began: u64, now: u64) {
        self.rest(began, now, FAILED_MS);
    }

    fn rest(&self, began: u64, now: u64, least: u64) {
        let rest = now.saturating_sub(began).saturating_mul(REST).min(MAX_REST_MS);
        self.free_from.set(now.saturating_add(rest.max(least)));
    }
}

/// All listed skills of one edition, with the answers that were made of them.
pub(super) struct Volume {
    /// The newest skill first.
    pub skills: Vec<Offered>,
    edition: Edition,
    /// Millisecond at which it began to be read.
    read: u64,
    /// One for each [`Common`] at most.
    answers: RefCell<Vec<(Common, Made)>>,
}

/// An answer that is the same for all who ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Common {
    /// The list for programs, without a filter.
    List,
    /// The first page.
    Page,
    /// The document for agents.
    Document,
}

/// A response as bytes, which the platform sends without reading them.
struct Made {
    status: u16,
    lines: String,
    body: JsValue,
}

impl Volume {
    /// A volume that was read from this millisecond on.
    pub(super) const fn of(edition: Edition, skills: Vec<Offered>, read: u64) -> Self {
        Self { skills, edition, read, answers: RefCell::new(Vec::new()) }
    }

    /// Sends an answer, which is made once; `None` if the platform refuses it.
    pub(super) fn send(&self, which: Common, make: impl FnOnce() -> Response) -> Option<JsValue> {
        let mut answers = self.answers.borrow_mut();
        let known = answers.iter().position(|(known, _)| *known == which);
        let at = known.unwrap_or_else(|| {
            answers.push((which, Made::of(&make())));
            answers.len() - 1
        });
        let (_, made) = answers.get(at)?;
        let sent = respond(made.status, &made.lines, &made.body);
        (!sent.is_undefined()).then_some(sent)
    }
}

impl Made {
    fn of(response: &Response) -> Self {
        let mut headers = Headers::new();
        for (name, value) in &response.headers {
            headers.add(name, value);
        }
        let status = u16::try_from(response.status).unwrap_or(500);
        let body = js_sys::Uint8Array::from(response.body.as_bytes()).into();
        Self { status, lines: headers.to_lines(), body }
    }
}

/// Milliseconds after which a volume is read anew whatever its edition: one of a restored object may come again.
const MAX_AGE_MS: u64 = 60_000;
/// Milliseconds without another part after which a request that reads is taken for lost.
const READ_MS: u64 = 1_000;
/// How many times as long as it was read no other volume is.
const REST: u64 = 4;
/// Least milliseconds of that after a failure.
const FAILED_MS: u64 = 1_000;
/// Most milliseconds of that.
const MAX_REST_MS: u64 = 2_000;
