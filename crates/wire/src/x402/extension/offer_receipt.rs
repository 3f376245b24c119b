//! Extension `offer-receipt`: receipts, signed as EIP-712 typed data. Offers are not signed.
//!
//! Spec: x402 extension "Offer and Receipt", sections 3 and 5. The domain is the same for every
//! chain (`chainId` 1, no contract), so a verifier needs only the receipt and the signer's address.

use alloc::string::{String, ToString};

use serde::Serialize;
use serde_json::{Map, Value};

use farebox_base::amount::Amount;
use farebox_base::encoding::{hex, json};
use farebox_common::payment::receipt::Receipt;
use farebox_evm::account::Account;
use farebox_evm::eip712;
use farebox_evm::keccak::{keccak256, keccak256_parts};

/// The extension's name in `extensions`.
pub const NAME: &str = "offer-receipt";
/// The EIP-712 type of [`Payload`].
pub const TYPE: &str = "Receipt(uint256 version,string network,string resourceUrl,string payer,uint256 issuedAt,string transaction)";

/// Version of the receipts written here.
const VERSION: u64 = 1;

/// The signed content. The order of members is that of the reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    version: u64,
    network: String,
    resource_url: String,
    payer: String,
    issued_at: u64,
    transaction: String,
}

impl Payload {
    /// The members of `receipt` that the extension knows, the transaction included.
    #[must_use]
    pub fn new(receipt: &Receipt) -> Self {
        Self {
            version: VERSION,
            network: receipt.network.clone(),
            resource_url: receipt.resource_url.clone(),
            payer: receipt.payer.clone(),
            issued_at: receipt.issued_at.secs(),
            transaction: receipt.transaction.on_wire().to_string(),
        }
    }

    /// The members of a received payload, each as written there; `None` if one is missing.
    #[must_use]
    pub fn read(object: &Map<String, Value>) -> Option<Self> {
        let number = |name: &str| object.get(name).and_then(Value::as_u64);
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(ToString::to_string);
        Some(Self {
            version: number("version")?,
            network: text("network")?,
            resource_url: text("resourceUrl")?,
            payer: text("payer")?,
            issued_at: number("issuedAt")?,
            transaction: text("transaction")?,
        })
    }

    /// The digest to sign.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let text = |text: &str| keccak256(text.as_bytes());
        let separator = eip712::separator_without_contract("x402 receipt", "1", 1);
        let members = keccak256_parts(&[
            &keccak256(TYPE.as_bytes()),
            &Amount::from_u64(self.version).to_be_bytes(),
            &text(&self.network),
            &text(&self.resource_url),
            &text(&self.payer),
            &Amount::from_u64(self.issued_at).to_be_bytes(),
            &text(&self.transaction),
        ]);
        eip712::digest(&separator, &members)
    }
}

/// A receipt on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedReceipt {
    format: &'static str,
    payload: Payload,
    signature: String,
}

impl SignedReceipt {
    /// Signs `receipt`; `None` in the case that [`Account::sign`] names.
    #[must_use]
    pub fn new(receipt: &Receipt, signer: &Account) -> Option<Self> {
        let payload = Payload::new(receipt);
        let signature = signer.sign(&payload.digest())?;
        let signature = hex::encode_prefixed(&signature.to_bytes());
        Some(Self { format: FORMAT, payload, signature })
    }
}

/// `extensions` of a settlement that was served, as JSON: what carries `receipt`.
#[must_use]
pub fn extensions(receipt: &SignedReceipt) -> String {
    let receipt = json::text(receipt);
    ["{\"offer-receipt\":{\"info\":{\"receipt\":", &receipt, "},\"schema\":", SCHEMA, "}}"].concat()
}

/// The name of a signer of the format `eip712`: the DID of its address.
///
/// Spec: x402 extension "Offer and Receipt", section 4.5; did:pkh.
#[must_use]
pub fn key_id(signer: &Account) -> String {
    let mut id = String::from("did:pkh:eip155:1:");
    id.push_str(&signer.address().to_string());
    id
}

/// The format of signed receipts.
pub const FORMAT: &str = "eip712";
/// The announcement, JSON: receipts of this format name the `resource` of the terms.
pub const ANNOUNCED: &str = r#"{"info":{"receipt":"eip712"},"schema":{}}"#;

/// Whether terms with these extensions announce that.
#[must_use]
pub fn is_announced(extensions: Option<&Map<String, Value>>) -> bool {
    let info = extensions.and_then(|all| all.get(NAME)?.get("info"));
    info.and_then(|info| info.get("receipt")?.as_str()) == Some(FORMAT)
}

/// JSON Schema of `info`, as the reference announces it.
const SCHEMA: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"receipt":{"type":"object","properties":{"format":{"type":"string"},"payload":{"type":"object","properties":{"version":{"type":"integer"},"network":{"type":"string"},"resourceUrl":{"type":"string"},"payer":{"type":"string"},"issuedAt":{"type":"integer"},"transaction":{"type":"string"}},"required":["version","network","resourceUrl","payer","issuedAt"]},"signature":{"type":"string"}},"required":["format","signature"]}},"required":["receipt"]}"#;
