//! What alarms do where claims and refunds fail, or something is bought meanwhile.

use farebox_core::amount::Amount;
use farebox_core::channel::desk::{ChannelDesk, Write};
use farebox_core::channel::errand::{ChannelErrand, Payout};
use farebox_core::channel::state::{Channel, OnChain, Purchase, RefundWish, Sight, VoucherRule};
use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::gate::session::errand::{Task, take_reply};
use farebox_core::time::UnixTime;

use super::vouchers::{ANY, DELAY, START, buy, channel, purchase, sight, units};

const DAY: u64 = 86_400;

/// A channel with its contract, a facilitator that may do none of it, and time.
struct Played {
    channel: Channel,
    now: UnixTime,
    shown: Sight,
    /// What of the claims was paid out.
    paid: Amount,
    /// Whether claims are sent; refunds never are.
    claims: bool,
    /// Whether something is bought while each claim is sent.
    is_busy: bool,
    /// The newest block, where the chain makes none.
    newest: Option<UnixTime>,
    looks: u64,
    sent: Vec<Amount>,
    refunds: u64,
}

impl Played {
    /// One that has bought for four of ten.
    fn new(rule: VoucherRule) -> Self {
        let mut channel = channel(rule, 10);
        buy(&mut channel, &purchase(Some(4), 4, 1)).unwrap();
        let (paid, sent) = (Amount::ZERO, Vec::new());
        Self {
            channel,
            now: START,
            shown: sight(10),
            paid,
            claims: true,
            is_busy: false,
            newest: None,
            looks: 0,
            sent,
            refunds: 0,
        }
    }

    /// The alarm, until nothing is due.
    fn alarm(&mut self) {
        let now = self.now;
        for _ in 0..8 {
            match self.channel.errand(now) {
                ChannelErrand::Rest(_) => return,
                ChannelErrand::Look => {
                    self.looks += 1;
                    self.channel.looked(now);
                    let at = self.newest.map_or(now, |newest| now.min(newest.plus(60)));
                    self.channel.see(Sight { at, ..self.shown });
                }
                ChannelErrand::Claim(earnings) => {
                    self.channel.attempted(now);
                    self.sent.push(earnings.total);
                    if self.is_busy {
                        self.buys();
                    }
                    if self.claims {
                        self.shown.claimed = earnings.total;
                    }
                }
                ChannelErrand::Refund(..) => {
                    self.channel.attempted(now);
                    self.refunds += 1;
                }
                ChannelErrand::PayOut => {
                    self.paid = self.shown.claimed;
                    self.channel.paid_out(Payout::Done, now);
                }
                ChannelErrand::Close(_) => panic!("nobody closes it"),
            }
        }
    }

    /// Alarms for so many seconds.
    fn passes(&mut self, secs: u64) {
        for _ in 0..secs / 5 {
            self.now = self.now.plus(5);
            // Each request of a payer who buys all the time may have the chain looked at.
            if self.is_busy {
                self.channel.see(Sight { at: self.now, ..self.shown });
            }
            self.alarm();
        }
    }

    /// Buys for one more.
    fn buys(&mut self) {
        let count = u8::try_from(self.sent.len()).unwrap();
        let purchase = purchase(Some(4 + u64::from(count)), 1, 1 + count);
        let purchase = Purchase { until: self.now.plus(60), ..purchase };
        self.channel.begin(&purchase, self.now).unwrap();
        self.channel.charge(&purchase, units(1), self.now).unwrap();
    }

    fn asks_for_refund(&mut self) {
        let wish = RefundWish { shown: units(4), amount: None, least: units(1) };
        self.channel.refund(&wish, self.now).unwrap();
    }

    fn leaves(&mut self) {
        self.shown.on_chain = OnChain::Leaving(self.now);
    }
}

// A-451
#[test]
pub fn what_is_bought_while_a_claim_is_sent_waits_for_the_next_one() {
    for rule in [VoucherRule::Exact, ANY] {
        let mut played = Played::new(rule);
        played.is_busy = true;
        played.passes(4 * DELAY + 60);
        assert_eq!(played.sent, [4, 5, 6, 7].map(units), "{rule:?}");
        // Who withdraws is claimed from at once.
        played.is_busy = false;
        played.leaves();
        played.passes(DELAY / 3 + 15);
        assert_eq!(played.shown.claimed, units(8), "{rule:?}");
    }
}

