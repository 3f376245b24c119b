//! The payment of a session, read and checked as far as no network is needed.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use super::mpp::payment::MppPayment;
use crate::clients::Clients;
use crate::keys::Keys;
use crate::offer::{CLOCK_MARGIN_SECS, Choice, Offer, SessionOffer};
use farebox_base::amount::Amount;
use farebox_base::encoding::{hex, json};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_channel::config::{ChannelConfig, ChannelId, deposit_nonce};
use farebox_channel::facts::ChannelFacts;
use farebox_channel::voucher::Voucher;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_evm::eip3009::Authorization;
use farebox_evm::known::SignedDigest;
use farebox_evm::signature::Signature;
use farebox_wire::facilitator::payers::PayerHistory;
use farebox_wire::x402::header::{self, Message};

/// The purpose of a payment of a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Deposit this much, then pay a request.
    Deposit(Amount),
    /// Pay a request.
    Voucher,
    /// Pay back what is not earned, or this much of it.
    Refund(Option<Amount>),
    /// Take a channel that the payer has opened, then pay a request if the voucher is enough.
    Open,
    /// See what was added to a deposit.
    TopUp,
    /// Take a voucher, and serve nothing.
    Show,
    /// Take the last voucher, and end the channel.
    Close,
}

/// The protocol of a payment, with what only that one has.
#[derive(Clone, Debug)]
pub(super) enum SessionDoor {
    /// The members that name the channel, the restore after which it was opened, and the members of
    /// a deposit, as they came.
    X402(ChannelConfig, u64, Option<Value>),
    /// MPP.
    Mpp(Box<MppPayment>),
}

/// A payment of a session. Its signatures hold, but for a voucher of MPP, which its channel checks.
#[derive(Clone, Debug)]
pub(super) struct SessionPayment {
    pub purpose: Purpose,
    pub channel: ChannelId,
    /// The amount of its voucher.
    pub cumulative: Amount,
    pub signature: String,
    /// The same, if it was checked here.
    pub signed: Option<SignedDigest>,
    pub door: SessionDoor,
}

/// A refusal in the words of the scheme.
pub(super) fn reason(word: &str) -> String {
    ["invalid_batch_settlement_evm_", word].concat()
}

