//! Histories of a small exchange: two sellers with a seat each, two buyers, a gate that settles,
//! forwards again and owes, a treasury that pays, doubts and fails, Workers that die, and time.
//! Every history of a few steps is visited from several beginnings, and thousands of longer ones
//! are played at random.

pub mod histories;
mod rules;
mod steps;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use farebox_core::compute::figures::count_changes;
use farebox_core::compute::message::{
    Answer, Command, Errand, Identity, PayoutAnswer, SellerRequest,
};
use farebox_core::compute::row::HoldKind;
use farebox_core::compute::settings::{OlderWays, Profile, ProfileSettings};
use farebox_core::compute::{Gateway, Now, RANDOM_BYTES};
use serde_json::{Value, json};

use self::steps::Step;
use super::payouts::{Luck, Treasury};
use super::rows::MemoryRows;
use super::world::{NOON, Told, session, settings, wallet};

const SELLERS: [u8; 2] = [1, 2];
const BUYERS: [u8; 2] = [208, 209];

static GATEWAYS: LazyLock<[Gateway; 4]> = LazyLock::new(|| {
    let [escrow, contract] = [HoldKind::Escrow, HoldKind::Contract];
    [
        gateway(escrow, None),
        gateway(escrow, Some(3)),
        gateway(contract, None),
        gateway(contract, Some(3)),
    ]
});

fn gateway(hold: HoldKind, direct_transfers: Option<u64>) -> Gateway {
    let older = OlderWays { direct_transfers, ..OlderWays::default() };
    let set = settings(hold, Profile::LiveTestnet);
    Gateway::new(ProfileSettings { older, ..set }).unwrap()
}

/// Where the money is held, and how it comes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Escrow,
    EscrowByTransfers,
    Contract,
    ContractByTransfers,
}

impl Way {
    fn gateway(self) -> &'static Gateway {
        &GATEWAYS[match self {
            Self::Escrow => 0,
            Self::EscrowByTransfers => 1,
            Self::Contract => 2,
            Self::ContractByTransfers => 3,
        }]
    }

    fn has_transfers(self) -> bool {
        matches!(self, Self::EscrowByTransfers | Self::ContractByTransfers)
    }

    fn has_contract(self) -> bool {
        matches!(self, Self::Contract | Self::ContractByTransfers)
    }
}

/// A payment of a buyer, as the gate has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Settled {
    sale: TillLine,
    buyer: u8,
    /// What moved it: of payments at the till one for all, as a facilitator may settle many.
    transaction: String,
    is_served: bool,
    is_refused: bool,
    /// The exchange knows its transaction as another payment.
    is_void: bool,
}

impl Settled {
    /// Whether the buyer made it itself, for whatever it is shown for.
    fn is_own(&self) -> bool {
        self.sale.0.is_empty()
    }

    fn new((quote, payment): (&str, String), buyer: u8, transaction: &str) -> Self {
        let sale = (quote.to_owned(), payment);
        let transaction = transaction.to_owned();
        Self { sale, buyer, transaction, is_served: false, is_refused: false, is_void: false }
    }
}

/// Quote and payment.
type TillLine = (String, String);

#[derive(Clone, Debug)]
struct Life {
    way: Way,
    rows: MemoryRows,
    now: u64,
    drawn: u8,
    quotes: BTreeMap<u8, Value>,
    settled: Vec<Settled>,
    holders: Vec<Errand>,
    treasury: Treasury,
}

impl Life {
    fn new(way: Way) -> Self {
        let mut life = Self {
            way,
            rows: MemoryRows::default(),
            now: NOON,
            drawn: 0,
            quotes: BTreeMap::new(),
            settled: Vec::new(),
            holders: Vec::new(),
            treasury: Treasury::default(),
        };
        for number in SELLERS {
            let body = json!({
                "seller_id": wallet(number), "network_profile": "live-testnet",
                "capability": "llm", "price_per_task": "0.005",
            });
            let request = SellerRequest { authorization: String::new(), body: body.to_string() };
            life.apply(Command::Register { client: "10.0.0.1".into(), request });
            life.apply(Command::Heartbeat(life.clone().request(number, &json!({}))));
            life.take_step(Step::Beats(number)).unwrap();
        }
        life
    }

