//! The data that a payer signs for a channel, and the payload with the signatures.

use alloc::string::{String, ToString};

use serde_json::{Map, Value, json};

use super::kept::{KeptChannel, PendingDeposit};
use super::terms::ChannelTerms;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_channel::config::deposit_nonce;
use farebox_channel::escrow::Escrow;
use farebox_evm::address::Address;
use farebox_wire::x402::header;

/// The contract that takes deposits by EIP-3009: `0x4020806089470a89826cB9fB1f4059150b550004`.
/// Spec: x402 `batch-settlement` on EVM, "Canonical Addresses".
pub const DEPOSIT_COLLECTOR: Address = Address::from_bytes([
    0x40, 0x20, 0x80, 0x60, 0x89, 0x47, 0x0a, 0x89, 0x82, 0x6c, 0xb9, 0xfb, 0x1f, 0x40, 0x59, 0x15,
    0x0b, 0x55, 0x00, 0x04,
]);

/// The typed data of a voucher.
pub(super) fn voucher(channel: &KeptChannel, amount: Amount) -> Value {
    let contract = channel.contract();
    let domain = json!({
        "name": Escrow::BatchSettlement.domain_name(),
        "version": "1",
        "chainId": channel.chain_id,
        "verifyingContract": contract.address.to_checksum(),
    });
    let message = json!({
        "channelId": channel.id().to_string(),
        "maxClaimableAmount": amount.to_string(),
    });
    let voucher = members(&[("channelId", "bytes32"), ("maxClaimableAmount", "uint128")]);
    typed_data(domain, "Voucher", voucher, message)
}

/// The typed data of a deposit by EIP-3009, bound to its channel by the nonce.
pub(super) fn deposit(
    terms: &ChannelTerms,
    channel: &KeptChannel,
    deposit: &PendingDeposit,
) -> Value {
    let asset = &terms.offer.asset;
    let domain = json!({
        "name": asset.name,
        "version": asset.version,
        "chainId": channel.chain_id,
        "verifyingContract": asset.address.to_checksum(),
    });
    let nonce = deposit_nonce(&channel.id(), Amount::from_be_bytes(deposit.salt));
    let message = json!({
        "from": channel.config.payer.to_checksum(),
        "to": DEPOSIT_COLLECTOR.to_checksum(),
        "value": deposit.amount.to_string(),
        "validAfter": "0",
        "validBefore": deposit.valid_before.secs().to_string(),
        "nonce": hex::encode_prefixed(&nonce),
    });
    receive_authorization(domain, message)
}

/// An EIP-3009 authorization that only its recipient can use, for a wallet to sign.
pub(in crate::client) fn receive_authorization(domain: Value, message: Value) -> Value {
    let fields = members(&[
        ("from", "address"),
        ("to", "address"),
        ("value", "uint256"),
        ("validAfter", "uint256"),
        ("validBefore", "uint256"),
        ("nonce", "bytes32"),
    ]);
    typed_data(domain, "ReceiveWithAuthorization", fields, message)
}

/// The content of a payment by channel.
pub(super) enum Carried<'a> {
    Voucher,
    Deposit(&'a PendingDeposit),
    /// A request to pay back this much of the rest, or all of it.
    Refund(Option<Amount>),
}

/// The value of `PAYMENT-SIGNATURE`.
pub(super) fn header_value(
    terms: &ChannelTerms,
    channel: &KeptChannel,
    amount: Amount,
    signature: &str,
    carried: &Carried<'_>,
) -> String {
    let mut payload = Map::new();
    let kind = match carried {
        Carried::Voucher => "voucher",
        Carried::Deposit(_) => "deposit",
        Carried::Refund(_) => "refund",
    };
    payload.insert("type".to_string(), kind.into());
    payload.insert("channelConfig".to_string(), channel.config.to_json());
    let voucher = json!({
        "channelId": channel.id().to_string(),
        "maxClaimableAmount": amount.to_string(),
        "signature": signature,
    });
    payload.insert("voucher".to_string(), voucher);
    match carried {
        Carried::Voucher | Carried::Refund(None) => {}
        Carried::Refund(Some(amount)) => {
            payload.insert("amount".to_string(), amount.to_string().into());
        }
        Carried::Deposit(deposit) => {
            let authorization = json!({
                "validAfter": "0",
                "validBefore": deposit.valid_before.secs().to_string(),
                "salt": hex::encode_prefixed(&deposit.salt),
                "signature": deposit.signature,
            });
            let made = json!({
                "amount": deposit.amount.to_string(),
                "authorization": {"erc3009Authorization": authorization},
            });
            payload.insert("deposit".to_string(), made);
        }
    }
    let mut message = Map::new();
    message.insert("x402Version".to_string(), json!(2));
    message.insert("payload".to_string(), Value::Object(payload));
    message.insert("accepted".to_string(), terms.accepted());
    message.extend(terms.echoed.clone());
    header::encode(&Value::Object(message).to_string())
}

pub(in crate::client) fn members(fields: &[(&str, &str)]) -> Value {
    fields.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect()
}

pub(in crate::client) fn typed_data(
    domain: Value,
    primary: &str,
    fields: Value,
    message: Value,
) -> Value {
    let types = json!({
        "EIP712Domain": members(&[
            ("name", "string"),
            ("version", "string"),
            ("chainId", "uint256"),
            ("verifyingContract", "address"),
        ]),
        primary: fields,
    });
    json!({"domain": domain, "types": types, "primaryType": primary, "message": message})
}
