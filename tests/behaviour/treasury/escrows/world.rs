//! A treasury that is the gateway of an escrow contract, the Workers that ask for it, and its node.

use farebox_core::machine::Envelope;
use farebox_core::time::UnixTime;
use farebox_core::treasury::books::Change;
use farebox_core::treasury::message::{Answer, Command, Enquiry, Operation};
use farebox_core::treasury::row::Scope;
use farebox_core::treasury::{Job, Now, Places, RANDOM_BYTES, Treasury};
use serde_json::{Value, json};

use super::chain::{Chain, Signed};
use crate::treasury::books::MemoryRows;
use crate::treasury::world::{START, Told, variables};

pub const CONTRACT: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
pub const BUYER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
pub const SELLER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
/// Highest price of gas, gwei.
pub const MAX_GWEI: u64 = 20;

pub fn settings() -> Value {
    let mut set = variables();
    set["RPC_URL"] = json!("https://node.example.com");
    set["CONFIRMATIONS"] = json!(3);
    set["READ_SECS"] = json!(2);
    set["ESCROWS"] = json!([{
        "organization": "acme", "wallet": "main", "network": "base-sepolia", "contract": CONTRACT,
        "asset": "USDC", "maxFeeGwei": MAX_GWEI.to_string(), "tipGwei": "1",
    }]);
    set
}

/// A payment by its number.
pub fn payment(number: u8) -> String {
    format!("0x{}", format!("{number:02x}").repeat(32))
}

pub fn body(number: u8, goal: &str) -> Value {
    json!({
        "organization": "acme", "wallet": "main", "network": "eip155:84532", "contract": CONTRACT,
        "payment": payment(number), "buyer": BUYER, "seller": SELLER, "amountMinor": "5000",
        "settlement": payment(number + 100), "goal": goal,
    })
}

#[derive(Clone, Debug)]
pub struct World {
    pub rows: MemoryRows,
    pub now: u64,
    pub chain: Chain,
    /// What Workers are to ask the node.
    pub held: Vec<Enquiry>,
}

impl World {
    pub fn new() -> Self {
        Self { rows: MemoryRows::default(), now: START, chain: Chain::new(), held: Vec::new() }
    }

    fn scene<T>(&self, act: impl FnOnce(Now<'_>) -> T) -> T {
        let now = UnixTime::from_secs(self.now);
        act(Now { organization: "acme", now, random: &[7; RANDOM_BYTES] })
    }

    pub fn send(&mut self, treasury: &Treasury, command: Command) -> Answer {
        let text = serde_json::to_string(&Envelope::of(command)).unwrap();
        let command = serde_json::from_str::<Envelope<Command>>(&text).unwrap().command;
        let decision = self.scene(|scene| treasury.apply(&self.rows, command, scene).unwrap());
        self.write(decision.changes);
        let text = serde_json::to_string(&decision.answer).unwrap();
        let answer = serde_json::from_str(&text).unwrap();
        if let Answer::Enquire(enquiry) = &answer {
            self.held.push((**enquiry).clone());
        }
        answer
    }

    fn write(&mut self, changes: Vec<Change>) {
        self.rows.write(changes);
    }

    pub fn ask(&mut self, treasury: &Treasury, number: u8, goal: &str) -> Answer {
        let body = body(number, goal).to_string();
        self.send(treasury, Command::Operate(Operation::PayOut(body)))
    }

    /// Puts the rules of the organization.
    pub fn rules(&mut self, treasury: &Treasury, rules: &Value) {
        let put = Operation::PutPolicy(Scope::Organization, rules.to_string());
        let answer = self.send(treasury, Command::Operate(put));
        assert!(matches!(answer, Answer::Reply(reply) if reply.status == 200));
    }

    /// The node answers one of the enquiries, and its Worker reports it.
    pub fn report(&mut self, treasury: &Treasury, place: usize) -> Answer {
        let enquiry = self.held.remove(place);
        let reply = self.chain.answer(&enquiry.body);
        self.tell(treasury, &enquiry, Some(reply))
    }

    pub fn tell(&mut self, treasury: &Treasury, it: &Enquiry, reply: Option<String>) -> Answer {
        let (escrow, fence) = (it.escrow.clone(), it.fence);
        self.send(treasury, Command::Enquired { escrow, fence, reply })
    }

    /// Answers everything until the Workers have a reply; the last of them.
    pub fn drain(&mut self, treasury: &Treasury) -> Option<Told> {
        let mut last = None;
        for _ in 0..60 {
            if self.held.is_empty() {
                break;
            }
            self.now += u64::from(self.held[0].pause_ms > 0);
            if let Answer::Reply(reply) = self.report(treasury, 0) {
                last = Some(Told::of(reply));
            }
        }
        assert!(self.held.is_empty(), "it is asked for ever");
        last
    }

    /// The alarm: what is due is asked.
    pub fn alarm(&mut self, treasury: &Treasury) {
        loop {
            let places = Places::default();
            let recover = |scene: Now<'_>| treasury.recover(&self.rows, &places, scene).unwrap();
            let (works, changes) = self.scene(recover);
            if works.is_empty() && changes.is_empty() {
                return;
            }
            self.write(changes);
            for work in works {
                match work.job {
                    Job::Enquire(enquiry) => self.held.push(enquiry),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// What time, blocks and the alarm do together.
    pub fn live(&mut self, treasury: &Treasury, rounds: u32) {
        for _ in 0..rounds {
            self.chain.mine();
            self.now += 2;
            self.alarm(treasury);
            self.drain(treasury);
        }
    }

    pub fn told(&mut self, treasury: &Treasury, number: u8) -> Told {
        let id = format!("esc_{}", &payment(number)[2..]);
        match self.send(treasury, Command::Operate(Operation::Payout(id))) {
            Answer::Reply(reply) => Told::of(reply),
            other => panic!("{other:?}"),
        }
    }

    /// Where the contract has a payment: 0 to 3.
    pub fn entry(&self, number: u8) -> u8 {
        let id = farebox_core::encoding::hex::decode_prefixed(&payment(number)).unwrap();
        self.chain.state().0.get(&id).map_or(0, |(_, state)| *state)
    }

    /// Everything that was ever signed, as it would be sent.
    pub fn signed(&self) -> Vec<Signed> {
        let tries = self.rows.escrows.values().flat_map(|row| &row.tries);
        tries.map(|it| Signed::read(&it.bytes)).collect()
    }
}
