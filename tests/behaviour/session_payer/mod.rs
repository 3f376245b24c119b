//! A payer by session of MPP at a seller of OKX's rules, in random histories: processes that die at any step, answers that are
//! lost, sellers that call vouchers used up or channels gone. Whatever happens, the seller holds no voucher above what was signed,
//! no deposit that no cap has counted, and one deposit for each request at most.

pub mod doubt;
pub mod histories;
mod okx;
pub mod own;
mod realms;
mod seller;
pub mod top_ups;
pub mod vouchers;

use farebox_core::client::Policy;
use farebox_core::client::channel::{
    ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelUse,
};
use farebox_core::client::session::{SessionMeans, SessionPurchase, forgotten, sessions};
use farebox_core::encoding::hex;
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::mpp::Credential;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use self::seller::{Seller, SellerAnswer, none};

const URL: &str = "https://api.example.com/report";
const ENDPOINT: &str = "GET https://api.example.com/report";
const TOKEN: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const ESCROW: &str = "0x5E550002e64FaF79B41D89fE8439eEb1be66CE3b";
const PAYEE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const CHAIN: u64 = 84_532;
const START: u64 = 1_763_618_400;

fn wallet() -> Account {
    Account::from_candidates([Secret::new([3; 32])].into_iter()).unwrap()
}

fn signature(typed_data: &Value) -> String {
    let digest = TypedData::from_json(typed_data).unwrap().digest();
    hex::encode_prefixed(&wallet().sign(&digest).unwrap().to_bytes())
}

fn begun(seed: u64, aim: ChannelAim) -> SessionPurchase {
    let mut random = [0; 48];
    random[..8].copy_from_slice(&seed.to_be_bytes());
    random[40..].copy_from_slice(&seed.to_be_bytes());
    let policy = json!({"perDay": "0.001", "escrows": [ESCROW]}).to_string();
    let policy = Policy::from_json(&policy).unwrap();
    let limits = ChannelLimits {
        deposit: Some("0.0001".into()),
        max_deposit: Some("0.0002".into()),
        ..ChannelLimits::default()
    };
    let address = wallet().address();
    let payer = ChannelPayer { payer: address, voucher_signer: address, salt: [0; 32] };
    let means = SessionMeans { broadcasts: true, authorization_is_free: true };
    let request = ChannelUse { url: URL, endpoint: ENDPOINT, random };
    SessionPurchase::new(policy, limits, payer, aim, means, request)
}

/// A payer with a record, and what it signed.
#[derive(Default)]
struct Payer {
    record: Option<String>,
    deposits: u64,
    highest: u64,
    sent: u64,
    echoes: Vec<String>,
    seed: u64,
    later: u64,
}

