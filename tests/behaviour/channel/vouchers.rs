//! What a channel makes of single vouchers, charges, refunds and sights of the chain.

use farebox_core::amount::Amount;
use farebox_core::channel::config::ChannelId;
use farebox_core::channel::errand::{ChannelErrand, Payout};
use farebox_core::channel::escrow::EscrowContract;
use farebox_core::channel::refusal::ChannelRefusal;
use farebox_core::channel::state::{
    Begun, Channel, OnChain, Promise, Purchase, RefundFate, RefundWish, Sight, VoucherRule,
};
use farebox_core::channel::voucher::{CheckedVoucher, Voucher};
use farebox_core::encoding::hex;
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;

pub const START: UnixTime = UnixTime::from_secs(1_000_000);
const ID: ChannelId = ChannelId::from_bytes([7; 32]);
pub const DELAY: u64 = 900;
pub const ANY: VoucherRule = VoucherRule::Headroom { min_delta: Amount::ZERO };

pub fn units(amount: u64) -> Amount {
    Amount::from_u64(amount)
}

fn account(byte: u8) -> Account {
    Account::from_candidates([Secret::new([byte; 32])].into_iter()).unwrap()
}

/// The text of a signature by this account.
fn signed(voucher: &Voucher, by: &Account) -> String {
    let contract = EscrowContract::batch_settlement(84532);
    hex::encode_prefixed(&by.sign(&voucher.digest(&contract)).unwrap().to_bytes())
}

pub fn voucher_of(channel: ChannelId, cumulative: u64) -> CheckedVoucher {
    let (payer, voucher) = (account(1), Voucher { channel, cumulative: units(cumulative) });
    let contract = EscrowContract::batch_settlement(84532);
    voucher.check(&contract, payer.address(), &signed(&voucher, &payer)).unwrap()
}

pub fn sight(deposit: u64) -> Sight {
    Sight {
        deposit: units(deposit),
        claimed: Amount::ZERO,
        on_chain: OnChain::Open,
        refund_nonce: Amount::ZERO,
        at: START,
    }
}

pub fn channel(rule: VoucherRule, deposit: u64) -> Channel {
    Channel::seen_first(ID, rule, DELAY, sight(deposit))
}

pub fn purchase(cumulative: Option<u64>, price: u64, request: u8) -> Purchase {
    Purchase {
        voucher: cumulative.map(|cumulative| voucher_of(ID, cumulative)),
        price: units(price),
        request: [request; 32],
        until: START.plus(60),
        mark: None,
    }
}

pub fn buy(channel: &mut Channel, purchase: &Purchase) -> Result<Amount, ChannelRefusal> {
    channel.begin(purchase, START)?;
    Ok(channel.charge(purchase, purchase.price, START)?.charged)
}

#[test]
pub fn a_voucher_of_another_signer_or_chain_is_refused() {
    let (payer, thief) = (account(1), account(2));
    let voucher = Voucher { channel: ID, cumulative: units(5) };
    let contract = EscrowContract::batch_settlement(84532);
    let by = |who: &Account| signed(&voucher, who);
    assert!(voucher.check(&contract, payer.address(), &by(&payer)).is_ok());
    let elsewhere = EscrowContract::batch_settlement(1);
    let other = EscrowContract { address: Address::ZERO, ..contract };
    for (contract, signature) in
        [(contract, by(&thief)), (elsewhere, by(&payer)), (other, by(&payer))]
    {
        let checked = voucher.check(&contract, payer.address(), &signature);
        assert_eq!(checked, Err(ChannelRefusal::SignatureInvalid), "{contract:?}");
    }
    let wide = Voucher { cumulative: Amount::MAX, ..voucher };
    let checked = wide.check(&contract, payer.address(), &signed(&wide, &payer));
    assert_eq!(checked, Err(ChannelRefusal::Malformed), "more than 128 bits");
}

//
#[test]
pub fn a_voucher_of_another_channel_is_refused() {
    let stranger = voucher_of(ChannelId::from_bytes([8; 32]), 1);
    for rule in [VoucherRule::Exact, ANY] {
        let mut channel = channel(rule, 10);
        let asked = Purchase { voucher: Some(stranger), ..purchase(None, 1, 1) };
        assert_eq!(channel.begin(&asked, START), Err(ChannelRefusal::NotFound), "{rule:?}");
        assert_eq!(channel.accept(&stranger, START), Err(ChannelRefusal::NotFound), "{rule:?}");
    }
}

