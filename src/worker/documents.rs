//! Documents about the priced routes, as this isolate wrote them last.
//!
//! A large table takes a tenth of a second to write, and anyone may ask: it is written once for each address that the gate is
//! reached at, and under ever new addresses for no more than a fifth of the time.

use std::cell::RefCell;
use std::ptr;
use std::rc::Rc;

use farebox_core::gate::Gate;
use farebox_core::gate::publish::{Document, DocumentRequest, WrittenDocument};
use farebox_core::gate::reply::Reply;

use crate::platform::calls::{clock_ms, pause};
use crate::platform::turnstile::Turnstile;

/// A document, and what it was written of.
struct KeptDocument {
    /// The address of the gate: [`forget_all`] is called before another one may have it.
    gate: usize,
    document: Document,
    base: String,
    written: Rc<WrittenDocument>,
}

thread_local! {
    /// The one that was asked for last is the last.
    static KEPT: RefCell<Vec<KeptDocument>> = const { RefCell::new(Vec::new()) };
    static TURNSTILE: Turnstile = Turnstile::default();
}

/// The answer to a request for a document.
pub(super) async fn answer(gate: &Gate, wanted: &DocumentRequest) -> Reply {
    for _ in 0..MAX_TURNS {
        if let Some(written) = find(gate, wanted) {
            return wanted.answer(&written);
        }
        let now = clock_ms();
        if TURNSTILE.with(|it| it.begin(now)) {
            break;
        }
        pause(TURN_MS).await;
    }
    let written = Rc::new(gate.publications().written(wanted));
    // The platform's clock stands still meanwhile.
    let took = u64::try_from(written.bytes() / BYTES_PER_MS).unwrap_or(u64::MAX);
    let now = clock_ms();
    TURNSTILE.with(|it| it.end(now.saturating_sub(took), now, 0));
    keep(gate, wanted, Rc::clone(&written));
    wanted.answer(&written)
}

/// Forgets what was written: another gate answers from now on.
pub(super) fn forget_all() {
    KEPT.with_borrow_mut(Vec::clear);
}

fn find(gate: &Gate, wanted: &DocumentRequest) -> Option<Rc<WrittenDocument>> {
    KEPT.with_borrow_mut(|known| {
        let at = known.iter().position(|it| it.is_for(gate, wanted))?;
        let found = known.remove(at);
        let written = Rc::clone(&found.written);
        known.push(found);
        Some(written)
    })
}

fn keep(gate: &Gate, wanted: &DocumentRequest, written: Rc<WrittenDocument>) {
    KEPT.with_borrow_mut(|known| {
        known.retain(|it| !it.is_for(gate, wanted));
        let (document, base) = wanted.place();
        known.push(KeptDocument { gate: address(gate), document, base: base.to_owned(), written });
        while known.len() > MOST
            || known.iter().map(|it| it.written.bytes()).sum::<usize>() > MOST_BYTES
        {
            known.remove(0);
        }
    });
}

impl KeptDocument {
    fn is_for(&self, gate: &Gate, wanted: &DocumentRequest) -> bool {
        self.gate == address(gate) && (self.document, self.base.as_str()) == wanted.place()
    }
}

fn address(gate: &Gate) -> usize {
    ptr::from_ref(gate).addr()
}

/// Most documents that are kept, and their bytes.
const MOST: usize = 12;
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Milliseconds between two looks whether another request has written it, and how many there are.
const TURN_MS: u32 = 20;
const MAX_TURNS: u32 = 250;
/// Bytes that are written in a millisecond.
const BYTES_PER_MS: usize = 5_000;
