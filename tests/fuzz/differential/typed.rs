//! Typed data: of any types, and of those that payments are.

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelConfig, ChannelId};
use farebox_core::channel::escrow::{Escrow, EscrowContract};
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::hex;
use farebox_core::evm::eip712::{Domain, TypedData};
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::permit2;
use farebox_core::time::UnixTime;
use serde_json::{Map, Value, json};

use super::Compared;
use super::chance::Chance;

/// What payments sign, written apart from the code that hashes it.
const FORMS: &str = include_str!("forms.json");
/// Most values of a message: this project refuses more than 4,096, and the others none.
const MOST_VALUES: usize = 4_000;
/// Amounts of one type, so many bits.
const VOUCHER_BITS: [(Escrow, &str, &str, usize); 4] = [
    (Escrow::BatchSettlement, "voucher-x402", "maxClaimableAmount", 128),
    (Escrow::PaymentChannel, "voucher-mpp", "cumulativeAmount", 128),
    (Escrow::StreamChannel, "voucher-mpp", "cumulativeAmount", 128),
    (Escrow::ChannelReserve, "voucher-reserve", "cumulativeAmount", 96),
];

/// Typed data of any types.
pub fn any(chance: &mut Chance) -> Compared {
    let (types, message) = loop {
        let types = types(chance);
        let spoils = chance.happens(16);
        let message = Maker { types: &types, spoils, chance }.object("Root");
        if values(&message) <= MOST_VALUES {
            break (types, message);
        }
    };
    let domain = domain(chance);
    let input =
        json!({ "types": types, "primaryType": "Root", "domain": domain, "message": message });
    let (ours, asked) = (hashed(&input), input.to_string().into_bytes());
    Compared::of(input, ours, asked)
}

/// Members and elements of a value, and those of what is in it.
fn values(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(values).sum::<usize>(),
        Value::Array(elements) => 1 + elements.iter().map(values).sum::<usize>(),
        _ => 1,
    }
}

/// Separator and digest; null if it is refused.
fn hashed(typed: &Value) -> Value {
    TypedData::from_json(typed).map_or(Value::Null, |it| told(&it.domain_separator(), &it.digest()))
}

fn told(separator: &[u8; 32], digest: &[u8; 32]) -> Value {
    json!({ "domain": hex::encode_prefixed(separator), "digest": hex::encode_prefixed(digest) })
}

/// Up to four structs, each of which one before it refers to: others take only what is used.
fn types(chance: &mut Chance) -> Map<String, Value> {
    let structs = 1 + chance.place(4);
    let name = |chance: &mut Chance, at: usize| match at {
        0 => String::from("Root"),
        _ => format!("{}{at}", chance.pick(&["A", "Zoo", "_x", "Mail", "root"])),
    };
    let names: Vec<String> = (0..structs).map(|at| name(chance, at)).collect();
    let mut fields = vec![Vec::new(); structs];
    for at in 0..structs {
        for _ in 0..chance.place(5) {
            let kind = elementary(chance);
            fields[at].push(kind);
        }
        if at > 0 {
            fields[chance.place(at)].push(names[at].clone());
        }
    }
    let mut types = Map::new();
    for (name, kinds) in names.into_iter().zip(fields) {
        let wrapped = |(at, kind): (usize, String)| {
            let mut kind = kind;
            for _ in 0..[0, 0, 0, 1, 1, 2][chance.place(6)] {
                kind.push_str(["[]", "[1]", "[3]"][chance.place(3)]);
            }
            let prefix = ["f", "Z", "_", "value"][chance.place(4)];
            json!({ "name": format!("{prefix}{at}"), "type": kind })
        };
        types.insert(name, kinds.into_iter().enumerate().map(wrapped).collect());
    }
    types
}

fn elementary(chance: &mut Chance) -> String {
    let bits = 8 * (1 + chance.below(32));
    match chance.below(8) {
        0 => "bool".into(),
        1 => "address".into(),
        2 => "string".into(),
        3 => "bytes".into(),
        4 => format!("bytes{}", bits / 8),
        5 => format!("int{bits}"),
        _ => format!("uint{bits}"),
    }
}

fn domain(chance: &mut Chance) -> Value {
    let mut domain = Map::new();
    let number = chance.amount().to_string();
    let all = [
        ("name", chance.text().into()),
        ("version", chance.text().into()),
        ("chainId", Value::String(number)),
        ("verifyingContract", chance.address().to_checksum().into()),
        ("salt", hex::encode_prefixed(&chance.word()).into()),
    ];
    for (name, value) in all {
        if !chance.happens(4) {
            domain.insert(name.into(), value);
        }
    }
    Value::Object(domain)
}

