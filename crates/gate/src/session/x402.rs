//! A payment of a session by x402, read and checked as far as no network is needed.

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::payment::{Purpose, REFUSED, RecallScope, SessionDoor, SessionPayment, reason};
use crate::keys::Keys;
use crate::offer::{CLOCK_MARGIN_SECS, Choice, Offer, SessionOffer};
use farebox_base::amount::Amount;
use farebox_base::encoding::{hex, json};
use farebox_base::time::UnixTime;
use farebox_channel::config::{ChannelConfig, ChannelId, deposit_nonce};
use farebox_channel::voucher::{CheckedVoucher, Voucher};
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_evm::eip3009::Authorization;
use farebox_evm::known::SignedDigest;
use farebox_evm::signature::Signature;
use farebox_wire::facilitator::payers::PayerHistory;
use farebox_wire::x402::header::{self, Message};

/// Code and reason of a refusal.
type Refused = (Code, String);

impl SessionPayment {
    /// Reads and checks a payment against the terms that it names, and whether it names another page.
    pub fn check<'g>(
        offer: &'g Offer,
        keys: &Keys,
        message: &Message,
        is_elsewhere: bool,
        payers: &PayerHistory,
        now: UnixTime,
    ) -> Result<(&'g Choice, Self), Refused> {
        let malformed = |code: Code| (code, reason("payload_type"));
        let object = &message.object;
        if header::version(object).map_err(malformed)? != 2 {
            return Err(malformed(Code::UnsupportedVersion));
        }
        let accepted = header::object(object, "accepted").map_err(malformed)?;
        let sold = offer.choices.iter().filter_map(|choice| {
            let sold = choice.session.as_ref()?;
            Some(SessionReader { choice, sold, keys, payers, now })
        });
        let found = |accepted: &Map<String, Value>| {
            sold.clone().find(|it| it.sold.requirements.accepted_as(accepted))
        };
        let payload = || header::object(object, "payload").map_err(malformed);
        let today = found(accepted).or_else(|| found(&renewed(accepted, keys)?));
        let (choice, payment) = match today {
            Some(reader) => (reader.choice, reader.read(payload()?)?),
            None => {
                let network = word(accepted, "network");
                let there = sold.clone().filter(|it| Some(it.network()) == network);
                let earlier = payload().ok().and_then(|payload| {
                    let token = config(member(payload, "channelConfig").ok()?)?.token;
                    let same = there.clone().find(|it| it.sold.token.asset == token);
                    let reader = same.or_else(|| there.clone().next())?;
                    Some((reader.choice, reader.read_earlier(payload)?))
                });
                let mismatch = Code::TermsMismatch;
                earlier.ok_or((mismatch, mismatch.name().to_string()))?
            }
        };
        // What goes back is asked for at any page.
        if is_elsewhere && !matches!(payment.purpose, Purpose::Refund(_)) {
            return Err((Code::ResourceMismatch, Code::ResourceMismatch.name().to_string()));
        }
        Ok((choice, payment))
    }
}

/// A way to pay by session, and what a payment for it is checked with.
#[derive(Clone, Copy)]
struct SessionReader<'g, 'a> {
    choice: &'g Choice,
    sold: &'g SessionOffer,
    keys: &'a Keys,
    payers: &'a PayerHistory,
    now: UnixTime,
}

impl SessionReader<'_, '_> {
    fn network(&self) -> &str {
        self.choice.terms.network.as_str()
    }

    /// Reads a payment for today's terms.
    fn read(self, payload: &Map<String, Value>) -> Result<SessionPayment, Refused> {
        let (config, channel) = self.read_channel(payload)?;
        let kind = word(payload, "type").ok_or_else(wrong)?;
        let restore = self.keys.restore_of(&config.receiver_authorizer);
        self.check_config(&config, kind == "refund" && restore.is_some())?;
        let (voucher, signed) = self.read_voucher(&config, channel, payload)?;
        let (price, cumulative) = (self.choice.terms.amount, voucher.voucher().cumulative);
        // No channel has a voucher below the price next: not even a look at the chain is for it.
        if cumulative < price && kind != "refund" {
            return Err((REFUSED, reason("cumulative_amount_mismatch")));
        }
        let mut deposited = None;
        let purpose = match kind {
            "voucher" => Purpose::Voucher,
            "refund" => Purpose::Refund(refund_amount(payload)?),
            "deposit" => {
                let (value, checked) = self.read_deposit(&config, &channel, payload)?;
                // Less is not worth its transaction.
                if value < price {
                    return Err((REFUSED, reason("deposit_below_min_deposit")));
                }
                deposited = Some(checked);
                Purpose::Deposit(value)
            }
            _ => return Err(wrong()),
        };
        Ok(SessionPayment {
            purpose,
            channel,
            cumulative,
            signature: hex::encode_prefixed(&voucher.signature().to_bytes()),
            signed: Some(signed),
            door: SessionDoor::X402(config, restore.unwrap_or_default(), deposited),
        })
    }

