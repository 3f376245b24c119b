//! EIP-712: the digest of typed structured data.
//!
//! [`Domain`] and [`digest`] serve types that are known at compile time; [`TypedData`] reads any
//! typed data from JSON.
//!
//! - JSON is read strictly: exactly the declared fields are present, and integers are decimal text
//!   or small JSON integers.
//! - The declared type alone decides the form of a value; there is no `null` and no default.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use crate::address::Address;
use crate::keccak::{keccak256, keccak256_parts};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;

mod types;

use self::types::{FieldType, Types};

/// The domain of tokens and of most contracts: name, version, chain, contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain<'a> {
    /// The contract's name, hashed as UTF-8.
    pub name: &'a str,
    /// The version of its signing rules.
    pub version: &'a str,
    /// The number of the chain.
    pub chain_id: u64,
    /// The contract that will check the signature.
    pub verifying_contract: Address,
}

impl Domain<'_> {
    /// The domain separator. Spec: EIP-712, "Definition of domainSeparator".
    ///
    /// # Examples
    /// ```
    /// use farebox_base::encoding::hex;
    /// use farebox_evm::{address::Address, eip712::Domain};
    /// let verifying_contract = Address::parse("0x036CbD53842c5426634e7929541eC2318f3dCF7e").unwrap();
    /// let usdc = Domain { name: "USDC", version: "2", chain_id: 84532, verifying_contract };
    /// let separator = "71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818";
    /// assert_eq!(hex::encode(&usdc.separator()), separator);
    /// ```
    #[must_use]
    pub fn separator(&self) -> [u8; 32] {
        keccak256_parts(&[
            &keccak256(DOMAIN_TYPE.as_bytes()),
            &keccak256(self.name.as_bytes()),
            &keccak256(self.version.as_bytes()),
            &Amount::from_u64(self.chain_id).to_be_bytes(),
            &self.verifying_contract.to_word(),
        ])
    }
}

/// The domain separator of a verifier that is not a contract: name, version, chain.
#[must_use]
pub fn separator_without_contract(name: &str, version: &str, chain_id: u64) -> [u8; 32] {
    keccak256_parts(&[
        &keccak256(DOMAIN_TYPE_WITHOUT_CONTRACT.as_bytes()),
        &keccak256(name.as_bytes()),
        &keccak256(version.as_bytes()),
        &Amount::from_u64(chain_id).to_be_bytes(),
    ])
}

/// The digest to sign: the hash of `0x1901`, the domain separator and the hash of the struct.
#[must_use]
pub fn digest(separator: &[u8; 32], struct_hash: &[u8; 32]) -> [u8; 32] {
    keccak256_parts(&[&[0x19, 0x01], separator, struct_hash])
}

/// Typed data in the form that wallets receive, `{types, primaryType, domain, message}`, read and
/// hashed.
///
/// `types` may omit `EIP712Domain`; then the domain has the fields that are present, in the order
/// of the standard. Spec: EIP-712, "Specification of the `eth_signTypedData` JSON RPC".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedData {
    domain_separator: [u8; 32],
    struct_hash: [u8; 32],
}

