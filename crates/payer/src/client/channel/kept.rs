//! A payer's row of a channel in the budget's record: the amounts that were deposited, charged and
//! signed, and the deposit that is on its way.
//!
//! Three amounts are in order at every instant: **charged ≤ signed**, and what a voucher lets the
//! payee claim is never more than was signed. The payee's own figures are believed only up to that.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::course::ChannelPayer;
use super::row::{ChannelRow, Shown, Using};
use super::terms::{ChannelTerms, amount};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::time::UnixTime;
use farebox_channel::config::{ChannelConfig, ChannelId};
use farebox_channel::escrow::EscrowContract;
use farebox_evm::address::Address;

/// Seconds before its end from which a deposit's authorization is not sent any more.
const LATE_SECS: u64 = 10;

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptChannel {
    pub config: ChannelConfig,
    pub chain_id: u64,
    /// The host that sells by it.
    pub host: String,
    /// The amount that is known to be deposited.
    pub deposit: Amount,
    /// The amount that the payee has charged, as far as the payer knows.
    pub charged: Amount,
    /// The highest voucher that was signed.
    pub signed: Amount,
    /// The request that uses it now: a channel pays for one at a time.
    pub using: Option<Using>,
    /// A deposit that was signed, and was not seen yet.
    pub pending: Option<PendingDeposit>,
    /// Whether a refund was asked for whose answer is not known.
    pub is_refunding: bool,
}

/// A deposit on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingDeposit {
    pub amount: Amount,
    pub salt: [u8; 32],
    pub valid_before: UnixTime,
    /// Empty before it is signed.
    pub signature: String,
    /// The reservation that counts it.
    pub id: String,
}

/// The means to pay for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PaidBy {
    /// A voucher of this amount: the deposit covers it.
    Voucher(Amount),
    /// The deposit that is on its way, sent again, with a voucher of this amount.
    SameDeposit(Amount),
    /// A new deposit of at least the first amount, with a voucher of the second.
    NewDeposit(Amount, Amount),
    /// Wait: another request uses the channel.
    Wait,
    /// Wait until the deposit that is on its way can no longer be made: it is too small.
    Blocked,
}

impl KeptChannel {
    /// A channel without a deposit.
    pub fn new(
        terms: &ChannelTerms,
        ChannelPayer { payer, voucher_signer, salt }: ChannelPayer,
        host: &str,
    ) -> Self {
        let config = ChannelConfig {
            payer,
            payer_authorizer: voucher_signer,
            receiver: terms.offer.pay_to,
            receiver_authorizer: terms.authorizer,
            token: terms.offer.asset.address,
            withdraw_delay_secs: terms.delay_secs,
            salt,
        };
        Self {
            config,
            chain_id: terms.offer.chain_id,
            host: host.to_string(),
            deposit: Amount::ZERO,
            charged: Amount::ZERO,
            signed: Amount::ZERO,
            using: None,
            pending: None,
            is_refunding: false,
        }
    }

    pub fn contract(&self) -> EscrowContract {
        EscrowContract::batch_settlement(self.chain_id)
    }

    pub fn id(&self) -> ChannelId {
        self.config.id(&self.contract())
    }

    /// The means to pay for a request of this price; `None` if the amounts leave what a voucher can
    /// say.
    pub fn paid_by(&self, price: Amount, id: &str, now: UnixTime) -> Option<PaidBy> {
        self.shows(self.charged.checked_add(price)?, id, now)
    }

    /// The means to show a voucher of this amount.
    pub fn shows(&self, next: Amount, id: &str, now: UnixTime) -> Option<PaidBy> {
        if self.using.as_ref().is_some_and(|using| using.excludes(id, now)) {
            return Some(PaidBy::Wait);
        }
        let Some(missing) = next.checked_sub(self.deposit).filter(|it| !it.is_zero()) else {
            return Some(PaidBy::Voucher(next));
        };
        Some(match &self.pending {
            Some(it) if it.signature.is_empty() => PaidBy::NewDeposit(missing, next),
            // It may have arrived: the payee says so if it is shown the voucher alone.
            Some(it) if it.valid_before <= now => PaidBy::Voucher(next),
            Some(it) if it.amount >= missing && now.plus(LATE_SECS) < it.valid_before => {
                PaidBy::SameDeposit(next)
            }
            Some(_) => PaidBy::Blocked,
            None => PaidBy::NewDeposit(missing, next),
        })
    }

