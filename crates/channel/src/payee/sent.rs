//! The nonce and fees at which a call of the payee was sent, and those at which it is sent next.

use alloc::string::{String, ToString};

use crate::onchain::GAS;
use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_base::time::UnixTime;
use farebox_evm::rpc::reply::MAX_REPLY_BYTES;

/// How a call was sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentCall {
    pub(super) nonce: u64,
    pub(super) tip: Amount,
    pub(super) max_fee: Amount,
    /// How often since the first time.
    pub(super) repeats: u64,
    pub(super) at: UnixTime,
}

impl SentCall {
    pub(super) fn to_text(self) -> String {
        let Self { nonce, tip, max_fee, repeats, at } = self;
        let numbers = [nonce, repeats, at.secs()].map(|it| it.to_string()).join(" ");
        [numbers, tip.to_string(), max_fee.to_string()].join(" ")
    }

    pub(super) fn read<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (nonce, repeats, at) = (number()?, number()?, UnixTime::from_secs(number()?));
        let mut amount = || Amount::from_atomic(fields.next()?).ok();
        Some(Self { nonce, repeats, at, tip: amount()?, max_fee: amount()? })
    }

    /// The same nonce at a price for which a node replaces what it has: so many times of itself,
    /// then where the price asked for now is as high.
    pub(super) fn again(self, fresh: Self, raises: u64) -> Option<Self> {
        let raised = |fee: Amount| {
            fee.checked_add(fee.checked_div_u64(8)?)?.checked_add(Amount::from_u64(1))
        };
        let (tip, max_fee) = (raised(self.tip)?, raised(self.max_fee)?);
        let is_above = fresh.tip >= tip || fresh.max_fee >= max_fee;
        if self.repeats >= raises && !is_above {
            return Some(Self { at: fresh.at, ..self });
        }
        Some(Self {
            nonce: self.nonce,
            tip: tip.max(fresh.tip),
            max_fee: max_fee.max(fresh.max_fee),
            repeats: self.repeats.saturating_add(u64::from(self.repeats < raises)),
            at: fresh.at,
        })
    }

    /// How it is sent again with what is left in the account, and what of that no other call has.
    pub(super) fn within(
        self,
        spare: Amount,
        left: Amount,
        again: Self,
        fresh: Self,
        base: Amount,
    ) -> Option<Self> {
        let can_be_mined = self.max_fee >= base;
        let prices = [
            (again, spare),
            (Self { at: again.at, ..self }, if can_be_mined { left } else { Amount::ZERO }),
            // It holds up the others, so that they have to wait for what it takes.
            (again, left),
            (Self { nonce: self.nonce, ..fresh }, left),
        ];
        let fits = |(it, most): &(Self, Amount)| it.cost().is_some_and(|cost| cost <= *most);
        let is_paid = |it: &_| fits(it);
        prices.into_iter().find(is_paid).map(|(it, _)| it)
    }

    /// The most that it takes of the account, wei.
    pub(super) fn cost(&self) -> Option<Amount> {
        self.max_fee.checked_mul_u64(GAS)
    }
}

/// A node's refusal of a transaction, cut short. That it has the transaction already, or that a
/// block has its nonce, is no refusal.
#[must_use]
pub fn refusal(reply: &str) -> Option<String> {
    let reply = json::parse_with(reply.as_bytes(), MAX_REPLY_BYTES).ok()?;
    reply.as_array()?.iter().find_map(|answer| {
        let message = answer.get("error")?.get("message")?.as_str()?;
        let words = message.to_ascii_lowercase();
        let has_it = words.starts_with("known") || words.contains("already");
        let is_refused = !has_it && !words.contains("nonce too low");
        let shown = message.chars().filter(|it| !it.is_control()).take(MAX_SHOWN);
        is_refused.then(|| shown.collect())
    })
}

/// Characters of a node's message that are logged.
const MAX_SHOWN: usize = 160;