//
#[test]
pub fn a_voucher_that_falls_is_refused_and_the_highest_stays() {
    let mut channel = channel(ANY, 10);
    assert_eq!(channel.accept(&voucher_of(ID, 5), START), Ok(()));
    assert_eq!(channel.accept(&voucher_of(ID, 4), START), Err(ChannelRefusal::Decreasing));
    assert_eq!(channel.accepted(), units(5));
    assert_eq!(channel.evidence().unwrap().cumulative, units(5));
}

//
#[test]
pub fn a_voucher_above_the_deposit_is_refused() {
    for rule in [VoucherRule::Exact, ANY] {
        let mut channel = channel(rule, 3);
        let asked = purchase(Some(4), 4, 1);
        assert_eq!(channel.begin(&asked, START), Err(ChannelRefusal::AboveDeposit), "{rule:?}");
        channel.see(sight(4));
        assert_eq!(channel.begin(&asked, START), Ok(Begun::Held), "{rule:?}, after a top-up");
    }
}

#[test]
pub fn each_request_brings_what_was_charged_and_its_price() {
    let mut channel = channel(VoucherRule::Exact, 10);
    assert_eq!(buy(&mut channel, &purchase(Some(2), 2, 1)), Ok(units(2)));
    for cumulative in [1, 2, 3, 5] {
        let refused = buy(&mut channel, &purchase(Some(cumulative), 2, 2));
        assert_eq!(refused, Err(ChannelRefusal::CumulativeMismatch), "{cumulative}");
    }
    let none = buy(&mut channel, &purchase(None, 2, 2));
    assert_eq!(none, Err(ChannelRefusal::CumulativeMismatch));
    assert_eq!(buy(&mut channel, &purchase(Some(4), 2, 2)), Ok(units(2)));
}

#[test]
pub fn the_same_request_again_has_the_same_answer_and_costs_nothing() {
    for rule in [VoucherRule::Exact, ANY] {
        let mut channel = channel(rule, 10);
        let asked = purchase(Some(2), 2, 1);
        assert_eq!(buy(&mut channel, &asked), Ok(units(2)), "{rule:?}");
        let last = *channel.last().unwrap();
        assert_eq!(channel.begin(&asked, START), Ok(Begun::Repeated(last)), "{rule:?}");
        assert_eq!(channel.charge(&asked, units(2), START), Ok(last), "{rule:?}");
        // Also after the row was read again, and when it sells no more.
        let mut read = Channel::from_row(&channel.to_row()).unwrap();
        read.see(Sight { on_chain: OnChain::Leaving(START), ..sight(10) });
        assert_eq!(read.begin(&asked, START), Ok(Begun::Repeated(last)), "{rule:?}");
        assert_eq!(read.spent(), units(2), "{rule:?}");
    }
}

//
#[test]
pub fn a_voucher_that_was_charged_pays_for_no_other_request() {
    let mut channel = channel(VoucherRule::Exact, 10);
    assert_eq!(buy(&mut channel, &purchase(Some(2), 2, 1)), Ok(units(2)));
    let other = purchase(Some(2), 2, 2);
    assert_eq!(channel.begin(&other, START), Err(ChannelRefusal::CumulativeMismatch));
}

#[test]
pub fn less_than_the_price_is_charged_and_never_more() {
    let mut channel = channel(VoucherRule::Exact, 10);
    let asked = purchase(Some(5), 5, 1);
    channel.begin(&asked, START).unwrap();
    assert_eq!(channel.charge(&asked, units(6), START), Err(ChannelRefusal::AboveCharge));
    assert_eq!(channel.charge(&asked, units(3), START).unwrap().charged, units(3));
    assert_eq!((channel.spent(), channel.accepted()), (units(3), units(5)));
    // What is claimed is what was charged, proven by the higher voucher.
    let earnings = channel.earnings().unwrap();
    assert_eq!((earnings.total, earnings.evidence.cumulative), (units(3), units(5)));
    // The next voucher begins at the charge; a cheaper request may bring one below the highest.
    assert_eq!(buy(&mut channel, &purchase(Some(4), 1, 2)), Ok(units(1)));
    assert_eq!(channel.accepted(), units(5));
}

