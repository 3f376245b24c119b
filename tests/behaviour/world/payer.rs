//! A payer that reads a 402 and signs one of its terms, like a stock client.

use std::sync::OnceLock;

use farebox_core::amount::Amount;
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::TypedData;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::keccak::keccak256;
use farebox_core::payment::{PaymentKey, SignedToken};
use farebox_core::time::UnixTime;
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

/// Every payer in its first state: a key is computed once.
static PAYERS: [OnceLock<Payer>; 256] = [const { OnceLock::new() }; 256];

/// An account with a key.
#[derive(Clone)]
pub struct Payer {
    key: SigningKey,
    /// Its address.
    pub address: Address,
    nonces: u64,
    /// The nonce for its next authorization, if not one of its own.
    pub bound: Option<[u8; 32]>,
}

/// A signed payment, ready to be sent.
#[derive(Clone, Debug)]
pub struct Payment {
    /// `payment-signature` or `x-payment`.
    pub header: &'static str,
    /// Base64 JSON.
    pub value: String,
    /// The path and query it was signed for.
    pub target: String,
    /// The authorization's nonce, hex.
    pub nonce: String,
    /// Its expiry, unix seconds.
    pub valid_before: u64,
}

impl Payer {
    /// The payer with this number.
    pub fn new(number: u8) -> Self {
        PAYERS[usize::from(number)].get_or_init(|| Self::of_key(number)).clone()
    }

    fn of_key(number: u8) -> Self {
        let key = SigningKey::from_slice(&[number; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        let hash = keccak256(&point.as_bytes()[1..]);
        let address = Address::from_bytes(hash[12..].try_into().unwrap());
        Self { key, address, nonces: u64::from(number) << 32, bound: None }
    }

    /// Skips this many of its nonces.
    pub fn skip(&mut self, nonces: u64) {
        self.nonces += nonces;
    }

    /// Signs the first term of a decoded version 2 challenge.
    pub fn sign(&mut self, required: &Value, now: u64) -> Payment {
        self.sign_with(required, now, |_| {})
    }

    /// As [`Payer::sign`], with a change to the payload before it is encoded.
    pub fn sign_with(
        &mut self,
        required: &Value,
        now: u64,
        change: impl FnOnce(&mut Value),
    ) -> Payment {
        let accepted = &required["accepts"][0];
        let validity = accepted["maxTimeoutSeconds"].as_u64().unwrap();
        let (payload, nonce) = self.authorize(accepted, "amount", 0, now + validity);
        let mut message = json!({
            "x402Version": 2, "payload": payload, "resource": required["resource"], "accepted": accepted,
        });
        change(&mut message);
        let url = required["resource"]["url"].as_str().unwrap();
        Payment {
            header: "payment-signature",
            value: base64::encode(message.to_string().as_bytes()),
            target: url.strip_prefix(super::HOST).unwrap().to_owned(),
            nonce,
            valid_before: now + validity,
        }
    }

    /// Signs the first term of a version 1 body.
    pub fn sign_v1(&mut self, body: &Value, now: u64) -> Payment {
        let accepted = &body["accepts"][0];
        let validity = accepted["maxTimeoutSeconds"].as_u64().unwrap();
        let (payload, nonce) =
            self.authorize(accepted, "maxAmountRequired", now - 600, now + validity);
        let message = json!({
            "x402Version": 1, "scheme": accepted["scheme"], "network": accepted["network"], "payload": payload,
        });
        let url = accepted["resource"].as_str().unwrap();
        Payment {
            header: "x-payment",
            value: base64::encode(message.to_string().as_bytes()),
            target: url.strip_prefix(super::HOST).unwrap().to_owned(),
            nonce,
            valid_before: now + validity,
        }
    }

    /// `Farebox-Redelivery` for this payment, method and URL, signed by this payer.
    pub fn redelivery(&self, payment: &Payment, method: &str, url: &str, now: u64) -> String {
        let payload = super::decoded(&payment.value);
        let signed = &payload["payload"]["authorization"];
        let asset = &payload["accepted"]["asset"];
        let address = |value: &Value| Address::parse(value.as_str().unwrap()).unwrap();
        let nonce = hex::decode_array(signed["nonce"].as_str().unwrap()).unwrap();
        let from = address(&signed["from"]);
        let key = PaymentKey::of_authorization(super::CHAIN, &address(asset), &from, &nonce);
        self.statement(&key, method, url, now)
    }

    /// The same for a payment of any kind.
    pub fn statement(&self, key: &PaymentKey, method: &str, url: &str, now: u64) -> String {
        let mut message = json!({
            "paymentKey": hex::encode_prefixed(key.as_bytes()), "method": method, "url": url,
            "issuedAt": now.to_string(),
        });
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        let typed = TypedData::from_json(&json!({
            "domain": { "name": "Farebox", "version": "1", "chainId": super::CHAIN },
            "types": { "Redelivery": [
                field("paymentKey", "bytes32"), field("method", "string"), field("url", "string"),
                field("issuedAt", "uint256"),
            ] },
            "primaryType": "Redelivery",
            "message": message,
        }));
        let (signature, recovery) = self.key.sign_prehash_recoverable(&typed.unwrap().digest());
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        message["signature"] = json!(hex::encode_prefixed(&bytes));
        base64::encode(message.to_string().as_bytes())
    }

    /// The bytes of a transaction of type 2 that transfers this token, with 80,000 gas at 2 gwei.
    pub fn transaction(&self, nonce: u64, token: &str, to: &str, value: u64) -> Vec<u8> {
        let number = |number: u64| {
            let bytes = number.to_be_bytes();
            let start = bytes.iter().take_while(|byte| **byte == 0).count();
            item(&bytes[start..])
        };
        let address = |text: &str| hex::decode_prefixed(text).unwrap();
        let data = [
            vec![0xa9, 0x05, 0x9c, 0xbb],
            vec![0; 12],
            address(to),
            vec![0; 24],
            value.to_be_bytes().to_vec(),
        ];
        let fields = [
            number(super::CHAIN),
            number(nonce),
            number(1_000_000),
            number(2_000_000_000),
            number(80_000),
            item(&address(token)),
            item(&[]),
            item(&data.concat()),
            vec![0xc0],
        ];
        let body = fields.concat();
        let digest = keccak256(&[&[2], list(&body).as_slice()].concat());
        let (signature, recovery) = self.key.sign_prehash_recoverable(&digest);
        let (r, s) = signature.split_bytes();
        let trimmed =
            |word: &[u8]| item(&word[word.iter().take_while(|byte| **byte == 0).count()..]);
        let parity = if recovery.to_byte() == 0 { item(&[]) } else { item(&[1]) };
        let whole = [body, parity, trimmed(&r), trimmed(&s)].concat();
        [&[2], list(&whole).as_slice()].concat()
    }

    fn authorize(
        &mut self,
        terms: &Value,
        amount: &str,
        after: u64,
        before: u64,
    ) -> (Value, String) {
        self.nonces += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.nonces.to_be_bytes());
        let nonce = self.bound.take().unwrap_or(nonce);
        let text = |name: &str| terms[name].as_str().unwrap();
        if terms["extra"]["assetTransferMethod"] == "permit2" {
            return (self.permit(terms, nonce, after, before), hex::encode_prefixed(&nonce));
        }
        let authorization = Authorization {
            from: self.address,
            to: Address::parse(text("payTo")).unwrap(),
            value: Amount::from_atomic(text(amount)).unwrap(),
            valid_after: UnixTime::from_secs(after),
            valid_before: UnixTime::from_secs(before),
            nonce,
        };
        let chain = text("network").strip_prefix("eip155:").map(|id| id.parse().unwrap());
        let separator = SignedToken::separator_of(
            terms["extra"]["name"].as_str().unwrap(),
            terms["extra"]["version"].as_str().unwrap(),
            // A name of version 1 is that of the chain of all routes.
            chain.unwrap_or(super::CHAIN),
            Address::parse(text("asset")).unwrap(),
        );
        let (signature, recovery) =
            self.key.sign_prehash_recoverable(&authorization.digest(&separator));
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        let payload = json!({
            "signature": hex::encode_prefixed(&bytes),
            "authorization": {
                "from": self.address.to_checksum(), "to": text("payTo"), "value": text(amount),
                "validAfter": after.to_string(), "validBefore": before.to_string(),
                "nonce": hex::encode_prefixed(&nonce),
            },
        });
        (payload, hex::encode_prefixed(&nonce))
    }
}

impl Payer {
    /// A signed permit for these terms, as a wallet signs it.
    pub fn permit(&self, terms: &Value, nonce: [u8; 32], after: u64, before: u64) -> Value {
        let mut permit = json!({
            "permitted": {"token": terms["asset"], "amount": terms["amount"]},
            "spender": "0x402085c248EeA27D92E8b30b2C58ed07f9E20001",
            "nonce": Amount::from_be_bytes(nonce).to_string(),
            "deadline": before.to_string(),
            "witness": {"to": terms["payTo"], "validAfter": after.to_string()},
        });
        if terms["scheme"] == "upto" {
            permit["spender"] = json!("0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002");
            permit["witness"]["facilitator"] = terms["extra"]["facilitatorAddress"].clone();
        }
        let signature = self.sign_permit(&permit);
        permit["from"] = json!(self.address.to_checksum());
        json!({"signature": signature, "permit2Authorization": permit})
    }

