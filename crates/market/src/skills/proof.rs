//! The proof that a wallet owns a skill: typed data that it signed, once. Spec: EIP-712.

use alloc::string::String;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::books::Rows;
use super::message::Response;
use super::price::signed_text;
use super::refused;
use super::row::NonceRow;
use farebox_base::encoding::{hex, jcs};
use farebox_evm::address::Address;
use farebox_evm::eip712::TypedData;
use farebox_evm::signature::Signature;

/// Most seconds that a proof may be valid.
pub const MAX_SECS: u64 = 3600;
/// Longest text of a signature, bytes.
const MAX_SIGNATURE: usize = 132;

/// The act on a skill for which a wallet signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkillAction {
    /// To publish it.
    Publish,
    /// To sell another version.
    Version,
    /// To sell it no longer.
    Deactivate,
    /// To get another secret.
    Rotate,
}

impl SkillAction {
    /// Its name in what is signed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Version => "version",
            Self::Deactivate => "deactivate",
            Self::Rotate => "rotate",
        }
    }

    /// The action with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Publish, Self::Version, Self::Deactivate, Self::Rotate];
        all.into_iter().find(|action| action.name() == name)
    }
}

/// The nonce and the end of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofTerms {
    /// 32 bytes, `0x` hex in lower case.
    pub nonce: String,
    /// Unix seconds.
    pub valid_before: u64,
}

impl ProofTerms {
    /// Reads those of a body's `proof`; `None` unless both are there and well formed.
    #[must_use]
    pub fn of(proof: &Value) -> Option<Self> {
        let nonce = proof.get("nonce")?.as_str()?.to_ascii_lowercase();
        let _: [u8; 32] = hex::decode_array(&nonce).ok()?;
        let valid_before = match proof.get("validBefore")? {
            Value::Number(number) => number.as_u64()?,
            Value::String(text) if text.len() <= 16 => text.parse().ok()?,
            _ => return None,
        };
        (valid_before < 1 << 53).then_some(Self { nonce, valid_before })
    }
}

/// An act that a wallet signs for.
pub struct SignedAct<'a> {
    /// The origin of the market.
    pub market: &'a str,
    /// The act.
    pub action: SkillAction,
    /// The skill's id; empty of one that has none yet.
    pub skill: &'a str,
    /// The wallet.
    pub owner: &'a Address,
    /// The body that says what is done.
    pub body: &'a Map<String, Value>,
}

impl SignedAct<'_> {
    /// The typed data that a wallet signs, in the form of `eth_signTypedData_v4`.
    #[must_use]
    pub fn typed_data(&self, terms: &ProofTerms) -> Value {
        let Self { body, .. } = self;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let fields = |fields: &[(&str, &str)]| {
            let field = |(name, kind): &(&str, &str)| json!({"name": name, "type": kind});
            Value::Array(fields.iter().map(field).collect())
        };
        json!({
            "types": {"EIP712Domain": fields(DOMAIN_FIELDS), "SkillAction": fields(ACTION_FIELDS)},
            "primaryType": "SkillAction",
            "domain": {"name": "Farebox Market", "version": "1"},
            "message": {
                "action": self.action.name(),
                "market": self.market,
                "skill": self.skill,
                "name": text("name"),
                "price": signed_text(body.get("price"), body.get("priceXLM")),
                "callUrl": text("callUrl"),
                "payTo": self.owner.to_checksum(),
                "content": digest_content(body),
                "nonce": terms.nonce,
                "validBefore": terms.valid_before,
            },
        })
    }

    /// Checks the proof of the body.
    ///
    /// # Errors
    /// 401 without a proof that counts now, 403 for that of another wallet.
    pub(super) fn check<B: Rows>(
        &self,
        books: &B,
        now: u64,
    ) -> Result<Result<NonceRow, Response>, B::Error> {
        let Some(proof) = self.body.get("proof") else { return Ok(Err(refused::no_identity())) };
        let signature = proof.get("signature").and_then(Value::as_str);
        let signature = signature.filter(|text| text.len() <= MAX_SIGNATURE);
        let (Some(terms), Some(signature)) = (ProofTerms::of(proof), signature) else {
            return Ok(Err(refused::bad_proof("proof must have nonce, validBefore and signature")));
        };
        let now_secs = now.checked_div(1000).unwrap_or_default();
        if terms.valid_before <= now_secs {
            return Ok(Err(refused::bad_proof("proof has expired")));
        }
        if terms.valid_before > now_secs.saturating_add(MAX_SECS) {
            return Ok(Err(refused::bad_proof("proof must not be valid for more than an hour")));
        }
        let data = self.typed_data(&terms);
        let signer = TypedData::from_json(&data)
            .ok()
            .zip(Signature::parse(signature).ok())
            .and_then(|(data, signature)| signature.recover(&data.digest()).ok());
        let Some(signer) = signer else {
            return Ok(Err(refused::bad_proof("proof is not a signature")));
        };
        if signer != *self.owner {
            let (owner, signer) = (self.owner.to_checksum(), signer.to_checksum());
            let why = alloc::format!("payTo is {owner}, and {signer} has signed");
            return Ok(Err(refused::not_owner().with("farebox-reason", &why)));
        }
        let owner = self.owner.to_checksum();
        if books.has_nonce(&owner, &terms.nonce)? {
            return Ok(Err(refused::bad_proof("proof was used already")));
        }
        let until = terms.valid_before.saturating_add(1).saturating_mul(1000);
        Ok(Ok(NonceRow { owner, nonce: terms.nonce, until }))
    }
}

/// SHA-256 of a body's canonical form without its proof, `0x` hex.
fn digest_content(body: &Map<String, Value>) -> String {
    let text = jcs::object_text_without(body, "proof");
    hex::encode_prefixed(&Sha256::digest(text.as_bytes()))
}

const DOMAIN_FIELDS: &[(&str, &str)] = &[("name", "string"), ("version", "string")];
const ACTION_FIELDS: &[(&str, &str)] = &[
    ("action", "string"),
    ("market", "string"),
    ("skill", "string"),
    ("name", "string"),
    ("price", "string"),
    ("callUrl", "string"),
    ("payTo", "address"),
    ("content", "bytes32"),
    ("nonce", "bytes32"),
    ("validBefore", "uint64"),
];
