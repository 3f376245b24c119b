//! The data that a payer signs for a session, the transactions that it may send itself, and the
//! credentials. Spec: OKX agent payments, "Credentials"; draft-evm-session, "Payloads".

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::kept::{Deposit, FundsProof, KeptSession, PendingFunds};
use super::terms::{ChallengedSession, Dialect};
use crate::client::asset::Asset;
use crate::client::channel::{members, receive_authorization, typed_data};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_channel::config::top_up_nonce;
use farebox_channel::escrow::Escrow;
use farebox_evm::keccak::keccak256;
use farebox_wire::mpp::Credential;
use farebox_wire::mpp::source::Source;

/// The act that a credential asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Open the channel.
    Open,
    /// Add to its deposit.
    TopUp,
    /// Pay with the voucher of this amount.
    Voucher(Amount),
    /// Close the channel with its highest voucher.
    Close,
}

/// The typed data of a voucher.
pub(super) fn voucher(session: &KeptSession, amount: Amount) -> Value {
    let domain = json!({
        "name": Escrow::PaymentChannel.domain_name(),
        "version": "1",
        "chainId": session.chain_id,
        "verifyingContract": session.escrow.to_checksum(),
    });
    let message =
        json!({"channelId": session.id().to_string(), "cumulativeAmount": amount.to_string()});
    let fields = members(&[("channelId", "bytes32"), ("cumulativeAmount", "uint128")]);
    typed_data(domain, "Voucher", fields, message)
}

/// The nonce that binds a deposit to its channel.
fn nonce(session: &KeptSession, funds: &Deposit, dialect: Dialect) -> [u8; 32] {
    match (session.is_opening(), dialect) {
        (true, Dialect::Okx) => session.parties.open_nonce_of_okx(&[]),
        (true, Dialect::Draft) => session.parties.open_nonce(),
        (false, _) => top_up_nonce(&session.id(), funds.amount, session.parties.payer, &funds.salt),
    }
}

fn authorization(session: &KeptSession, funds: &Deposit, dialect: Dialect) -> Map<String, Value> {
    let members = [
        ("from", session.parties.payer.to_checksum()),
        ("to", session.escrow.to_checksum()),
        ("value", funds.amount.to_string()),
        ("validAfter", "0".to_string()),
        ("validBefore", funds.valid_before.secs().to_string()),
        ("nonce", hex::encode_prefixed(&nonce(session, funds, dialect))),
    ];
    let mut message = Map::new();
    for (name, text) in members {
        message.insert(name.to_string(), text.into());
    }
    message
}

/// The typed data of a deposit by EIP-3009.
pub(super) fn deposit(
    asset: &Asset,
    session: &KeptSession,
    funds: &Deposit,
    dialect: Dialect,
) -> Value {
    let domain = json!({
        "name": asset.name,
        "version": asset.version,
        "chainId": session.chain_id,
        "verifyingContract": asset.address.to_checksum(),
    });
    let message = Value::Object(authorization(session, funds, dialect));
    receive_authorization(domain, message)
}

/// The calls that a payer sends who pays the gas: the allowance of the contract, for this deposit
/// alone, and the deposit, whose transaction is the proof.
pub(super) fn calls(session: &KeptSession, funds: &Deposit) -> Value {
    let call = |signature: &str, words: &[[u8; 32]]| {
        let selector: Vec<u8> = keccak256(signature.as_bytes()).into_iter().take(4).collect();
        hex::encode_prefixed(&[selector, words.concat()].concat())
    };
    let amount = funds.amount.to_be_bytes();
    let approve = call("approve(address,uint256)", &[session.escrow.to_word(), amount]);
    let parties = &session.parties;
    let deposit = if session.is_opening() {
        let words = [
            parties.payee.to_word(),
            parties.token.to_word(),
            amount,
            parties.salt,
            parties.authorized_signer.to_word(),
        ];
        call("open(address,address,uint128,bytes32,address)", &words)
    } else {
        call("topUp(bytes32,uint128)", &[*session.id().as_bytes(), amount])
    };
    json!([
        {"to": parties.token.to_checksum(), "data": approve},
        {"to": session.escrow.to_checksum(), "data": deposit},
    ])
}

/// The value of the header that answers a challenge.
pub(super) fn credential(asked: &ChallengedSession, session: &KeptSession, act: Act) -> String {
    let mut payload = Map::new();
    let mut put = |name: &str, value: Value| {
        payload.insert(name.to_string(), value);
    };
    put("channelId", session.id().to_string().into());
    let (name, voucher) = match act {
        Act::Open => ("open", Some(session.state.cumulative)),
        Act::TopUp => ("topUp", None),
        Act::Voucher(amount) => ("voucher", Some(amount)),
        Act::Close => ("close", Some(session.state.cumulative)),
    };
    put("action", name.into());
    let mut signature_name = "signature";
    let pending = session.pending.as_ref();
    if let (Act::Open | Act::TopUp, Some(PendingFunds { deposit, proof })) = (act, pending) {
        let kind = match (proof, asked.dialect) {
            (FundsProof::Sent(hash), _) => {
                put("hash", hex::encode_prefixed(hash).into());
                "hash"
            }
            (FundsProof::Signed(signature), dialect) => {
                let mut signed = authorization(session, deposit, dialect);
                if dialect == Dialect::Okx {
                    signed.insert("type".to_string(), "eip-3009".into());
                }
                put("authorization", Value::Object(signed));
                put("signature", signature.as_str().into());
                signature_name = "voucherSignature";
                if dialect == Dialect::Okx { "transaction" } else { "authorization" }
            }
            (FundsProof::Sending, _) => "",
        };
        put("type", kind.into());
        if act == Act::Open {
            put("salt", hex::encode_prefixed(&session.parties.salt).into());
            if !session.parties.authorized_signer.is_zero() {
                let signer = session.parties.authorized_signer.to_checksum();
                put("authorizedSigner", signer.into());
            }
        } else {
            put("additionalDeposit", deposit.amount.to_string().into());
            if let FundsProof::Signed(_) = proof {
                let name = if asked.dialect == Dialect::Okx { "topUpSalt" } else { "salt" };
                put(name, hex::encode_prefixed(&deposit.salt).into());
            }
        }
    }
    if let Some(amount) = voucher {
        put("cumulativeAmount", amount.to_string().into());
        put(signature_name, session.signature.as_str().into());
    }
    let (chain_id, address) = (session.chain_id, session.parties.payer);
    let source =
        matches!(act, Act::Open | Act::TopUp).then(|| Source { chain_id, address }.to_text());
    Credential { challenge: asked.challenge.clone(), payload, source }.to_header()
}
