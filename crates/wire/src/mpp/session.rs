//! Intent `session` of method `evm`: a channel that is opened, used, topped up and closed by
//! credentials to the URL that sells.
//!
//! Spec: draft-evm-session; OKX Agent Payments Protocol, whose payers send type `transaction` where
//! the draft has `authorization`.

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::Malformed;
use super::members::{self, required};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::eip3009::Authorization;

/// The intent's name.
pub const INTENT: &str = "session";

/// The unit of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitType {
    /// One request.
    Request,
    /// One second of a stream.
    Second,
    /// One byte of an answer.
    Byte,
    /// One event of a stream.
    Event,
}

impl UnitType {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Second => "second",
            Self::Byte => "byte",
            Self::Event => "event",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let all = [Self::Request, Self::Second, Self::Byte, Self::Event];
        all.into_iter().find(|unit| unit.name() == text)
    }
}

/// Terms of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// Atomic units of the token for one unit; never zero.
    pub amount: Amount,
    /// The unit.
    pub unit: UnitType,
    /// The token's contract.
    pub currency: Address,
    /// The payee.
    pub recipient: Address,
    /// The chain.
    pub chain_id: u64,
    /// The contract that holds deposits.
    pub escrow: Address,
    /// The deposit that the payee suggests.
    pub suggested_deposit: Option<Amount>,
    /// The least that a voucher adds.
    pub min_delta: Amount,
    /// The payer's open channel, if the payee knows one.
    pub channel: Option<[u8; 32]>,
    /// Whether the payee pays for gas. The draft and OKX define different defaults.
    pub fee_payer: Option<bool>,
}

impl SessionTerms {
    /// The least that a voucher adds: of a stream, the price of a step.
    #[must_use]
    pub fn step(&self) -> Amount {
        self.amount.max(self.min_delta)
    }

    /// Reads the object of a challenge's `request`; unknown members are skipped.
    ///
    /// # Errors
    /// The first member that is missing or wrong.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::{Malformed, session::{SessionTerms, UnitType}};
    /// let token = "0x779Ded0c9e1022225f8E0630b35a9b54bE713736";
    /// let mut asked = serde_json::json!({
    ///     "amount": "25", "currency": token, "recipient": token, "unitType": "second",
    ///     "methodDetails": { "chainId": 196, "escrowContract": token, "minVoucherDelta": "100" },
    /// });
    /// let terms = SessionTerms::read(asked.as_object().unwrap()).unwrap();
    /// assert_eq!((terms.unit, terms.min_delta.to_string().as_str()), (UnitType::Second, "100"));
    /// asked["amount"] = "0".into();
    /// assert_eq!(SessionTerms::read(asked.as_object().unwrap()), Err(Malformed::Wrong("amount")));
    /// ```
    pub fn read(request: &Map<String, Value>) -> Result<Self, Malformed> {
        let amount = members::amount(request, "amount")?;
        if amount.is_zero() {
            return Err(Malformed::Wrong("amount"));
        }
        let details = match request.get("methodDetails") {
            Some(Value::Object(details)) => details,
            None | Some(Value::Null) => return Err(Malformed::Missing("methodDetails")),
            Some(_) => return Err(Malformed::Wrong("methodDetails")),
        };
        let unit = match members::text(request, "unitType")? {
            None => UnitType::Request,
            Some(text) => UnitType::read(text).ok_or(Malformed::Wrong("unitType"))?,
        };
        let optional = |object, name| match members::text(object, name)? {
            None => Ok(None),
            Some(text) => Amount::from_atomic(text).map(Some).map_err(|_| Malformed::Wrong(name)),
        };
        Ok(Self {
            amount,
            unit,
            currency: address(request, "currency")?,
            recipient: address(request, "recipient")?,
            chain_id: members::number(details, "chainId")?.ok_or(Malformed::Missing("chainId"))?,
            escrow: address(details, "escrowContract")?,
            suggested_deposit: optional(request, "suggestedDeposit")?,
            min_delta: optional(details, "minVoucherDelta")?.unwrap_or(Amount::ZERO),
            channel: match members::text(details, "channelId")? {
                None => None,
                Some(_) => Some(word(details, "channelId")?),
            },
            fee_payer: members::flag(details, "feePayer")?,
        })
    }
}

/// How a deposit reaches the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Funding {
    /// The payer has sent the transaction with this hash.
    Sent([u8; 32]),
    /// The payee sends this authorization, made for the contract.
    Authorized {
        /// The authorization that is signed, as `ReceiveWithAuthorization`.
        authorization: Authorization,
        /// Its signature, as it came.
        signature: String,
    },
}

/// A voucher as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownVoucher {
    /// The channel.
    pub channel: [u8; 32],
    /// Its amount.
    pub cumulative: Amount,
    /// Its signature.
    pub signature: String,
}