impl Payer {
    /// One request, told by a code; the seller's answers pass `bent`.
    fn asks(
        &mut self,
        seller: &mut Seller,
        aim: ChannelAim,
        bent: impl FnMut(&mut Seller, SellerAnswer) -> SellerAnswer,
    ) -> Result<Option<Value>, &'static str> {
        self.seed += 1;
        let mut buyer = begun(self.seed, aim);
        seller.now = self.now();
        let next = buyer.answered(402, &seller.challenge(), b"", self.now());
        self.goes_on((&mut buyer, next), seller, bent)
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_secs(START + self.later)
    }

    /// A request from this step to its end.
    fn goes_on(
        &mut self,
        (buyer, mut next): (&mut SessionPurchase, ChannelNext),
        seller: &mut Seller,
        mut bent: impl FnMut(&mut Seller, SellerAnswer) -> SellerAnswer,
    ) -> Result<Option<Value>, &'static str> {
        let now = self.now();
        seller.now = now;
        for _ in 0..80 {
            self.echoes.extend(buyer.echo());
            next = match next {
                ChannelNext::Update => match buyer.update(self.record.as_deref(), now) {
                    Ok(changed) => {
                        self.record = changed.or(self.record.take());
                        buyer.updated()
                    }
                    Err(error) => return Err(error.reason.code()),
                },
                ChannelNext::Ask => buyer.answered(402, &seller.challenge(), b"", now),
                ChannelNext::Sign { deposit, voucher } => {
                    self.notes(deposit.as_deref(), voucher.as_deref());
                    let sign = |it: &Value| signature(it);
                    buyer.signed(
                        deposit.as_deref().map(sign).as_deref(),
                        voucher.as_deref().map(sign).as_deref(),
                    )
                }
                ChannelNext::Broadcast => {
                    self.sent += 1;
                    buyer.broadcasted(&hex::encode_prefixed(&[self.sent as u8; 32]))
                }
                ChannelNext::Send { payment: credential, .. } => {
                    let answer = seller.takes(&credential);
                    let (status, headers, body) = bent(seller, answer);
                    buyer.answered(status, &headers, &body, now)
                }
                ChannelNext::Return(receipt) => return Ok(receipt.map(|it| *it)),
                ChannelNext::Fail(error) => return Err(error.reason.code()),
                ChannelNext::Once(Some(why)) => return Err(why.reason.code()),
                ChannelNext::Wait(_) | ChannelNext::Once(None) => panic!("{next:?}"),
            };
        }
        Err("it goes on for ever")
    }

    fn pays(&mut self, seller: &mut Seller) -> Result<Option<Value>, &'static str> {
        self.asks(seller, ChannelAim::Pay, |_, answer| answer)
    }

    fn notes(&mut self, deposit: Option<&Value>, voucher: Option<&Value>) {
        let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
        self.deposits += deposit.map_or(0, |it| number(&it["message"]["value"]));
        let signed = voucher.map_or(0, |it| number(&it["message"]["cumulativeAmount"]));
        self.highest = self.highest.max(signed);
    }

    fn kept(&self) -> Vec<(u64, u64, u64)> {
        let listed = sessions(self.record.as_deref()).unwrap();
        let number = |row: &Value, name: &str| row[name].as_str().unwrap().parse().unwrap();
        let rows = listed.as_array().unwrap().iter();
        rows.map(|it| (number(it, "deposit"), number(it, "signed"), number(it, "spent"))).collect()
    }
}

#[test]
fn a_session_is_opened_used_topped_up_and_closed_with_the_sums_of_the_contract() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    for request in 1..=10 {
        payer.pays(&mut seller).unwrap();
        assert_eq!(payer.kept(), [(100, request * 10, request * 10)]);
    }
    assert_eq!(seller.actions[..3], [("open", 0), ("voucher", 10), ("voucher", 20)]);
    // 100 of 100 are used: a top-up comes first.
    seller.actions.clear();
    payer.pays(&mut seller).unwrap();
    assert_eq!(seller.actions, [("topUp", 100), ("voucher", 110)]);
    assert_eq!((payer.kept(), seller.deposit), (vec![(200, 110, 110)], 200));
    // A price that rises is paid from the newest challenge.
    seller.unit = 15;
    payer.pays(&mut seller).unwrap();
    assert_eq!(seller.actions.last(), Some(&("voucher", 125)));
    let receipt = payer.asks(&mut seller, ChannelAim::Refund(None), |_, it| it).unwrap().unwrap();
    assert_eq!(seller.actions.last(), Some(&("close", 125)));
    assert_eq!(
        (receipt["refunded"].as_str(), receipt["spent"].as_str()),
        (Some("75"), Some("125"))
    );
    assert!(payer.kept().is_empty());
    // Open, ten vouchers, top-up, two vouchers, and before the close.
    assert_eq!(payer.echoes.len(), 1 + 10 + 1 + 2 + 1);
    let channel = receipt["channel"].as_str().unwrap();
    let line = format!(
        "channel {channel}, chain eip155:84532, escrow {ESCROW}, deposit 0.0001 USDC (100), cum 0 USDC (0), spent~ 0 USDC (0), sig 0x"
    );
    assert!(payer.echoes[0].starts_with(&line), "{}", payer.echoes[0]);
    let line =
        "deposit 0.0002 USDC (200), cum 0.000125 USDC (125), spent~ 0.000125 USDC (125), sig 0x";
    assert!(payer.echoes.last().unwrap().contains(line), "{:?}", payer.echoes.last());
}

#[test]
fn a_voucher_with_something_left_is_shown_again_and_not_signed() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.min_delta = 50;
    for _ in 0..5 {
        payer.pays(&mut seller).unwrap();
    }
    assert_eq!(payer.highest, 50);
    let vouchers = &seller.actions[1..];
    assert_eq!(vouchers, [("voucher", 50); 5]);
    assert_eq!(payer.kept(), [(100, 50, 50)]);
}