#[test]
pub fn a_voucher_that_was_charged_nothing_pays_for_the_next_request() {
    let mut channel = channel(VoucherRule::Exact, 10);
    let asked = purchase(Some(5), 5, 1);
    channel.begin(&asked, START).unwrap();
    assert_eq!(channel.charge(&asked, Amount::ZERO, START).unwrap().charged, Amount::ZERO);
    assert_eq!(channel.begin(&asked, START), Ok(Begun::Held));
    assert!(channel.earnings().is_none());
}

#[test]
pub fn an_answer_of_the_chain_that_comes_late_changes_nothing() {
    let mut channel = channel(ANY, 4);
    let after = Sight { refund_nonce: units(1), at: START.plus(10), ..sight(2) };
    channel.see(after);
    for late in [sight(4), Sight { at: START.plus(20), ..sight(4) }] {
        channel.see(late);
        assert_eq!(channel.sight(), &after, "{late:?}");
    }
    channel.see(Sight { at: START.plus(20), deposit: units(3), ..after });
    assert_eq!(channel.available(), units(3));
}

#[test]
pub fn a_claim_that_the_chain_undoes_is_sent_again() {
    let mut channel = channel(ANY, 4);
    buy(&mut channel, &purchase(Some(3), 3, 1)).unwrap();
    channel.see(Sight { claimed: units(3), at: START.plus(1), ..sight(4) });
    assert_eq!(channel.errand(START.plus(5)), ChannelErrand::Rest(None));
    // A node that is behind shows the same for a while.
    channel.see(Sight { at: START.plus(60), ..sight(4) });
    assert!(channel.earnings().is_none());
    channel.see(Sight { at: START.plus(61), ..sight(4) });
    assert_eq!(channel.earnings().unwrap().total, units(3));
    let ChannelErrand::Rest(Some(next)) = channel.errand(START.plus(65)) else {
        panic!("it is due")
    };
    assert!(next <= START.plus(61 + DELAY), "{next:?}");
}

//
#[test]
pub fn what_is_seen_long_after_it_was_sent_is_watched_from_then_on() {
    let mut channel = channel(VoucherRule::Exact, 10);
    buy(&mut channel, &purchase(Some(3), 3, 1)).unwrap();
    channel.attempted(START.plus(1_000));
    // It hung for an hour, for want of gas.
    let seen = START.plus(4_600);
    channel.see(Sight { claimed: units(3), at: seen, ..sight(10) });
    channel.paid_out(Payout::Done, seen);
    assert_eq!(channel.errand(seen.plus(1)), ChannelErrand::Rest(Some(seen.plus(900))));
    assert_eq!(channel.errand(seen.plus(900)), ChannelErrand::Look);
    let undone = seen.plus(900);
    channel.see(Sight { at: undone, ..sight(10) });
    assert!(matches!(channel.errand(undone.plus(DELAY)), ChannelErrand::Claim(_)));
}

#[test]
pub fn a_deposit_that_the_chain_undoes_pays_for_nothing_more() {
    let mut channel = channel(ANY, 10);
    buy(&mut channel, &purchase(Some(8), 1, 1)).unwrap();
    channel.see(Sight { at: START.plus(61), ..sight(3) });
    let price = |price, request| purchase(None, price, request);
    let refused = channel.begin(&price(3, 2), START.plus(61));
    assert_eq!(refused, Err(ChannelRefusal::InsufficientHeadroom));
    assert_eq!(channel.begin(&price(2, 2), START.plus(61)), Ok(Begun::Held));
}

fn refund(
    channel: &mut Channel,
    shown: u64,
    amount: Option<u64>,
    after_secs: u64,
) -> Result<RefundFate, ChannelRefusal> {
    let wish = RefundWish { shown: units(shown), amount: amount.map(units), least: units(2) };
    channel.refund(&wish, START.plus(after_secs))
}

