//! One history, and what must hold after each of its events.

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::facilitator::unproven::UnverifiedLimiter;
use farebox_core::gate::Gate;
use farebox_core::gate::paid::StreamEnd;
use farebox_core::http::RequestHead;
use serde_json::{Value, json};

use super::event::Event;
use crate::onchain::{answer, challenge, hash, hash_of, transaction};
use crate::world::chain::{ASSET, NodeFault};
use crate::world::facilitator::{Settle, Verify, transaction_of};
use crate::world::ledger::Ledger;
use crate::world::origin::Say;
use crate::world::payer::{Payer, Payment};
use crate::world::transfers::Fate;
use crate::world::{PAY_TO, Response, Running, With, World, paid, solana};

/// Where others spend what is not theirs.
const ELSEWHERE: &str = "/shown/elsewhere";

/// A payment that was shown.
#[derive(Clone)]
struct Shown {
    /// What the chain takes once.
    id: String,
    request: RequestHead,
    /// The bytes of a transaction.
    bytes: Vec<u8>,
}

/// One history.
#[derive(Clone)]
pub struct Run {
    world: World,
    gates: &'static [Gate],
    target: &'static str,
    last: Option<Shown>,
    /// Requests whose calls hang.
    held: Vec<Running>,
    /// Payments signed so far, and transactions of others.
    made: u64,
    /// The payer's own transactions so far, each of which has the next nonce.
    transactions: u64,
    /// Those that the node has not heard of.
    elsewhere: Vec<Vec<u8>>,
    /// What was asked for so far, atomic units.
    offered: BTreeSet<String>,
    shown: BTreeSet<String>,
    delivered: BTreeMap<String, u64>,
    /// Payments that had moved before the ledger was restored.
    forgotten: u64,
    is_restored: bool,
}

impl Run {
    pub fn of(gates: &'static [Gate], target: &'static str) -> Self {
        let mut world = World::around(&gates[0]);
        world.unproven = Some(UnverifiedLimiter::new());
        Self {
            world,
            gates,
            target,
            last: None,
            held: Vec::new(),
            made: 0,
            transactions: 0,
            elsewhere: Vec::new(),
            offered: BTreeSet::new(),
            shown: BTreeSet::new(),
            delivered: BTreeMap::new(),
            forgotten: 0,
            is_restored: false,
        }
    }

    /// Lets one event happen, and judges what came of it.
    pub fn play(&mut self, event: Event) -> Result<(), String> {
        self.prepare(event);
        let Some(shown) = self.bring(event) else {
            self.honest_again();
            return self.judge_money();
        };
        let theirs = matches!(event, Event::InTheirName | Event::Claimed | Event::Second);
        let client = if theirs { "192.0.2.9" } else { "192.0.2.1" };
        let request = shown.request.clone().header("cf-connecting-ip", client);
        self.shown.insert(shown.id.clone());
        let answers = match event {
            Event::Beside | Event::Overtaken | Event::Outdated | Event::Doubted => {
                self.beside(event, request)
            }
            _ => vec![self.world.send(request)],
        };
        self.honest_again();
        self.world.wait(2);
        for answer in &answers {
            self.judge(event, &shown.id, answer)?;
        }
        if !theirs {
            self.last = Some(shown);
        }
        self.judge_money()
    }

    /// Everyone does what they should.
    fn honest_again(&mut self) {
        let World { facilitator, origin, .. } = &mut self.world;
        facilitator.settle_plan.clear();
        facilitator.verify_plan.clear();
        facilitator.chain.plan.clear();
        origin.plan.clear();
    }