impl TypedData {
    /// Reads the JSON object; at most 64 types of 64 fields, 16 levels and 4096 values.
    ///
    /// # Errors
    /// See [`TypedDataError`].
    ///
    /// # Examples
    /// ```
    /// use farebox_evm::eip712::{TypedData, TypedDataError};
    /// let mut json = serde_json::json!({
    ///     "types": { "Offer": [{ "name": "price", "type": "uint8" }] },
    ///     "primaryType": "Offer", "domain": { "name": "Shop" }, "message": { "price": 255 },
    /// });
    /// assert_eq!(TypedData::from_json(&json).unwrap().struct_hash()[..2], [0xd9, 0x96]);
    /// json["message"]["price"] = 256.into();
    /// assert_eq!(TypedData::from_json(&json), Err(TypedDataError::Value));
    /// ```
    pub fn from_json(json: &Value) -> Result<Self, TypedDataError> {
        let member = |name| json.get(name).ok_or(TypedDataError::Shape);
        let primary = member("primaryType")?.as_str().ok_or(TypedDataError::Shape)?;
        let domain = member("domain")?.as_object().ok_or(TypedDataError::Shape)?;
        let types = Types::read(member("types")?, domain)?;
        // Signing the bare domain has no struct hash, and is never needed.
        if primary == DOMAIN {
            return Err(TypedDataError::Type);
        }
        let mut hasher = Hasher { types: &types, type_hashes: Vec::new(), values: MAX_VALUES };
        Ok(Self {
            domain_separator: hasher.hash_members(DOMAIN, domain, MAX_DEPTH)?,
            struct_hash: hasher.hash_struct(primary, member("message")?, MAX_DEPTH)?,
        })
    }

    /// The hash of the domain.
    #[must_use]
    pub const fn domain_separator(&self) -> [u8; 32] {
        self.domain_separator
    }

    /// The hash of the message.
    #[must_use]
    pub const fn struct_hash(&self) -> [u8; 32] {
        self.struct_hash
    }

    /// The digest to sign.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.domain_separator, &self.struct_hash)
    }
}

/// Error of JSON that is not typed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypedDataError {
    /// A required member is missing or is not an object, array or text.
    Shape,
    /// A type is unknown, declared twice, or not spelt as in the standard.
    Type,
    /// A value is missing, undeclared, or not of its declared type.
    Value,
    /// More types, fields, levels or values than allowed.
    TooLarge,
}

impl fmt::Display for TypedDataError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Shape => "expected typed data with types, primaryType, domain and message",
            Self::Type => "typed data declares or uses a type that is not in EIP-712",
            Self::Value => "typed data has a value that does not fit its declared type",
            Self::TooLarge => "typed data is too large",
        })
    }
}

impl core::error::Error for TypedDataError {}

struct Hasher<'a> {
    types: &'a Types,
    /// Few entries, so a list is searched faster than a tree.
    type_hashes: Vec<(String, [u8; 32])>,
    /// Number of values that may still come.
    values: usize,
}

impl Hasher<'_> {
    fn hash_struct(
        &mut self,
        name: &str,
        value: &Value,
        depth: usize,
    ) -> Result<[u8; 32], TypedDataError> {
        self.hash_members(name, value.as_object().ok_or(TypedDataError::Value)?, depth)
    }

    fn hash_members(
        &mut self,
        name: &str,
        members: &Map<String, Value>,
        depth: usize,
    ) -> Result<[u8; 32], TypedDataError> {
        let depth = depth.checked_sub(1).ok_or(TypedDataError::TooLarge)?;
        let fields = self.types.of(name)?;
        // Declared names are unique, so equal counts mean that no undeclared member is present.
        if members.len() != fields.len() {
            return Err(TypedDataError::Value);
        }
        let mut encoded = Vec::from(self.type_hash(name)?);
        for field in fields {
            let value = members.get(&field.name).ok_or(TypedDataError::Value)?;
            encoded.extend(self.word(&field.kind, value, depth)?);
        }
        Ok(keccak256(&encoded))
    }

    fn type_hash(&mut self, name: &str) -> Result<[u8; 32], TypedDataError> {
        if let Some((_, hash)) = self.type_hashes.iter().find(|(known, _)| known == name) {
            return Ok(*hash);
        }
        let hash = keccak256(self.types.encode(name)?.as_bytes());
        self.type_hashes.push((String::from(name), hash));
        Ok(hash)
    }

    /// `encodeData` of one value: always one word.
    fn word(
        &mut self,
        kind: &FieldType,
        value: &Value,
        depth: usize,
    ) -> Result<[u8; 32], TypedDataError> {
        self.values = self.values.checked_sub(1).ok_or(TypedDataError::TooLarge)?;
        let text = || value.as_str().ok_or(TypedDataError::Value);
        match kind {
            FieldType::Bool => match value {
                Value::Bool(is_true) => Ok(Amount::from_u64((*is_true).into()).to_be_bytes()),
                _ => Err(TypedDataError::Value),
            },
            FieldType::Address => {
                Address::parse(text()?).map(Address::to_word).map_err(|_| TypedDataError::Value)
            }
            FieldType::String => Ok(keccak256(text()?.as_bytes())),
            FieldType::Bytes => Ok(keccak256(&bytes(text()?)?)),
            FieldType::FixedBytes(length) => match bytes(text()?)? {
                bytes if bytes.len() == *length => {
                    let mut word = [0; 32];
                    word.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
                    Ok(word)
                }
                _ => Err(TypedDataError::Value),
            },
            FieldType::Uint(size) => unsigned(&integer(value)?, *size),
            FieldType::Int(size) => signed(&integer(value)?, *size),
            FieldType::Struct(name) => self.hash_struct(name, value, depth),
            FieldType::Array(element, length) => {
                let depth = depth.checked_sub(1).ok_or(TypedDataError::TooLarge)?;
                let values = value.as_array().ok_or(TypedDataError::Value)?;
                if length.is_some_and(|length| length != values.len()) {
                    return Err(TypedDataError::Value);
                }
                let mut encoded = Vec::new();
                for value in values {
                    encoded.extend(self.word(element, value, depth)?);
                }
                Ok(keccak256(&encoded))
            }
        }
    }
}

