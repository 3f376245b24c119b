//! A round of what an account sends: a node is asked what is mined, and told what is sent next.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::call::{ChannelCheck, Haste, PayoutCall};
use super::replies::RoundReplies;
use super::sent::SentCall;
use super::{PayeeQueue, QueuePlace};
use farebox_base::amount::Amount;
use farebox_base::sorted::by_rank;
use farebox_base::time::UnixTime;
use farebox_evm::account::Account;
use farebox_evm::address::Address;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{At, Call, batch};

impl PayeeQueue {
    /// Asks a node what is mined, and what the contract shows of the channels whose turn it is: the
    /// network and the body. `None` if nothing is to be sent by this account.
    pub fn question(&mut self, payee: Address) -> Option<(String, String)> {
        self.places.retain(|place| place.call.payee == payee);
        self.places = by_rank(core::mem::take(&mut self.places), QueuePlace::rank);
        let chain_id = self.chain_id()?;
        let mut calls = Vec::from([
            Call::ChainId,
            Call::Block(At::Latest),
            Call::TransactionCount { account: payee, at: At::Latest },
            Call::TransactionCount { account: payee, at: At::Pending },
            Call::Wei { account: payee, at: At::Latest },
            Call::Tip,
        ]);
        self.asked.clear();
        let turns = self.places.iter().take(self.width());
        for QueuePlace { call, sent, .. } in turns {
            // What became of a payout, the channel sees.
            if sent.is_some() && call.funds.is_none() {
                continue;
            }
            self.asked.push((call.channel, ChannelCheck::Standing));
            calls.push(call.standing());
            if let Some(trial) = call.trial().filter(|_| sent.is_none()) {
                self.asked.push((call.channel, ChannelCheck::Trial));
                calls.push(trial);
            }
        }
        self.landed.begin();
        for (call, look) in self.landed.looks() {
            self.asked.push((call.channel, ChannelCheck::Standing));
            calls.push(call.standing());
            if let Some((check, look)) = look {
                self.asked.push((call.channel, check));
                calls.push(look);
            }
        }
        Some((["eip155:", &chain_id.to_string()].concat(), batch(&calls)))
    }

    /// Takes the node's answer: the body that sends what is due. What comes of it, the next answer
    /// tells.
    pub fn told(&mut self, reply: &str, payee: &Account, now: UnixTime) -> Option<String> {
        let asked = core::mem::take(&mut self.asked);
        let replies = Replies::read(reply.as_bytes(), asked.len().checked_add(BEFORE)?).ok()?;
        if replies.quantity(0).ok()? != self.chain_id()? {
            return None;
        }
        let account = ShownAccount::read(&replies)?;
        for place in &mut self.places {
            place.sent = place.sent.filter(|sent| !account.is_far(sent.nonce));
        }
        let shown = RoundReplies::new(&asked, &replies, BEFORE);
        self.take_mined(&shown, account.mined, payee, now);
        self.landed.take(&shown, now);
        self.unblock(account.mined);
        let fresh = self.fresh_call(&replies, &account, now)?;
        let cost = fresh.cost()?;
        let held = self.make_way(account.wei, cost)?;
        self.places = by_rank(core::mem::take(&mut self.places), QueuePlace::rank);
        self.send_due(&account, fresh, held, payee, now)
    }

    /// Removes the calls that came to an end: what a nonce came to, the channel sees. One that is
    /// given up would hold up all after it.
    fn take_mined(&mut self, shown: &RoundReplies<'_>, mined: u64, payee: &Account, now: UnixTime) {
        for QueuePlace { call, sent, before, is_proven } in core::mem::take(&mut self.places) {
            let channel = &call.channel;
            let before = match (sent, &call.funds) {
                (Some(sent), None) if sent.nonce < mined => continue,
                (Some(sent), Some(_)) if sent.nonce < mined => {
                    let hash = call.sign(&sent, payee).map(|signed| signed.hash);
                    self.landed.add(call, before.unwrap_or(Amount::ZERO), hash, now);
                    continue;
                }
                (None, None) if shown.standing(channel).is_some_and(|it| call.is_done(it)) => {
                    continue;
                }
                (Some(_), _) | (None, None) => before,
                // One that would fail brings nothing, and costs gas.
                (None, Some(_)) => match shown.trial(channel) {
                    Some(Err(RpcError::Reverted)) => {
                        continue;
                    }
                    Some(Ok(_)) => shown.standing(channel).map(|it| it.deposit),
                    Some(Err(_)) | None => None,
                },
            };
            self.places.push(QueuePlace { call, sent, before, is_proven });
        }
    }

