//! Everything that a payer may bring, in every order of a few: in time, late, at terms of their own, denied, with a signature
//! that proves nothing, in the name of another payer, after settlements of every kind; through the gate and the shard that
//! ship. Judged by the chain, the origin and the answers: what is delivered was paid for at a price that was offered.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use farebox_core::gate::Gate;
use farebox_core::mutant::{Mutant, plant};
use serde_json::{Value, json};

use crate::world::facilitator::{Settle, Verify};
use crate::world::payer::{Payer, Payment};
use crate::world::{PAY_TO, Response, With, World, paid, routes, vars};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A payment at today's terms, and the facilitator settles it.
    Honest,
    /// The same, and no answer of the facilitator comes, nor a transaction.
    Unknown,
    /// The same, and the answer alone is lost.
    Lost,
    /// The same, and the facilitator refuses.
    Refused,
    /// The last payment once more.
    Repeat,
    /// One atomic unit to the payer themselves.
    OwnTerms,
    /// A payment that has ended.
    Late,
    /// A payment of one that may not pay.
    Denied,
    /// A wallet's signature that proves nothing, which the facilitator says.
    Forged,
    /// The same, in the name of the payer of all the others, from somewhere else.
    InTheirName,
    /// The alarm of the ledger, a while later.
    Alarm,
}

const EVENTS: [Event; 11] = [
    Event::Honest,
    Event::Unknown,
    Event::Lost,
    Event::Refused,
    Event::Repeat,
    Event::OwnTerms,
    Event::Late,
    Event::Denied,
    Event::Forged,
    Event::InTheirName,
    Event::Alarm,
];

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let mut vars = vars(routes());
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    vars["DENY_PAYERS"] = json!([Payer::new(7).address.to_checksum()]);
    Gate::from_vars(&vars.to_string()).unwrap()
});

/// One history.
struct Run {
    world: World,
    target: &'static str,
    last: Option<Payment>,
    deliveries: u64,
}

impl Run {
    fn of(target: &'static str) -> Self {
        Self { world: World::around(&GATE), target, last: None, deliveries: 0 }
    }

    fn play(&mut self, event: Event) -> Result<(), String> {
        let world = &mut self.world;
        match event {
            Event::Honest => {}
            Event::Unknown => world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 4]),
            Event::Lost => world.facilitator.settle_plan.extend(vec![Settle::SilentAfter; 4]),
            Event::Refused => world.facilitator.settle_plan.push_back(Settle::Refuse("no_funds")),
            Event::Repeat | Event::OwnTerms | Event::Late | Event::Denied | Event::Alarm => {}
            Event::Forged | Event::InTheirName => {
                let no = r#"{"isValid":false,"invalidReason":"invalid_signature"}"#;
                world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
            }
        }
        let answer = self.request(event);
        self.world.facilitator.settle_plan.clear();
        self.world.facilitator.verify_plan.clear();
        self.world.wait(2);
        self.judge(answer)
    }

    fn request(&mut self, event: Event) -> Option<Response> {
        let (world, target) = (&mut self.world, self.target);
        let own = world.payer.address.to_checksum();
        let payment = match event {
            Event::Alarm => {
                world.pass(120);
                return None;
            }
            Event::Repeat => self.last.clone()?,
            Event::Honest | Event::Unknown | Event::Lost | Event::Refused => world.sign(target),
            Event::Late => {
                let payment = world.sign(target);
                world.wait(payment.valid_before + 10 - world.now().secs());
                payment
            }
            Event::Denied => {
                let mine = std::mem::replace(&mut world.payer, Payer::new(7));
                let payment = world.sign(target);
                world.payer = mine;
                payment
            }
            Event::OwnTerms => signed(world, target, |terms| {
                (terms["amount"], terms["payTo"]) = ("1".into(), own.into());
            }),
            Event::Forged | Event::InTheirName => {
                let required = world.ask(target).payment_required();
                let now = world.now().secs();
                world.payer.sign_with(&required, now, |message| {
                    message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
                })
            }
        };
        let network = if event == Event::InTheirName { "192.0.2.9" } else { "192.0.2.1" };
        let answer = world.send(paid(&payment).header("cf-connecting-ip", network));
        if matches!(event, Event::Honest | Event::Unknown | Event::Lost | Event::Refused) {
            self.last = Some(payment);
        }
        Some(answer)
    }

    /// What was delivered is covered by what moved to the payee at the price of the route, and what moved and was not
    /// delivered has a row that says so.
    fn judge(&mut self, answer: Option<Response>) -> Result<(), String> {
        if let Some(answer) = answer {
            let replayed = answer.headers.get("payment-replayed").is_some();
            self.deliveries += u64::from(answer.status == 200 && !replayed);
        }
        let price = if self.target == "/dear" { "1000000" } else { "10000" };
        let moved = self.moved(price)?;
        if self.deliveries > moved {
            return Err(format!("{} delivered, {moved} paid", self.deliveries));
        }
        let kept = ["delivered", "delivering", "settled", "refund_due", "unknown", "settling"];
        let rows = self.world.ledger.entries();
        let told = rows.iter().filter(|row| kept.contains(&row.state.name().as_str())).count();
        if u64::try_from(told).unwrap() < moved {
            return Err(format!("{moved} paid, {told} rows say so"));
        }
        Ok(())
    }

    /// How many transfers paid the payee exactly the price; anything else that moved for us is wrong.
    fn moved(&self, price: &str) -> Result<u64, String> {
        let facilitator = &self.world.facilitator;
        let mut counted = BTreeSet::new();
        for (nonce, body) in &facilitator.settles {
            let fate = &facilitator.chain.fates[nonce];
            let signed: Value = serde_json::from_str(body).unwrap();
            let signed = &signed["paymentPayload"]["payload"]["authorization"];
            let right = signed["to"].as_str().unwrap().eq_ignore_ascii_case(PAY_TO)
                && signed["value"] == price;
            if !right {
                return Err(format!("settled at terms of the payer's own: {signed}"));
            }
            if fate.transfers > 0 {
                counted.insert(nonce.clone());
            }
        }
        Ok(counted.len() as u64)
    }

    /// Where a history has come to.
    fn state(&self) -> String {
        let rows = self.world.ledger.entries();
        let states: Vec<String> = rows.iter().map(|row| row.state.name()).collect();
        let calls = (self.world.origin.calls.len(), self.world.facilitator.settles.len());
        format!("{states:?} {calls:?} {}", self.deliveries)
    }
}

