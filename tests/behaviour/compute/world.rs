//! An exchange in memory: sellers with sessions, a gate that forwards what it settled, and a
//! treasury whose payouts a chain carries out once for each key.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use farebox_core::chain::ChainId;
use farebox_core::compute::errand::Errands;
use farebox_core::compute::feed::{Seen, View};
use farebox_core::compute::figures::count_changes;
use farebox_core::compute::message::{
    Answer, Callback, Command, Errand, Identity, JsonAnswer, PayoutAnswer, PayoutCall,
    SellerRequest, TillPayment,
};
use farebox_core::compute::row::HoldKind;
use farebox_core::compute::settings::{OlderWays, Profile, ProfileSettings};
use farebox_core::compute::{Gateway, Now, RANDOM_BYTES};
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::evm::keccak::keccak256;
use farebox_core::machine::Envelope;
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, planted};
use farebox_core::secret::Secret;
use serde_json::{Value, json};

use super::payouts::Treasury;
use super::rows::MemoryRows;
use crate::dice::Dice;

pub const NETWORK: &str = "eip155:84532";
pub const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
pub const URL: &str = "https://market.example.com";
pub const TX: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
pub const ESCROW: &str = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE";
pub const NOON: u64 = 1_763_618_400_000;
/// What Ada charges, atomic units.
pub const PRICE: &str = "5000";

/// Wallets from 200 on, whose keys are known.
static KEYED: LazyLock<Vec<String>> =
    LazyLock::new(|| (200..u8::MAX).map(|it| key_of(it).address().to_lower_hex()).collect());

/// The key of the wallet with this number, from 200 on.
pub fn key_of(number: u8) -> Account {
    Account::from_candidates(std::iter::once(Secret::new([number; 32]))).unwrap()
}

/// A signature of a text by the wallet with this number. Spec: EIP-191.
pub fn signed(number: u8, text: &str) -> String {
    let text = format!("\x19Ethereum Signed Message:\n{}{text}", text.len());
    let signature = key_of(number).sign(&keccak256(text.as_bytes())).unwrap();
    hex::encode_prefixed(&signature.to_bytes())
}

/// The wallet with this number, lower case.
pub fn wallet(number: u8) -> String {
    if let Some(number) = number.checked_sub(200) {
        return KEYED[usize::from(number)].clone();
    }
    format!("0xab000000000000000000000000000000000000{number:02x}")
}

/// Without the guard of heartbeats, storage shows the silent too: it only spares the core a look.
#[cfg(feature = "planted")]
pub fn sees_the_dead() -> bool {
    planted(Mutant::TheDeadAreGivenWork)
}

#[cfg(not(feature = "planted"))]
pub const fn sees_the_dead() -> bool {
    false
}

pub fn settings(hold: HoldKind, profile: Profile) -> ProfileSettings {
    ProfileSettings {
        profile,
        network: ChainId::parse(NETWORK).unwrap(),
        asset: "USDC".into(),
        hold,
        escrow: Address::parse(&ESCROW.to_lowercase()).unwrap(),
        bonds: Address::parse(&wallet(66)).unwrap(),
        payer: ("acme".into(), "escrow".into()),
        url: URL.into(),
        secret: Secret::new("s".repeat(32)),
        previous: None,
        waits_ms: 100_000,
        max_price: "100".into(),
        min_price: (hold == HoldKind::Contract).then(|| "0.005".into()),
        per_day: None,
        per_seller_day: None,
        unjudged: None,
        older: OlderWays::default(),
    }
}

pub struct World {
    pub gateway: Gateway,
    pub rows: MemoryRows,
    pub now: u64,
    pub dice: Dice,
    pub sessions: BTreeMap<u8, String>,
    pub treasury: Treasury,
    /// The job that a request began for each quote, as its Worker keeps it.
    pub began: BTreeMap<String, String>,
    /// Whether its rows have no room for another quote.
    pub is_full: bool,
    hold: HoldKind,
}