struct Maker<'a> {
    types: &'a Map<String, Value>,
    /// Whether the next number is one too many for its type.
    spoils: bool,
    chance: &'a mut Chance,
}

impl Maker<'_> {
    fn object(&mut self, name: &str) -> Value {
        let types = self.types;
        let fields = types[name].as_array().unwrap();
        let member = |field: &Value| {
            let kind = field["type"].as_str().unwrap();
            (field["name"].as_str().unwrap().to_owned(), self.value(kind))
        };
        Value::Object(fields.iter().map(member).collect())
    }

    fn value(&mut self, kind: &str) -> Value {
        if let Some((element, length)) =
            kind.strip_suffix(']').and_then(|array| array.rsplit_once('['))
        {
            let length = length.parse().unwrap_or_else(|_| self.chance.place(4));
            return (0..length).map(|_| self.value(element)).collect();
        }
        if self.types.contains_key(kind) {
            return self.object(kind);
        }
        let size = kind.trim_start_matches(char::is_alphabetic).parse::<usize>().unwrap_or(0);
        match kind.trim_end_matches(|letter: char| letter.is_ascii_digit()) {
            "bool" => self.chance.happens(2).into(),
            "address" => self.chance.address().to_checksum().into(),
            "string" => self.chance.text().into(),
            "bytes" if size > 0 => hex::encode_prefixed(&self.chance.word()[..size]).into(),
            "bytes" => hex::encode_prefixed(&self.chance.bytes()).into(),
            "int" => self.signed(size).into(),
            _ => self.unsigned(size).into(),
        }
    }

    fn unsigned(&mut self, bits: usize) -> String {
        let fits = fitted(self.chance.word(), bits);
        let most = fitted([0xff; 32], bits);
        if bits < 256 && std::mem::take(&mut self.spoils) {
            return most.checked_add(Amount::from_u64(1)).unwrap().to_string();
        }
        if self.chance.happens(8) { most } else { fits }.to_string()
    }

    fn signed(&mut self, bits: usize) -> String {
        let most = fitted([0xff; 32], bits).checked_div_u64(2).unwrap();
        let lowest = most.checked_add(Amount::from_u64(1)).unwrap();
        let fits = fitted(self.chance.word(), bits).checked_div_u64(2).unwrap();
        if std::mem::take(&mut self.spoils) {
            let below = lowest.checked_add(Amount::from_u64(1)).unwrap();
            return self.chance.pick(&[lowest.to_string(), format!("-{below}")]);
        }
        match self.chance.below(6) {
            0 => most.to_string(),
            1 => format!("-{lowest}"),
            2 if !fits.is_zero() => format!("-{fits}"),
            _ => fits.to_string(),
        }
    }
}

/// The lowest bits of a number.
fn fitted(mut word: [u8; 32], bits: usize) -> Amount {
    word[..32 - bits / 8].fill(0);
    Amount::from_be_bytes(word)
}

/// Typed data of a payment, hashed as payments are; the domain and the message stand for themselves.
pub fn known(chance: &mut Chance) -> Compared {
    let (form, domain, message, ours) = match chance.below(6) {
        0 | 1 => authorization(chance),
        2 => permit2_of(chance),
        3 => permit(chance),
        4 => channel(chance),
        _ => voucher(chance),
    };
    let typed = typed(form, &domain, &message);
    // Payers hash what a wallet is shown, gates what they have read.
    let again = Some(hashed(&typed));
    let input = json!({ "form": form, "domain": domain, "message": message });
    Compared { input, ours, asked: typed.to_string().into_bytes(), again }
}

fn typed(form: &str, domain: &Value, message: &Value) -> Value {
    let mut typed = serde_json::from_str::<Value>(FORMS).unwrap()[form].take();
    typed["domain"] = domain.clone();
    typed["message"] = message.clone();
    typed
}

