//! The data of calls and events: what is asked of a contract, what is hashed of its arguments, and what a call says.

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelId, ChannelParties, deposit_nonce, top_up_nonce};
use farebox_core::channel::escrow::{Escrow, EscrowContract};
use farebox_core::encoding::{hex, json as reader};
use farebox_core::evm::address::Address;
use farebox_core::evm::evidence::AuthorizedTransfer;
use farebox_core::evm::permit_calls::{self, Mention};
use farebox_core::evm::permit2;
use farebox_core::evm::rpc::{At, AuthorizationId, Call, batch};
use farebox_core::evm::transaction::transfer;
use serde_json::{Value, json};

use super::Compared;
use super::chance::Chance;

/// A function with its arguments and its data, or data and what it says.
pub fn any(chance: &mut Chance) -> Compared {
    let (input, ours) = match chance.below(3) {
        0 => asked(chance),
        1 => hashed(chance),
        _ if chance.happens(2) => transferred(chance),
        _ => settled(chance),
    };
    Compared::of(input, ours, Vec::new())
}

fn word(word: &[u8; 32]) -> String {
    hex::encode_prefixed(word)
}

/// The data of what a node is asked.
fn asked(chance: &mut Chance) -> (Value, Value) {
    let (one, other, nonce) = (chance.address(), chance.address(), chance.word());
    let at = At::Latest;
    let (function, arguments, call) = match chance.below(4) {
        0 => (
            "authorizationState(address,bytes32)",
            json!([other.to_checksum(), word(&nonce)]),
            Call::AuthorizationState {
                authorization: AuthorizationId { asset: one, authorizer: other, nonce },
                at,
            },
        ),
        1 => {
            // Permit2 keeps 256 nonces in a word.
            let row = Amount::from_be_bytes(nonce).checked_div_u64(256).unwrap();
            let arguments = json!([other.to_checksum(), row.to_string()]);
            let call = Call::NonceBitmap { owner: other, nonce, at };
            ("nonceBitmap(address,uint256)", arguments, call)
        }
        2 => {
            let call = Call::Balance { asset: one, holder: other, at };
            ("balanceOf(address)", json!([other.to_checksum()]), call)
        }
        _ => {
            let value = Amount::from_be_bytes(nonce);
            let arguments = json!([other.to_checksum(), value.to_string()]);
            let call = Call::Transfer { asset: one, from: one, to: other, value, gas: 100_000 };
            ("transfer(address,uint256)", arguments, call)
        }
    };
    let body = reader::parse(batch(&[call]).as_bytes()).unwrap();
    let data = body[0]["params"][0]["data"].clone();
    (json!({ "function": function, "arguments": arguments }), json!({ "data": data }))
}

/// The hash of encoded arguments.
fn hashed(chance: &mut Chance) -> (Value, Value) {
    let parties = ChannelParties {
        payer: chance.address(),
        payee: chance.address(),
        token: chance.address(),
        salt: chance.word(),
        authorized_signer: chance.address(),
    };
    let channel = ChannelId::from_bytes(chance.word());
    let (amount, salt, from) = (chance.amount(), chance.word(), chance.address());
    let named = |types: &str, more: &[Value]| {
        let mut arguments = vec![
            json!(parties.payer.to_checksum()),
            json!(parties.payee.to_checksum()),
            json!(parties.token.to_checksum()),
            json!(word(&parties.salt)),
            json!(parties.authorized_signer.to_checksum()),
        ];
        arguments.extend(more.iter().cloned());
        let opening = "address,address,address,bytes32,address";
        json!({ "types": format!("{opening}{types}"), "arguments": arguments })
    };
    let (input, hash) = match chance.below(5) {
        0 => {
            let contract = EscrowContract {
                escrow: Escrow::PaymentChannel,
                chain_id: chance.number(64),
                address: from,
            };
            let more = [json!(from.to_checksum()), json!(contract.chain_id.to_string())];
            (named(",address,uint256", &more), *parties.id(&contract).as_bytes())
        }
        1 => (named("", &[]), parties.open_nonce()),
        2 => {
            let splits: Vec<(Address, u16)> = (0..chance.place(5))
                .map(|_| (chance.address(), chance.number(16) as u16))
                .collect();
            let (accounts, points): (Vec<_>, Vec<_>) =
                splits.iter().map(|(it, points)| (it.to_checksum(), points.to_string())).unzip();
            let nonce = match splits.as_slice() {
                [] => parties.unsplit_nonce_of_okx(),
                some => parties.open_nonce_of_okx(some),
            };
            (named(",address[],uint256[]", &[json!(accounts), json!(points)]), nonce)
        }
        3 => (
            json!({
                "types": "bytes32,uint256,address,bytes32",
                "arguments": [channel.to_string(), amount.to_string(), from.to_checksum(), word(&salt)],
            }),
            top_up_nonce(&channel, amount, from, &salt),
        ),
        _ => (
            json!({ "types": "bytes32,uint256", "arguments": [channel.to_string(), amount.to_string()] }),
            deposit_nonce(&channel, amount),
        ),
    };
    (input, json!({ "hash": word(&hash) }))
}