#[test]
pub fn a_voucher_that_is_called_used_up_leads_to_one_higher_one_and_no_more() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.min_delta = 20;
    payer.pays(&mut seller).unwrap();
    // It has used more than the payer knows.
    seller.spent = 20;
    payer.pays(&mut seller).unwrap();
    assert_eq!(seller.actions[1..], [("voucher", 20), ("voucher", 20), ("voucher", 40)]);
    let before = seller.actions.len();
    let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, _| seller.refuses(70_015, 402));
    assert_eq!(ended, Err("payment_refused"));
    assert_eq!(seller.actions.len() - before, 2);
    assert_eq!(payer.highest, 60);
}

#[test]
fn no_step_is_signed_above_what_one_payment_may_be() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    // A dollar is what one payment may be.
    seller.min_delta = 1_000_001;
    assert_eq!(payer.pays(&mut seller).err(), Some("policy_amount"));
    assert_eq!((seller.actions.len(), payer.highest), (0, 0));
}

#[test]
fn sellers_without_codes_are_understood_by_their_words() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    payer.pays(&mut seller).unwrap();
    for body in [
        json!({"msg": "Voucher exhausted"}),
        json!({"type": "https://paymentauth.org/problems/session/insufficient-balance"}),
        json!({"code": "70015"}),
    ] {
        let mut told = false;
        let answer = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            let first = !core::mem::replace(&mut told, true);
            if first { (402, seller.challenge(), body.to_string().into_bytes()) } else { answer }
        });
        assert!(answer.is_ok(), "{body}");
    }
}

#[test]
pub fn a_payee_that_says_that_the_session_is_gone_gets_no_other_deposit() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    payer.pays(&mut seller).unwrap();
    for code in [70_008, 70_010, 70_012] {
        let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, _| seller.refuses(code, 410));
        assert_eq!(ended, Err("receipt_mismatch"), "{code}");
        let later = payer.pays(&mut seller);
        assert!(later.is_ok(), "{code} {later:?}");
    }
    assert_eq!((payer.deposits, seller.deposits), (100, 100));
}

// A-467
#[test]
pub fn a_top_up_that_never_arrives_leaves_the_session_as_it_was() {
    for closes in [false, true] {
        let (mut seller, mut payer) = (Seller::new(10), Payer::default());
        payer.pays(&mut seller).unwrap();
        payer.pays(&mut seller).unwrap();
        seller.unit = 90;
        let lost = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            assert_eq!(answer.0, 200);
            seller.deposit = 100;
            seller.refuses(70_003, 402)
        });
        assert!(lost.is_err());
        assert_eq!(seller.actions.last(), Some(&("topUp", 100)));
        payer.later = 4_000;
        // What the deposit covers is paid, and proves no other one.
        seller.unit = 10;
        payer.pays(&mut seller).unwrap();
        assert_eq!(payer.kept(), [(100, 30, 30)]);
        seller.unit = 90;
        let refused = payer.pays(&mut seller);
        assert_eq!(seller.actions.last(), Some(&("voucher", 120)));
        assert_eq!(refused, Err("receipt_mismatch"));
        // What was signed is shown, and the next one goes on from what the deposit covers.
        assert_eq!(payer.kept(), [(100, 120, 30)]);
        if closes {
            let refund = payer.asks(&mut seller, ChannelAim::Refund(None), |_, it| it);
            assert_eq!(refund.unwrap().unwrap()["refunded"].as_str(), Some("70"));
            assert_eq!(seller.actions.last(), Some(&("close", 30)));
            continue;
        }
        seller.unit = 10;
        payer.pays(&mut seller).unwrap();
        seller.unit = 90;
        payer.pays(&mut seller).unwrap();
        assert_eq!(seller.actions[seller.actions.len() - 2..], [("topUp", 100), ("voucher", 130)]);
        assert_eq!(payer.kept(), [(200, 130, 130)]);
    }
}

