//! The row of a session as text in the budget's record, and the view of it for people and programs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::kept::{Deposit, FundsProof, KeptSession, PendingFunds, SignedVoucher};
use crate::client::asset::Asset;
use crate::client::channel::row::{ChannelRow, Shown, Using};
use crate::client::price::{Unit, in_words};
use crate::client::voucher::ChannelState;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::time::UnixTime;
use farebox_channel::config::ChannelParties;
use farebox_evm::address::Address;

/// `0x` and four bytes of a signature are shown.
const SIGNATURE_CHARS: usize = 10;

impl KeptSession {
    /// The state for people, after each step: channel, chain, contract, amounts, and the beginning
    /// of the highest voucher's signature. Spec: OKX agent payments, "State echo line".
    pub fn echo(&self, asset: &Asset) -> String {
        let unit = Unit { symbol: &asset.symbol, contract: None, decimals: Some(asset.decimals) };
        let words = |amount| in_words(amount, unit);
        let ChannelState { deposit, cumulative, spent } = self.state;
        format!(
            "channel {}, chain eip155:{}, escrow {}, deposit {}, cum {}, spent~ {}, sig {}…",
            self.id(),
            self.chain_id,
            self.escrow.to_checksum(),
            words(deposit),
            words(cumulative),
            words(spent),
            self.signature.get(..SIGNATURE_CHARS).unwrap_or_default(),
        )
    }

    /// The row's key in the record: the same for all channels of these parties, one after another.
    pub fn key(&self) -> String {
        let ChannelParties { payer, payee, token, authorized_signer, .. } = self.parties;
        let words = [payer, payee, token, authorized_signer, self.escrow].map(|it| it.to_word());
        let digest = hash::sha256(&[
            b"farebox session",
            &words.concat(),
            &self.chain_id.to_be_bytes(),
            &self.name,
            self.host.as_bytes(),
        ]);
        format!("{}{}", Self::PREFIX, hex::encode(&digest))
    }

    pub fn to_text(&self) -> String {
        let ChannelParties { payer, payee, token, salt, authorized_signer } = self.parties;
        let pending = self.pending.as_ref().map(|PendingFunds { deposit, proof }| {
            let (kind, proof) = match proof {
                FundsProof::Signed(signature) => ("signed", signature.clone()),
                FundsProof::Sending => ("sending", String::new()),
                FundsProof::Sent(hash) => ("sent", hex::encode_prefixed(hash)),
            };
            json!({
                "amount": deposit.amount.to_string(),
                "salt": hex::encode_prefixed(&deposit.salt),
                "validBefore": deposit.valid_before.secs(),
                "kind": kind,
                "proof": proof,
                "id": deposit.id,
            })
        });
        json!({
            "payer": payer.to_checksum(),
            "payee": payee.to_checksum(),
            "token": token.to_checksum(),
            "salt": hex::encode_prefixed(&salt),
            "authorizedSigner": authorized_signer.to_checksum(),
            "chainId": self.chain_id,
            "escrow": self.escrow.to_checksum(),
            "host": self.host,
            "name": hex::encode_prefixed(&self.name),
            "deposit": self.state.deposit.to_string(),
            "cumulative": self.state.cumulative.to_string(),
            "spent": self.state.spent.to_string(),
            "charged": self.charged.to_string(),
            "proven": self.proven.to_string(),
            "unproven": self.unproven,
            "shorts": self.shorts,
            "signature": self.signature,
            "doubts": self.doubts,
            "others": self.others.iter().map(SignedVoucher::to_value).collect::<Vec<_>>(),
            "gone": self.gone.map(UnixTime::secs),
            "undone": self.undone.map(UnixTime::secs),
            "using": self.using.as_ref().map(Using::to_value),
            "pending": pending,
        })
        .to_string()
    }
}

impl ChannelRow for KeptSession {
    const PREFIX: &'static str = "session ";