/// The action that a credential asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionAction {
    /// Open a channel with a first voucher.
    Open {
        /// The first voucher; its amount may be zero.
        voucher: ShownVoucher,
        /// The channel's salt.
        salt: [u8; 32],
        /// The signer of vouchers; zero for the payer.
        authorized_signer: Address,
        /// The deposit.
        funding: Funding,
    },
    /// Add to a deposit.
    TopUp {
        /// The channel.
        channel: [u8; 32],
        /// The amount that is added; never zero.
        additional: Amount,
        /// The salt of the authorization's nonce; zero if the payer sends the transaction.
        salt: [u8; 32],
        /// The deposit.
        funding: Funding,
    },
    /// Pay with this voucher.
    Voucher(ShownVoucher),
    /// Close the channel with this voucher.
    Close(ShownVoucher),
}

impl SessionAction {
    /// Reads a credential's payload; unknown members are skipped.
    ///
    /// # Errors
    /// The first member that is missing or wrong.
    pub fn read(payload: &Map<String, Value>) -> Result<Self, Malformed> {
        match required(payload, "action")? {
            "open" => {
                let funding = funding(payload)?;
                // Where the deposit's own signature comes along, the voucher's has another name.
                let name = match funding {
                    Funding::Sent(_) => "signature",
                    Funding::Authorized { .. } => "voucherSignature",
                };
                let authorized_signer = match members::text(payload, "authorizedSigner")? {
                    None => Address::ZERO,
                    Some(_) => address(payload, "authorizedSigner")?,
                };
                let voucher = voucher(payload, name)?;
                let salt = word(payload, "salt")?;
                Ok(Self::Open { voucher, salt, authorized_signer, funding })
            }
            "topUp" => {
                let additional = members::amount(payload, "additionalDeposit")?;
                if additional.is_zero() {
                    return Err(Malformed::Wrong("additionalDeposit"));
                }
                let funding = funding(payload)?;
                let salt = match (&funding, members::text(payload, "topUpSalt")?) {
                    (Funding::Sent(_), _) => [0; 32],
                    (Funding::Authorized { .. }, Some(_)) => word(payload, "topUpSalt")?,
                    // The draft's name for it.
                    (Funding::Authorized { .. }, None) => word(payload, "salt")?,
                };
                let channel = word(payload, "channelId")?;
                Ok(Self::TopUp { channel, additional, salt, funding })
            }
            "voucher" => Ok(Self::Voucher(voucher(payload, "signature")?)),
            "close" => Ok(Self::Close(voucher(payload, "signature")?)),
            _ => Err(Malformed::Wrong("action")),
        }
    }
}

fn voucher(
    payload: &Map<String, Value>,
    signature: &'static str,
) -> Result<ShownVoucher, Malformed> {
    Ok(ShownVoucher {
        channel: word(payload, "channelId")?,
        cumulative: members::amount(payload, "cumulativeAmount")?,
        signature: signature_of(payload, signature)?,
    })
}

fn funding(payload: &Map<String, Value>) -> Result<Funding, Malformed> {
    match required(payload, "type")? {
        "hash" => Ok(Funding::Sent(word(payload, "hash")?)),
        "transaction" | "authorization" => {
            let signed = match payload.get("authorization") {
                Some(Value::Object(signed)) => signed,
                None | Some(Value::Null) => return Err(Malformed::Missing("authorization")),
                Some(_) => return Err(Malformed::Wrong("authorization")),
            };
            if members::text(signed, "type")?.is_some_and(|kind| kind != AUTHORIZATION_TYPE) {
                return Err(Malformed::Wrong("type"));
            }
            let time = |name| {
                UnixTime::from_text(required(signed, name)?).map_err(|_| Malformed::Wrong(name))
            };
            let authorization = Authorization {
                from: address(signed, "from")?,
                to: address(signed, "to")?,
                value: members::amount(signed, "value")?,
                valid_after: time("validAfter")?,
                valid_before: time("validBefore")?,
                nonce: word(signed, "nonce")?,
            };
            let signature = signature_of(payload, "signature")?;
            Ok(Funding::Authorized { authorization, signature })
        }
        _ => Err(Malformed::Wrong("type")),
    }
}

fn address(object: &Map<String, Value>, name: &'static str) -> Result<Address, Malformed> {
    Address::parse(required(object, name)?).map_err(|_| Malformed::Wrong(name))
}

fn word(object: &Map<String, Value>, name: &'static str) -> Result<[u8; 32], Malformed> {
    hex::decode_array(required(object, name)?).map_err(|_| Malformed::Wrong(name))
}

/// A signature's text, not longer than one of an externally owned account.
fn signature_of(object: &Map<String, Value>, name: &'static str) -> Result<String, Malformed> {
    let text = required(object, name)?;
    if text.len() == SIGNATURE_CHARS { Ok(text.to_string()) } else { Err(Malformed::Wrong(name)) }
}

/// OKX's name for EIP-3009; the draft has none.
const AUTHORIZATION_TYPE: &str = "eip-3009";
/// `0x` and 65 bytes.
const SIGNATURE_CHARS: usize = 132;