impl World {
    pub fn new() -> Self {
        Self::of(HoldKind::Escrow)
    }

    pub fn of(hold: HoldKind) -> Self {
        Self::set(settings(hold, Profile::LiveTestnet))
    }

    pub fn set(set: ProfileSettings) -> Self {
        let hold = set.hold;
        let gateway = Gateway::new(set).unwrap();
        let (rows, sessions) = (MemoryRows::default(), BTreeMap::new());
        let (treasury, began) = (Treasury::default(), BTreeMap::new());
        let dice = Dice::seeded(7);
        let is_full = false;
        Self { gateway, rows, now: NOON, dice, sessions, treasury, began, is_full, hold }
    }

    /// A world with one seller that is there.
    pub fn with_seller() -> Self {
        let mut world = Self::new();
        world.seller(1, "0.005");
        world
    }

    /// Sends a command as the Worker does: as JSON, there and back. The alarm is the object's own. A payment
    /// goes to the till whether its request began the job or not.
    pub fn send(&mut self, command: Command) -> Answer {
        let command = match command {
            Command::Due(errands) => Command::Due(errands),
            sent => {
                let envelope = serde_json::to_string(&Envelope::of(sent)).unwrap();
                serde_json::from_str::<Envelope<Command>>(&envelope).unwrap().command
            }
        };
        let random: [u8; RANDOM_BYTES] =
            std::array::from_fn(|_| u8::try_from(self.dice.below(256)).unwrap());
        let tick = Now { is_full: self.is_full, ..Now::new(self.now, &random).unwrap() };
        let decision = self.gateway.apply(&self.rows, command, tick).unwrap();
        let figures = count_changes(&self.rows, &decision.changes, tick).unwrap();
        self.rows.write(decision.changes);
        self.rows.note(figures);
        let text = serde_json::to_string(&decision.answer).unwrap();
        match serde_json::from_str(&text).unwrap() {
            Answer::Settle((quote, job)) => {
                self.began.insert(quote.clone(), job);
                Answer::Till(quote)
            }
            answer => answer,
        }
    }

    /// The gate's answer to a payment, told by the request that began its job.
    pub fn taken(&self, quote: &str, status: u32) -> Command {
        self.taken_with(quote, status, "")
    }

    /// The same with the `code` of the answer.
    pub fn taken_with(&self, quote: &str, status: u32, code: &str) -> Command {
        Command::Taken {
            quote: quote.to_owned(),
            job: self.began.get(quote).cloned().unwrap_or_default(),
            status,
            code: code.to_owned(),
            reason: String::new(),
            transaction: String::new(),
        }
    }

    /// Sends it again with what a node said.
    pub fn send_with(&mut self, command: Command, evidence: Option<String>) -> Answer {
        self.send(match evidence {
            Some(reply) => Command::Replied(Box::new(command), reply),
            None => command,
        })
    }

    /// Looks as the Worker does: as JSON, there and back.
    pub fn view(&self, view: View) -> Seen {
        let envelope = serde_json::to_string(&Envelope::of(view)).unwrap();
        let envelope: Envelope<View> = serde_json::from_str(&envelope).unwrap();
        let tick = Now::new(self.now, &[0; RANDOM_BYTES]).unwrap();
        let seen = self.gateway.view(&self.rows, envelope.command, tick).unwrap();
        serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap()
    }

    pub fn told(&mut self, command: Command) -> Told {
        Told::of(self.send(command))
    }