    /// Reads a payment for terms that the route had before, which can have bought something then;
    /// `None` if it can not.
    fn read_earlier(self, payload: &Map<String, Value>) -> Option<SessionPayment> {
        let (config, channel) = self.read_channel(payload).ok()?;
        let (voucher, signed) = self.read_voucher(&config, channel, payload).ok()?;
        let is_sold = self.check_config(&config, false).is_ok();
        let scope = match word(payload, "type")? {
            "voucher" | "deposit" if !is_sold => RecallScope::Answer,
            "deposit" if self.read_deposit(&config, &channel, payload).is_ok() => {
                RecallScope::Chain
            }
            "voucher" | "deposit" => RecallScope::State,
            _ => return None,
        };
        let restore = self.keys.restore_of(&config.receiver_authorizer);
        Some(SessionPayment {
            purpose: Purpose::Recall(scope),
            channel,
            cumulative: voucher.voucher().cumulative,
            signature: hex::encode_prefixed(&voucher.signature().to_bytes()),
            signed: Some(signed),
            door: SessionDoor::X402(config, restore.unwrap_or_default(), None),
        })
    }

    /// Reads what a channel is made of, and its id.
    fn read_channel(
        &self,
        payload: &Map<String, Value>,
    ) -> Result<(ChannelConfig, ChannelId), Refused> {
        let config = config(member(payload, "channelConfig")?).ok_or_else(wrong)?;
        let channel = config.id_in(&self.sold.escrow);
        let id = word(member(payload, "voucher")?, "channelId").and_then(ChannelId::parse);
        same(id == Some(channel), "channel_id_mismatch")?;
        Ok((config, channel))
    }

    /// Refuses a channel that is not sold to. One that a restored ledger may know too little of
    /// buys nothing: its rest goes back.
    fn check_config(&self, config: &ChannelConfig, goes_back: bool) -> Result<(), Refused> {
        let SessionOffer { token, delay_secs, .. } = self.sold;
        same(config.receiver == token.pay_to, "receiver_mismatch")?;
        same(config.token == token.asset, "token_mismatch")?;
        let authorizer = self.keys.authorizer();
        let is_sold = authorizer.is_some_and(|it| it.address() == config.receiver_authorizer);
        same(is_sold || goes_back, "receiver_authorizer_mismatch")?;
        same(*delay_secs == config.withdraw_delay_secs, "withdraw_delay_mismatch")
    }

    /// Reads a voucher whose signature holds.
    fn read_voucher(
        &self,
        config: &ChannelConfig,
        channel: ChannelId,
        payload: &Map<String, Value>,
    ) -> Result<(CheckedVoucher, SignedDigest), Refused> {
        let shown = member(payload, "voucher")?;
        // Of a contract wallet only the chain could tell whether it signed: for each request.
        same(!config.payer_authorizer.is_zero(), "voucher_signature")?;
        let amount = word(shown, "maxClaimableAmount").ok_or_else(wrong)?;
        let signature = word(shown, "signature").ok_or_else(wrong)?;
        let signer = config.payer_authorizer;
        let known = self.payers.signers.get(&signer);
        Voucher::parse(channel, amount)
            .and_then(|it| it.check_in(&self.sold.escrow, signer, known, signature))
            .map_err(|refusal| (REFUSED, reason(refusal.x402())))
    }

