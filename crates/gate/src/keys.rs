//! Keys and ids that the gate derives from its secrets, for its own use alone: each under its own
//! label. Spec: RFC 2104 with SHA-256.

use alloc::string::String;
use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use farebox_base::encoding::base32::{self, ALPHABET};
use farebox_base::encoding::hex;
use farebox_base::hash::{digest, mac};
use farebox_base::secret::Secret;
use farebox_common::payment::{PaymentKey, Receipt};
use farebox_evm::account::Account;
use farebox_evm::address::Address;
use farebox_wire::x402::extension::offer_receipt::{self, SignedReceipt};

/// Prefix of the idempotency keys that the gate makes; no client's key may have it.
pub const KEY_PREFIX: &str = "farebox-";

/// Keys of one gate.
#[derive(Debug)]
pub struct Keys {
    receipt: Secret<[u8; 32]>,
    /// Hides in a receipt id where its row is.
    place: Secret<[u8; 32]>,
    identifier: Secret<[u8; 32]>,
    idempotency: Secret<[u8; 32]>,
    purchase: Secret<[u8; 32]>,
    quote: Secret<[u8; 32]>,
    /// Makes handles.
    handle: Secret<[u8; 32]>,
    /// Signs MPP challenges.
    challenge: Secret<[u8; 32]>,
    /// Signed MPP challenges before the last rotation.
    earlier_challenge: Option<Secret<[u8; 32]>>,
    shard: Secret<Vec<u8>>,
    /// Names networks; the key is absorbed in advance because every request for terms needs it.
    networks: Option<Hmac<Sha256>>,
    origin: Option<Secret<Vec<u8>>>,
    /// Mark on requests that this gate forwards.
    mark: String,
    /// Signs receipts.
    signer: Option<Account>,
    /// Signed receipts before the last rotation.
    earlier: Option<Account>,
    /// Signs claims and refunds of channels, which name it for ever, and since which restore.
    authorizer: (u64, Option<Account>),
    /// The restores between the first of those accounts and this one.
    restores: Vec<u64>,
    /// The payee of sessions of MPP.
    payee: Option<Account>,
}

impl Keys {
    /// Derives all keys; `salt` is never rotated, so what the ledger keeps is derived from it.
    #[must_use]
    pub fn new(gate_secret: &[u8], salt: &[u8], origin_secret: Option<&[u8]>) -> Self {
        Self {
            receipt: Secret::new(mac(gate_secret, &[b"farebox receipt"])),
            place: Secret::new(mac(salt, &[b"farebox place"])),
            identifier: Secret::new(mac(salt, &[b"farebox identifier"])),
            idempotency: Secret::new(mac(salt, &[b"farebox idempotency"])),
            purchase: Secret::new(mac(salt, &[b"farebox purchase"])),
            quote: Secret::new(mac(gate_secret, &[b"farebox quote"])),
            handle: Secret::new(mac(salt, &[b"farebox handle"])),
            challenge: Secret::new(challenge_key(gate_secret)),
            earlier_challenge: None,
            shard: Secret::new(salt.to_vec()),
            networks: Hmac::new_from_slice(salt).ok(),
            origin: origin_secret.map(|secret| Secret::new(secret.to_vec())),
            mark: base32::encode(&mac(gate_secret, &[b"farebox loop"]), 26),
            signer: signer(gate_secret),
            earlier: None,
            authorizer: (0, authorizer(salt, 0)),
            restores: Vec::new(),
            payee: None,
        }
    }

    /// The same keys after a rotation: receipts signed under the previous secret stay verifiable,
    /// and challenges issued under it stay valid.
    ///
    /// Payment ids do not change, because the ledger keeps them.
    #[must_use]
    pub fn rotated_from(mut self, previous: &[u8]) -> Self {
        self.earlier = signer(previous);
        self.earlier_challenge = Some(Secret::new(challenge_key(previous)));
        self
    }

    /// The key that signs challenges today.
    #[must_use]
    pub const fn challenge(&self) -> &[u8; 32] {
        self.challenge.expose()
    }