    /// The signature of a permit.
    pub fn sign_permit(&self, permit: &Value) -> String {
        let field = |(name, kind): (&str, &str)| json!({ "name": name, "type": kind });
        let mut message = permit.clone();
        message.as_object_mut().unwrap().remove("from");
        let permit = [
            ("permitted", "TokenPermissions"),
            ("spender", "address"),
            ("nonce", "uint256"),
            ("deadline", "uint256"),
            ("witness", "Witness"),
        ];
        let (permit, permitted) =
            (permit.map(field), [("token", "address"), ("amount", "uint256")]);
        let (permitted, witness) =
            (permitted.map(field), [("to", "address"), ("validAfter", "uint256")]);
        let mut witness = witness.map(field).to_vec();
        if message["witness"].get("facilitator").is_some() {
            witness.insert(1, field(("facilitator", "address")));
        }
        let typed = TypedData::from_json(&json!({
            "domain": {
                "name": "Permit2", "chainId": super::CHAIN,
                "verifyingContract": "0x000000000022D473030F116dDEE9F6B43aC78BA3",
            },
            "types": {
                "PermitWitnessTransferFrom": permit, "TokenPermissions": permitted, "Witness": witness,
            },
            "primaryType": "PermitWitnessTransferFrom",
            "message": message,
        }));
        let (signature, recovery) = self.key.sign_prehash_recoverable(&typed.unwrap().digest());
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        hex::encode_prefixed(&bytes)
    }
}

/// RLP of up to 255 bytes.
fn item(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [one] if *one < 0x80 => vec![*one],
        _ => [head(bytes.len(), 0x80).as_slice(), bytes].concat(),
    }
}

fn list(content: &[u8]) -> Vec<u8> {
    [head(content.len(), 0xc0).as_slice(), content].concat()
}

fn head(length: usize, kind: u8) -> Vec<u8> {
    let length = u8::try_from(length).unwrap();
    if length < 56 { vec![kind + length] } else { vec![kind + 56, length] }
}
