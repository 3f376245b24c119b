//! Texts that a wallet signs: by its key (EIP-191), or as a contract that answers for itself
//! (ERC-1271).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::body::Fields;
use super::kernel::Now;
use super::message::{Answer, JsonAnswer};
use super::refused::no_signature;
use super::settings::PaymentProfile;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::keccak::keccak256_parts;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{Call, batch};
use farebox_evm::signature::Signature;

/// Seconds for which a signature counts.
const MAX_AGE_SECS: u64 = 300;
/// Seconds by which the clock of a seller may be ahead.
const MAX_AHEAD_SECS: u64 = 60;
/// `isValidSignature(bytes32,bytes)`, and the answer yes.
const IS_VALID_SIGNATURE: [u8; 4] = [0x16, 0x26, 0xba, 0x7e];
/// Longest signature, bytes.
const MAX_BYTES: usize = 4_096;
const GAS: u64 = 1_000_000;

/// A signature of a text in the name of a wallet.
pub(super) struct Personal {
    wallet: Address,
    digest: [u8; 32],
    bytes: Vec<u8>,
}

impl Personal {
    /// Reads a signature, `0x` hex; `None` if it cannot be one.
    pub fn of(wallet: &str, text: &str, signature: &str) -> Option<Self> {
        let wallet = Address::parse(wallet).ok()?;
        let bytes = hex::decode_prefixed(signature).ok()?;
        let length = text.len().to_string();
        let parts = [b"\x19Ethereum Signed Message:\n", length.as_bytes(), text.as_bytes()];
        let digest = keccak256_parts(&parts);
        (bytes.len() <= MAX_BYTES && !bytes.is_empty()).then_some(Self { wallet, digest, bytes })
    }

    /// Whether the wallet's own key made it.
    pub fn is_by_key(&self) -> bool {
        let signature = Signature::from_bytes(&self.bytes);
        signature.is_ok_and(|it| it.recover(&self.digest) == Ok(self.wallet))
    }

    /// The call that asks the wallet, as a contract, whether it takes it.
    pub fn call(&self) -> Call {
        let length = u64::try_from(self.bytes.len()).unwrap_or_default();
        let mut data = Vec::from(IS_VALID_SIGNATURE);
        data.extend(self.digest);
        for word in [64, length] {
            data.extend([0; 24]);
            data.extend(word.to_be_bytes());
        }
        data.extend(&self.bytes);
        data.resize(data.len().next_multiple_of(32).saturating_add(4), 0);
        Call::Ask { from: Address::ZERO, to: self.wallet, data, gas: GAS }
    }

    /// Whether the wallet took it, by the reply to its call.
    pub fn is_taken(&self, replies: &Replies, index: usize) -> bool {
        let answer = replies.returned(index).unwrap_or_default();
        let (head, rest) = answer.split_at_checked(4).unwrap_or_default();
        head == IS_VALID_SIGNATURE && rest.len() == 28 && rest.iter().all(|byte| *byte == 0)
    }

    /// The question to a node: whether the wallet, as a contract, takes it.
    pub fn question(&self) -> String {
        batch(&[Call::ChainId, self.call()])
    }

    /// Whether the wallet took it; `None` if the node's reply does not tell.
    pub fn is_by_contract(&self, chain_id: u64, reply: &str) -> Option<bool> {
        let replies = Replies::read(reply.as_bytes(), 2).ok()?;
        if replies.quantity(0).ok()? != chain_id {
            return None;
        }
        Some(self.is_taken(&replies, 1))
    }
}

/// The matter of a seller's request about jobs.
#[derive(Clone, Copy)]
pub(super) struct Matter<'a> {
    /// The action that it takes.
    pub action: &'a str,
    /// The job.
    pub job: &'a str,
}

/// Checks whether a seller has signed this callback, lately.
pub(super) fn check_callback(
    fields: &Fields,
    matter: Matter<'_>,
    chain_id: u64,
    tick: Now<'_>,
) -> Result<(), Answer> {
    let make = |seller: &str, signed_at: &str| callback_text(matter, seller, signed_at);
    let signed = read_signature(fields, make, tick).map_err(Answer::Reply)?;
    let refused = |why: &str| Err(Answer::Reply(no_signature(why)));
    if signed.is_by_key() {
        return Ok(());
    }
    let Some(reply) = tick.evidence else { return Err(Answer::Evidence(signed.question())) };
    match signed.is_by_contract(chain_id, reply) {
        Some(true) => Ok(()),
        Some(false) => refused("seller_signature does not match seller_id."),
        None => refused("Seller signature verification failed: the chain could not be read."),
    }
}

/// The signature of a request for a bond; `None` if it has none.
pub(super) fn read_bond(
    fields: &Fields,
    agent: &str,
    profile: &PaymentProfile,
    tick: Now<'_>,
) -> Result<Option<Personal>, JsonAnswer> {
    if !fields.has("seller_signature") {
        return Ok(None);
    }
    let make = |seller: &str, signed_at: &str| {
        let (exchange, profile) = (&profile.url, profile.name());
        format!(
            "QuotaDEX Seller Bond\nexchange: {exchange}\nnetwork_profile: {profile}\nseller_id: {seller}\npassport_agent_id: {agent}\nsigned_at: {signed_at}"
        )
    };
    read_signature(fields, make, tick).map(Some)
}

/// The signature of a request over the text that is made of its seller and time, if it was made
/// lately; whose it is is not known yet.
fn read_signature(
    fields: &Fields,
    make: impl Fn(&str, &str) -> String,
    tick: Now<'_>,
) -> Result<Personal, JsonAnswer> {
    let refused = |why: &str| Err(no_signature(why));
    let text = |name: &str| fields.value(name).and_then(Value::as_str).map(str::trim);
    let (Some(signature), Some(signed_at), Some(seller)) =
        (text("seller_signature"), text("seller_signed_at"), text("seller_id"))
    else {
        return refused("Seller callback must include seller_signature and seller_signed_at.");
    };
    let Ok(at) = UnixTime::from_rfc3339(signed_at) else {
        return refused("seller_signed_at must be an ISO timestamp.");
    };
    let now = UnixTime::from_secs(tick.now / 1000);
    if now.secs_since(at) > MAX_AGE_SECS {
        return refused("seller_signature has expired.");
    }
    if at > now.plus(MAX_AHEAD_SECS) {
        return refused("seller_signature timestamp is in the future.");
    }
    let signed = Personal::of(seller, &make(seller, signed_at), signature);
    signed.ok_or_else(|| no_signature("seller_signature must be a hex signature."))
}

/// The text that a seller signs instead of having a session. Spec: contract of the compute exchange,
/// "Sellers".
fn callback_text(matter: Matter<'_>, seller: &str, signed_at: &str) -> String {
    let Matter { action, job } = matter;
    format!(
        "QuotaDEX Seller Callback\naction: {action}\njob_id: {job}\nseller_id: {seller}\nsigned_at: {signed_at}"
    )
}