    /// The keys that may have signed an answered challenge.
    pub fn challenges(&self) -> impl Iterator<Item = &[u8]> {
        let earlier = self.earlier_challenge.iter().map(|key| key.expose().as_slice());
        core::iter::once(self.challenge.expose().as_slice()).chain(earlier)
    }

    /// Signs a receipt under today's key; `None` in the case that [`Account::sign`] names.
    #[must_use]
    pub fn sign_receipt(&self, receipt: &Receipt) -> Option<SignedReceipt> {
        SignedReceipt::new(receipt, self.signer.as_ref()?)
    }

    /// The account that signs claims and refunds of the channels that are opened now.
    #[must_use]
    pub const fn authorizer(&self) -> Option<&Account> {
        self.authorizer.1.as_ref()
    }

    /// The restore, Unix seconds, after which channels are opened that name this account; zero
    /// before the first one. `None` if the account is not this gate's.
    #[must_use]
    pub fn restore_of(&self, authorizer: &Address) -> Option<u64> {
        let (since, current) = &self.authorizer;
        let is = |account: &Account| account.address() == *authorizer;
        if current.as_ref().is_some_and(is) {
            return Some(*since);
        }
        let is_since = |restore: &u64| self.authorizer_since(*restore).as_ref().is_some_and(is);
        let first = core::iter::once(&0);
        let earlier = &*self.restores;
        first.chain(earlier).copied().find(is_since)
    }

    /// The account that signs for channels that were opened after this restore.
    #[must_use]
    pub fn authorizer_since(&self, restore: u64) -> Option<Account> {
        authorizer(self.shard.expose(), restore)
    }

    /// The same keys after restores at these times, newest first: channels opened from now on name
    /// another account, so no channel that the backup may know too little of is one of them.
    #[must_use]
    pub fn restored_at(mut self, restores: &[u64]) -> Self {
        if let Some((newest, earlier)) = restores.split_first() {
            self.authorizer = (*newest, self.authorizer_since(*newest));
            self.restores = earlier.to_vec();
        }
        self
    }

    /// The times of all restores, newest first.
    pub fn restores(&self) -> impl Iterator<Item = u64> {
        let newest = Some(self.authorizer.0).filter(|newest| *newest > 0);
        newest.into_iter().chain(self.restores.iter().copied())
    }

    /// A text that tells ledgers of other salts apart, and nothing about the salt.
    #[must_use]
    pub fn ledger_print(&self) -> String {
        hex::encode(&mac(self.shard.expose(), &[b"farebox ledger"]))
    }

    /// The payee of sessions of MPP, if its key is set.
    #[must_use]
    pub const fn payee(&self) -> Option<&Account> {
        self.payee.as_ref()
    }

    /// The same keys with that of the payee.
    #[must_use]
    pub fn paid_to(mut self, payee: Option<Account>) -> Self {
        self.payee = payee;
        self
    }

    /// The account that signs receipts today.
    #[must_use]
    pub const fn receipt_signer(&self) -> Option<&Account> {
        self.signer.as_ref()
    }

    /// The accounts that sign and have signed receipts, JSON: the document at
    /// `/.well-known/farebox-keys.json`.
    #[must_use]
    pub fn document(&self) -> String {
        let entry = |account: &Account, status: &str| {
            farebox_base::encoding::json::json!({
                "kid": offer_receipt::key_id(account),
                "address": account.address().to_checksum(),
                "format": offer_receipt::FORMAT,
                "use": offer_receipt::NAME,
                "status": status,
            })
        };
        let current = self.signer.iter().map(|account| entry(account, "current"));
        let earlier = self.earlier.iter().map(|account| entry(account, "previous"));
        let keys: Vec<_> = current.chain(earlier).collect();
        farebox_base::encoding::json::text(&farebox_base::encoding::json::json!({ "keys": keys }))
    }

