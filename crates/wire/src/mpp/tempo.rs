//! Method `tempo`, as far as it needs no chain: the terms of a charge, the proof of an account for
//! an amount of zero, and the memo that ties a transfer to its challenge. Spec: draft-tempo-charge,
//! as implemented by `mppx` 0.11.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::source::Source;
use super::{Challenge, Malformed, members};
use farebox_base::amount::Amount;
use farebox_evm::address::Address;
use farebox_evm::eip712;
use farebox_evm::keccak::{keccak256, keccak256_parts};
use farebox_evm::signature::Signature;

/// The method's name.
pub const METHOD: &str = "tempo";
/// The EIP-712 type of a proof.
pub const PROOF_TYPE: &str = "Proof(address account,string challengeId,string realm)";

/// Terms of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Atomic units of the token; for zero a proof of the account is enough.
    pub amount: Amount,
    /// The token's contract.
    pub currency: Address,
    /// The payee.
    pub recipient: Address,
    /// The chain; current servers name it.
    pub chain_id: Option<u64>,
    /// Whether the server pays for gas.
    pub fee_payer: bool,
    /// `pull`, `push`; absent means both.
    pub supported_modes: Option<Vec<String>>,
    /// Whether others receive a part.
    pub has_splits: bool,
    /// The server's name for this payment.
    pub external_id: Option<String>,
    /// For people.
    pub description: Option<String>,
}

impl Request {
    /// Reads the object of a challenge's `request`; unknown members are skipped.
    ///
    /// # Errors
    /// The first member that is missing or wrong.
    pub fn read(object: &Map<String, Value>) -> Result<Self, Malformed> {
        let none = Map::new();
        let details = match object.get("methodDetails") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(details)) => details,
            Some(_) => return Err(Malformed::Wrong("methodDetails")),
        };
        let address = |name| {
            Address::parse(members::required(object, name)?).map_err(|_| Malformed::Wrong(name))
        };
        Ok(Self {
            amount: members::amount(object, "amount")?,
            currency: address("currency")?,
            recipient: address("recipient")?,
            chain_id: members::number(details, "chainId")?,
            fee_payer: members::flag(details, "feePayer")?.unwrap_or(false),
            supported_modes: members::texts(details, "supportedModes")?,
            has_splits: members::has_any(details, "splits")?,
            external_id: members::text(object, "externalId")?.map(String::from),
            description: members::text(object, "description")?.map(String::from),
        })
    }
}

/// The digest that an account signs to prove itself for this challenge. Version 3: the drafts'
/// version 1 names neither account nor realm.
#[must_use]
pub fn proof_digest(account: &Source, challenge_id: &str, realm: &str) -> [u8; 32] {
    let separator = eip712::separator_without_contract("MPP", "3", account.chain_id);
    let members = keccak256_parts(&[
        &keccak256(PROOF_TYPE.as_bytes()),
        &account.address.to_word(),
        &keccak256(challenge_id.as_bytes()),
        &keccak256(realm.as_bytes()),
    ]);
    eip712::digest(&separator, &members)
}

/// The payload of a credential with this proof.
#[must_use]
pub fn proof_payload(signature: &str) -> Map<String, Value> {
    members::present([
        ("type", Some(Value::from(PROOF))),
        ("signature", Some(Value::from(signature))),
    ])
}

/// Whether a payload proves that the key of `account` answers this challenge. Contract wallets
/// cannot be checked here.
///
/// Only for a request of amount zero on the account's chain; the caller checks whether the
/// challenge is its own and still valid.
#[must_use]
pub fn proves(payload: &Map<String, Value>, account: &Source, challenge: &Challenge) -> bool {
    let Ok(request) = challenge.request_object().and_then(|object| Request::read(&object)) else {
        return false;
    };
    let text = |name| payload.get(name).and_then(Value::as_str);
    let digest = proof_digest(account, &challenge.id, &challenge.realm);
    let signer = text("signature")
        .and_then(|signature| Signature::parse(signature).ok())
        .and_then(|signature| signature.recover(&digest).ok());
    challenge.method == METHOD
        && request.amount.is_zero()
        && request.chain_id == Some(account.chain_id)
        && text("type") == Some(PROOF)
        && signer == Some(account.address)
}

/// The memo of a transfer that answers a challenge: tag, version, and truncated hashes of realm,
/// client and id.
///
/// Without a client its part is zero.
#[must_use]
pub fn memo(realm: &str, client: Option<&str>, challenge_id: &str) -> [u8; 32] {
    let hash = |text: &str| keccak256(text.as_bytes());
    let client = client.map_or([0; 32], hash);
    let parts = TAG
        .into_iter()
        .chain([MEMO_VERSION])
        .chain(hash(realm).into_iter().take(10))
        .chain(client.into_iter().take(10))
        .chain(hash(challenge_id));
    let mut memo = [0; 32];
    for (place, byte) in memo.iter_mut().zip(parts) {
        *place = byte;
    }
    memo
}

/// Whether a transfer's memo answers this challenge, for any client.
#[must_use]
pub fn memo_answers(found: &[u8; 32], realm: &str, challenge_id: &str) -> bool {
    let expected = memo(realm, None, challenge_id);
    let client = 15..25;
    expected.iter().zip(found).enumerate().all(|(at, (a, b))| client.contains(&at) || a == b)
}

/// The type of credential that proves an account and pays nothing.
const PROOF: &str = "proof";
/// First bytes of Keccak-256 of `mpp`.
const TAG: [u8; 4] = [0xef, 0x1e, 0xd7, 0x12];
const MEMO_VERSION: u8 = 1;