#[test]
pub fn a_payer_whose_channel_the_payee_closes_takes_the_rest_back_and_opens_another() {
    let mut seller = Seller::new(1);
    let mut payer = Payer::default();
    assert!(payer.pays(&mut seller).is_ok());
    let before = payer.deposits;
    let mut is_refused = false;
    let ended =
        payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            match std::mem::replace(&mut is_refused, true) {
                false => seller.refuses(70_014, 409),
                true => answer,
            }
        });
    assert!(ended.is_ok(), "{ended:?}");
    assert!(payer.deposits > before);
    // A payee that says so again gets no second deposit in one request.
    let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
        match (answer.0, answer.2.is_empty()) {
            (200, true) => seller.refuses(70_014, 409),
            (_, _) => answer,
        }
    });
    assert!(ended.is_err(), "{ended:?}");
}

/// A request to a payee that wants no voucher of a channel that it knows.
fn closed_again(payer: &mut Payer, seller: &mut Seller) -> Result<Option<Value>, &'static str> {
    let mut is_refused = false;
    payer.asks(seller, ChannelAim::Pay, |seller, answer| {
        match std::mem::replace(&mut is_refused, true) {
            false => seller.refuses(70_014, 409),
            true => answer,
        }
    })
}

// A-233
#[test]
pub fn a_payee_that_closes_channel_after_channel_gets_one_deposit_more_a_day() {
    let (mut seller, mut payer) = (Seller::new(1), Payer::default());
    payer.pays(&mut seller).unwrap();
    assert!(closed_again(&mut payer, &mut seller).is_ok());
    assert_eq!(payer.deposits, 200);
    // What was left stays listed: its rest was not seen to come back.
    assert_eq!(payer.kept(), [(100, 2, 1), (100, 1, 1)]);
    for _ in 0..3 {
        assert_eq!(closed_again(&mut payer, &mut seller), Err("payment_refused"));
        assert_eq!(payer.deposits, 200);
    }
    payer.pays(&mut seller).unwrap();
    // A day later, or once the person has seen it come back.
    payer.later = 86_400;
    assert!(closed_again(&mut payer, &mut seller).is_ok());
    // Each of those that were left stays until it is forgotten.
    assert_eq!((payer.deposits, payer.kept().len()), (300, 3));
    for rest in [2, 1] {
        let left = sessions(payer.record.as_deref()).unwrap()[0]["id"].as_str().unwrap().to_owned();
        payer.record = forgotten(payer.record.as_deref(), &left).unwrap();
        assert_eq!(payer.kept().len(), rest);
    }
    assert_eq!(payer.kept(), [(100, 1, 1)]);
    assert!(closed_again(&mut payer, &mut seller).is_ok());
    assert_eq!(payer.deposits, 400);
}

#[test]
fn a_payer_whose_deposit_is_too_small_is_told_what_to_raise() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, _| seller.refuses(70_012, 402));
    assert_eq!(ended, Err("policy_amount"));
}

#[test]
pub fn one_request_deposits_once_for_a_session_whatever_the_payee_says() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    // After the deposit it is dearer than the deposit.
    let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
        seller.unit = 150;
        answer
    });
    assert_eq!((ended, payer.deposits), (Err("receipt_mismatch"), 100));
}

#[test]
fn a_deposit_whose_answer_is_lost_is_sent_again_and_not_made_again() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    let ended = payer
        .asks(&mut seller, ChannelAim::Pay, |_, _| (500, none(), br#"{"code": 8000}"#.to_vec()));
    assert_eq!(ended, Err("payment_refused"));
    payer.pays(&mut seller).unwrap();
    assert_eq!((payer.deposits, seller.deposits), (100, 100));
    assert_eq!(seller.actions, [("open", 0), ("open", 0), ("voucher", 10)]);
}

#[test]
fn a_402_without_a_reason_after_the_opening_asks_for_the_voucher() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    let mut opened = false;
    let answer = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
        let first = !core::mem::replace(&mut opened, true);
        if first { (402, seller.challenge(), Vec::new()) } else { answer }
    });
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(seller.actions, [("open", 0), ("voucher", 10)]);
    assert_eq!(payer.kept(), [(100, 10, 10)]);
}