/// A form with its domain, its message, and what this project makes of them.
type Known = (&'static str, Value, Value, Value);

fn authorized(chance: &mut Chance) -> Authorization {
    Authorization {
        from: chance.address(),
        to: chance.address(),
        value: chance.amount(),
        valid_after: UnixTime::from_secs(chance.number(64)),
        valid_before: UnixTime::from_secs(chance.number(64)),
        nonce: chance.word(),
    }
}

fn authorization(chance: &mut Chance) -> Known {
    let signed = authorized(chance);
    let (name, version, chain_id) = (chance.text(), chance.text(), chance.number(64));
    let verifying_contract = chance.address();
    let separator =
        Domain { name: &name, version: &version, chain_id, verifying_contract }.separator();
    let domain = json!({
        "name": name, "version": version, "chainId": chain_id.to_string(),
        "verifyingContract": verifying_contract.to_checksum(),
    });
    let message = json!({
        "from": signed.from.to_checksum(), "to": signed.to.to_checksum(), "value": signed.value.to_string(),
        "validAfter": signed.valid_after.secs().to_string(), "validBefore": signed.valid_before.secs().to_string(),
        "nonce": hex::encode_prefixed(&signed.nonce),
    });
    if chance.happens(2) {
        ("receive", domain, message, told(&separator, &signed.receive_digest(&separator)))
    } else {
        ("transfer", domain, message, told(&separator, &signed.digest(&separator)))
    }
}

fn permit2_of(chance: &mut Chance) -> Known {
    let signed = authorized(chance);
    let (token, chain_id) = (chance.address(), chance.number(64));
    let facilitator = chance.happens(2).then(|| chance.address());
    let separator = permit2::separator(chain_id);
    let digest = permit2::digest(&signed, &token, facilitator.as_ref(), &separator);
    let domain = json!({
        "name": "Permit2", "chainId": chain_id.to_string(),
        "verifyingContract": "0x000000000022D473030F116dDEE9F6B43aC78BA3",
    });
    let mut witness = json!({ "to": signed.to.to_checksum(), "validAfter": signed.valid_after.secs().to_string() });
    let (form, spender) = match facilitator {
        None => ("permit2", "0x402085c248EeA27D92E8b30b2C58ed07f9E20001"),
        Some(facilitator) => {
            witness["facilitator"] = facilitator.to_checksum().into();
            ("permit2-upto", "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002")
        }
    };
    let message = json!({
        "permitted": { "token": token.to_checksum(), "amount": signed.value.to_string() },
        "spender": spender, "nonce": Amount::from_be_bytes(signed.nonce).to_string(),
        "deadline": signed.valid_before.secs().to_string(), "witness": witness,
    });
    (form, domain, message, told(&separator, &digest))
}

/// ERC-2612, which this project only hashes as wallets do.
fn permit(chance: &mut Chance) -> Known {
    let domain = json!({
        "name": chance.text(), "version": chance.text(), "chainId": chance.number(64).to_string(),
        "verifyingContract": chance.address().to_checksum(),
    });
    let message = json!({
        "owner": chance.address().to_checksum(), "spender": chance.address().to_checksum(),
        "value": chance.amount().to_string(), "nonce": chance.amount().to_string(), "deadline": chance.amount().to_string(),
    });
    let ours = hashed(&typed("permit", &domain, &message));
    ("permit", domain, message, ours)
}

fn contract(chance: &mut Chance, escrow: Escrow) -> (EscrowContract, Value) {
    let contract =
        EscrowContract { escrow, chain_id: chance.number(64), address: chance.address() };
    let name = match escrow {
        Escrow::BatchSettlement => "x402 Batch Settlement",
        Escrow::PaymentChannel => "EVM Payment Channel",
        Escrow::StreamChannel => "Tempo Stream Channel",
        Escrow::ChannelReserve => "TIP20 Channel Reserve",
    };
    let domain = json!({
        "name": name, "version": "1", "chainId": contract.chain_id.to_string(),
        "verifyingContract": contract.address.to_checksum(),
    });
    (contract, domain)
}

fn voucher(chance: &mut Chance) -> Known {
    let (escrow, form, amount, bits) = chance.pick(&VOUCHER_BITS);
    let (contract, domain) = contract(chance, escrow);
    let channel = ChannelId::from_bytes(chance.word());
    let voucher = Voucher { channel, cumulative: fitted(chance.word(), bits) };
    let mut message = Map::new();
    message.insert("channelId".into(), channel.to_string().into());
    message.insert(amount.into(), voucher.cumulative.to_string().into());
    let separator = contract.separator();
    (form, domain, message.into(), told(&separator, &voucher.digest(&contract)))
}

fn channel(chance: &mut Chance) -> Known {
    let (contract, domain) = contract(chance, Escrow::BatchSettlement);
    let config = ChannelConfig {
        payer: chance.address(),
        payer_authorizer: chance.address(),
        receiver: chance.address(),
        receiver_authorizer: chance.address(),
        token: chance.address(),
        withdraw_delay_secs: chance.number(40),
        salt: chance.word(),
    };
    let message = json!({
        "payer": config.payer.to_checksum(), "payerAuthorizer": config.payer_authorizer.to_checksum(),
        "receiver": config.receiver.to_checksum(), "receiverAuthorizer": config.receiver_authorizer.to_checksum(),
        "token": config.token.to_checksum(), "withdrawDelay": config.withdraw_delay_secs.to_string(),
        "salt": hex::encode_prefixed(&config.salt),
    });
    let id = config.id(&contract);
    ("channel", domain, message, told(&contract.separator(), id.as_bytes()))
}