#[test]
pub fn a_part_is_paid_back_if_it_is_worth_it_and_its_voucher_is_not_public() {
    let mut channel = channel(VoucherRule::Exact, 10);
    assert_eq!(refund(&mut channel, 0, None, 0), Err(ChannelRefusal::RefundAmount), "unused");
    buy(&mut channel, &purchase(Some(4), 4, 1)).unwrap();
    assert_eq!(refund(&mut channel, 4, Some(1), 0), Err(ChannelRefusal::RefundAmount), "dust");
    let part = Promise { nonce: Amount::ZERO, amount: units(2) };
    let fate = refund(&mut channel, 4, Some(2), 0);
    assert_eq!(fate, Ok(RefundFate::Promised(part)));
    let after = Sight { refund_nonce: units(1), claimed: units(4), ..sight(8) };
    channel.see(Sight { at: START.plus(1), ..after });
    // Its voucher went to the chain with it.
    for amount in [Some(3), Some(4), None] {
        assert_eq!(refund(&mut channel, 4, amount, 3_599), Err(ChannelRefusal::Published));
    }
    assert_eq!(refund(&mut channel, 4, Some(2), 1), Ok(RefundFate::Repeated(part)));
    channel.see(Sight { at: START.plus(3_600), ..after });
    assert_eq!(refund(&mut channel, 4, Some(3), 3_600), Err(ChannelRefusal::RefundAmount));
    let rest = Promise { nonce: units(1), amount: units(4) };
    assert_eq!(refund(&mut channel, 4, None, 3_600), Ok(RefundFate::Promised(rest)));
}

#[test]
fn what_the_chain_shows_as_claimed_is_published_whoever_has_claimed_it() {
    let mut channel = channel(VoucherRule::Exact, 10);
    buy(&mut channel, &purchase(Some(4), 4, 1)).unwrap();
    channel.see(Sight { claimed: units(6), at: START.plus(1), ..sight(10) });
    assert_eq!(refund(&mut channel, 6, None, 1), Err(ChannelRefusal::Published));
    // It was read, though the chain undoes it.
    channel.see(Sight { at: START.plus(90), ..sight(10) });
    assert_eq!(refund(&mut channel, 6, None, 90), Err(ChannelRefusal::Published));
}

//
#[test]
pub fn a_refund_is_one_promise_until_its_nonce_is_used() {
    let mut channel = channel(VoucherRule::Exact, 10);
    buy(&mut channel, &purchase(Some(4), 4, 1)).unwrap();
    assert_eq!(refund(&mut channel, 4, Some(7), 0), Err(ChannelRefusal::RefundAmount));
    assert_eq!(refund(&mut channel, 3, None, 0), Err(ChannelRefusal::CumulativeMismatch));
    let promised = refund(&mut channel, 4, None, 0);
    let promise = Promise { nonce: Amount::ZERO, amount: units(6) };
    assert_eq!(promised, Ok(RefundFate::Promised(promise)));
    // It is on its way; later the same wish is the same promise.
    assert_eq!(refund(&mut channel, 4, None, 14), Err(ChannelRefusal::Busy));
    assert_eq!(refund(&mut channel, 4, None, 15), promised);
    assert_eq!(refund(&mut channel, 4, Some(4), 30), Err(ChannelRefusal::Busy));
    // Nothing that is promised is spent.
    let asked = purchase(Some(5), 1, 2);
    assert_eq!(channel.begin(&asked, START), Err(ChannelRefusal::AboveDeposit));
    let after = Sight { refund_nonce: units(1), claimed: units(4), ..sight(4) };
    channel.see(Sight { at: START.plus(1), ..after });
    assert!(channel.promised().is_none());
    // Whoever has lost the answer has it again.
    assert_eq!(refund(&mut channel, 4, None, 1), Ok(RefundFate::Repeated(promise)));
    assert_eq!(refund(&mut channel, 4, Some(4), 1), Err(ChannelRefusal::NoBalance));
    channel.see(Sight { refund_nonce: units(1), at: START.plus(2), ..sight(9) });
    assert_eq!(channel.begin(&asked, START.plus(2)), Ok(Begun::Held), "after a new deposit");
}

