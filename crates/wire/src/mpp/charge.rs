//! Intent `charge` of method `evm`: one payment in a token of an EVM chain.
//!
//! The method has one name and three dialects. `mppx` accepts only EIP-3009 and derives the nonce
//! from the challenge; the draft adds signed transactions and transactions already sent; OKX uses
//! EIP-3009 with a nonce of the payer's own under the draft's word `transaction`. The shape of a
//! payload distinguishes them. Spec: draft-evm-charge; OKX Agent Payments Protocol.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::Malformed;
use super::members::{self, required};
use farebox_base::amount::Amount;
use farebox_base::encoding::{base64, hex, jcs};
use farebox_common::payment::authorization::SignedAuthorization;
use farebox_evm::address::Address;
use farebox_evm::keccak::{keccak256, keccak256_parts};

/// The method's name.
pub const METHOD: &str = "evm";
/// The intent's name.
pub const INTENT: &str = "charge";
/// The type of credential that carries an EIP-3009 authorization.
pub const AUTHORIZATION: &str = "authorization";
/// The type of credential that carries a signed transaction or, from OKX, an authorization.
pub const TRANSACTION: &str = "transaction";
/// The type of credential that names a transaction already sent.
pub const HASH: &str = "hash";
/// Maximum size of a signed transaction, bytes.
pub const MAX_TRANSACTION_BYTES: usize = 2 * 1024;

/// Terms of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Atomic units of the token.
    pub amount: Amount,
    /// The token's contract.
    pub currency: Address,
    /// The payee.
    pub recipient: Address,
    /// The chain.
    pub chain_id: u64,
    /// The token's decimals, for people.
    pub decimals: Option<u8>,
    /// Accepted types of credentials, in order of preference.
    pub credential_types: Option<Vec<String>>,
    /// Whether the server pays for gas. The draft and OKX define different defaults.
    pub fee_payer: Option<bool>,
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
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::{Malformed, charge::Request};
    /// let mut asked = serde_json::json!({
    ///     "amount": "10000", "currency": "0x779Ded0c9e1022225f8E0630b35a9b54bE713736",
    ///     "recipient": "0x742d35Cc6634C0532925a3b844Bc9e7595f8fE00", "methodDetails": { "chainId": 196 },
    /// });
    /// let request = Request::read(asked.as_object().unwrap()).unwrap();
    /// assert_eq!((request.amount.to_string().as_str(), request.chain_id), ("10000", 196));
    /// asked["amount"] = 10_000.into();
    /// assert_eq!(Request::read(asked.as_object().unwrap()), Err(Malformed::Wrong("amount")));
    /// ```
    pub fn read(object: &Map<String, Value>) -> Result<Self, Malformed> {
        let details = match object.get("methodDetails") {
            Some(Value::Object(details)) => details,
            Some(_) => return Err(Malformed::Wrong("methodDetails")),
            None => return Err(Malformed::Missing("methodDetails")),
        };
        let chain_id = members::number(details, "chainId")?.ok_or(Malformed::Missing("chainId"))?;
        let decimals = members::number(details, "decimals")?
            .map(|decimals| u8::try_from(decimals).map_err(|_| Malformed::Wrong("decimals")))
            .transpose()?;
        Ok(Self {
            amount: members::amount(object, "amount")?,
            currency: address(object, "currency", chain_id)?,
            recipient: address(object, "recipient", chain_id)?,
            chain_id,
            decimals,
            credential_types: members::texts(details, "credentialTypes")?,
            fee_payer: members::flag(details, "feePayer")?,
            has_splits: members::has_any(details, "splits")?,
            external_id: members::text(object, "externalId")?.map(String::from),
            description: members::text(object, "description")?.map(String::from),
        })
    }

    /// Writes the `request` of a challenge: base64url of canonical JSON. Absent members are
    /// omitted; splits are never written.
    #[must_use]
    pub fn to_param(&self) -> String {
        base64::encode_url(self.to_text().as_bytes())
    }

    /// The canonical JSON of [`to_param`](Self::to_param), before encoding.
    #[must_use]
    pub fn to_text(&self) -> String {
        let text = |text: &str| Value::String(String::from(text));
        let types =
            |types: &Vec<String>| Value::Array(types.iter().map(|name| text(name)).collect());
        let details = members::present([
            ("chainId", Some(Value::from(self.chain_id))),
            ("credentialTypes", self.credential_types.as_ref().map(types)),
            ("decimals", self.decimals.map(Value::from)),
            ("feePayer", self.fee_payer.map(Value::from)),
        ]);
        let request = members::present([
            ("amount", Some(Value::String(self.amount.to_string()))),
            ("currency", Some(Value::String(self.currency.to_checksum()))),
            ("description", self.description.as_deref().map(text)),
            ("externalId", self.external_id.as_deref().map(text)),
            ("methodDetails", Some(Value::Object(details))),
            ("recipient", Some(Value::String(self.recipient.to_checksum()))),
        ]);
        jcs::object_text(&request)
    }
}

