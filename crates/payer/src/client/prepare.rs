//! Prepares the data for the wallet to sign, and the payment header with its signature.

use alloc::string::{String, ToString};

use serde_json::{Map, Value, json};

use super::allowance::{PaymentParts, SignedAllowance, object_at};
use super::challenge::Challenge;
use super::error::{ClientError, Reason};
use super::offer::{Charge, Offer, TermsSource, Way};
use super::signing::{checked, typed_data};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_common::payment::{PaymentKey, TransferMethod, TxHash};
use farebox_evm::address::Address;
use farebox_evm::eip712::Domain;
use farebox_evm::eip3009::Authorization;
use farebox_evm::permit2;
use farebox_wire::mpp::source::Source;
use farebox_wire::mpp::{Credential, PAYMENT_AUTHORIZATION};
use farebox_wire::x402::{Version, header};

/// Seconds by which version 1 clients let an authorization begin earlier. Spec: x402 v1 reference
/// client.
const V1_EARLY_SECS: u64 = 600;

/// One payment, ready to be signed or sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The offer that it pays.
    pub offer: Offer,
    /// The data to sign; for a charge whose transaction the payer sends, the transfer it has to
    /// make.
    pub authorization: Authorization,
    /// The payer's own transaction, once it was sent.
    pub transaction: Option<TxHash>,
    /// The permit that the payer has signed, so that Permit2 may move it.
    pub allowance: Option<SignedAllowance>,
}

/// The header field that carries a payment.
#[derive(Clone, Debug)]
pub struct PaymentField {
    /// Its name, as the payment's protocol has it.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

impl Prepared {
    /// The authorization for `offer`, valid for as long as it asks; `nonce` is used unless the
    /// offer demands another.
    #[must_use]
    pub fn new(offer: Offer, payer: Address, nonce: [u8; 32], now: UnixTime) -> Self {
        let valid_after = match &offer.asked {
            TermsSource::X402 { version: Version::V1, .. } => now.minus(V1_EARLY_SECS),
            TermsSource::X402 { version: Version::V2, .. } | TermsSource::Mpp(_) => {
                UnixTime::from_secs(0)
            }
        };
        let valid_before = match &offer.asked {
            TermsSource::X402 { .. } => now.plus(offer.max_timeout_secs),
            TermsSource::Mpp(charge) => charge.valid_before(now),
        };
        let authorization = Authorization {
            from: payer,
            to: offer.pay_to,
            value: offer.amount,
            valid_after,
            valid_before,
            nonce: offer.nonce(nonce),
        };
        Self { offer, authorization, transaction: None, allowance: None }
    }

    /// The offer, and what is signed for it.
    #[must_use]
    pub const fn payment(&self) -> PaymentParts<'_> {
        PaymentParts { offer: &self.offer, authorization: &self.authorization }
    }