#[test]
pub fn what_was_added_to_a_deposit_is_paid_back_once_it_is_not_undone() {
    let mut channel = channel(VoucherRule::Exact, 10);
    buy(&mut channel, &purchase(Some(4), 4, 1)).unwrap();
    channel.see(Sight { at: START.plus(1), ..sight(15) });
    assert_eq!(refund(&mut channel, 4, Some(7), 1), Err(ChannelRefusal::RefundLater));
    // Everything is what would be left if the chain undid the five.
    let first = Promise { nonce: Amount::ZERO, amount: units(6) };
    assert_eq!(refund(&mut channel, 4, None, 1), Ok(RefundFate::Promised(first)));
    assert_eq!(channel.available(), units(9));
    let after = Sight { refund_nonce: units(1), claimed: units(4), ..sight(9) };
    channel.see(Sight { at: START.plus(2), ..after });
    assert_eq!(refund(&mut channel, 4, None, 2), Ok(RefundFate::Repeated(first)));
    assert_eq!(refund(&mut channel, 4, Some(5), 2), Err(ChannelRefusal::RefundLater));
    channel.see(Sight { at: START.plus(900), ..after });
    assert_eq!(refund(&mut channel, 4, Some(5), 900), Err(ChannelRefusal::RefundLater));
    assert_eq!(refund(&mut channel, 4, Some(5), 901), Err(ChannelRefusal::Stale), "it is due");
    channel.see(Sight { at: START.plus(901), ..after });
    let rest = Promise { nonce: units(1), amount: units(5) };
    assert_eq!(refund(&mut channel, 4, None, 901), Ok(RefundFate::Promised(rest)));
}

#[test]
pub fn refunds_that_the_chain_undoes_are_kept_for_who_has_their_signatures() {
    let mut channel = channel(VoucherRule::Exact, 10);
    buy(&mut channel, &purchase(Some(2), 2, 1)).unwrap();
    let promise = |nonce, amount| Promise { nonce: units(nonce), amount: units(amount) };
    assert_eq!(refund(&mut channel, 2, Some(4), 0), Ok(RefundFate::Promised(promise(0, 4))));
    channel.see(Sight { refund_nonce: units(1), at: START.plus(1), ..sight(6) });
    buy(&mut channel, &purchase(Some(3), 1, 3)).unwrap();
    assert_eq!(refund(&mut channel, 3, None, 1), Ok(RefundFate::Promised(promise(1, 3))));
    // A node may be behind for a minute; then the first one is undone.
    channel.see(Sight { at: START.plus(60), ..sight(10) });
    assert_eq!(channel.sight().refund_nonce, units(1));
    channel.see(Sight { at: START.plus(61), ..sight(10) });
    assert_eq!((channel.promised(), channel.available()), (Some(&promise(0, 4)), units(3)));
    let mut channel = Channel::from_row(&channel.to_row()).unwrap();
    let asked = Purchase { until: START.plus(90), ..purchase(Some(4), 1, 2) };
    assert_eq!(channel.begin(&asked, START.plus(61)), Err(ChannelRefusal::AboveDeposit));
    assert_eq!(
        channel.errand(START.plus(90)),
        ChannelErrand::Refund(promise(0, 4), channel.earnings())
    );
    channel.see(Sight { refund_nonce: units(1), at: START.plus(91), ..sight(6) });
    assert_eq!((channel.promised(), channel.available()), (Some(&promise(1, 3)), units(3)));
    channel.see(Sight { refund_nonce: units(2), at: START.plus(92), ..sight(3) });
    assert_eq!((channel.promised(), channel.available()), (None, units(3)));
    assert_eq!(refund(&mut channel, 3, Some(3), 92), Ok(RefundFate::Repeated(promise(1, 3))));
}

#[test]
fn what_is_left_of_a_firm_deposit_is_not_paid_back_by_crumbs() {
    let mut channel = channel(VoucherRule::Exact, 5);
    buy(&mut channel, &purchase(Some(4), 4, 1)).unwrap();
    channel.see(sight(15));
    assert_eq!(refund(&mut channel, 4, None, 0), Err(ChannelRefusal::RefundLater));
    assert_eq!(refund(&mut channel, 4, None, 899), Err(ChannelRefusal::RefundLater));
    assert_eq!(refund(&mut channel, 4, None, 900), Err(ChannelRefusal::Stale));
}

