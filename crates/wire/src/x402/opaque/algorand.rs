//! A payment on Algorand: the payer's signed transaction in a group. The chain accepts it once.
//!
//! Spec: x402 scheme `exact` on Algorand; Algorand, "Canonical MessagePack": sorted names, shortest
//! numbers, zero values omitted. Only transfers are read, by every field that they can have:
//! skipping a field would allow a second spelling.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::bytes::{Bytes, holds};
use super::decoded;

/// Maximum transactions of a group.
const MAX_GROUP: usize = 16;
/// Maximum fields of a transfer.
const MAX_FIELDS: u8 = 15;
/// Maximum nesting of a transaction's authorization.
const MAX_DEPTH: u8 = 4;

/// The transaction at `paymentIndex`, without its signature.
pub(super) fn single_use(payload: &Map<String, Value>) -> Option<Vec<u8>> {
    let group = payload.get("paymentGroup")?.as_array()?;
    holds(group.len() <= MAX_GROUP)?;
    let index = usize::try_from(payload.get("paymentIndex")?.as_u64()?).ok()?;
    let mut named = None;
    for (place, text) in group.iter().enumerate() {
        let member = decoded(text)?;
        let mut bytes = Bytes::new(&member);
        if place == index {
            named = Some(signed(&mut bytes)?.to_vec());
        } else {
            skip(&mut bytes, MAX_DEPTH)?;
        }
        bytes.end()?;
    }
    named
}

/// A transaction after its authorization.
fn signed<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let mut names = Names::new();
    let count = map(bytes)?;
    holds(count >= 2)?;
    let mut transaction = None;
    for _ in 0..count {
        match names.next(bytes)? {
            b"lsig" | b"msig" => skip(bytes, MAX_DEPTH)?,
            b"sgnr" => key(bytes)?,
            b"sig" => holds(binary(bytes)?.len() == 64)?,
            b"txn" => {
                let start = bytes.clone();
                transfer(bytes)?;
                transaction = bytes.since(&start);
            }
            _ => return None,
        }
    }
    transaction
}

/// A transfer of an asset, or of the chain's native currency.
fn transfer(bytes: &mut Bytes) -> Option<()> {
    let count = map(bytes)?;
    holds(count <= MAX_FIELDS)?;
    let (mut names, mut is_transfer) = (Names::new(), false);
    for _ in 0..count {
        match names.next(bytes)? {
            b"aamt" | b"amt" | b"fee" | b"fv" | b"lv" | b"xaid" => holds(number(bytes)? > 0)?,
            b"aclose" | b"arcv" | b"asnd" | b"close" | b"gh" | b"grp" | b"lx" | b"rcv"
            | b"rekey" | b"snd" => key(bytes)?,
            b"gen" => holds(!text(bytes)?.is_empty())?,
            b"note" => holds(!binary(bytes)?.is_empty())?,
            b"type" => is_transfer = matches!(text(bytes)?, b"axfer" | b"pay"),
            _ => return None,
        }
    }
    holds(is_transfer)
}

/// The names of one map, each greater than the one before.
struct Names<'a> {
    last: &'a [u8],
}

impl<'a> Names<'a> {
    const fn new() -> Self {
        Self { last: b"" }
    }

    fn next(&mut self, bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
        let name = text(bytes)?;
        holds(name > self.last)?;
        self.last = name;
        Some(name)
    }
}

fn map(bytes: &mut Bytes) -> Option<u8> {
    match bytes.byte()? {
        head @ 0x80..=0x8f => Some(head & 0x0f),
        _ => None,
    }
}

/// A short text; no name or type is longer.
fn text<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    match bytes.byte()? {
        head @ 0xa0..=0xbf => {
            let text = bytes.take(usize::from(head & 0x1f))?;
            core::str::from_utf8(text).ok().map(str::as_bytes)
        }
        _ => None,
    }
}

fn binary<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let count = match bytes.byte()? {
        0xc4 => usize::from(bytes.byte()?),
        0xc5 => {
            let count = u16::from_be_bytes(bytes.array()?);
            holds(count > 0xff)?;
            usize::from(count)
        }
        _ => return None,
    };
    bytes.take(count)
}

/// 32 bytes that are not all zero.
fn key(bytes: &mut Bytes) -> Option<()> {
    let key = binary(bytes)?;
    holds(key.len() == 32 && key.iter().any(|byte| *byte != 0))
}

/// A number in its shortest form.
fn number(bytes: &mut Bytes) -> Option<u64> {
    let (number, min) = match bytes.byte()? {
        small @ 0..=0x7f => (u64::from(small), 0),
        0xcc => (u64::from(bytes.byte()?), 0x80),
        0xcd => (u64::from(u16::from_be_bytes(bytes.array()?)), 0x100),
        0xce => (u64::from(u32::from_be_bytes(bytes.array()?)), 0x1_0000),
        0xcf => (u64::from_be_bytes(bytes.array()?), 0x1_0000_0000),
        _ => return None,
    };
    holds(number >= min)?;
    Some(number)
}

/// Skips any value of the forms that transactions have.
fn skip(bytes: &mut Bytes, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match bytes.peek()? {
        0x80..=0x8f => {
            let mut names = Names::new();
            for _ in 0..map(bytes)? {
                names.next(bytes)?;
                skip(bytes, depth)?;
            }
            Some(())
        }
        head @ 0x90..=0x9f => {
            bytes.byte()?;
            (0..head & 0x0f).try_for_each(|_| skip(bytes, depth))
        }
        0xa0..=0xbf => text(bytes).map(|_| ()),
        0xc2 | 0xc3 => bytes.byte().map(|_| ()),
        0xc4 | 0xc5 => binary(bytes).map(|_| ()),
        _ => number(bytes).map(|_| ()),
    }
}
