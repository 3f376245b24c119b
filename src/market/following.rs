//! The invocations that requests of this isolate wait for, while others work on them.
//!
//! One request asks the object for all that wait for an invocation, and what it hears is told to the others: so a crowd that
//! waits costs the object no more than one does. No promise of one request is kept for another, only values.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use farebox_core::skills::message::Response;

/// All of them, by their ids.
#[derive(Default)]
pub(super) struct Following(RefCell<BTreeMap<String, Rc<Followed>>>);

/// An invocation that is waited for.
struct Followed {
    /// Millisecond from which one that waits asks the object.
    due: Cell<u64>,
    /// Milliseconds from a question to the next one.
    pause: Cell<u64>,
    /// The response, once there is one.
    response: RefCell<Option<Response>>,
}

/// The place of a request among those that wait for an invocation.
pub(super) struct Place {
    following: Rc<Following>,
    invocation: String,
    followed: Rc<Followed>,
}

/// The next step of a request that waits.
pub(super) enum FollowTurn {
    /// It goes on waiting.
    Wait,
    /// It asks the object.
    Ask,
    /// Another one has heard this.
    Told(Response),
}

impl Following {
    /// A place among those that wait for an invocation; `None` while as many others as may be are waited for.
    pub(super) fn place(self: &Rc<Self>, invocation: &str) -> Option<Place> {
        let mut all = self.0.borrow_mut();
        if !all.contains_key(invocation) && all.len() >= MOST {
            return None;
        }
        let followed = all.entry(invocation.to_owned()).or_default();
        let (following, followed) = (Rc::clone(self), Rc::clone(followed));
        Some(Place { following, invocation: invocation.to_owned(), followed })
    }
}

impl Default for Followed {
    fn default() -> Self {
        Self { due: Cell::default(), pause: Cell::new(PAUSE_MS), response: RefCell::default() }
    }
}

impl Place {
    pub(super) fn turn(&self, now: u64) -> FollowTurn {
        let Followed { due, pause, response } = &*self.followed;
        if let Some(response) = &*response.borrow() {
            return FollowTurn::Told(response.clone());
        }
        if now < due.get() {
            return FollowTurn::Wait;
        }
        due.set(now.saturating_add(pause.get()));
        pause.set(pause.get().saturating_mul(2).min(MAX_PAUSE_MS));
        FollowTurn::Ask
    }

    /// Tells the others what this one has heard.
    pub(super) fn tell(&self, response: &Response) {
        self.followed.response.replace(Some(response.clone()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The table's and its own: it is the last one.
        if Rc::strong_count(&self.followed) <= 2 {
            self.following.0.borrow_mut().remove(&self.invocation);
        }
    }
}

/// Most invocations that are waited for at once; who waits for another one is told to come again.
const MOST: usize = 64;
/// Milliseconds from the first question to the second one.
const PAUSE_MS: u64 = 200;
/// Most milliseconds from one question to the next one.
const MAX_PAUSE_MS: u64 = 1_000;
