//! The data that a wallet signs, and the check of what it has signed.

use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::error::{ClientError, Reason};
use farebox_base::encoding::{hex, json};
use farebox_evm::address::Address;
use farebox_evm::signature::Signature;

/// Builds typed data in the form that wallets accept. `types` is JSON of this program's own.
pub fn typed_data(types: &str, domain: Value, primary: &str, message: Value) -> Value {
    let types = json::parse(types.as_bytes()).unwrap_or_default();
    json!({"domain": domain, "types": types, "primaryType": primary, "message": message})
}

/// A wallet's signature over `digest`, in the form that contracts accept.
///
/// # Errors
/// [`Reason::WrongSignature`] if it is malformed, or by another signer.
pub fn checked(signature: &str, digest: &[u8; 32], payer: &Address) -> Result<String, ClientError> {
    let wrong = |message: String| ClientError::new(Reason::WrongSignature, message);
    let bytes = hex::decode_prefixed(signature)
        .map_err(|_| wrong("the wallet's signature is not hex text".to_string()))?;
    let [rs @ .., v] = bytes.as_slice() else {
        return Err(wrong("the wallet returned no signature".to_string()));
    };
    // Some wallets return 0 and 1, which contracts refuse.
    let v = if *v < 2 { v.saturating_add(27) } else { *v };
    let mut spelled = rs.to_vec();
    spelled.push(v);
    let recovered =
        Signature::from_bytes(&spelled).ok().and_then(|signature| signature.recover(digest).ok());
    match recovered {
        Some(signer) if signer == *payer => Ok(hex::encode_prefixed(&spelled)),
        Some(signer) => Err(wrong(alloc::format!(
            "the signature is by {signer}, or covers other data; expected one by {payer}"
        ))),
        None => Err(wrong(alloc::format!(
            "the signature has {} bytes and proves no key; expected 65 bytes by {payer}",
            spelled.len()
        ))),
    }
}
