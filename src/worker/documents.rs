//! Documents about the priced routes, as this isolate wrote them last.
//!
//! A large table takes a tenth of a second to write, and anyone may ask: it is written once for each address that the gate is
//! reached at, and under ever new addresses in turns, for no more than a fifth of the time.

use std::cell::RefCell;
use std::ptr;
use std::rc::Rc;

use farebox_core::gate::Gate;
use farebox_core::gate::publish::{Document, DocumentRequest, WrittenDocument};
use farebox_core::gate::reply::Reply;

use crate::platform::calls::clock_ms;
use crate::platform::turns::{Turns, Waited};

/// A document, and what it was written of.
struct KeptDocument {
    /// The address of the gate: [`forget_all`] is called before another one may have it.
    gate: usize,
    document: Document,
    base: String,
    written: Rc<WrittenDocument>,
    /// How often it was asked for, half as much after each one that had to leave though it was asked for again.
    asked: u64,
}

thread_local! {
    /// The one that was asked for last is the last.
    static KEPT: RefCell<Vec<KeptDocument>> = const { RefCell::new(Vec::new()) };
    static TURNS: Rc<Turns> = Rc::default();
}

/// The answer to a request for a document.
pub(super) async fn answer(gate: &Gate, wanted: &DocumentRequest) -> Reply {
    let turns = TURNS.with(Rc::clone);
    let ticket = match turns.turn_unless(wanted.network(), || find(gate, wanted)).await {
        Waited::Found(written) => return wanted.answer(&written),
        Waited::Begin(ticket) => ticket,
        Waited::NoTurn => return wanted.refuse(),
    };
    let written = Rc::new(gate.publications().written(wanted));
    // The platform's clock stands still meanwhile.
    ticket.end(clock_ms(), u64::try_from(written.bytes() / BYTES_PER_MS).unwrap_or(u64::MAX));
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
        let mut found = known.remove(at);
        found.asked = found.asked.saturating_add(1);
        let written = Rc::clone(&found.written);
        known.push(found);
        Some(written)
    })
}

fn keep(gate: &Gate, wanted: &DocumentRequest, written: Rc<WrittenDocument>) {
    let bytes = written.bytes();
    if bytes > MOST_BYTES {
        return;
    }
    KEPT.with_borrow_mut(|known| {
        known.retain(|it| !it.is_for(gate, wanted));
        // What is new never leaves for what was there before it.
        while known.len() >= MOST
            || known.iter().map(|it| it.written.bytes()).sum::<usize>() + bytes > MOST_BYTES
        {
            // An address that nobody else asks for pushes out none that others do.
            let least = known.iter().enumerate().min_by_key(|(_, it)| it.asked);
            let Some((at, _)) = least else { break };
            // What was asked for again long ago leaves in the end, too.
            if known.remove(at).asked > 1 {
                known.iter_mut().for_each(|it| it.asked /= 2);
            }
        }
        let (document, base) = wanted.place();
        let base = base.to_owned();
        known.push(KeptDocument { gate: address(gate), document, base, written, asked: 1 });
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
/// Bytes that are written in a millisecond.
const BYTES_PER_MS: usize = 5_000;