/// The code of every refusal that fresh terms answer; the scheme's own word is the reason.
pub(super) const REFUSED: Code = Code::SessionRefused;

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
        let found = |accepted: &Map<String, Value>| {
            offer.choices.iter().find(|choice| {
                choice.session.as_ref().is_some_and(|it| it.requirements.accepted_as(accepted))
            })
        };
        let choice = found(accepted).or_else(|| found(&renewed(accepted, keys)?));
        let choice = choice.ok_or((Code::TermsMismatch, Code::TermsMismatch.name().to_string()))?;
        let payload = header::object(object, "payload").map_err(malformed)?;
        let payment = Self::read(choice, keys, payload, payers, now)?;
        // What goes back is asked for at any page.
        if is_elsewhere && !matches!(payment.purpose, Purpose::Refund(_)) {
            return Err((Code::ResourceMismatch, Code::ResourceMismatch.name().to_string()));
        }
        Ok((choice, payment))
    }

    fn read(
        choice: &Choice,
        keys: &Keys,
        payload: &Map<String, Value>,
        payers: &PayerHistory,
        now: UnixTime,
    ) -> Result<Self, Refused> {
        let wrong = || (REFUSED, reason("payload_type"));
        let SessionOffer { token, delay_secs, escrow, .. } =
            choice.session.as_ref().ok_or_else(wrong)?;
        let object = |name| payload.get(name).and_then(Value::as_object).ok_or_else(wrong);
        let (members, shown) = (object("channelConfig")?, object("voucher")?);
        let config = config(members).ok_or_else(wrong)?;
        let channel = config.id_in(escrow);
        let id = word(shown, "channelId").and_then(ChannelId::parse);
        same(id == Some(channel), "channel_id_mismatch")?;
        same(config.receiver == token.pay_to, "receiver_mismatch")?;
        same(config.token == token.asset, "token_mismatch")?;
        // A channel that a restored ledger may know too little of buys nothing: its rest goes back.
        let is_sold =
            keys.authorizer().is_some_and(|it| it.address() == config.receiver_authorizer);
        let kind = word(payload, "type").ok_or_else(wrong)?;
        let restore = keys.restore_of(&config.receiver_authorizer);
        let is_ours = is_sold || kind == "refund" && restore.is_some();
        same(is_ours, "receiver_authorizer_mismatch")?;
        same(*delay_secs == config.withdraw_delay_secs, "withdraw_delay_mismatch")?;
        // Of a contract wallet only the chain could tell whether it signed: for each request.
        same(!config.payer_authorizer.is_zero(), "voucher_signature")?;
        let amount = word(shown, "maxClaimableAmount").ok_or_else(wrong)?;
        let signature = word(shown, "signature").ok_or_else(wrong)?;
        let signer = config.payer_authorizer;
        let (voucher, signed) = Voucher::parse(channel, amount)
            .and_then(|it| it.check_in(escrow, signer, payers.signers.get(&signer), signature))
            .map_err(|refusal| (REFUSED, reason(refusal.x402())))?;
        let price = choice.terms.amount;
        // No channel has a voucher below the price next: not even a look at the chain is for it.
        if voucher.voucher().cumulative < price && kind != "refund" {
            return Err((REFUSED, reason("cumulative_amount_mismatch")));
        }
        let mut deposited = None;
        let purpose = match kind {
            "voucher" => Purpose::Voucher,
            "refund" => Purpose::Refund(refund_amount(payload)?),
            "deposit" => {
                let deposit = object("deposit")?;
                let (value, checked) = deposit_of(choice, &config, &channel, deposit, now)?;
                // Less is not worth its transaction.
                if value < price && !planted(Mutant::DepositsAreDust) {
                    return Err((REFUSED, reason("deposit_below_min_deposit")));
                }
                deposited = Some(checked);
                Purpose::Deposit(value)
            }
            _ => return Err(wrong()),
        };
        Ok(Self {
            purpose,
            channel,
            cumulative: voucher.voucher().cumulative,
            signature: hex::encode_prefixed(&voucher.signature().to_bytes()),
            signed: Some(signed),
            door: SessionDoor::X402(config, restore.unwrap_or_default(), deposited),
        })
    }

    /// Whether vouchers may pay for many requests, and one that comes later for this one.
    pub const fn has_headroom(&self) -> bool {
        matches!(self.door, SessionDoor::Mpp(_))
    }

    /// The payer and the signer, as far as they are known.
    fn accounts(&self) -> (Address, Address) {
        match &self.door {
            SessionDoor::X402(config, ..) => (config.payer, config.payer_authorizer),
            SessionDoor::Mpp(shown) => match &shown.facts {
                Some(facts) => (facts.payer, facts.signer),
                None => (Address::ZERO, Address::ZERO),
            },
        }
    }

    /// The account that is said to have deposited.
    pub fn payer(&self) -> Address {
        self.accounts().0
    }

    /// The signer for this channel. Anyone who opens a channel can name its payer, who need not
    /// know of it.
    pub fn proven(&self) -> Address {
        let (payer, signer) = self.accounts();
        if planted(Mutant::NamedPayersAreProven) { payer } else { signer }
    }

    /// Whether either of them buys nothing here.
    pub fn is_denied(&self, clients: &Clients) -> bool {
        let (payer, signer) = self.accounts();
        [payer, signer].iter().any(|account| clients.denies(&account.to_lower_hex()))
    }

    /// The members of a payment of x402; without its deposit, it is a voucher.
    pub fn payload(&self, deposits: bool) -> Map<String, Value> {
        let SessionDoor::X402(config, _, deposit) = &self.door else { return Map::new() };
        let deposit = deposit.as_ref().filter(|_| deposits);
        let kind = match self.purpose {
            Purpose::Refund(_) => "refund",
            _ if deposit.is_some() => "deposit",
            _ => "voucher",
        };
        let mut payload = json::object([
            ("type".to_string(), Value::from(kind)),
            ("channelConfig".to_string(), config.to_json()),
            ("voucher".to_string(), self.shown()),
        ]);
        payload.extend(deposit.map(|deposit| ("deposit".to_string(), deposit.clone())));
        payload
    }

    /// The members of its voucher.
    pub fn shown(&self) -> Value {
        json!({
            "channelId": self.channel.to_string(),
            "maxClaimableAmount": self.cumulative.to_string(),
            "signature": self.signature.as_str(),
        })
    }

    /// The terms that are kept beside a channel for its alarm.
    pub fn kept_terms(&self, choice: &Choice) -> String {
        let (config, restore) = match &self.door {
            SessionDoor::X402(config, restore, _) => (config, restore),
            SessionDoor::Mpp(shown) => {
                return shown.facts.as_ref().map(ChannelFacts::to_text).unwrap_or_default();
            }
        };
        let requirements = choice.session.as_ref().map(|it| json::value(&it.requirements));
        let chain = choice.chain_id();
        json::text(&json!({
            "config": config.to_json(), "chain": chain, "requirements": requirements,
            "restore": restore,
        }))
    }
}

/// Refuses a channel that differs from the terms, with this reason.
fn same(is_same: bool, word: &str) -> Result<(), Refused> {
    if is_same || planted(Mutant::AnyConfigPays) { Ok(()) } else { Err((REFUSED, reason(word))) }
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

/// Amount and members of a deposit, once its authorization was checked.
fn deposit_of(
    choice: &Choice,
    config: &ChannelConfig,
    channel: &ChannelId,
    deposit: &Map<String, Value>,
    now: UnixTime,
) -> Result<(Amount, Value), Refused> {
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
    if valid_before < now.plus(CLOCK_MARGIN_SECS) {
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
    let sold = choice.session.as_ref().ok_or_else(required)?;
    let digest = authorization.receive_digest(&sold.token.separator);
    let signer = Signature::parse(signature).and_then(|signature| signature.recover(&digest));
    if signer != Ok(config.payer) {
        return Err((REFUSED, reason("receive_authorization_signature")));
    }
    let inner = json::object([("erc3009Authorization".to_string(), kept(signed, &AUTHORIZATION))]);
    let members = json::object([
        ("amount".to_string(), Value::from(value.to_string())),
        ("authorization".to_string(), Value::Object(inner)),
    ]);
    Ok((value, Value::Object(members)))
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