    /// The payment's key, as every gate of this project names it.
    #[must_use]
    pub fn key(&self) -> PaymentKey {
        let chain_id = self.offer.chain_id;
        if let Some(transaction) = &self.transaction {
            return PaymentKey::of_transaction(chain_id, &transaction.to_bytes());
        }
        let (asset, signed) = (&self.offer.asset.address, &self.authorization);
        match self.offer.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => {
                PaymentKey::of_authorization(chain_id, asset, &signed.from, &signed.nonce)
            }
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                PaymentKey::of_permit(chain_id, &signed.from, &signed.nonce)
            }
        }
    }

    /// Typed data for a wallet: pinned domain, `EIP712Domain` included, numbers as text.
    #[must_use]
    pub fn typed_data(&self) -> Value {
        let asset = &self.offer.asset;
        if self.offer.method != TransferMethod::Eip3009 {
            let domain = json!({
                "name": "Permit2",
                "chainId": self.offer.chain_id,
                "verifyingContract": permit2::PERMIT2.to_checksum(),
            });
            let message = Value::Object(self.permit());
            let types = if self.offer.is_bound() { BOUND_TYPES } else { PERMIT_TYPES };
            return typed_data(types, domain, "PermitWitnessTransferFrom", message);
        }
        let domain = json!({
            "name": asset.name,
            "version": asset.version,
            "chainId": self.offer.chain_id,
            "verifyingContract": asset.address.to_checksum(),
        });
        let message = Value::Object(self.message());
        typed_data(AUTHORIZATION_TYPES, domain, "TransferWithAuthorization", message)
    }

    fn message(&self) -> Map<String, Value> {
        let signed = &self.authorization;
        let members = [
            ("from", signed.from.to_checksum()),
            ("to", signed.to.to_checksum()),
            ("value", signed.value.to_string()),
            ("validAfter", signed.valid_after.secs().to_string()),
            ("validBefore", signed.valid_before.secs().to_string()),
            ("nonce", hex::encode_prefixed(&signed.nonce)),
        ];
        // Inserts one by one: collecting a map would bring in a sort, which a web page would have
        // to load.
        let mut message = Map::new();
        for (name, text) in members {
            message.insert(name.to_string(), text.into());
        }
        message
    }

    /// The permit without its signer, whom the signature names.
    fn permit(&self) -> Map<String, Value> {
        let signed = &self.authorization;
        let nonce = Amount::from_be_bytes(signed.nonce);
        let permitted = [
            ("token", self.offer.asset.address.to_checksum()),
            ("amount", signed.value.to_string()),
        ];
        let witness = [
            ("to", signed.to.to_checksum()),
            ("validAfter", signed.valid_after.secs().to_string()),
        ];
        let object = |members: [(&str, String); 2]| {
            let mut object = Map::new();
            for (name, text) in members {
                object.insert(name.to_string(), text.into());
            }
            object
        };
        let (permitted, mut witness) = (object(permitted), object(witness));
        let spender = match self.offer.method.facilitator() {
            None => permit2::EXACT_PROXY,
            Some(facilitator) => {
                witness.insert("facilitator".to_string(), facilitator.to_checksum().into());
                permit2::UPTO_PROXY
            }
        };
        let mut permit = Map::new();
        permit.insert("permitted".to_string(), Value::Object(permitted));
        permit.insert("spender".to_string(), spender.to_checksum().into());
        permit.insert("nonce".to_string(), nonce.to_string().into());
        permit.insert("deadline".to_string(), signed.valid_before.secs().to_string().into());
        permit.insert("witness".to_string(), Value::Object(witness));
        permit
    }

    /// The payment header with a signature that was checked.
    #[must_use]
    pub fn header(
        &self,
        signature: &str,
        challenge: &Challenge,
        identifier: Option<&str>,
    ) -> PaymentField {
        let mut authorization = self.message();
        let message = match &self.offer.asked {
            TermsSource::Mpp(charge) => {
                authorization.insert("signature".to_string(), signature.into());
                return self.credential(charge, authorization);
            }
            TermsSource::X402 { version: Version::V1, accepted } => json!({
                "x402Version": 1,
                "scheme": "exact",
                "network": accepted.get("network"),
                "payload": {"signature": signature, "authorization": authorization},
            }),
            TermsSource::X402 { version: Version::V2, accepted } => {
                let mut message = Map::new();
                message.insert("x402Version".to_string(), json!(2));
                let payload = match self.offer.method {
                    TransferMethod::Eip3009 | TransferMethod::Deferred => {
                        json!({"authorization": authorization, "signature": signature})
                    }
                    TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                        let mut permit = self.permit();
                        let from = self.authorization.from.to_checksum();
                        permit.insert("from".to_string(), from.into());
                        json!({"permit2Authorization": permit, "signature": signature})
                    }
                };
                message.insert("payload".to_string(), payload);
                if let Some(resource) = &challenge.resource {
                    message.insert("resource".to_string(), resource.clone());
                }
                message.insert("accepted".to_string(), accepted.clone());
                if let Some(extensions) = self.extensions(challenge, identifier) {
                    message.insert("extensions".to_string(), extensions);
                }
                Value::Object(message)
            }
        };
        let name = match &self.offer.asked {
            TermsSource::X402 { version: Version::V1, .. } => "X-PAYMENT",
            _ => "PAYMENT-SIGNATURE",
        };
        PaymentField { name, value: header::encode(&message.to_string()) }
    }

    /// The extensions that go with it, if there are any.
    fn extensions(&self, challenge: &Challenge, identifier: Option<&str>) -> Option<Value> {
        let mut all = identified(challenge, identifier);
        if let Some(permit) = &self.allowance {
            permit.add_to(&mut all, self.payment());
        }
        (!all.is_empty()).then_some(Value::Object(all))
    }

    /// The header that names the payer's own transaction.
    ///
    /// # Errors
    /// [`Reason::WrongTransaction`] unless `hash` is `0x` and 64 hex digits.
    pub fn transaction_header(&mut self, hash: &str) -> Result<PaymentField, ClientError> {
        let wrong = |message: &str| ClientError::new(Reason::WrongTransaction, message);
        let transaction = TxHash::parse(hash)
            .ok_or_else(|| wrong("expected a transaction hash: 0x and exactly 64 hex digits"))?;
        self.transaction = Some(transaction);
        let TermsSource::Mpp(charge) = &self.offer.asked else {
            return Err(wrong("this payment does not ask for a transaction"));
        };
        let mut payload = Map::new();
        payload.insert("hash".to_string(), transaction.to_text().into());
        Ok(self.credential(charge, payload))
    }

    /// The credential with this proof, and the field that carries it. Its value begins with the
    /// scheme's name.
    fn credential(&self, charge: &Charge, mut proof: Map<String, Value>) -> PaymentField {
        let kind = match charge.way {
            Way::Authorization => "authorization",
            Way::Transaction => {
                proof.insert("type".to_string(), "eip-3009".into());
                let authorization = core::mem::take(&mut proof);
                proof.insert("authorization".to_string(), Value::Object(authorization));
                "transaction"
            }
            Way::Hash => "hash",
        };
        proof.insert("type".to_string(), kind.into());
        let source = Source { chain_id: self.offer.chain_id, address: self.authorization.from };
        let credential = Credential {
            challenge: charge.challenge.clone(),
            payload: proof,
            source: Some(source.to_text()),
        };
        let name = match charge.challenge.header {
            None => "Authorization",
            Some(_) => PAYMENT_AUTHORIZATION,
        };
        PaymentField { name, value: credential.to_header() }
    }

    /// The signature with a low s and v 27 or 28, if it recovers to the payer.
    ///
    /// # Errors
    /// [`Reason::WrongSignature`].
    pub fn checked(&self, signature: &str) -> Result<String, ClientError> {
        checked(signature, &self.digest(), &self.authorization.from)
    }

    /// The digest to sign.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let (asset, chain_id) = (&self.offer.asset, self.offer.chain_id);
        let domain = Domain {
            name: &asset.name,
            version: &asset.version,
            chain_id,
            verifying_contract: asset.address,
        };
        match self.offer.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => {
                self.authorization.digest(&domain.separator())
            }
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                let separator = permit2::separator(chain_id);
                let facilitator = self.offer.method.facilitator();
                permit2::digest(&self.authorization, &asset.address, facilitator, &separator)
            }
        }
    }
}

