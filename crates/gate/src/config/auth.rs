//! The `auth` of a facilitator, and the secrets that it refers to.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use serde_json::Value;

use farebox_base::encoding::base64;
use farebox_base::secret::Secret;
use farebox_common::config::Reader;
use farebox_wire::facilitator::auth::{Auth, SigningKey};

/// Variable with the key of Coinbase's Developer Platform.
const CDP_SECRET: &str = "CDP_API_KEY_SECRET";
/// Prefix of the PKCS#8 form of an Ed25519 seed. Spec: RFC 8410.
const ED25519: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// Bytes after the first length of PKCS#8: version 0, an elliptic curve, P-256. Spec: RFC 5958, RFC
/// 5480.
const P256: &[u8] = b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// Reads `auth`; errors go to the reader.
pub(super) fn read(reader: &mut Reader, config: Option<&Value>) -> Auth {
    match config {
        None | Some(Value::Null) => Auth::None,
        // `None` comes with an error in the reader.
        Some(config) => whole(reader, config).unwrap_or(Auth::None),
    }
}

// Apart, so that a facilitator that needs no key does not have an engine compile it.
#[inline(never)]
fn whole(reader: &mut Reader, config: &Value) -> Option<Auth> {
    let auth = match config {
        Value::String(word) => (word.as_str(), None),
        Value::Object(full) if full.len() == 1 => {
            ("bearer", full.get("bearer").and_then(Value::as_str))
        }
        _ => ("", None),
    };
    match auth {
        ("none", _) => Some(Auth::None),
        ("cdp", _) => {
            // Both are read, so that both are reported.
            let id = reader.visible_secret("CDP_API_KEY_ID");
            let key = signing_key(reader);
            Some(Auth::Cdp { id: id?.expose().clone(), key: key? })
        }
        ("okx", _) => {
            let names = ["OKX_API_KEY", "OKX_API_SECRET", "OKX_API_PASSPHRASE"];
            let [key, secret, passphrase] = names.map(|name| reader.visible_secret(name));
            Some(Auth::Okx { key: key?, secret: secret?, passphrase: passphrase? })
        }
        ("bearer", Some(name)) => {
            let token = reader.visible_secret(name)?;
            Some(Auth::Bearer { variable: name.to_owned(), token })
        }
        _ => {
            let remedy =
                "auth must be \"none\", \"cdp\", \"okx\" or {\"bearer\": \"NAME_OF_A_SECRET\"}";
            reader.fail("FACILITATOR_URL", remedy);
            None
        }
    }
}

fn signing_key(reader: &mut Reader) -> Option<SigningKey> {
    let text = reader.secret(CDP_SECRET, 1)?;
    match pkcs8(text.expose()) {
        Ok((algorithm, bytes)) => {
            let pkcs8 = Secret::new(base64::encode(bytes.expose()));
            Some(SigningKey { algorithm, pkcs8 })
        }
        Err(remedy) => {
            reader.fail(CDP_SECRET, remedy);
            None
        }
    }
}

/// Algorithm and PKCS#8 of a key, given as base64 of an Ed25519 seed and its public key or as PEM.
fn pkcs8(text: &str) -> Result<(&'static str, Secret<Vec<u8>>), &'static str> {
    let Some(pem) = text.trim().strip_prefix("-----BEGIN ") else {
        let bytes = Secret::new(base64::decode(text).map_err(|_| UNREADABLE)?);
        let ([seed, _public], []) = bytes.expose().as_chunks::<32>() else {
            return Err(UNREADABLE);
        };
        let mut key = ED25519.to_vec();
        key.extend_from_slice(seed);
        return Ok(("EdDSA", Secret::new(key)));
    };
    if pem.starts_with("EC ") {
        return Err("is a SEC1 key; convert it with `openssl pkcs8 -topk8 -nocrypt`");
    }
    // Files of variables often write a line end as two characters.
    let mut lines = pem.replace("\\n", "");
    lines.retain(|char| !char.is_ascii_whitespace());
    let lines = Secret::new(lines);
    let body = lines.expose().strip_prefix("PRIVATEKEY-----");
    let body = body.and_then(|body| body.strip_suffix("-----ENDPRIVATEKEY-----"));
    let body = body.ok_or(UNREADABLE)?;
    let der = Secret::new(base64::decode(body).map_err(|_| UNREADABLE)?);
    if der.expose().strip_prefix(ED25519).is_some_and(|seed| seed.len() == 32) {
        return Ok(("EdDSA", der));
    }
    let inner = match der.expose().as_slice() {
        [0x30, 0x81, length, inner @ ..] | [0x30, length, inner @ ..]
            if usize::from(*length) == inner.len() =>
        {
            inner
        }
        _ => return Err(UNREADABLE),
    };
    if !inner.starts_with(P256) {
        return Err("is a key of another curve; create an Ed25519 or EC P-256 key");
    }
    Ok(("ES256", der))
}

const UNREADABLE: &str = "must be base64 of an Ed25519 key (64 bytes) or the PEM of an EC P-256 key in PKCS#8 (BEGIN PRIVATE KEY), whole and without spaces";