    /// A call with the next nonce, at today's price.
    fn fresh_call(
        &self,
        replies: &Replies,
        account: &ShownAccount,
        now: UnixTime,
    ) -> Option<SentCall> {
        // Not every node has it.
        let least = replies.wei(5).unwrap_or(MIN_TIP).clamp(MIN_TIP, MAX_TIP);
        let tip = account.base.checked_div_u64(10)?.max(least);
        let max_fee = account.base.checked_mul_u64(2)?.checked_add(tip)?;
        let used = self.places.iter().filter_map(|it| it.sent?.nonce.checked_add(1)).max();
        let nonce = account.waiting.max(account.mined).max(used.unwrap_or_default());
        Some(SentCall { nonce, tip, max_fee, repeats: 0, at: now })
    }

    /// Rooms for deposits of strangers, and for others.
    fn rooms(&self, now: UnixTime) -> [usize; 2] {
        [false, true].map(|is_proven| {
            let waits = |place: &&QueuePlace| {
                place.sent.is_some() && place.call.funds.is_some() && place.is_proven == is_proven
            };
            self.landed.room(is_proven, self.places.iter().filter(waits).count(), now)
        })
    }

    /// The body that sends what is due, where calls with a nonce hold so much of the account.
    fn send_due(
        &mut self,
        account: &ShownAccount,
        mut fresh: SentCall,
        mut held: Amount,
        payee: &Account,
        now: UnixTime,
    ) -> Option<String> {
        let cost = fresh.cost()?;
        // The first one holds up the others, which are raised as far as it was.
        let (mut lead, mut raises) = (fresh, MAX_RAISES);
        let (mut left, mut calls) = (account.wei, Vec::new());
        self.lacks = None;
        let width = self.width();
        let mut rooms = self.rooms(now);
        for place in self.places.iter_mut().take(width) {
            let is_untried = place.call.funds.is_some() && place.before.is_none();
            let [strangers, others] = &mut rooms;
            let room = if place.is_strangers() { strangers } else { others };
            let is_full = place.call.funds.is_some() && *room == 0;
            if place.sent.is_none() && (is_untried || is_full) {
                continue;
            }
            let needed = match place.call.call {
                PayoutCall::Deposit => cost.checked_mul_u64(RESERVED)?,
                PayoutCall::Settle | PayoutCall::Close => cost,
            };
            let next = match place.sent {
                Some(sent) => {
                    held = held.checked_sub(sent.cost()?)?;
                    let spare = left.checked_sub(held).unwrap_or(Amount::ZERO);
                    let next = if now < sent.at.plus(REPEAT_SECS) {
                        Some(sent)
                    } else {
                        let again = sent.again(lead, raises)?;
                        sent.within(spare, left, again, fresh, account.base)
                    };
                    let first = next.unwrap_or(sent);
                    lead.tip = lead.tip.max(first.tip);
                    lead.max_fee = lead.max_fee.max(first.max_fee);
                    raises = 0;
                    next
                }
                None => Some(fresh).filter(|_| needed <= left),
            };
            let Some(next) = next else {
                // A node refuses it.
                self.lacks = needed.checked_sub(left);
                break;
            };
            left = left.checked_sub(next.cost()?).unwrap_or(Amount::ZERO);
            if place.sent.is_none() {
                fresh.nonce = fresh.nonce.checked_add(1)?;
                *room = room.saturating_sub(usize::from(place.call.funds.is_some()));
            }
            if place.sent != Some(next) {
                calls.push(Call::Send(place.call.sign(&next, payee)?.bytes));
                place.sent = Some(next);
            }
        }
        (!calls.is_empty()).then(|| batch(&calls))
    }

    /// How many calls have their turn, in the order of ranks.
    fn width(&self) -> usize {
        let is_urgent =
            |place: &&QueuePlace| place.sent.is_some() || place.call.haste == Haste::Leaving;
        self.places.iter().take_while(is_urgent).count().clamp(AT_ONCE, AT_ONCE_URGENT)
    }