/// Decimal text of an integer; JSON numbers only within the range that every reader parses exactly.
fn integer(value: &Value) -> Result<String, TypedDataError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(small) if small.unsigned_abs() < 1 << 53 => Ok(alloc::format!("{small}")),
            _ => Err(TypedDataError::Value),
        },
        _ => Err(TypedDataError::Value),
    }
}

fn unsigned(text: &str, size: usize) -> Result<[u8; 32], TypedDataError> {
    let word = Amount::from_atomic(text).map_err(|_| TypedDataError::Value)?.to_be_bytes();
    let unused = 32_usize.saturating_sub(size);
    if word.iter().take(unused).all(|byte| *byte == 0) {
        Ok(word)
    } else {
        Err(TypedDataError::Value)
    }
}

/// Two's complement in a whole word; the bits above the type's sign bit repeat it.
fn signed(text: &str, size: usize) -> Result<[u8; 32], TypedDataError> {
    let (digits, fill, sign) = match text.strip_prefix('-') {
        Some(digits) => (digits, 0xff, 0x80),
        None => (text, 0x00, 0x00),
    };
    let magnitude = Amount::from_atomic(digits).map_err(|_| TypedDataError::Value)?;
    let encoded = if sign == 0 {
        Some(magnitude)
    } else {
        Amount::MAX.checked_sub(magnitude).and_then(|rest| rest.checked_add(Amount::from_u64(1)))
    };
    // Minus zero is 2^256 and ends here.
    let word = encoded.ok_or(TypedDataError::Value)?.to_be_bytes();
    let unused = 32_usize.saturating_sub(size);
    let filled = word.iter().take(unused).all(|byte| *byte == fill);
    let signed = word.get(unused).is_some_and(|byte| byte & 0x80 == sign);
    if filled && signed { Ok(word) } else { Err(TypedDataError::Value) }
}

fn bytes(text: &str) -> Result<Vec<u8>, TypedDataError> {
    hex::decode_prefixed(text).map_err(|_| TypedDataError::Value)
}

const DOMAIN: &str = "EIP712Domain";
const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const DOMAIN_TYPE_WITHOUT_CONTRACT: &str =
    "EIP712Domain(string name,string version,uint256 chainId)";
const MAX_DEPTH: usize = 16;
const MAX_VALUES: usize = 4096;