    fn from_value(row: &Value) -> Option<Self> {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let address = |name: &str| Address::parse(text(name)?).ok();
        let amount = |name: &str| Amount::from_atomic(text(name)?).ok();
        let word = |name: &str| hex::decode_array(text(name)?).ok();
        // Rows of before have none.
        let time = |name: &str| match row.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(at) => Some(Some(UnixTime::from_secs(at.as_u64()?))),
        };
        let pending = match row.get("pending")? {
            Value::Null => None,
            // Rows of before knew of deposits that were not signed yet.
            pending if pending.get("kind")? == "unsigned" => None,
            pending => Some(PendingFunds::from_value(pending)?),
        };
        Some(Self {
            parties: ChannelParties {
                payer: address("payer")?,
                payee: address("payee")?,
                token: address("token")?,
                salt: word("salt")?,
                authorized_signer: address("authorizedSigner")?,
            },
            chain_id: row.get("chainId")?.as_u64()?,
            escrow: address("escrow")?,
            host: text("host")?.to_string(),
            name: word("name")?,
            state: ChannelState {
                deposit: amount("deposit")?,
                cumulative: amount("cumulative")?,
                spent: amount("spent")?,
            },
            // Rows of before count what was called used up as charged.
            charged: amount("charged").or(amount("spent"))?,
            // Rows of before believe each deposit that the payee has called arrived.
            proven: amount("proven").or(amount("deposit"))?,
            unproven: count_of(row, "unproven"),
            shorts: count_of(row, "shorts"),
            signature: text("signature")?.to_string(),
            doubts: count_of(row, "doubts"),
            others: match (row.get("others"), row.get("covered")) {
                (Some(others), _) => others
                    .as_array()?
                    .iter()
                    .map(SignedVoucher::from_value)
                    .collect::<Option<_>>()?,
                // Rows of before have one, or none.
                (None, Some(it)) if !it.is_null() => vec![SignedVoucher::from_value(it)?],
                (None, _) => Vec::new(),
            },
            gone: time("gone")?,
            undone: time("undone")?,
            using: Using::from_row(row)?,
            pending,
        })
    }

    fn shown(&self) -> Shown<'_> {
        Shown {
            id: self.id(),
            host: &self.host,
            chain_id: self.chain_id,
            asset: self.parties.token,
            payer: self.parties.payer,
            pay_to: self.parties.payee,
            deposit: self.state.deposit,
            spent: self.state.spent,
            signed: self.highest(),
            pending: self.pending.as_ref().map(|it| it.deposit.amount),
        }
    }
}

impl SignedVoucher {
    fn to_value(&self) -> Value {
        let Self { amount, signature, doubts } = self;
        json!({"amount": amount.to_string(), "signature": signature, "doubts": doubts})
    }

    fn from_value(it: &Value) -> Option<Self> {
        let amount = Amount::from_atomic(it.get("amount")?.as_str()?).ok()?;
        let signature = it.get("signature")?.as_str()?.to_string();
        Some(Self { amount, signature, doubts: count_of(it, "doubts") })
    }
}

/// A small number of a row; rows of before have none.
fn count_of(row: &Value, name: &str) -> u8 {
    row.get(name).and_then(Value::as_u64).and_then(|it| u8::try_from(it).ok()).unwrap_or(0)
}

impl PendingFunds {
    fn from_value(row: &Value) -> Option<Self> {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let proof = text("proof")?;
        Some(Self {
            deposit: Deposit {
                amount: Amount::from_atomic(text("amount")?).ok()?,
                salt: hex::decode_array(text("salt")?).ok()?,
                valid_before: UnixTime::from_secs(row.get("validBefore")?.as_u64()?),
                id: text("id")?.to_string(),
            },
            proof: match text("kind")? {
                "signed" => FundsProof::Signed(proof.to_string()),
                "sending" => FundsProof::Sending,
                "sent" => FundsProof::Sent(hex::decode_array(proof).ok()?),
                _ => return None,
            },
        })
    }
}