    /// Gives the nonces of payers who stay to those who withdraw, where the account cannot pay for
    /// both at this cost. Returns the wei that all calls with a nonce hold of the account.
    fn make_way(&mut self, wei: Amount, cost: Amount) -> Option<Amount> {
        let costs = self.places.iter().filter_map(|it| it.sent?.cost());
        let held =
            costs.fold(Amount::ZERO, |sum, cost| sum.checked_add(cost).unwrap_or(Amount::MAX));
        let mut rest = wei.checked_sub(held).unwrap_or(Amount::ZERO);
        let is_next = |it: &QueuePlace| it.sent.is_none() && it.call.haste == Haste::Leaving;
        let mut lacking: usize = 0;
        for _ in self.places.iter().filter(|it| is_next(it)) {
            match rest.checked_sub(cost) {
                Some(less) => rest = less,
                None => lacking = lacking.checked_add(1)?,
            }
        }
        let stays = self.places.iter_mut().filter(|it| it.call.haste == Haste::Staying);
        let nonces: Vec<_> = stays.filter_map(|it| it.sent.take()).take(lacking).collect();
        for (place, sent) in self.places.iter_mut().filter(|it| is_next(it)).zip(nonces) {
            place.sent = Some(SentCall { at: UnixTime::from_secs(0), ..sent });
        }
        Some(held)
    }

    /// Moves the last call to the nonce of a transaction that another program sent with this
    /// account and that may never be mined, so that the calls between are mined.
    fn unblock(&mut self, mined: u64) {
        let sent = |place: &&mut QueuePlace| place.sent.map_or(0, |sent| sent.nonce);
        let lowest = self.places.iter().filter_map(|it| it.sent).min_by_key(|sent| sent.nonce);
        let is_stuck = lowest.is_some_and(|it| it.nonce > mined && it.repeats >= STUCK_REPEATS);
        let last = self.places.iter_mut().filter(|it| it.sent.is_some()).max_by_key(sent);
        if is_stuck
            && let Some(SentCall { nonce, at, .. }) = last.and_then(|place| place.sent.as_mut())
        {
            (*nonce, *at) = (mined, UnixTime::from_secs(0));
        }
    }
}

/// An account as a node shows it.
struct ShownAccount {
    /// The base fee of the newest block.
    base: Amount,
    /// The nonce after those in blocks.
    mined: u64,
    /// The nonce after those that wait.
    waiting: u64,
    wei: Amount,
}

impl ShownAccount {
    fn read(replies: &Replies) -> Option<Self> {
        let base = replies.base_fee(1).ok()?.unwrap_or(Amount::ZERO);
        let (mined, waiting) = (replies.quantity(2).ok()?, replies.quantity(3).ok()?);
        let wei = replies.wei(4).ok()?;
        let mut shown = Self { base, mined, waiting, wei };
        if shown.is_far(waiting) {
            shown.waiting = mined;
        }
        Some(shown)
    }

    /// Whether this nonce is none of the queue's: a node that once showed another count has given
    /// nonces whose turn never comes.
    const fn is_far(&self, nonce: u64) -> bool {
        nonce > self.mined.saturating_add(FAR_NONCES)
    }
}

/// Nonces beyond the last one in a block that are none of this queue's.
const FAR_NONCES: u64 = 512;
/// Calls of a question before those about channels.
const BEFORE: usize = 6;
/// Calls that wait for blocks at once: nodes take so many of one account.
const AT_ONCE: usize = 16;
/// The same where payers withdraw.
const AT_ONCE_URGENT: usize = 64;
/// Calls that the account can pay for if a deposit is sent: what pays out comes first.
const RESERVED: u64 = 16;
/// Seconds after which a call is sent again at a higher price.
const REPEAT_SECS: u64 = 15;
/// Raises of a price, each by an eighth.
const MAX_RAISES: u64 = 20;
/// Repeats after which the nonce before counts as one that is never mined.
const STUCK_REPEATS: u64 = 8;
/// The least for a block's producer, wei for a unit of gas.
const MIN_TIP: Amount = Amount::from_u64(1_000_000);
/// The most of it that a node is believed to ask for.
const MAX_TIP: Amount = Amount::from_u64(100_000_000_000);