fn signed(world: &mut World, target: &str, change: impl FnOnce(&mut Value)) -> Payment {
    let mut required = world.ask(target).payment_required();
    change(&mut required["accepts"][0]);
    let now = world.now().secs();
    world.payer.sign_with(&required, now, |_| {})
}

/// Plays every order of up to so many of these events; the states that they come to.
fn explore(events: &[Event], most: usize) -> Result<BTreeSet<String>, String> {
    let mut states = BTreeSet::new();
    for target in ["/dear", "/before"] {
        let mut orders: Vec<Vec<Event>> = vec![Vec::new()];
        for _ in 0..most {
            orders = orders
                .iter()
                .flat_map(|order| {
                    events.iter().map(move |event| [order.as_slice(), &[*event]].concat())
                })
                .collect();
        }
        for order in orders {
            let mut run = Run::of(target);
            for event in &order {
                run.play(*event).map_err(|found| format!("{target} {order:?}: {found}"))?;
                states.insert(format!("{target} {}", run.state()));
            }
        }
    }
    Ok(states)
}

#[test]
fn no_order_of_arrivals_is_delivered_unpaid_or_paid_and_forgotten() {
    let all = explore(&EVENTS, 3).unwrap();
    eprintln!("arrivals: {} states with all of {} events", all.len(), EVENTS.len());
    assert!(all.len() > 50, "{}", all.len());
}

#[test]
pub fn arrivals_that_may_begin_nothing_add_states_and_no_delivery() {
    let few = [Event::Honest, Event::Unknown, Event::Refused];
    let without = explore(&few, 3).unwrap().len();
    for more in [
        Event::OwnTerms,
        Event::Late,
        Event::Denied,
        Event::Forged,
        Event::InTheirName,
        Event::Repeat,
        Event::Alarm,
    ] {
        let with = explore(&[few.as_slice(), &[more]].concat(), 3).unwrap().len();
        eprintln!("arrivals: {without} states without {more:?}, {with} with it");
        assert!(with >= without, "{more:?}");
    }
}

#[test]
fn a_look_that_begins_is_found_by_the_arrivals() {
    plant(Some(Mutant::AskBegins));
    let found = explore(&[Event::Unknown, Event::OwnTerms, Event::Denied], 3).err();
    plant(None);
    let found = found.expect("a payment at terms of its own is served");
    eprintln!("AskBegins: {found}");
}