// A-452
#[test]
pub fn a_refund_that_is_never_made_keeps_no_earnings_back() {
    // Who stays is claimed from as always.
    let mut played = Played::new(VoucherRule::Exact);
    played.asks_for_refund();
    played.passes(DELAY);
    assert!(played.sent.is_empty());
    played.passes(120);
    assert_eq!((played.shown.claimed, played.paid), (units(4), units(4)));
    let before = played.refunds;
    played.passes(DAY);
    assert_eq!(played.sent.len(), 1);
    assert!(played.refunds > before + 20, "it is tried on");
    // Who withdraws is claimed from at once.
    for since in [0, DELAY / 2, 10 * DAY] {
        let mut played = Played::new(VoucherRule::Exact);
        played.claims = false;
        played.asks_for_refund();
        played.passes(since);
        played.claims = true;
        played.leaves();
        played.passes(DELAY / 3 + 45);
        assert_eq!(played.shown.claimed, units(4), "after {since}");
    }
}

// A-453
#[test]
pub fn claims_that_failed_for_days_hold_up_none_once_the_payer_withdraws() {
    for rule in [VoucherRule::Exact, ANY] {
        let mut played = Played::new(rule);
        played.claims = false;
        played.passes(3 * DAY);
        let before = played.sent.len();
        assert!(before < 400, "{before}");
        while played.sent.len() == before {
            played.passes(5);
        }
        played.claims = true;
        played.leaves();
        played.passes(DELAY / 3 + 15);
        assert_eq!(played.shown.claimed, units(4), "{rule:?}");
    }
}

// A-454
#[test]
pub fn a_refund_that_is_never_made_is_looked_for_ever_more_seldom() {
    let mut played = Played::new(VoucherRule::Exact);
    played.asks_for_refund();
    played.passes(2 * DELAY);
    let before = played.looks;
    played.passes(10 * DAY);
    let looks = played.looks - before;
    assert!((200..1_000).contains(&looks), "{looks}");
}

// A-456
#[test]
pub fn a_payer_who_withdraws_on_a_chain_that_made_no_blocks_for_a_day_is_seen_in_time() {
    let mut played = Played::new(ANY);
    // What they have signed beyond that is theirs to spend, so that nothing is claimed meanwhile.
    let more = Purchase { until: START.plus(60), ..purchase(Some(6), 1, 2) };
    buy(&mut played.channel, &more).unwrap();
    played.newest = Some(START);
    played.passes(DAY);
    assert!(played.sent.is_empty());
    let before = played.looks;
    while played.looks == before {
        played.passes(5);
    }
    played.newest = Some(played.now);
    played.leaves();
    played.passes(DELAY / 3 + 5);
    assert_eq!(played.shown.claimed, units(5));
}

// A-455
#[test]
pub fn an_empty_wallet_ends_no_looks_at_a_channel() {
    let ends = |why: &str| {
        let mut channel = channel(VoucherRule::Exact, 10);
        buy(&mut channel, &purchase(Some(4), 4, 1)).unwrap();
        channel.attempted(START.plus(5));
        channel.see(Sight { claimed: units(4), at: START.plus(10), ..sight(10) });
        channel.paid_out(Payout::Done, START.plus(10));
        let mut desk = ChannelDesk { channel: Some(channel), ..ChannelDesk::default() };
        let body = format!(r#"{{"isValid":false,"invalidReason":"{why}"}}"#);
        let reply = FacilitatorReply::Answer { status: 200, is_json: true, body };
        let now = START.plus(2_000);
        let write = take_reply(&mut desk, Task::Look, &reply, now, now);
        let is_over = desk.channel.unwrap().errand(now) == ChannelErrand::Rest(None);
        assert_eq!(write != Write::Nothing, is_over, "{why}");
        is_over
    };
    assert!(ends("invalid_batch_settlement_evm_cumulative_exceeds_balance"));
    assert!(ends("invalid_batch_settlement_evm_cumulative_exceeds_balance: 4 > 3"));
    for why in [
        "insufficient_funds",
        "invalid_batch_settlement_evm_insufficient_balance",
        "invalid_batch_settlement_evm_channel_not_found",
        "",
    ] {
        assert!(!ends(why), "{why}");
    }
}
