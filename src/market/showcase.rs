//! The skills that are sold, as this isolate read them last, and what all who ask get alike of them.
//!
//! A look costs the object its [`Edition`] alone: all skills are read when that has changed, part by part, by one request at a
//! time while others wait, and for no more than a fifth of the time. No promise of one request is kept for another, only values.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::http::Headers;
use farebox_core::skills::index::SkillIndex;
use farebox_core::skills::message::Response;
use farebox_core::skills::offered::Edition;
use wasm_bindgen::JsValue;

use crate::platform::calls::respond;
use crate::platform::turnstile::Turnstile;

/// The last volume, and when another may be read.
#[derive(Default)]
pub(super) struct Showcase {
    volume: RefCell<Option<Rc<Volume>>>,
    /// The turns to read.
    pub(super) turnstile: Turnstile,
}

impl Showcase {
    /// The volume that has all of an edition, if there is one that is young enough.
    pub(super) fn volume(&self, told: Edition, now: u64) -> Option<Rc<Volume>> {
        let volume = self.volume.borrow();
        let fits =
            |it: &&Rc<Volume>| it.edition.covers(told) && now < it.read.saturating_add(MAX_AGE_MS);
        volume.as_ref().filter(fits).cloned()
    }

    /// Keeps what was read until this millisecond.
    pub(super) fn keep(&self, volume: Volume, now: u64) -> Rc<Volume> {
        self.turnstile.end(volume.read, now, 0);
        let volume = Rc::new(volume);
        self.volume.replace(Some(Rc::clone(&volume)));
        volume
    }

    /// Notes that nothing came of what began to be read at a millisecond: it costs as much as what succeeds.
    pub(super) fn fail(&self, began: u64, now: u64) {
        self.turnstile.end(began, now, FAILED_MS);
    }
}

/// All listed skills of one edition, with the answers that were made of them.
pub(super) struct Volume {
    /// The newest skill first.
    pub index: SkillIndex,
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
    pub(super) const fn of(edition: Edition, index: SkillIndex, read: u64) -> Self {
        Self { index, edition, read, answers: RefCell::new(Vec::new()) }
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
/// Milliseconds after a read that failed before the next one begins.
const FAILED_MS: u64 = 1_000;