    /// The public id of a payment: `rcpt_`, ten base32 characters that lead to its row, 14 that
    /// nobody can guess, and two that say which ledger object keeps it.
    ///
    /// The ten are the beginning of the payment's key, hidden by what follows from the 14: an
    /// object finds the row without an index of receipts, and nobody else learns the key.
    #[must_use]
    pub fn receipt_id(&self, key: &PaymentKey, shard: u64) -> String {
        let rest = base32::encode(&mac(self.receipt.expose(), &[key.as_bytes()]), REST_LETTERS);
        let mut hidden = mac(self.place.expose(), &[rest.as_bytes()]);
        for (hidden, byte) in hidden.iter_mut().zip(key.as_bytes().iter().take(KEY_START_BYTES)) {
            *hidden ^= byte;
        }
        let mut id = String::from("rcpt_");
        id.push_str(&base32::encode(&hidden, START_LETTERS));
        id.push_str(&rest);
        for digit in [shard.checked_div(32).unwrap_or(0), shard] {
            let index = usize::try_from(digit % 32).unwrap_or(0);
            id.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'a')));
        }
        id
    }

    /// The first 12 hex digits of the key of the payment that has this receipt id; other digits if
    /// the id is invented, or of a version that led to no row.
    #[must_use]
    pub fn key_start(&self, receipt: &str) -> Option<String> {
        let (start, rest) = receipt.strip_prefix("rcpt_")?.split_at_checked(START_LETTERS)?;
        let rest = rest.get(..REST_LETTERS)?;
        let mut start = base32::decode(start)?;
        let hidden = mac(self.place.expose(), &[rest.as_bytes()]);
        for (byte, hidden) in start.iter_mut().zip(hidden) {
            *byte ^= hidden;
        }
        start.get(..KEY_START_BYTES).map(hex::encode)
    }

    /// The idempotency key for the origin if the client sent none: only the gate can make it, and
    /// it does not follow from the receipt id. A payment that begins again for another request
    /// brings another one.
    #[must_use]
    pub fn idempotency_key(&self, receipt: &str, request: &str) -> String {
        let parts = [receipt, request].map(str::as_bytes);
        let mut key = String::from(KEY_PREFIX);
        key.push_str(&base32::encode(&mac(self.idempotency.expose(), &parts), 26));
        key
    }

    /// The objects, of this many, that may keep the row of this receipt id: one in a thousand.
    pub fn shards_of_receipt(id: &str, shards: u64) -> impl Iterator<Item = u64> {
        let digit = |letter: u8| ALPHABET.iter().position(|known| *known == letter);
        let digits = id.as_bytes().last_chunk::<2>().map(|pair| pair.map(digit));
        let named = match digits {
            Some([Some(high), Some(low)]) => {
                u64::try_from(high.saturating_mul(32).saturating_add(low))
            }
            _ => Ok(shards),
        };
        let (named, apart) = (named, RECEIPT_SHARDS);
        let step = usize::try_from(apart).unwrap_or(1);
        (named.unwrap_or(shards)..shards).step_by(step)
    }

    /// The stored form of an identifier that only the client and the gate know.
    #[must_use]
    pub fn identifier_hash(&self, identifier: &str) -> String {
        hex::encode(&mac(self.identifier.expose(), &[identifier.as_bytes()]))
    }

    /// The MAC of a purchase, from the digest of its request and name: nobody outside can find two
    /// requests whose first digits agree.
    #[must_use]
    pub fn purchase(&self, digest: &str) -> String {
        hex::encode(&mac(self.purchase.expose(), &[digest.as_bytes()]))
    }

    /// The MAC of a quote: 32 hex digits over these parts.
    #[must_use]
    pub fn quote(&self, parts: &[&[u8]]) -> String {
        let mac = mac(self.quote.expose(), &[digest(parts).as_bytes()]);
        mac.first_chunk::<16>().map(|head| hex::encode(head)).unwrap_or_default()
    }

    /// The ledger object that keeps the rows of this payer: 20 bytes of an address, or 32 of a
    /// payment key.
    #[must_use]
    pub fn shard(&self, payer: &[u8], shards: u64) -> u64 {
        shard_of(&mac(self.shard.expose(), &[payer]), shards)
    }

    /// The key under which an isolate counts a network.
    #[must_use]
    pub fn network(&self, network: &str) -> [u8; 16] {
        let Some(mut mac) = self.networks.clone() else { return [0; 16] };
        mac.update(network.as_bytes());
        mac.finalize().into_bytes().first_chunk::<16>().copied().unwrap_or_default()
    }

    /// The group, one of 64, of those clients of [`Keys::network`] that send this `User-Agent`.
    #[must_use]
    pub fn agent_group(&self, network: &[u8; 16], agent: &str) -> u8 {
        let Some(mut mac) = self.networks.clone() else { return 0 };
        mac.update(network);
        mac.update(agent.as_bytes());
        mac.finalize().into_bytes().first().map_or(0, |byte| byte % 64)
    }

    /// The MAC of a part of a handle.
    #[must_use]
    pub fn handle(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(self.handle.expose(), parts)
    }

    /// The name in a row for the network that began it: 16 hex digits.
    #[must_use]
    pub fn client_name(&self, network: &str) -> String {
        let [a, b, c, d, e, f, g, h, ..] = self.network(network);
        hex::encode(&[a, b, c, d, e, f, g, h])
    }

    /// The ledger object that counts clients of [`Keys::network`].
    #[must_use]
    pub fn network_shard(&self, network: &[u8; 16], shards: u64) -> u64 {
        shard_of(network, shards)
    }

    /// The salt under which the clients of a day are named.
    #[must_use]
    pub fn network_salt(&self, day: u64) -> [u8; 32] {
        mac(self.shard.expose(), &[b"farebox networks", &day.to_be_bytes()])
    }

    /// A signature of one forwarded request under `scheme`; `None` unless a secret is shared with
    /// the origin.
    #[must_use]
    pub fn origin_signature(&self, now: &str, scheme: &str, parts: &[&str]) -> Option<String> {
        let secret = self.origin.as_ref()?;
        let mut text = String::from(now);
        for part in parts {
            text.push('\n');
            text.push_str(part);
        }
        let mut value = String::from("t=");
        value.push_str(now);
        value.push(',');
        value.push_str(scheme);
        value.push('=');
        value.push_str(&hex::encode(&mac(secret.expose(), &[text.as_bytes()])));
        Some(value)
    }

    /// The mark on requests that this gate forwards. A client that sends it only gets its own
    /// request refused.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Whether forwarded requests are signed.
    #[must_use]
    pub const fn signs_origin_requests(&self) -> bool {
        self.origin.is_some()
    }
}