    /// Reads amount and members of a deposit whose authorization holds.
    fn read_deposit(
        &self,
        config: &ChannelConfig,
        channel: &ChannelId,
        payload: &Map<String, Value>,
    ) -> Result<(Amount, Value), Refused> {
        let deposit = member(payload, "deposit")?;
        let required = || (REFUSED, reason("erc3009_authorization_required"));
        let signed = deposit.get("authorization").and_then(|it| it.get("erc3009Authorization"));
        let signed = signed.and_then(Value::as_object).ok_or_else(required)?;
        let number = |name| Amount::from_atomic(word(signed, name)?).ok();
        let time = |name| word(signed, name).and_then(|text| UnixTime::from_text(text).ok());
        let salt = word(signed, "salt").and_then(|text| match hex::decode_array::<32>(text) {
            Ok(bytes) => Some(Amount::from_be_bytes(bytes)),
            Err(_) => number("salt"),
        });
        let value = word(deposit, "amount").and_then(|text| Amount::from_atomic(text).ok());
        let (Some(salt), Some(value), Some(valid_after), Some(valid_before), Some(signature)) =
            (salt, value, time("validAfter"), time("validBefore"), word(signed, "signature"))
        else {
            return Err(required());
        };
        if valid_before < self.now.plus(CLOCK_MARGIN_SECS) {
            return Err((REFUSED, reason("payload_authorization_valid_before")));
        }
        let authorization = Authorization {
            from: config.payer,
            to: COLLECTOR,
            value,
            valid_after,
            valid_before,
            nonce: deposit_nonce(channel, salt),
        };
        let digest = authorization.receive_digest(&self.sold.token.separator);
        let signer = Signature::parse(signature).and_then(|signature| signature.recover(&digest));
        if signer != Ok(config.payer) {
            return Err((REFUSED, reason("receive_authorization_signature")));
        }
        let inner =
            json::object([("erc3009Authorization".to_string(), kept(signed, &AUTHORIZATION))]);
        let members = json::object([
            ("amount".to_string(), Value::from(value.to_string())),
            ("authorization".to_string(), Value::Object(inner)),
        ]);
        Ok((value, Value::Object(members)))
    }
}

/// The refusal of what cannot be read.
fn wrong() -> Refused {
    (REFUSED, reason("payload_type"))
}

/// An object among the members of a payload.
fn member<'a>(
    payload: &'a Map<String, Value>,
    name: &str,
) -> Result<&'a Map<String, Value>, Refused> {
    payload.get(name).and_then(Value::as_object).ok_or_else(wrong)
}

/// Refuses a channel that differs from the terms, with this reason.
fn same(is_same: bool, word: &str) -> Result<(), Refused> {
    if is_same { Ok(()) } else { Err((REFUSED, reason(word))) }
}

/// The amount that is asked back; `None` for everything that is not earned.
fn refund_amount(payload: &Map<String, Value>) -> Result<Option<Amount>, Refused> {
    match payload.get("amount") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => match Amount::from_atomic(text) {
            Ok(amount) => Ok(Some(amount)),
            Err(_) => Err((REFUSED, reason("refund_amount_invalid"))),
        },
        Some(_) => Err((REFUSED, reason("payload_type"))),
    }
}

/// Terms from before a restore, with the account that is named since; `None` for any other terms.
fn renewed(accepted: &Map<String, Value>, keys: &Keys) -> Option<Map<String, Value>> {
    let mut extra = accepted.get("extra")?.as_object()?.clone();
    let named = Address::parse(word(&extra, "receiverAuthorizer")?).ok()?;
    keys.restore_of(&named)?;
    let current = Value::from(keys.authorizer()?.address().to_checksum());
    extra.insert("receiverAuthorizer".to_string(), current);
    let mut renewed = accepted.clone();
    renewed.insert("extra".to_string(), Value::Object(extra));
    Some(renewed)
}

fn config(members: &Map<String, Value>) -> Option<ChannelConfig> {
    let address = |name| Address::parse(word(members, name)?).ok();
    Some(ChannelConfig {
        payer: address("payer")?,
        payer_authorizer: address("payerAuthorizer")?,
        receiver: address("receiver")?,
        receiver_authorizer: address("receiverAuthorizer")?,
        token: address("token")?,
        withdraw_delay_secs: members.get("withdrawDelay")?.as_u64()?,
        salt: hex::decode_array(word(members, "salt")?).ok()?,
    })
}

fn word<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

/// These members as they came; others are left out.
fn kept(members: &Map<String, Value>, names: &[&str]) -> Value {
    let member = |name: &&str| Some((String::from(*name), members.get(*name)?.clone()));
    Value::Object(json::object(names.iter().filter_map(member)))
}

const AUTHORIZATION: [&str; 4] = ["validAfter", "validBefore", "salt", "signature"];
/// The contract that takes deposits by EIP-3009: `0x4020806089470a89826cB9fB1f4059150b550004`.
const COLLECTOR: Address = Address::from_bytes([
    0x40, 0x20, 0x80, 0x60, 0x89, 0x47, 0x0a, 0x89, 0x82, 0x6c, 0xb9, 0xfb, 0x1f, 0x40, 0x59, 0x15,
    0x0b, 0x55, 0x00, 0x04,
]);