#[test]
pub fn a_close_takes_the_last_voucher_and_ends_the_sale() {
    let mut channel = channel(ANY, 100);
    buy(&mut channel, &purchase(Some(30), 10, 1)).unwrap();
    let low = voucher_of(ID, 20);
    assert_eq!(channel.close(&low, Amount::ZERO, START), Err(ChannelRefusal::Decreasing));
    assert_eq!(channel.close(&voucher_of(ID, 30), Amount::ZERO, START), Ok(()));
    assert_eq!(channel.begin(&purchase(None, 1, 2), START), Err(ChannelRefusal::Closing));
    let ChannelErrand::Close(Some(earnings)) = channel.errand(START) else { panic!("it is due") };
    // Of a deposit of 100, the contract pays back 70.
    assert_eq!(earnings.evidence.cumulative, units(30));
    channel.see(Sight { on_chain: OnChain::Finalized, at: START.plus(1), ..sight(100) });
    assert_eq!(channel.begin(&purchase(None, 1, 2), START), Err(ChannelRefusal::Finalized));
    assert_eq!(channel.errand(START.plus(2)), ChannelErrand::Rest(None));
}

#[test]
pub fn a_row_is_read_as_it_was_written() {
    let mut states = vec![channel(VoucherRule::Exact, 10), channel(ANY, 10)];
    let mut bought = channel(VoucherRule::Exact, 10);
    buy(&mut bought, &purchase(Some(4), 4, 1)).unwrap();
    refund(&mut bought, 4, None, 0).unwrap();
    bought.attempted(START.plus(3));
    states.push(bought.clone());
    let mut refunded = bought.clone();
    refunded.see(Sight { refund_nonce: units(1), at: START.plus(9), ..sight(4) });
    states.push(refunded);
    // A row of an earlier version, which has no voucher that was sent.
    let row = bought.to_row();
    let older = row.rsplitn(4, '\n').last().unwrap();
    let older = Channel::from_row(older).unwrap();
    assert_eq!((older.sent(), older.published()), (None, units(4)));
    assert_eq!(bought.sent(), bought.evidence().map(|sent| (*sent, units(4))));
    bought.see(Sight { on_chain: OnChain::Leaving(START), at: START.plus(9), ..sight(10) });
    states.push(bought);
    // Its mark has no prefix in a row of an earlier version.
    let mut marked = channel(VoucherRule::Exact, 10);
    let charged = Purchase { mark: Some([0xab; 16]), ..purchase(Some(4), 4, 1) };
    buy(&mut marked, &charged).unwrap();
    let row = marked.to_row();
    let (rest, mark) = row.rsplit_once('\n').unwrap();
    assert_eq!(mark, format!("0x{}", "ab".repeat(16)));
    let older = format!("{rest}\n{}", "ab".repeat(16));
    assert_eq!(Channel::from_row(&older), Some(marked.clone()));
    states.push(marked);
    let mut closed = channel(ANY, 10);
    buy(&mut closed, &purchase(Some(4), 4, 1)).unwrap();
    closed.close(&voucher_of(ID, 4), Amount::ZERO, START).unwrap();
    closed.see(Sight { on_chain: OnChain::Finalized, at: START.plus(1), ..sight(10) });
    states.push(closed);
    let mut added = channel(ANY, 10);
    added.see(Sight { at: START.plus(1), ..sight(12) });
    added.see(Sight { at: START.plus(2), ..sight(14) });
    states.push(added.clone());
    buy(&mut added, &purchase(Some(11), 4, 1)).unwrap();
    states.push(added.clone());
    added.see(Sight { at: START.plus(3), ..sight(16) });
    states.push(added);
    for state in states {
        assert_eq!(Channel::from_row(&state.to_row()), Some(state));
    }
    assert_eq!(Channel::from_row("{}"), None);
}

#[test]
fn no_facilitator_says_that_a_channel_is_closed_for_ever() {
    use farebox_core::channel::messages::SightText;
    use serde_json::json;

    let said = |withdraws: u64| {
        let state = json!({
            "channelId": ID.to_string(), "balance": "100", "totalClaimed": "20",
            "withdrawRequestedAt": withdraws, "refundNonce": "0",
        });
        SightText::of_facilitator(&state, ID, START).map(|text| text.read().unwrap().on_chain)
    };
    assert_eq!(said(0), Some(OnChain::Open));
    assert_eq!(said(1_000), Some(OnChain::Leaving(UnixTime::from_secs(1_000))));
    assert_eq!(said(u64::MAX - 1), Some(OnChain::Leaving(UnixTime::from_secs(u64::MAX - 1))));
    assert_eq!(said(u64::MAX), None);
}