    /// What the others do when it happens.
    fn prepare(&mut self, event: Event) {
        let elsewhere = event == Event::Stolen && self.is_elsewhere();
        let paid_before = self.shown.iter().find(|id| self.moved(id) > 0).cloned();
        let paid_before = paid_before.unwrap_or_default();
        let facilitator = &mut self.world.facilitator;
        let refused = |reason: &str| {
            Verify::Raw(200, format!(r#"{{"isValid":false,"invalidReason":"{reason}"}}"#))
        };
        match event {
            Event::Unknown => facilitator.settle_plan.extend(vec![Settle::SilentBefore; 4]),
            Event::Lost => facilitator.settle_plan.extend(vec![Settle::SilentAfter; 4]),
            Event::Refused => facilitator.settle_plan.push_back(Settle::Refuse("no_funds")),
            Event::Lied => {
                let lie = r#"{"success":true,"transaction":"TX","network":"eip155:84532"}"#;
                facilitator.settle_plan.extend(vec![Settle::Raw(200, lie.to_owned()); 4]);
            }
            Event::Stolen => {
                let network = if elsewhere { solana::NETWORK } else { "eip155:84532" };
                let named = match elsewhere {
                    true => solana::transaction_of(&paid_before),
                    false => transaction_of(&paid_before),
                };
                let says = json!({"success": true, "transaction": named, "network": network});
                facilitator.settle_plan.extend(vec![Settle::Raw(200, says.to_string()); 4]);
            }
            Event::Forged | Event::InTheirName => {
                facilitator.verify_plan.push_back(refused("invalid_signature"));
            }
            Event::Stream | Event::Broken => {
                let end =
                    if event == Event::Stream { StreamEnd::Complete } else { StreamEnd::Broken };
                self.world.origin.plan.push_back(Say::Slow("200\ncontent-type: text/plain", end));
            }
            _ => {}
        }
    }

    /// The payment that comes, if one does.
    fn bring(&mut self, event: Event) -> Option<Shown> {
        match event {
            Event::Alarm => {
                self.world.pass(120);
                None
            }
            Event::Change => {
                self.world.gate = self.gates.get(if self.is_restored { 5 } else { 1 })?;
                None
            }
            Event::Barred => {
                self.world.gate = self.gates.get(if self.is_restored { 6 } else { 3 })?;
                None
            }
            Event::Restored => {
                self.world.gate = self.gates.get(4)?;
                self.world.ledger = Ledger::new(self.world.gate.plan().clone());
                (self.forgotten, self.is_restored) = (self.all_moved(), true);
                None
            }
            Event::Mine => {
                self.mine();
                None
            }
            Event::Junk => {
                self.junk();
                None
            }
            Event::Repeat => self.last.clone(),
            Event::Sent
            | Event::SentLate
            | Event::Early
            | Event::Unread
            | Event::Lagging
            | Event::Sniped
            | Event::Burnt
            | Event::Diverted => Some(self.sent(event)),
            Event::Signed | Event::Waiting => Some(self.signed(event)),
            Event::Claimed => self.claimed(),
            Event::Elsewhere => Some(self.another()),
            Event::Stolen if !self.shown.iter().any(|id| self.moved(id) > 0) => None,
            Event::Stolen | Event::Beside | Event::Overtaken if self.is_elsewhere() => {
                Some(self.another())
            }
            Event::Overtaken if self.is_onchain() => Some(self.signed(event)),
            Event::Trailed | Event::Resigned => {
                let mut bytes = self.last.clone()?.bytes;
                match event {
                    Event::Trailed => bytes.push(0),
                    _ => bytes[1..65].fill(9),
                }
                Some(self.opaque(&bytes))
            }
            _ => Some(self.authorized(event)),
        }
    }

    /// The terms that are put up now, or were first, if there are none now.
    fn terms(&mut self) -> Value {
        let answer = self.world.ask(self.target);
        if answer.headers.get("payment-required").is_none() {
            return self.first_terms();
        }
        self.offered(answer)
    }

    /// The terms that were put up first.
    fn first_terms(&mut self) -> Value {
        let gate = std::mem::replace(&mut self.world.gate, &self.gates[0]);
        let answer = self.world.ask(self.target);
        self.world.gate = gate;
        self.offered(answer)
    }

    fn offered(&mut self, answer: Response) -> Value {
        let required = answer.payment_required();
        self.offered.insert(required["accepts"][0]["amount"].as_str().unwrap().to_owned());
        required
    }

    /// An authorization of the token.
    fn authorized(&mut self, event: Event) -> Shown {
        let mut required = if event == Event::Earlier { self.first_terms() } else { self.terms() };
        let world = &mut self.world;
        if event == Event::OwnTerms {
            let terms = &mut required["accepts"][0];
            terms["amount"] = "1".into();
            terms["payTo"] = world.payer.address.to_checksum().into();
        }
        let other = match event {
            Event::Denied => Some(Payer::new(7)),
            Event::Second => Some(Payer::new(2)),
            _ => None,
        };
        let now = world.now().secs();
        let wallet = matches!(
            event,
            Event::Forged
                | Event::InTheirName
                | Event::Contract
                | Event::Beside
                | Event::Overtaken
                | Event::Outdated
                | Event::Doubted
        );
        let change = |message: &mut Value| {
            if wallet {
                message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
            }
        };
        let payment = match other {
            Some(mut other) => {
                other.skip(self.made);
                other.sign_with(&required, now, change)
            }
            None => world.payer.sign_with(&required, now, change),
        };
        self.made += 1;
        if event == Event::Late {
            self.world.wait(payment.valid_before + 10 - now);
        }
        shown(&payment, Vec::new())
    }

    /// Whether the route is paid on another chain.
    fn is_elsewhere(&mut self) -> bool {
        self.terms()["accepts"][0]["network"] == solana::NETWORK
    }

    /// Whether the route takes transactions of the payer's own.
    fn is_onchain(&mut self) -> bool {
        self.target.starts_with("/shown/")
    }

    /// The next transaction of another chain.
    fn another(&mut self) -> Shown {
        self.made += 1;
        self.opaque(&solana::transaction(self.made))
    }

    fn opaque(&mut self, bytes: &[u8]) -> Shown {
        let required = self.terms();
        shown(&solana::payment(&required, bytes), bytes.to_vec())
    }

    /// A transaction of the payer's own for what is asked now.
    fn transfer(&mut self) -> Vec<u8> {
        let price = self.terms()["accepts"][0]["amount"].as_str().unwrap().parse().unwrap();
        let bytes = self.world.payer.transaction(self.transactions, ASSET, PAY_TO, price);
        self.transactions += 1;
        bytes
    }

    /// The hash of a transaction that the payer has sent.
    fn sent(&mut self, event: Event) -> Shown {
        let other = match event {
            Event::Diverted => ELSEWHERE,
            _ => self.target,
        };
        let before = challenge(&mut self.world, other);
        self.world.wait(if event == Event::Burnt { 1_000 } else { 0 });
        let bytes = self.transfer();
        let challenge = challenge(&mut self.world, self.target);
        self.world.wait(2);
        let waits = matches!(event, Event::Early | Event::Diverted);
        // A block that has it has what its payer sent before.
        if !waits && event != Event::Sniped {
            self.hear();
        }
        let chain = &mut self.world.facilitator.chain;
        chain.transfers.fate = if waits { Fate::Waits } else { Fate::Mined };
        let block = chain.next_block();
        match event {
            Event::Sniped => self.elsewhere.push(bytes.clone()),
            _ => assert!(chain.transfers.send(&bytes, block)),
        }
        let fault = match event {
            Event::Unread => NodeFault::Silent,
            Event::Lagging => NodeFault::Lags,
            _ => NodeFault::Fine,
        };
        self.world.wait(if event == Event::SentLate { 400 } else { 2 });
        match event {
            Event::Sniped => {
                let other = self.under_theirs(&bytes);
                self.world.send(other);
            }
            Event::Burnt | Event::Diverted => {
                let payer = Some(&self.world.payer);
                let request = answer(other, &before, &hash(&bytes), payer);
                self.world.send(request.header("cf-connecting-ip", "192.0.2.9"));
            }
            _ => {}
        }
        self.world.facilitator.chain.plan = vec![fault; 20].into();
        let source = Some(&self.world.payer);
        let request = answer(self.target, &challenge, &hash(&bytes), source);
        Shown { id: hash_of(&bytes), request, bytes }
    }

    /// A signed transaction, which the gate sends.
    fn signed(&mut self, event: Event) -> Shown {
        let bytes = self.transfer();
        let challenge = challenge(&mut self.world, self.target);
        let fate = if event == Event::Waiting { Fate::Waits } else { Fate::Mined };
        self.world.facilitator.chain.transfers.fate = fate;
        let request = answer(self.target, &challenge, &transaction(&bytes), None);
        Shown { id: hash_of(&bytes), request, bytes }
    }

    /// The last transaction, under a challenge of another payer.
    fn claimed(&mut self) -> Option<Shown> {
        let Shown { id, bytes, .. } = self.last.clone().filter(|last| !last.bytes.is_empty())?;
        let request = self.under_theirs(&bytes);
        Some(Shown { id, request, bytes })
    }

    /// This transaction under a challenge of another payer.
    fn under_theirs(&mut self, bytes: &[u8]) -> RequestHead {
        let challenge = challenge(&mut self.world, self.target);
        let request = answer(self.target, &challenge, &hash(bytes), Some(&Payer::new(9)));
        request.header("cf-connecting-ip", "192.0.2.9")
    }

    /// A look for nothing, in the payer's name, which takes long.
    fn junk(&mut self) {
        let challenge = challenge(&mut self.world, self.target);
        self.made += 1;
        let bytes = Payer::new(9).transaction(self.made, ASSET, PAY_TO, 10_000);
        let source = Some(&self.world.payer);
        let request = answer(self.target, &challenge, &hash(&bytes), source);
        self.world.is_slow = true;
        let mut running = self.world.start(request.header("cf-connecting-ip", "192.0.2.9"), b"");
        while self.world.advance(&mut running) {}
        self.world.is_slow = false;
        self.held.push(running);
    }

    /// Blocks take what waits.
    fn mine(&mut self) {
        let chain = &mut self.world.facilitator.chain;
        let block = chain.next_block();
        chain.transfers.mine(block);
        self.hear();
        self.world.wait(4);
    }

    /// The node hears of the block that has what it had not heard of.
    fn hear(&mut self) {
        let chain = &mut self.world.facilitator.chain;
        chain.transfers.fate = Fate::Mined;
        let block = chain.next_block();
        for bytes in self.elsewhere.drain(..) {
            assert!(chain.transfers.send(&bytes, block));
        }
    }

    /// A payment, and its copy in another isolate before it is claimed.
    fn beside(&mut self, event: Event, request: RequestHead) -> Vec<Response> {
        let mut first = self.world.start(request.clone(), b"");
        while !["verify", "read"].contains(&first.next()) && self.world.advance(&mut first) {}
        let here = self.world.unproven.replace(UnverifiedLimiter::new());
        let gate = self.world.gate;
        match event {
            Event::Overtaken => self.world.gate = &self.gates[2],
            Event::Outdated => self.world.gate = &self.gates[3],
            Event::Doubted => {
                let poor = r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#;
                self.world.facilitator.verify_plan.push_back(Verify::Raw(200, poor.to_owned()));
            }
            _ => {}
        }
        let second = self.world.send(request);
        (self.world.unproven, self.world.gate) = (here, gate);
        while self.world.advance(&mut first) {}
        vec![second, first.response.unwrap()]
    }

    /// What an answer says is covered by what has moved.
    fn judge(&mut self, event: Event, id: &str, answer: &Response) -> Result<(), String> {
        let said = format!("{} {}", answer.status, answer.problem());
        let whole = answer.stream.is_none_or(|end| end == StreamEnd::Complete);
        if answer.status == 200 && whole && answer.headers.get("payment-replayed").is_none() {
            let delivered = self.delivered.entry(id.to_owned()).or_default();
            *delivered += 1;
            if *delivered > 1 {
                return Err(format!("{delivered} delivered for one payment"));
            }
            // One that is signed anew may stand for one that was paid and not received.
            let (delivered, moved) = (self.delivered.values().sum::<u64>(), self.all_moved());
            if delivered > moved {
                return Err(format!("{delivered} delivered, {moved} paid"));
            }
        }
        let own = !matches!(event, Event::Claimed);
        if own && answer.has_terms() && self.moved(id) > 0 {
            return Err(format!("paid, and asked to pay again: {said}"));
        }
        // Whatever others claim, whoever has paid is served, or served again.
        let again = event == Event::Repeat && self.world.facilitator.chain.transfers.is_mined(id);
        if (event.serves() || again) && answer.status != 200 {
            return Err(format!("paid in time, and not served: {said}"));
        }
        Ok(())
    }

    /// Nothing was settled at terms that were never put up, and of all that was shown and has moved a row says so.
    fn judge_money(&self) -> Result<(), String> {
        for (_, body) in &self.world.facilitator.settles {
            let body: Value = serde_json::from_str(body).unwrap();
            let terms = &body["paymentRequirements"];
            let signed = &body["paymentPayload"]["payload"]["authorization"];
            let to = signed["to"].as_str().or(terms["payTo"].as_str()).unwrap();
            let value = signed["value"].as_str().or(terms["amount"].as_str()).unwrap();
            let payee = [PAY_TO, solana::PAYEE].iter().any(|it| it.eq_ignore_ascii_case(to));
            if !payee || !self.offered.contains(value) {
                return Err(format!("settled at terms of the payer's own: {body}"));
            }
        }
        let kept = ["delivered", "delivering", "settled", "refund_due", "unknown", "settling"];
        let rows = self.world.ledger.entries();
        let told = rows.iter().filter(|row| kept.contains(&row.state.name().as_str())).count();
        let moved = self.all_moved();
        if u64::try_from(told).unwrap() + self.forgotten < moved {
            return Err(format!("{moved} paid, {told} rows say so"));
        }
        Ok(())
    }

    /// How often this payment has moved what it should.
    fn moved(&self, id: &str) -> u64 {
        let chain = &self.world.facilitator.chain;
        let fate = chain.fates.get(id).map_or(0, |fate| u64::from(fate.transfers));
        let mined = chain.transfers.is_mined(id);
        fate + u64::from(mined)
    }

    /// How many of the payments that were shown have moved what they should.
    fn all_moved(&self) -> u64 {
        self.shown.iter().map(|id| self.moved(id)).sum()
    }

    /// Where a history has come to.
    pub fn state(&self) -> String {
        let rows = self.world.ledger.entries();
        let states: Vec<String> = rows.iter().map(|row| row.state.name()).collect();
        let calls = (self.world.origin.calls.len(), self.world.facilitator.settles.len());
        let delivered: u64 = self.delivered.values().sum();
        format!("{} {states:?} {calls:?} {delivered}", self.target)
    }
}

fn shown(payment: &Payment, bytes: Vec<u8>) -> Shown {
    Shown { id: payment.nonce.clone(), request: paid(payment), bytes }
}
