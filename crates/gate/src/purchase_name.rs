//! The name of a purchase: what distinguishes it from others of the same request and wallet.

use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::http::Headers;

use crate::forward::others;

/// Several users or agents may pay with one wallet. What one of them has paid for is not another
/// one's, so a payment that was never answered is not found by a request under another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PurchaseName<'a> {
    /// The `Idempotency-Key` of the request: its client tells purchases apart by itself.
    Key(&'a str),
    /// Without one, the credentials of the user for whom the payer asks.
    User(String),
}

impl<'a> PurchaseName<'a> {
    /// The name in these fields; `None` if there is none.
    pub(crate) fn of(headers: &'a Headers) -> Option<Self> {
        if let Some(key) = headers.filled("idempotency-key") {
            return Some(Self::Key(key));
        }
        // A payment may stand beside them, and is another one each time.
        let users = headers.rows("authorization").map(others).filter(|row| !row.is_empty());
        let users = users.collect::<Vec<_>>().join(",");
        (!users.is_empty()).then_some(Self::User(users))
    }

    /// The parts of it that are hashed.
    pub(crate) fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Key(key) => [b"key", key.as_bytes()],
            Self::User(credentials) => [b"user", credentials.as_bytes()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(lines: &[&str]) -> Option<String> {
        let headers = Headers::from_lines(lines.iter().copied());
        let name = PurchaseName::of(&headers)?;
        Some(String::from_utf8(name.parts().concat()).unwrap())
    }

    #[test]
    fn a_payment_beside_the_credential_of_a_user_is_no_part_of_the_name() {
        for lines in [
            &["authorization: Bearer alice"][..],
            &["authorization: Payment e30, Bearer alice"],
            &["authorization: Bearer alice, Payment e31"],
            &["authorization: Payment e30", "authorization: Bearer alice"],
            &["authorization: Bearer alice", "authorization: Payment e31"],
        ] {
            assert_eq!(named(lines).as_deref(), Some("userBearer alice"), "{lines:?}");
        }
        // A key without a letter tells no one apart.
        let unnamed = ["authorization: Bearer alice", "idempotency-key:"];
        assert_eq!(named(&unnamed).as_deref(), Some("userBearer alice"));
        assert_eq!(named(&["authorization: Payment e30"]), None);
        assert_eq!(named(&[]), None);
        let both = ["authorization: Bearer alice", "idempotency-key: order"];
        assert_eq!(named(&both).as_deref(), Some("keyorder"));
    }
}
