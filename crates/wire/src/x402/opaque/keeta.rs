//! A block of Keeta: one transfer in the payer's own chain of blocks. The network accepts it once.
//!
//! Spec: x402 scheme `exact` on Keeta; Keeta, blocks of version 1 and 2 in DER, each as the
//! network's own program writes them. The signature is not part of the identity.

use alloc::vec::Vec;

use super::bytes::{Bytes, holds};

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const TEXT: u8 = 0x0c;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// Tag of a transfer among the operations.
const SEND: u8 = 0xa0;
/// Tag around a block of version 2.
const VERSION_2: u8 = 0xa1;
const SIGNATURE: usize = 64;

/// The version, and every member except the signature.
pub(super) fn single_use(block: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Bytes::new(block);
    let (version, content) = match bytes.peek()? {
        VERSION_2 => (2, only(tagged(&mut bytes, VERSION_2)?, SEQUENCE)?),
        _ => (1, tagged(&mut bytes, SEQUENCE)?),
    };
    bytes.end()?;
    let start = Bytes::new(content);
    let mut bytes = start.clone();
    match version {
        1 => {
            holds(integer(&mut bytes)? == [0])?;
            integer(&mut bytes)?;
            // No subnet.
            nothing(&mut bytes)?;
            time(&mut bytes)?;
        }
        _ => {
            integer(&mut bytes)?;
            time(&mut bytes)?;
            // No special purpose.
            holds(integer(&mut bytes)? == [0])?;
        }
    }
    tagged(&mut bytes, OCTETS)?;
    // The account is the signer's.
    nothing(&mut bytes)?;
    holds(tagged(&mut bytes, OCTETS)?.len() == 32)?;
    send(only(tagged(&mut bytes, SEQUENCE)?, SEND)?)?;
    let mut name = Vec::from([version]);
    name.extend_from_slice(bytes.since(&start)?);
    holds(tagged(&mut bytes, OCTETS)?.len() == SIGNATURE)?;
    bytes.end()?;
    Some(name)
}

/// Recipient, amount, token, and a reference if there is one.
fn send(operation: &[u8]) -> Option<()> {
    let mut bytes = Bytes::new(only(operation, SEQUENCE)?);
    tagged(&mut bytes, OCTETS)?;
    integer(&mut bytes)?;
    tagged(&mut bytes, OCTETS)?;
    if bytes.peek().is_some() {
        let text = tagged(&mut bytes, TEXT)?;
        holds(!text.is_empty() && core::str::from_utf8(text).is_ok())?;
    }
    bytes.end()
}

/// The content of the next value, which must have this tag; its length has the shortest form.
fn tagged<'a>(bytes: &mut Bytes<'a>, tag: u8) -> Option<&'a [u8]> {
    holds(bytes.byte()? == tag)?;
    let length = match bytes.byte()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => {
            let length = usize::from(bytes.byte()?);
            holds(length > 0x7f)?;
            length
        }
        0x82 => {
            let length = usize::from(u16::from_be_bytes(bytes.array()?));
            holds(length > 0xff)?;
            length
        }
        _ => return None,
    };
    bytes.take(length)
}

/// The content of the only value.
fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut bytes = Bytes::new(bytes);
    let content = tagged(&mut bytes, tag)?;
    bytes.end()?;
    Some(content)
}

fn nothing(bytes: &mut Bytes) -> Option<()> {
    holds(tagged(bytes, NULL)?.is_empty())
}

/// A number that is not negative, in its shortest form.
fn integer<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let digits = tagged(bytes, INTEGER)?;
    match digits {
        [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => None,
        _ => Some(digits),
    }
}

/// A time as Keeta writes it: to the second, or to the millisecond if that is not zero.
fn time(bytes: &mut Bytes) -> Option<()> {
    let text = tagged(bytes, TIME)?.strip_suffix(b"Z")?;
    let (seconds, fraction) = text.split_at_checked(14)?;
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let is_fraction = match fraction {
        [] => true,
        [b'.', millis @ ..] => millis.len() == 3 && digits(millis) && millis != b"000",
        _ => false,
    };
    holds(digits(seconds) && is_fraction)
}