fn shard_of(digest: &[u8], shards: u64) -> u64 {
    let head = digest.first_chunk::<8>().map_or(0, |head| u64::from_be_bytes(*head));
    head.checked_rem(shards).unwrap_or(0)
}

fn challenge_key(gate_secret: &[u8]) -> [u8; 32] {
    mac(gate_secret, &[b"farebox challenge"])
}

/// The account that signs receipts under this secret: the first digest of a counter that is a valid
/// key.
fn signer(gate_secret: &[u8]) -> Option<Account> {
    let digest = |counter| Secret::new(mac(gate_secret, &[b"farebox receipt signer", &[counter]]));
    Account::from_candidates((0..=u8::MAX).map(digest))
}

/// The account that signs for channels under this salt, which is never rotated, after the restore at
/// this time; zero before the first one.
pub(super) fn authorizer(salt: &[u8], restore: u64) -> Option<Account> {
    let since = restore.to_be_bytes();
    let since = if restore == 0 { &[][..] } else { &since };
    let label = b"farebox channel authorizer";
    let digest = |counter: u8| Secret::new(mac(salt, &[label, &[counter], since]));
    Account::from_candidates((0..=u8::MAX).map(digest))
}

/// Letters of a receipt id that lead to its row: 50 bits, of which the key's beginning takes 48.
const START_LETTERS: usize = 10;
/// Letters of a receipt id that nobody can guess: 70 bits.
const REST_LETTERS: usize = 14;
/// Bytes of the key that a receipt id holds.
const KEY_START_BYTES: usize = 6;
/// Number of ledger objects that a receipt id can name.
const RECEIPT_SHARDS: u64 = 1024;