    fn apply(&mut self, command: Command) -> Answer {
        self.apply_with(command, None)
    }

    fn apply_with(&mut self, command: Command, evidence: Option<&str>) -> Answer {
        self.drawn = self.drawn.wrapping_add(1);
        let random = [self.drawn; RANDOM_BYTES];
        let tick = Now::new(self.now, &random).unwrap().with(evidence);
        let gateway = self.way.gateway();
        let decision = gateway.apply(&self.rows, command, tick).unwrap();
        let figures = count_changes(&self.rows, &decision.changes, tick).unwrap();
        self.rows.write(decision.changes);
        self.rows.note(figures);
        decision.answer
    }

    /// A request of a seller, with a session of now.
    fn request(&mut self, number: u8, more: &Value) -> SellerRequest {
        let mut body = json!({
            "seller_id": wallet(number), "network_profile": "live-testnet",
            "passport_agent_id": "agent",
        });
        let request = SellerRequest { authorization: String::new(), body: body.to_string() };
        let claims = json!({"agent_id": "agent", "walletAddress": wallet(number)});
        let identity = Identity { subject: "sub".into(), claims: claims.to_string() };
        let told = Told::of(self.apply(session(request, Some(identity))));
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let authorization = format!("Bearer {}", told.text("seller_session_token"));
        SellerRequest { authorization, body: body.to_string() }
    }

    fn order(buyer: u8) -> Value {
        json!({
            "buyer_id": wallet(buyer), "capability": "llm", "prompt": "hello",
            "network_profile": "live-testnet",
        })
    }

    fn quote(&self, buyer: u8) -> Option<(String, String)> {
        let quote = self.quotes.get(&buyer)?;
        let text = |name: &str| quote[name].as_str().unwrap().to_owned();
        Some((text("payment_id"), text("fingerprint")))
    }

    fn state(&self) -> String {
        let left = |at: Option<u64>| at.map(|at| at.saturating_sub(self.now) / 1000);
        let sellers: Vec<_> = self
            .rows
            .sellers
            .values()
            .map(|it| (it.presence, it.heartbeat.map(|at| (self.now - at) / 1000)))
            .collect();
        let quotes: Vec<_> = self
            .rows
            .quotes
            .iter()
            .map(|it| (&it.buyer, &it.seller, it.state, left(Some(it.until))))
            .collect();
        let jobs: Vec<_> = self
            .rows
            .jobs
            .iter()
            .map(|it| {
                (&it.buyer, &it.seller, &it.payment, it.state, it.attempts, &it.tried, left(it.due))
            })
            .collect();
        let holds: Vec<_> = self
            .rows
            .holds
            .values()
            .map(|it| {
                (
                    it.job.is_empty(),
                    it.state,
                    it.tries,
                    it.looks,
                    it.payout.is_empty(),
                    left(it.due),
                )
            })
            .map(|it| format!("{it:?}"))
            .collect();
        let holders: Vec<_> = self.holders.iter().map(|it| (&it.payment, it.fence)).collect();
        let settled: Vec<_> = self
            .settled
            .iter()
            .map(|it| (it.buyer, it.is_served, it.is_refused, it.is_void, it.is_own()))
            .collect();
        let (payouts, entrusted) = (&self.treasury.payouts, &self.treasury.entrusted);
        format!(
            "{sellers:?}{quotes:?}{jobs:?}{holds:?}{holders:?}{settled:?}{payouts:?}{entrusted:?}"
        )
    }

    fn react(&mut self, answer: Answer) {
        if let Answer::Errand(errand) = answer {
            self.holders.push(*errand);
        }
    }

    fn pay(&mut self, errand: &Errand, luck: Luck) -> PayoutAnswer {
        self.treasury.luck = Some(luck);
        self.treasury.answer(&errand.ask)
    }
}
