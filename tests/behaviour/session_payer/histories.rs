//! Random histories of a payer whose processes die, at a seller that loses answers and lies.

use farebox_core::amount::Amount;
use farebox_core::client::Policy;
use farebox_core::client::budget::Budget;
use farebox_core::client::channel::{ChannelAim, ChannelNext};
use farebox_core::encoding::hex;
use farebox_core::mpp::Credential;
use farebox_core::mpp::session::SessionAction;
use farebox_core::time::UnixTime;
use serde_json::Value;

use super::seller::Seller;
use super::{Payer, START, begun, signature};
use crate::dice::Dice;

/// Requests by processes that may die at each step, at a seller that may lie.
struct History {
    dice: Dice,
    now: UnixTime,
    payer: Payer,
    seller: Seller,
    lies: bool,
    /// Whether transactions of the payer's own get lost, and top-ups are undone that were called arrived.
    reorganizes: bool,
    undone: u64,
    returned: u64,
    /// Requests that went on while a person was asked.
    beside: u64,
}

impl History {
    fn chance(&mut self, one_in: u64) -> bool {
        self.dice.below(one_in) == 0
    }

    /// One request; another one may go on while a person is asked to sign it.
    fn request(&mut self, seed: u64, is_beside: bool) {
        self.seller.now = self.now;
        // One of three requests is dearer.
        self.seller.unit = if self.chance(3) { 70 } else { 10 };
        let mut buyer = begun(seed, ChannelAim::Pay);
        let (mut own, mut signed) = (Vec::new(), 0);
        let mut next = buyer.answered(402, &self.seller.challenge(), b"", self.now);
        for _ in 0..60 {
            self.seller.now = self.now;
            self.holds();
            // Whether a channel was opened by a transaction of before, a person sees on the chain.
            let is_seen = self.seller.fee_payer || self.payer.kept().iter().any(|it| it.0 > 0);
            if is_seen && self.chance(25) {
                self.now = self.now.plus(200);
                return;
            }
            next = match next {
                ChannelNext::Update | ChannelNext::Wait(_) => {
                    match buyer.update(self.payer.record.as_deref(), self.now) {
                        Ok(Some(record)) => self.payer.record = Some(record),
                        Ok(None) => self.now = self.now.plus(1),
                        Err(_) => return,
                    }
                    buyer.updated()
                }
                ChannelNext::Ask => buyer.answered(402, &self.seller.challenge(), b"", self.now),
                ChannelNext::Sign { deposit, voucher } => {
                    if self.chance(12) {
                        let record = &mut self.payer.record;
                        let released = buyer.release(record.as_deref(), self.now).unwrap();
                        *record = released.or(record.take());
                        return;
                    }
                    if !is_beside && self.chance(6) {
                        self.now = self.now.plus(130);
                        self.beside += 1;
                        self.request((1 << 32) + self.beside, true);
                    }
                    let before = self.payer.deposits;
                    self.payer.notes(deposit.as_deref(), voucher.as_deref());
                    // One that was signed too late is never sent: the request has one.
                    let new = self.payer.deposits - before;
                    self.payer.deposits -= signed.min(new);
                    signed = signed.max(new);
                    let sign = |it: &Value| signature(it);
                    buyer.signed(
                        deposit.as_deref().map(sign).as_deref(),
                        voucher.as_deref().map(sign).as_deref(),
                    )
                }
                ChannelNext::Send { payment: credential, wait_ms, .. } => {
                    self.now = self.now.plus(wait_ms.div_ceil(1_000));
                    let arrives = !self.chance(8);
                    own.extend(deposit_of(&credential, seed));
                    own.dedup();
                    assert!(own.len() <= 1, "a request deposits once");
                    let before = self.seller.deposit;
                    let mut answer = arrives.then(|| self.seller.takes(&credential));
                    // A top-up that was called arrived is taken out of its block again.
                    let is_top_up = self.seller.actions.last().is_some_and(|it| it.0 == "topUp");
                    if self.reorganizes && is_top_up && self.chance(6) {
                        self.undone += self.seller.deposit - before;
                        self.seller.deposit = before;
                    }
                    // A seller that is honest may have a bad moment, before or after.
                    if self.chance(15) {
                        let odd = [(402, "{}"), (500, ""), (500, r#"{"code": 8000}"#)];
                        self.seller.broken = Some(odd[self.dice.below(3) as usize]);
                        answer = Some(self.seller.takes(&credential));
                        self.seller.broken = None;
                    }
                    if self.lies && self.chance(4) {
                        let codes = [
                            (70_015, 402),
                            (70_013, 402),
                            (70_010, 404),
                            (70_012, 402),
                            (70_008, 410),
                            (70_009, 401),
                            (30_001, 402),
                        ];
                        let (code, status) = codes[self.dice.below(7) as usize];
                        answer = Some(self.seller.refuses(code, status));
                    }
                    // It may come so late that another request goes on.
                    if !is_beside && self.chance(8) {
                        self.now = self.now.plus(70);
                        self.beside += 1;
                        self.request((1 << 32) + self.beside, true);
                    }
                    match answer.filter(|_| !self.chance(8)) {
                        Some((status, headers, body)) => {
                            buyer.answered(status, &headers, &body, self.now)
                        }
                        None => buyer.lost(self.now),
                    }
                }
                ChannelNext::Return(receipt) => {
                    self.returned += u64::from(receipt.is_some());
                    return;
                }
                ChannelNext::Broadcast => {
                    if self.chance(6) {
                        buyer.unsent();
                        let record = &mut self.payer.record;
                        let released = buyer.release(record.as_deref(), self.now).unwrap();
                        *record = released.or(record.take());
                        return;
                    }
                    let deposit = buyer.proposal().unwrap()["deposit"].as_str().unwrap().to_owned();
                    let deposit = Amount::from_decimal(&deposit, 6).unwrap().to_string();
                    self.payer.deposits += deposit.parse::<u64>().unwrap();
                    self.payer.sent += 1;
                    let hash = [u8::try_from(self.payer.sent).unwrap(); 32];
                    // One that tops up may never be taken into a block.
                    let opens = self.payer.kept().iter().all(|it| it.0 == 0);
                    if self.reorganizes && !opens && self.chance(3) {
                        self.seller.lost.push(hash);
                    }
                    buyer.broadcasted(&hex::encode_prefixed(&hash))
                }
                ChannelNext::Fail(_) => return,
                ChannelNext::Once(_) => panic!("{next:?}"),
            };
        }
    }

    /// After 25 hours without faults the payer pays, and takes back all that was not used.
    fn settles(&mut self) {
        let Self { payer, seller, now, undone, .. } = self;
        payer.later = now.plus(90_000).secs() - START;
        payer.seed = 1 << 40;
        seller.unit = 10;
        let mut paid = (0..4).any(|_| payer.pays(seller).is_ok());
        if !paid && *undone > 0 {
            // What was undone is made again a day later.
            payer.later += 86_400;
            paid = payer.pays(seller).is_ok();
        }
        assert!(
            paid,
            "{:?} {} {} {} {:?}",
            seller.actions, seller.deposit, seller.highest, seller.spent, payer.record
        );
        let (deposit, highest) = (seller.deposit, seller.highest);
        let refund = payer.asks(seller, ChannelAim::Refund(None), |_, answer| answer);
        let refund = refund.unwrap_or_else(|why| panic!("{why} {:?}", payer.record)).unwrap();
        let shown = |name: &str| refund[name].as_str().unwrap().parse::<u64>().unwrap();
        assert_eq!(shown("spent"), highest, "{:?}", seller.actions);
        // The payer is not told of what was undone.
        assert!(shown("refunded") <= deposit + *undone - highest);
        // What is left may be too little for the dearer price, and a process may have died once it had
        // signed for that.
        let unused = seller.highest - seller.spent;
        assert!(unused < 70 + 70 + seller.min_delta, "{unused}: {:?}", seller.actions);
    }

    fn holds(&self) {
        let Seller { deposits, highest, spent, served, .. } = &self.seller;
        assert!(*highest <= self.payer.highest, "a voucher above what was signed");
        assert!(*deposits <= self.payer.deposits, "a deposit that was not signed");
        assert!(spent <= highest && self.returned <= *served);
        let policy = Policy::from_json(r#"{"perDay": "0.001"}"#).unwrap();
        let budget = Budget::from_text(self.payer.record.as_deref()).unwrap();
        let counted = budget.caps(&policy, self.now).into_iter().find(|it| it.name == "perDay");
        let counted = counted.map_or(Amount::ZERO, |it| it.spent);
        let signed = Amount::from_u64(self.payer.deposits).checked_mul_u64(1_000_000_000_000);
        assert!(signed.unwrap() <= counted, "{signed:?} counts as {counted}");
        for (deposit, signed, spent) in self.payer.kept() {
            let is_right = spent <= signed && (signed <= deposit || signed <= self.payer.deposits);
            assert!(
                is_right,
                "{deposit} {signed} {spent} {}: {:?}",
                self.payer.deposits, self.seller.actions
            );
        }
    }
}

/// One history at the seller of this number, and how many answers came back.
pub fn play(number: u64, dice: Dice) -> u64 {
    let mut history = History {
        dice,
        now: UnixTime::from_secs(START),
        payer: Payer::default(),
        seller: Seller::new(10),
        lies: number.is_multiple_of(3),
        reorganizes: number.is_multiple_of(5),
        undone: 0,
        returned: 0,
        beside: 0,
    };
    history.seller.min_delta = number % 4 * 5;
    history.seller.fee_payer = !number.is_multiple_of(7);
    for request in 0..12 {
        history.request(number * 100 + request, false);
        history.holds();
    }
    if !history.lies {
        history.settles();
    }
    history.returned
}

/// The deposit that a credential sends, if the request of this seed has made it.
fn deposit_of(credential: &str, seed: u64) -> Option<String> {
    let payload = Credential::read(credential.strip_prefix("Payment ")?).ok()?.payload;
    let (SessionAction::Open { salt, .. } | SessionAction::TopUp { salt, .. }) =
        SessionAction::read(&payload).ok()?
    else {
        return None;
    };
    let is_own = salt[..8] == seed.to_be_bytes();
    is_own.then(|| Value::Object(payload).to_string())
}

// I-16
#[test]
fn no_history_of_a_payer_by_session_breaks_a_rule() {
    let mut returned = 0;
    for seed in 1..300_u64 {
        returned += play(seed, Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
    }
    assert!(returned > 1_500, "{returned}");
}
