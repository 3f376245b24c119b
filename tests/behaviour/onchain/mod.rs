//! Payments that the chain itself settles: signed transactions, and hashes of transactions that payers have sent.

use farebox_core::encoding::hex;
use farebox_core::evm::keccak::keccak256;
use farebox_core::http::RequestHead;
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::{Challenge, Credential};
use serde_json::{Value, json};

use crate::world::chain::ASSET;
use crate::world::payer::Payer;
use crate::world::{CHAIN, PAY_TO, Response, With, World, get};

pub mod burnt;
pub mod hashes;
pub mod histories;
pub mod moved;
mod resized;
pub mod rotated;
pub mod senders;
pub mod signed;

/// A world that reads the chain, with routes that take everything.
fn world() -> World {
    World::with(route_vars())
}

/// The variables of these routes.
fn route_vars() -> Value {
    let mut vars = World::chain_vars();
    for path in ["/shown", "/shown/other"] {
        for settle in ["after", "before"] {
            vars["ROUTES"].as_array_mut().unwrap().push(json!({
                "path": format!("{path}/{settle}"), "price": "$0.01", "settle": settle,
                "hash_mode": true, "signed_transactions": true,
            }));
        }
    }
    vars
}

const ROUTE: &str = "/shown/after";

/// The challenge of a 402.
pub fn challenge(world: &mut World, target: &str) -> Challenge {
    let unpaid = world.ask(target);
    let rows = unpaid.headers.rows("www-authenticate");
    let read = rows.flat_map(read_list).next();
    read.unwrap().unwrap()
}

/// A request that answers a challenge.
pub fn answer(
    target: &str,
    challenge: &Challenge,
    payload: &Value,
    source: Option<&Payer>,
) -> RequestHead {
    let source = source.map(|payer| format!("did:pkh:eip155:{CHAIN}:{}", payer.address));
    let payload = payload.as_object().unwrap().clone();
    let credential = Credential { challenge: challenge.clone(), payload, source };
    get(target).header("authorization", &credential.to_header())
}

pub fn transaction(bytes: &[u8]) -> Value {
    json!({"type": "transaction", "signature": hex::encode_prefixed(bytes)})
}

pub fn hash_of(bytes: &[u8]) -> String {
    hex::encode_prefixed(&keccak256(bytes))
}

pub fn hash(bytes: &[u8]) -> Value {
    json!({"type": "hash", "hash": hash_of(bytes)})
}

/// The payer's transaction with this number, for what every route asks.
fn signed(world: &World, nonce: u64) -> Vec<u8> {
    world.payer.transaction(nonce, ASSET, PAY_TO, 10_000)
}

/// A request that pays this target with a signed transaction.
fn paying(world: &mut World, target: &str, nonce: u64) -> RequestHead {
    let challenge = challenge(world, target);
    answer(target, &challenge, &transaction(&signed(world, nonce)), None)
}

/// The payer sends a transaction himself, and it is in the next block.
fn send(world: &mut World, bytes: &[u8]) {
    let block = world.facilitator.chain.next_block();
    assert!(world.facilitator.chain.transfers.send(bytes, block));
    world.wait(2);
}

/// A request that pays with the hash of this transaction.
fn showing(world: &mut World, target: &str, bytes: &[u8]) -> RequestHead {
    let challenge = challenge(world, target);
    world.wait(2);
    send(world, bytes);
    answer(target, &challenge, &hash(bytes), Some(&world.payer))
}

/// What the receipt of a response names.
fn reference(response: &Response) -> String {
    let receipt = farebox_core::mpp::receipt::ReceivedReceipt::read(
        response.headers.get("payment-receipt").unwrap_or_default(),
    );
    receipt.map(|receipt| receipt.reference).unwrap_or_default()
}

fn served(world: &World) -> usize {
    world.origin.calls.len()
}

fn moved(world: &World) -> u64 {
    world.facilitator.chain.transfers.moved()
}