/// The server's extensions, with this payment's identifier filled in.
fn identified(challenge: &Challenge, identifier: Option<&str>) -> Map<String, Value> {
    let mut all = challenge.extensions.clone().unwrap_or_default();
    if let Some(id) = identifier
        && let Some(entry) = object_at(&mut all, "payment-identifier")
    {
        if let Some(info) = object_at(entry, "info") {
            if info.is_empty() {
                info.insert("required".to_string(), json!(false));
            }
            info.insert("id".to_string(), json!(id));
        }
        // Some servers ignore extensions without a schema.
        entry.entry("schema").or_insert_with(|| json!({}));
    }
    all
}

/// The typed data of a redelivery statement. Spec: docs/repeats.md, "Repeats".
#[must_use]
pub fn redelivery(
    key: &PaymentKey,
    chain_id: u64,
    method: &str,
    url: &str,
    issued_at: UnixTime,
) -> Value {
    let domain = json!({"name": "Farebox", "version": "1", "chainId": chain_id});
    let message = json!({
        "paymentKey": hex::encode_prefixed(key.as_bytes()),
        "method": method,
        "url": url,
        "issuedAt": issued_at.secs().to_string(),
    });
    typed_data(REDELIVERY_TYPES, domain, "Redelivery", message)
}

/// Spec: EIP-712; EIP-3009.
const AUTHORIZATION_TYPES: &str = r#"{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],"TransferWithAuthorization":[{"name":"from","type":"address"},{"name":"to","type":"address"},{"name":"value","type":"uint256"},{"name":"validAfter","type":"uint256"},{"name":"validBefore","type":"uint256"},{"name":"nonce","type":"bytes32"}]}"#;
/// Spec: EIP-712; x402 scheme `exact` on EVM, "Permit2".
const PERMIT_TYPES: &str = r#"{"EIP712Domain":[{"name":"name","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],"PermitWitnessTransferFrom":[{"name":"permitted","type":"TokenPermissions"},{"name":"spender","type":"address"},{"name":"nonce","type":"uint256"},{"name":"deadline","type":"uint256"},{"name":"witness","type":"Witness"}],"TokenPermissions":[{"name":"token","type":"address"},{"name":"amount","type":"uint256"}],"Witness":[{"name":"to","type":"address"},{"name":"validAfter","type":"uint256"}]}"#;
/// Spec: EIP-712; x402 scheme `upto` on EVM.
const BOUND_TYPES: &str = r#"{"EIP712Domain":[{"name":"name","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],"PermitWitnessTransferFrom":[{"name":"permitted","type":"TokenPermissions"},{"name":"spender","type":"address"},{"name":"nonce","type":"uint256"},{"name":"deadline","type":"uint256"},{"name":"witness","type":"Witness"}],"TokenPermissions":[{"name":"token","type":"address"},{"name":"amount","type":"uint256"}],"Witness":[{"name":"to","type":"address"},{"name":"facilitator","type":"address"},{"name":"validAfter","type":"uint256"}]}"#;
/// Spec: EIP-712; docs/repeats.md, "Repeats".
const REDELIVERY_TYPES: &str = r#"{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"}],"Redelivery":[{"name":"paymentKey","type":"bytes32"},{"name":"method","type":"string"},{"name":"url","type":"string"},{"name":"issuedAt","type":"uint256"}]}"#;

/// The header for a signed statement.
#[must_use]
pub fn redelivery_header(statement: &Value, signature: &str) -> String {
    let mut message = statement.get("message").cloned().unwrap_or_default();
    if let Some(message) = message.as_object_mut() {
        message.insert("signature".to_string(), json!(signature));
    }
    header::encode(&message.to_string())
}