    /// Whether both are of one payer, at one payee's host and of one token.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.place() == other.place() && self.id() != other.id()
    }

    /// Whether it is the same channel but for who signs for the payee.
    pub fn is_signed_otherwise(&self, today: &Self) -> bool {
        let receiver_authorizer = today.config.receiver_authorizer;
        let is_same = ChannelConfig { receiver_authorizer, ..self.config } == today.config;
        is_same && self.is_beside(today)
    }

    /// Whether its payee has something to pay back, as far as the payer knows.
    pub fn has_rest(&self, now: UnixTime) -> bool {
        self.charged < self.deposit || self.has_late(now)
    }

    /// Whether nothing is left in it, on its way to it, or asked of it.
    pub fn is_empty(&self) -> bool {
        let is_spent = self.charged >= self.deposit && !self.deposit.is_zero();
        is_spent && self.pending.is_none() && self.using.is_none() && !self.is_refunding
    }

    /// The key of what says when a channel was opened beside others.
    pub fn beside_key(&self) -> String {
        format!("beside {}", hex::encode(&hash::sha256(&[b"farebox beside", &self.place()])))
    }

    /// The text under that key: this channel, and whether a deposit for it was signed.
    pub fn beside_text(&self, is_signed: bool) -> String {
        let signed = if is_signed { ",\"signed\":true" } else { "" };
        format!("{{\"channel\":\"{}\"{signed}}}", self.id())
    }

    fn place(&self) -> Vec<u8> {
        let ChannelConfig { payer, receiver, token, .. } = self.config;
        let words = [payer, receiver, token].map(|it| it.to_word()).concat();
        [&words, &self.chain_id.to_be_bytes()[..], self.host.as_bytes()].concat()
    }

    /// Notes what an answer says was charged, if a voucher covers it; without a word it is what the
    /// voucher allows.
    pub fn charge(&mut self, said: Option<Amount>, voucher: Amount) {
        let said = said.filter(|said| *said >= self.charged && *said <= voucher);
        self.charged = said.unwrap_or(voucher).max(self.charged);
    }

    /// Notes that this deposit has arrived, if it is the one on its way.
    pub fn deposited(&mut self, deposit: Option<&PendingDeposit>) {
        let is_its = |it: &mut PendingDeposit| deposit.is_some_and(|own| own.id == it.id);
        if let Some(pending) = self.pending.take_if(is_its) {
            self.deposit = self.deposit.checked_add(pending.amount).unwrap_or(self.deposit);
        }
    }

    /// Whether a deposit has ended of which only the payee tells whether it has arrived.
    pub fn has_late(&self, now: UnixTime) -> bool {
        let is_late = |it: &PendingDeposit| it.valid_before <= now && !it.signature.is_empty();
        self.pending.as_ref().is_some_and(is_late)
    }

    /// Counts a deposit that had ended as arrived, if more was paid back than was known to be left.
    pub fn arrives_late(&mut self, paid_back: Amount, now: UnixTime) {
        let left = self.deposit.checked_sub(paid_back);
        if self.has_late(now) && left.is_none_or(|left| left < self.charged) {
            let late = self.pending.clone();
            self.deposited(late.as_ref());
        }
    }

    /// Drops a deposit that has ended without arriving.
    pub fn let_go_of_late(&mut self, now: UnixTime) {
        self.pending = self.pending.take().filter(|it| now < it.valid_before);
    }

    /// The row's key in the record.
    pub fn key(&self) -> String {
        format!("{}{}", Self::PREFIX, self.id())
    }

    pub fn to_text(&self) -> String {
        let Self { config, .. } = self;
        let using = self.using.as_ref().map(Using::to_value);
        let pending = self.pending.as_ref().map(|it| {
            json!({
                "amount": it.amount.to_string(),
                "salt": hex::encode_prefixed(&it.salt),
                "validBefore": it.valid_before.secs(),
                "signature": it.signature,
                "id": it.id,
            })
        });
        json!({
            "config": config.to_json(),
            "chainId": self.chain_id,
            "host": self.host,
            "deposit": self.deposit.to_string(),
            "charged": self.charged.to_string(),
            "signed": self.signed.to_string(),
            "using": using,
            "pending": pending,
            "refunding": self.is_refunding,
        })
        .to_string()
    }
}

impl ChannelRow for KeptChannel {
    const PREFIX: &'static str = "channel ";

    fn from_value(row: &Value) -> Option<Self> {
        let config = row.get("config")?;
        let address = |name: &str| {
            let text = config.get(name).and_then(Value::as_str)?;
            Address::parse(text).ok()
        };
        let word = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).and_then(|text| hex::decode_array(text).ok())
        };
        let pending = match row.get("pending")? {
            Value::Null => None,
            pending => Some(PendingDeposit {
                amount: amount(pending.get("amount"))?,
                salt: word(pending, "salt")?,
                valid_before: UnixTime::from_secs(pending.get("validBefore")?.as_u64()?),
                signature: pending.get("signature")?.as_str()?.to_string(),
                id: pending.get("id")?.as_str()?.to_string(),
            }),
        };
        Some(Self {
            config: ChannelConfig {
                payer: address("payer")?,
                payer_authorizer: address("payerAuthorizer")?,
                receiver: address("receiver")?,
                receiver_authorizer: address("receiverAuthorizer")?,
                token: address("token")?,
                withdraw_delay_secs: config.get("withdrawDelay")?.as_u64()?,
                salt: word(config, "salt")?,
            },
            chain_id: row.get("chainId")?.as_u64()?,
            host: row.get("host")?.as_str()?.to_string(),
            deposit: amount(row.get("deposit"))?,
            charged: amount(row.get("charged"))?,
            signed: amount(row.get("signed"))?,
            using: Using::from_row(row)?,
            pending,
            is_refunding: row.get("refunding")?.as_bool()?,
        })
    }

    fn shown(&self) -> Shown<'_> {
        Shown {
            id: self.id(),
            host: &self.host,
            chain_id: self.chain_id,
            asset: self.config.token,
            payer: self.config.payer,
            pay_to: self.config.receiver,
            deposit: self.deposit,
            spent: self.charged,
            signed: self.signed,
            pending: self
                .pending
                .as_ref()
                .filter(|it| !it.signature.is_empty())
                .map(|it| it.amount),
        }
    }
}
