//! Turns of requests at something that costs much: in order, and fairly among the networks that they come from.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::calls::{clock_ms, pause};
use super::turnstile::Turnstile;

/// Those who wait for a turn.
#[derive(Default)]
pub(crate) struct Turns {
    pace: Turnstile,
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    /// The first that came is the first.
    waiting: Vec<QueuedRequest>,
    /// Networks that had a turn, the last one last.
    served: Vec<String>,
    /// Tickets that were given.
    count: u64,
}

struct QueuedRequest {
    number: u64,
    network: String,
}

/// The place of a request among those that wait, then its turn.
pub(crate) struct Ticket {
    turns: Rc<Turns>,
    number: u64,
    began: Cell<u64>,
}

/// The end of a wait for a turn.
pub(crate) enum Waited<T> {
    /// It is its turn.
    Begin(Ticket),
    /// Another one has brought it.
    Found(T),
    /// It has none.
    NoTurn,
}

/// The next step of a request that waits.
enum TicketState {
    /// It goes on waiting.
    Wait,
    /// It is its turn.
    Begin,
    /// It has given way to another network's.
    GiveWay,
}

impl Turns {
    /// Waits for the turn of a request of this network; `None` if it has no place, gave it to another network's, or waited for long.
    #[cfg(feature = "market")]
    pub(crate) async fn turn(self: &Rc<Self>, network: &str) -> Option<Ticket> {
        match self.turn_unless(network, || None::<()>).await {
            Waited::Begin(ticket) => Some(ticket),
            Waited::Found(()) | Waited::NoTurn => None,
        }
    }

    /// Waits for that turn, or until another request's has brought what this one is for.
    pub(crate) async fn turn_unless<T>(
        self: &Rc<Self>,
        network: &str,
        find: impl Fn() -> Option<T>,
    ) -> Waited<T> {
        if let Some(found) = find() {
            return Waited::Found(found);
        }
        let Some(ticket) = self.wait(network) else { return Waited::NoTurn };
        for _ in 0..MAX_LOOKS {
            match ticket.step(clock_ms()) {
                TicketState::Begin => return Waited::Begin(ticket),
                TicketState::GiveWay => return Waited::NoTurn,
                TicketState::Wait => pause(LOOK_MS).await,
            }
            if let Some(found) = find() {
                return Waited::Found(found);
            }
        }
        Waited::NoTurn
    }

    /// A place for a request of this network; `None` if it is full, and no network has more places than this one would have.
    fn wait(self: &Rc<Self>, network: &str) -> Option<Ticket> {
        let mut queue = self.queue.borrow_mut();
        if queue.waiting.len() >= MOST {
            let of =
                |it: &str| queue.waiting.iter().filter(|waiting| waiting.network == it).count();
            let (largest, last) =
                queue.waiting.iter().enumerate().map(|(at, it)| (of(&it.network), at)).max()?;
            if largest <= of(network).saturating_add(1) {
                return None;
            }
            queue.waiting.remove(last);
        }
        queue.count = queue.count.saturating_add(1);
        let number = queue.count;
        queue.waiting.push(QueuedRequest { number, network: network.to_owned() });
        Some(Ticket { turns: Rc::clone(self), number, began: Cell::default() })
    }
}

impl Queue {
    /// The place whose turn is next: of the network whose last turn was the longest ago, the first that came.
    fn next(&self) -> Option<usize> {
        let served =
            |it: &QueuedRequest| self.served.iter().position(|network| *network == it.network);
        let ranked = self.waiting.iter().enumerate().map(|(at, it)| (served(it), at));
        ranked.min().map(|(_, at)| at)
    }
}

impl Ticket {
    fn step(&self, now: u64) -> TicketState {
        let mut queue = self.turns.queue.borrow_mut();
        if queue.waiting.iter().all(|it| it.number != self.number) {
            return TicketState::GiveWay;
        }
        let is_next =
            |at: &usize| queue.waiting.get(*at).is_some_and(|it| it.number == self.number);
        let Some(at) = queue.next().filter(is_next) else { return TicketState::Wait };
        if !self.turns.pace.begin(now) {
            return TicketState::Wait;
        }
        let QueuedRequest { network, .. } = queue.waiting.remove(at);
        queue.served.retain(|it| *it != network);
        queue.served.push(network);
        let more = queue.served.len().saturating_sub(MOST);
        queue.served.drain(..more);
        self.began.set(now);
        TicketState::Begin
    }

    /// Notes the end of its turn, which was of so many milliseconds' work at least: the platform's clock stands still while
    /// nothing is awaited.
    pub(crate) fn end(&self, now: u64, least: u64) {
        self.turns.pace.end(self.began.get().min(now.saturating_sub(least)), now, 0);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.turns.queue.borrow_mut().waiting.retain(|it| it.number != self.number);
    }
}

/// Most requests that wait at once.
const MOST: usize = 64;
/// Milliseconds between two looks whether it is a request's turn, and how many there are.
const LOOK_MS: u32 = 20;
const MAX_LOOKS: u32 = 1_500;