/// Data that may be a call of `transfer`.
fn transferred(chance: &mut Chance) -> (Value, Value) {
    let mut data = hex::decode_prefixed("0xa9059cbb").unwrap();
    data.extend(chance.address().to_word());
    data.extend(chance.word());
    match chance.below(8) {
        0 => data.truncate(chance.place(68)),
        1 => data.extend(chance.bytes()),
        2 => data[chance.place(16)] ^= 1 << chance.below(8),
        _ => {}
    }
    let ours = transfer(&data).map_or(
        Value::Null,
        |(to, value)| json!({ "to": to.to_checksum(), "value": value.to_string() }),
    );
    (json!({ "transfer": hex::encode_prefixed(&data) }), ours)
}

/// A payment, and a call that may settle it: each member of one is that of the other, or not.
fn settled(chance: &mut Chance) -> (Value, Value) {
    let (asset, from, to) = (chance.address(), chance.address(), chance.address());
    let (value, nonce) = (chance.amount(), chance.word());
    let facilitator = chance.happens(2).then(|| chance.address());
    let proxy = if facilitator.is_some() { permit2::UPTO_PROXY } else { permit2::EXACT_PROXY };
    let called = if chance.happens(8) { chance.address() } else { proxy };
    let same = |chance: &mut Chance, right: [u8; 32], other: [u8; 32]| {
        if chance.happens(16) { other } else { right }
    };
    let (other_word, other_account) = (chance.word(), chance.address().to_word());
    let mut words = vec![
        same(chance, asset.to_word(), other_account),
        same(chance, value.to_be_bytes(), other_word),
        same(chance, nonce, other_word),
        chance.word(),
    ];
    if facilitator.is_some() {
        words.push(same(chance, value.to_be_bytes(), other_word));
    }
    words.push(same(chance, from.to_word(), other_account));
    words.push(same(chance, to.to_word(), other_account));
    if let Some(facilitator) = facilitator {
        words.push(facilitator.to_word());
    }
    words.push(chance.word());
    let with_permit = chance.happens(2);
    if with_permit {
        let v = Amount::from_u64(chance.pick(&[27, 28])).to_be_bytes();
        let permit = [chance.word(), chance.word(), chance.word(), chance.word(), v];
        words.splice(0..0, permit);
    }
    // The signature is a string of bytes behind all words: its place, its length, itself.
    let place = Amount::from_u64(32 * (words.len() as u64 + 1)).to_be_bytes();
    words.extend([place, Amount::from_u64(65).to_be_bytes(), chance.array(), chance.array()]);
    let mut last = [0; 32];
    last[0] = chance.pick(&[27, 28]);
    words.push(last);
    let selector = match (facilitator.is_some(), with_permit) {
        (false, false) => "0x13cd3b53",
        (false, true) => "0xfa340378",
        (true, false) => "0xff11e7b4",
        (true, true) => "0x016c1748",
    };
    let mut data = hex::decode_prefixed(selector).unwrap();
    data.extend(words.concat());
    let authorization = AuthorizationId { asset, authorizer: from, nonce };
    let payment = AuthorizedTransfer { authorization, to, value };
    let told = match permit_calls::mention(Some(called), &data, &payment, facilitator.as_ref()) {
        Mention::Exact => "exact",
        Mention::Nonce => "nonce",
        Mention::Inside => "inside",
        Mention::None => "none",
    };
    let input = json!({
        "called": called.to_checksum(), "settle": hex::encode_prefixed(&data), "withPermit": with_permit,
        "isUpTo": facilitator.is_some(), "asset": asset.to_checksum(), "from": from.to_checksum(), "to": to.to_checksum(),
        "value": value.to_string(), "nonce": word(&nonce),
    });
    (input, json!({ "mention": told }))
}