    pub fn request(&self, number: u8, more: &Value) -> SellerRequest {
        let mut body = json!({
            "seller_id": wallet(number), "network_profile": self.gateway.profile().name(),
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let token = self.sessions.get(&number).cloned().unwrap_or_default();
        let authorization =
            if token.is_empty() { String::new() } else { format!("Bearer {token}") };
        SellerRequest { authorization, body: body.to_string() }
    }

    pub fn register(&mut self, number: u8, more: Value) -> Told {
        let mut body = json!({"capability": "llm", "price_per_task": "0.005"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.register_from("10.0.0.1", number, &body)
    }

    /// Registers with whatever session this seller has.
    pub fn register_from(&mut self, client: &str, number: u8, body: &Value) -> Told {
        let (client, request) = (client.to_owned(), self.request(number, body));
        self.told(Command::Register { client, request })
    }

    /// Opens a session by an identity.
    pub fn open(&mut self, number: u8) -> Told {
        self.open_with(number, json!({}))
    }

    /// Opens a session by an identity, and says more with it.
    pub fn open_with(&mut self, number: u8, mut more: Value) -> Told {
        let agent = format!("agent-{number}");
        more["passport_agent_id"] = agent.as_str().into();
        let request = self.request(number, &more);
        let claims = json!({"agent_id": agent, "wallet": {"address": wallet(number)}});
        let identity = Identity { subject: format!("sub-{number}"), claims: claims.to_string() };
        let told = self.told(session(request, Some(identity)));
        if let Some(token) = told.body["seller_session_token"].as_str() {
            self.sessions.insert(number, token.to_owned());
        }
        told
    }

    pub fn beat(&mut self, number: u8) -> Told {
        self.told(Command::Heartbeat(self.request(number, &json!({}))))
    }

    /// A seller that is there, at this price.
    pub fn seller(&mut self, number: u8, price: &str) {
        assert_eq!(self.register(number, json!({"price_per_task": price})).status, 200);
        assert_eq!(self.open(number).status, 200);
        assert_eq!(self.beat(number).status, 200);
    }

    pub fn order(&self, buyer: u8, prompt: &str) -> Value {
        json!({
            "buyer_id": wallet(buyer), "capability": "llm", "prompt": prompt,
            "network_profile": self.gateway.profile().name(),
        })
    }

    pub fn ask(&mut self, client: &str, buyer: u8, prompt: &str) -> Told {
        let (client, body) = (client.to_owned(), self.order(buyer, prompt).to_string());
        self.told(Command::Quote { client, body })
    }

    pub fn verify(&mut self, buyer: u8, prompt: &str, fingerprint: &str, payment: &str) -> Answer {
        let payload = self.order(buyer, prompt);
        let body = json!({"fingerprint": fingerprint, "payload": payload}).to_string();
        self.send(Command::Verify { payment: payment.to_owned(), body })
    }

    /// What the gate says of a payment of this buyer for a quote.
    pub fn sale(&self, quote: &str, payment: &str, buyer: u8) -> TillPayment {
        TillPayment {
            quote: quote.into(),
            payment: payment.into(),
            payer: wallet(buyer),
            amount: PRICE.into(),
            asset: USDC.into(),
            network: NETWORK.into(),
            transaction: TX.into(),
        }
    }

    pub fn sold(&mut self, sale: &TillPayment) -> Answer {
        self.send(Command::Sold(Box::new(sale.clone())))
    }

    /// Quotes, verifies and pays: the answer of verify.
    pub fn buy(&mut self, buyer: u8, prompt: &str) -> Told {
        let quote = self.ask("10.0.0.1", buyer, prompt);
        assert_eq!(quote.status, 402, "{quote:?}");
        let fingerprint = quote.text("fingerprint");
        let answer = self.verify(buyer, prompt, &fingerprint, &payment(buyer));
        assert_eq!(answer, Answer::Till(quote.text("payment_id")));
        let receipt = format!("rcpt_{prompt}");
        let answer = self.sold(&self.sale(&quote.text("payment_id"), &receipt, buyer));
        match answer {
            errand @ Answer::Errand(_) => Told::of(self.carry(errand)),
            answer => Told::of(answer),
        }
    }

    pub fn call(&mut self, number: u8, id: &str, callback: Callback, more: &Value) -> Answer {
        let request = self.request(number, more);
        self.send(Command::Call { id: id.to_owned(), callback, request })
    }

    pub fn start(&mut self, number: u8, id: &str) -> Told {
        Told::of(self.call(number, id, Callback::Start, &json!({})))
    }

    pub fn complete(&mut self, number: u8, id: &str) -> Answer {
        self.call(number, id, Callback::Complete, &json!({"result": {"text": "done"}}))
    }

    pub fn fail(&mut self, number: u8, id: &str) -> Answer {
        self.call(number, id, Callback::Fail, &json!({"error": "no quota"}))
    }

    /// A job that its seller works on.
    pub fn running(&mut self) -> String {
        let job = self.buy(9, "hello").text("job_id");
        assert_eq!(self.start(1, &job).status, 200);
        job
    }

    /// Carries out an errand, and reports it.
    pub fn carry(&mut self, reaction: Answer) -> Answer {
        let errand = self.past_gate(reaction);
        let answer = self.treasury.answer(&errand.ask);
        self.report(&errand, Some(answer))
    }

    /// The errand after the gate has said that it owes nothing for a job of which it has told no debt.
    pub fn past_gate(&mut self, reaction: Answer) -> Errand {
        let errand = errand(reaction);
        let hold = &self.rows.holds[&errand.payment];
        let is_unheard = !hold.owed && !hold.job.is_empty();
        if !is_unheard || !matches!(errand.ask, PayoutCall::Refunding { .. }) {
            return errand;
        }
        let body = json!({"code": "wrong_state"}).to_string();
        let served = PayoutAnswer { status: 409, body };
        let next = self.report(&errand, Some(served));
        self.past_gate(next)
    }

    pub fn report(&mut self, errand: &Errand, answer: Option<PayoutAnswer>) -> Answer {
        let (payment, fence) = (errand.payment.clone(), errand.fence);
        self.send(Command::PaidOut { payment, fence, answer })
    }

    /// The alarm at this time: everything that is due, errands included.
    pub fn alarm(&mut self) {
        loop {
            match self.send(Command::Due(Errands::default())) {
                Answer::Nothing => return,
                mut answer => {
                    while let Answer::Errand(_) = answer {
                        answer = self.carry(answer);
                    }
                }
            }
        }
    }

    /// What is due next, errands included.
    pub fn alarm_once(&mut self) {
        self.now = self.now.max(self.rows.next_due().unwrap());
        let mut answer = self.send(Command::Due(Errands::default()));
        while let Answer::Errand(_) = answer {
            answer = self.carry(answer);
        }
    }

    pub fn read(&mut self, job: &str, token: &str) -> Told {
        let authorization = format!("Bearer {token}");
        self.told(Command::Job { authorization, id: job.to_owned() })
    }

    /// Whether a buyer is charged with the work alone.
    pub fn gateway_holds_nothing(&self) -> bool {
        self.hold == HoldKind::Completion
    }

    pub fn events(&self) -> Vec<String> {
        let name = |kind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned();
        self.rows.events.iter().map(|event| name(event.kind)).collect()
    }
}

/// A request for a session.
pub fn session(request: SellerRequest, identity: Option<Identity>) -> Command {
    Command::Session { request, identity, evidence: None }
}

pub fn errand(answer: Answer) -> Errand {
    match answer {
        Answer::Errand(errand) => *errand,
        other => panic!("no errand: {other:?}"),
    }
}

/// A payment of version 2, signed by this buyer.
pub fn payment(buyer: u8) -> String {
    let payload = json!({"authorization": {"from": wallet(buyer)}, "signature": "0x"});
    base64::encode(json!({"x402Version": 2, "payload": payload}).to_string().as_bytes())
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub status: u32,
    pub body: Value,
    pub raw: String,
}

impl Told {
    pub fn of(reaction: Answer) -> Self {
        let read = |answer: JsonAnswer| {
            let body = serde_json::from_str(&answer.body).unwrap();
            Self { status: answer.status, body, raw: answer.body }
        };
        match reaction {
            Answer::Reply(answer) | Answer::Terms(_, answer) => read(answer),
            other => panic!("no response: {other:?}"),
        }
    }

    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }

    pub fn code(&self) -> (u32, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}