#[test]
pub fn a_transaction_of_the_payers_own_is_sent_once_and_its_hash_shown_again() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.fee_payer = false;
    let ended = payer.asks(&mut seller, ChannelAim::Pay, |_, _| {
        (402, none(), br#"{"code": 70007, "retryable": false}"#.to_vec())
    });
    // It waits for the confirmation until its time is over.
    assert_eq!(ended, Err("it goes on for ever"));
    assert_eq!((payer.sent, payer.deposits), (1, 0));
    let now = UnixTime::from_secs(START + 100);
    let mut buyer = begun(99, ChannelAim::Pay);
    assert!(matches!(buyer.answered(402, &seller.challenge(), b"", now), ChannelNext::Update));
    payer.record = buyer.update(payer.record.as_deref(), now).unwrap();
    let ChannelNext::Send { payment: credential, .. } = buyer.updated() else { panic!() };
    let read = Credential::read(credential.strip_prefix("Payment ").unwrap()).unwrap();
    assert_eq!(read.payload["hash"], hex::encode_prefixed(&[1; 32]));
    assert_eq!(seller.takes(&credential).0, 200);
    // One that may have been sent, and of which no hash is known, blocks the next.
    let (mut seller, now) = (Seller::new(10), UnixTime::from_secs(START));
    seller.fee_payer = false;
    let mut buyer = begun(1, ChannelAim::Pay);
    buyer.answered(402, &seller.challenge(), b"", now);
    let record = buyer.update(None, now).unwrap();
    let ChannelNext::Sign { deposit: None, voucher: Some(voucher) } = buyer.updated() else {
        panic!()
    };
    assert!(matches!(buyer.signed(None, Some(&signature(&voucher))), ChannelNext::Broadcast));
    let calls = buyer.proposal().unwrap()["calls"].clone();
    assert_eq!((&calls[0]["to"], &calls[1]["to"]), (&json!(TOKEN), &json!(ESCROW)));
    assert_eq!(calls[0]["data"].as_str().unwrap()[..10], *"0x095ea7b3");
    let record = buyer.release(record.as_deref(), now).unwrap();
    let mut later = begun(2, ChannelAim::Pay);
    later.answered(402, &seller.challenge(), b"", now);
    let error = later.update(record.as_deref(), now).unwrap_err();
    assert_eq!(error.reason.code(), "payment_unresolved");
}

#[test]
fn nothing_is_deposited_where_no_contract_is_named() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.escrow = "0x0000000000000000000000000000000000000000";
    assert_eq!(payer.pays(&mut seller), Err("malformed_challenge"));
    assert_eq!((payer.sent, payer.deposits, payer.highest), (0, 0, 0));
}

// A-319
#[test]
pub fn no_deposit_goes_to_a_contract_that_the_policy_does_not_name() {
    for escrow in [PAYEE, "0x90F79bf6EB2c4f870365E785982E1f101E93b906"] {
        let (mut seller, mut payer) = (Seller::new(10), Payer::default());
        seller.escrow = escrow;
        assert_eq!(payer.pays(&mut seller), Err("policy_payee"), "{escrow}");
        assert_eq!((payer.sent, payer.deposits, payer.highest), (0, 0, 0), "{escrow}");
    }
    // Nor does it once the server has been paid by the right one.
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    assert!(payer.pays(&mut seller).is_ok());
    seller.escrow = PAYEE;
    assert_eq!((payer.pays(&mut seller), payer.deposits), (Err("policy_payee"), 100));
}

#[test]
fn an_expired_challenge_is_asked_for_again_and_never_signed() {
    let (mut seller, now) = (Seller::new(10), UnixTime::from_secs(START));
    let mut buyer = begun(1, ChannelAim::Pay);
    let mut next = buyer.answered(402, &seller.challenge_until("2020-01-01T00:00:00Z"), b"", now);
    let mut asked = 0;
    while matches!(next, ChannelNext::Ask) {
        asked += 1;
        next = buyer.answered(402, &seller.challenge_until("2020-01-01T00:00:00Z"), b"", now);
    }
    assert!(asked > 0 && asked < 10);
    assert!(matches!(next, ChannelNext::Update));
    assert_eq!(buyer.update(None, now).unwrap(), None);
    assert!(
        matches!(buyer.updated(), ChannelNext::Fail(error) if error.reason.code() == "challenge_expired")
    );
}
