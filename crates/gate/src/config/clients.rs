//! Clients that pass with a key, payers that are denied, and the free requests of a day.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::clients::Clients;
use farebox_base::encoding::hex;
use farebox_common::config::Reader;
use farebox_evm::address::Address;

/// Limit on the entries of a list.
const MAX_CLIENTS: usize = 1000;

/// Reads `API_KEYS` and `DENY_PAYERS`.
pub(super) fn read(reader: &mut Reader) -> Clients {
    let mut keys: Vec<(String, [u8; 32])> = Vec::new();
    for (index, value) in list(reader, "API_KEYS").iter().enumerate() {
        match key(value) {
            Some((_, digest)) if keys.iter().any(|(_, known)| *known == digest) => {
                reader.fail(&format!("API_KEYS[{index}]"), "is listed twice; keep one of the two");
            }
            Some(key) => keys.push(key),
            None => {
                let remedy = "must be {\"name\": 1 to 64 visible ASCII characters, \"sha256\": the key's SHA-256 in 64 hex digits}";
                reader.fail(&format!("API_KEYS[{index}]"), remedy);
            }
        }
    }
    let mut denied = Vec::new();
    for (index, value) in list(reader, "DENY_PAYERS").iter().enumerate() {
        match value.as_str().map(Address::parse_checksummed) {
            Some(Ok(address)) => denied.push(address.to_lower_hex()),
            _ => {
                let remedy = "is not an address with a correct EIP-55 checksum; copy it again";
                reader.fail(&format!("DENY_PAYERS[{index}]"), remedy);
            }
        }
    }
    Clients::new(keys, denied)
}

fn list(reader: &mut Reader, name: &str) -> Vec<Value> {
    match reader.value(name) {
        None => Vec::new(),
        Some(Value::Array(list)) if list.len() <= MAX_CLIENTS => list,
        Some(_) => {
            reader.fail(name, "must be a list of at most 1000 entries");
            Vec::new()
        }
    }
}

/// A name and the digest of a key.
fn key(value: &Value) -> Option<(String, [u8; 32])> {
    let members = value.as_object().filter(|members| members.len() == 2)?;
    let name = members.get("name")?.as_str()?;
    let digest = members.get("sha256")?.as_str()?;
    let named = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    let digest = hex::decode_array(&format!("0x{digest}")).ok()?;
    named.then(|| (name.to_owned(), digest))
}

/// Reads the route field `free`: the free requests of each client per day, if any.
pub(super) fn free(reader: &mut Reader, place: &str, config: Option<&Value>) -> Option<u64> {
    let members = config?.as_object();
    let per_day = members.filter(|members| members.len() == 1).and_then(|it| it.get("per_day"));
    let per_day = per_day.and_then(Value::as_u64).filter(|it| (1..=1_000_000).contains(it));
    if per_day.is_none() {
        let remedy = "must be {per_day = 10}, a whole number from 1 to 1000000";
        reader.fail_at(place, "free", remedy);
    }
    per_day
}
