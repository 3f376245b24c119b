//! Random histories: processes that die at any step, answers that are lost, servers that lie about what was charged. Whatever
//! happens, the payee holds no voucher that was not signed, signs nothing for the payer, and never sees a deposit that no cap has
//! counted.

use farebox_core::amount::Amount;
use farebox_core::client::Policy;
use farebox_core::client::budget::Budget;
use farebox_core::client::channel::{ChannelNext, channels};
use farebox_core::time::UnixTime;
use serde_json::json;

use super::{BEGUN, PER_DAY, PRICE, Payee, purchase, signature};
use crate::dice::Dice;

/// What was signed, and what a wallet has let go of.
#[derive(Default)]
struct Signed {
    deposits: u64,
    highest: u64,
}

struct History {
    dice: Dice,
    now: UnixTime,
    record: Option<String>,
    payee: Payee,
    signed: Signed,
    lies: bool,
    returned: u64,
    charged_and_lost: u64,
}

impl History {
    fn new(dice: Dice, lies: bool) -> Self {
        Self {
            dice,
            now: BEGUN,
            record: None,
            payee: Payee::default(),
            signed: Signed::default(),
            lies,
            returned: 0,
            charged_and_lost: 0,
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.dice.below(one_in) == 0
    }

    /// One request, by a process that may die at each step.
    fn request(&mut self, seed: u64) {
        let mut buyer = purchase(seed);
        let mut next = buyer.answered(402, &self.payee.terms(false), b"", self.now);
        let mut answer_is_lost = false;
        for _ in 0..60 {
            self.hold();
            if self.chance(25) {
                // It dies; what waits for it waits until its time is over.
                self.now = self.now.plus(200);
                return;
            }
            next = match next {
                ChannelNext::Update | ChannelNext::Wait(_) => {
                    match buyer.update(self.record.as_deref(), self.now) {
                        Ok(Some(record)) => self.record = Some(record),
                        Ok(None) => self.now = self.now.plus(1),
                        Err(_) => return,
                    }
                    buyer.updated()
                }
                ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                    if self.chance(12) {
                        let record = buyer.release(self.record.as_deref(), self.now).unwrap();
                        self.record = record.or(self.record.take());
                        return;
                    }
                    if let Some(typed_data) = &deposit {
                        let units = typed_data["message"]["value"].as_str().unwrap();
                        self.signed.deposits += units.parse::<u64>().unwrap();
                    }
                    let units = voucher["message"]["maxClaimableAmount"].as_str().unwrap();
                    self.signed.highest = self.signed.highest.max(units.parse().unwrap());
                    let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                    buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
                }
                ChannelNext::Send { payment, wait_ms, .. } => {
                    self.now = self.now.plus(wait_ms.div_ceil(1000));
                    let lies = self.lies && self.chance(4);
                    let lie = (self.dice.below(40) * PRICE / 2, self.dice.below(40) * PRICE);
                    let lie = lies.then_some(lie);
                    let arrives = !self.chance(8);
                    let answer = arrives.then(|| self.payee.takes(&payment, lie));
                    match answer.filter(|_| !self.chance(8)) {
                        Some((status, headers)) => buyer.answered(status, &headers, b"", self.now),
                        None => {
                            answer_is_lost |= arrives;
                            buyer.lost(self.now)
                        }
                    }
                }
                ChannelNext::Return(receipt) => {
                    assert!(receipt.is_some());
                    self.returned += 1;
                    return;
                }
                ChannelNext::Fail(_)
                | ChannelNext::Once(_)
                | ChannelNext::Ask
                | ChannelNext::Broadcast
                | ChannelNext::Sign { voucher: None, .. } => {
                    self.charged_and_lost += u64::from(answer_is_lost);
                    return;
                }
            };
        }
    }

    /// The rules.
    fn hold(&self) {
        let Payee { deposit, charged, highest, served, .. } = &self.payee;
        assert!(highest.0 <= self.signed.highest, "a voucher above what was signed");
        assert!(*deposit <= self.signed.deposits, "a deposit that was not signed");
        assert!(*charged <= highest.0 && *charged <= *deposit);
        assert!(self.returned <= *served, "an answer without a charge");
        // What was signed was counted first.
        let policy = Policy::from_json(&json!({"perDay": PER_DAY}).to_string()).unwrap();
        let budget = Budget::from_text(self.record.as_deref()).unwrap();
        let spent = budget.caps(&policy, self.now).into_iter().find(|it| it.name == "perDay");
        let counted = spent.map_or(Amount::ZERO, |it| it.spent);
        let signed =
            Amount::from_u64(self.signed.deposits).checked_mul_u64(1_000_000_000_000).unwrap();
        assert!(signed <= counted, "a deposit of {signed} counts as {counted}");
        // What is kept is never less than what was signed for the payee, and never more was charged.
        for kept in channels(self.record.as_deref()).unwrap().as_array().unwrap() {
            let number = |name: &str| kept[name].as_str().unwrap().parse::<u64>().unwrap();
            assert!(number("spent") <= number("signed"));
            assert!(number("signed") >= highest.0, "a voucher that left is not kept");
        }
    }
}

fn seeded(seed: u64) -> Dice {
    Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
}

/// One history with the payee of this number; how many answers came back, and how many of what was charged were lost.
pub fn play(number: u64, dice: Dice) -> (u64, u64) {
    let mut history = History::new(dice, number.is_multiple_of(3));
    for request in 0..12 {
        history.request(number * 100 + request);
        history.hold();
    }
    (history.returned, history.charged_and_lost)
}

// I-16
#[test]
pub fn no_history_of_a_payer_by_channel_breaks_a_rule() {
    let (mut returned, mut corrected) = (0, 0);
    for seed in 1..1_500 {
        let (answers, lost) = play(seed, seeded(seed));
        returned += answers;
        corrected += lost;
    }
    // Most requests are served, and answers were lost on the way.
    assert!(returned > 9_000, "{returned}");
    assert!(corrected > 100, "{corrected}");
}