/// Derivation of an authorization's nonce from the id and realm of its challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// From a JSON list of both. Spec: `mppx` from 0.13, `pympp` from 0.16.
    Listed,
    /// From both concatenated. Spec: draft-evm-charge-00, "Challenge hash"; `mppx` up to 0.11.
    Joined,
}

impl Framing {
    /// The framing under which this nonce answers the challenge; `None` if there is none.
    #[must_use]
    pub fn of(nonce: &[u8; 32], id: &str, realm: &str) -> Option<Self> {
        [Self::Listed, Self::Joined].into_iter().find(|it| it.challenge_hash(id, realm) == *nonce)
    }

    /// The nonce that binds an authorization to a challenge: Keccak-256 of id and realm.
    #[must_use]
    pub fn challenge_hash(self, id: &str, realm: &str) -> [u8; 32] {
        match self {
            Self::Listed => keccak256(jcs::text(&Value::from([id, realm].as_slice())).as_bytes()),
            Self::Joined => keccak256_parts(&[id.as_bytes(), realm.as_bytes()]),
        }
    }

    /// The other framing.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Listed => Self::Joined,
            Self::Joined => Self::Listed,
        }
    }
}

/// Proof of a payment.
#[derive(Clone, Debug)]
pub enum Payload {
    /// EIP-3009, whose nonce must be the [`Framing::challenge_hash`].
    Authorization(SignedAuthorization),
    /// EIP-3009 as sent by OKX, with a nonce of the payer's own.
    Okx(SignedAuthorization),
    /// A signed transaction, encoded as on the chain.
    Transaction(Vec<u8>),
    /// The hash of a transaction that the payer sent.
    Hash([u8; 32]),
}

impl Payload {
    /// Reads a credential's payload by its shape. It must hold exactly one proof, and no member of
    /// another intent.
    ///
    /// # Errors
    /// [`Malformed::Wrong`] with `splits` for a payment to several payees, otherwise with the wrong
    /// member.
    pub fn read(payload: &Map<String, Value>) -> Result<Self, Malformed> {
        let kind = required(payload, "type")?;
        let nested = payload.get("authorization");
        let proof = match (kind, nested) {
            (AUTHORIZATION, None) => "signature",
            (TRANSACTION, Some(_)) => "authorization",
            (TRANSACTION, None) => "signature",
            (HASH, None) => "hash",
            _ => return Err(Malformed::Wrong("type")),
        };
        if let Some(other) =
            PROOFS.into_iter().find(|name| *name != proof && payload.contains_key(*name))
        {
            return Err(Malformed::Wrong(other));
        }
        match (kind, nested) {
            (AUTHORIZATION, _) => signed(payload).map(Self::Authorization),
            (_, Some(Value::Object(authorization))) => {
                if required(authorization, "type")? != OKX_TYPE {
                    return Err(Malformed::Wrong("authorization"));
                }
                if members::has_any(authorization, "splits")? {
                    return Err(Malformed::Wrong("splits"));
                }
                signed(authorization).map(Self::Okx)
            }
            (_, Some(_)) => Err(Malformed::Wrong("authorization")),
            (HASH, None) => hex::decode_array(required(payload, "hash")?)
                .map(Self::Hash)
                .map_err(|_| Malformed::Wrong("hash")),
            (_, None) => {
                let signed = required(payload, "signature")?;
                if signed.len() > MAX_TRANSACTION_BYTES.saturating_mul(2).saturating_add(2) {
                    return Err(Malformed::TooLarge);
                }
                let signed =
                    hex::decode_prefixed(signed).map_err(|_| Malformed::Wrong("signature"))?;
                if signed.is_empty() {
                    return Err(Malformed::Wrong("signature"));
                }
                Ok(Self::Transaction(signed))
            }
        }
    }
}

fn signed(members: &Map<String, Value>) -> Result<SignedAuthorization, Malformed> {
    SignedAuthorization::parse(members, required(members, "signature")?)
        .map_err(|_| Malformed::Wrong("authorization"))
}

/// Parses an address; on X Layer `XKO` may replace `0x`.
fn address(
    object: &Map<String, Value>,
    name: &'static str,
    chain_id: u64,
) -> Result<Address, Malformed> {
    let text = required(object, name)?;
    let digits = text.strip_prefix("XKO").filter(|_| chain_id == X_LAYER);
    let plain = digits.map(|digits| alloc::format!("0x{digits}"));
    Address::parse(plain.as_deref().unwrap_or(text)).map_err(|_| Malformed::Wrong(name))
}

/// Members that prove a payment, or request something else: a payload has one of them.
const PROOFS: [&str; 7] =
    ["signature", "authorization", "hash", "permit", "transaction", "action", "voucherSignature"];
/// OKX's name for EIP-3009.
const OKX_TYPE: &str = "eip-3009";
/// OKX's main network.
const X_LAYER: u64 = 196;
