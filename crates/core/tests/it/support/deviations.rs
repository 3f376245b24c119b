//! Where the gate decides otherwise than a vector or a reference, and why. No refusal becomes an acceptance but the
//! one in [`OVERRULED`].

/// `eip3009_payments` and `headers_request`: what either decision would be right for, and is refused here, and
/// the one refusal that is an acceptance here.
pub const EITHER_BUT_REFUSED: &[(&str, &str)] = &[
    ("value-type-number", "wrong shape; money is text"),
    ("time-expires-in-6s", "no time left to serve and settle"),
    ("time-ten-years", "MAX_VALIDITY_SECS"),
    ("time-before-max-u256", "MAX_VALIDITY_SECS"),
    ("time-before-max-u64", "MAX_VALIDITY_SECS"),
    ("time-before-wraps-u64", "MAX_VALIDITY_SECS"),
    ("time-milliseconds", "MAX_VALIDITY_SECS"),
    ("sig-v-raw-parity", "27 and 28 only"),
    ("sig-compact-64", "65 bytes only"),
    ("accepted-extra-dropped", "x402.md 4.3: our extra must be in theirs"),
    ("accepted-timeout-changed", "x402.md 4.3: members must be equal"),
    ("version-string", "wrong shape"),
    ("url-alphabet", "one alphabet"),
    ("raw-lf-in-value", "RFC 9110 5.5"),
    ("json-bom", "strict UTF-8 without a mark, and whole characters"),
    ("json-lone-surrogate-escape", "strict UTF-8 without a mark, and whole characters"),
    ("json-dup-unknown-key-twice", "any duplicate member is refused"),
    ("json-depth-64", "64 levels, the payload itself is the first"),
    ("json-version-2.0", "wrong shape"),
    ("json-version-2e0", "wrong shape"),
    ("json-version-20e-1", "wrong shape"),
    ("json-version-2.0000000000000001", "wrong shape"),
    ("multi-empty-then-valid", "the rows differ"),
    ("v2-payload-in-v1-header", "x402.md 1: the header names the version"),
    ("v1-caip-network", "x402.md 3.1: names of version 1"),
];

/// Refused by the vector, accepted here on purpose.
pub const OVERRULED: &[(&str, &str)] = &[(
    "resource-other-host",
    "of resource.url only path and query are compared, not the host; the binding keeps the host asked for",
)];

/// Accepted by a reference, refused here.
pub const STRICTER: &[(&str, &str)] = &[
    ("utf8-bom", "strict UTF-8 without a mark, and whole characters"),
    ("invalid-utf8-in-unknown-string", "strict UTF-8 without a mark, and whole characters"),
    ("duplicate-key", "any duplicate member is refused"),
    ("duplicate-key-json", "any duplicate member is refused"),
    ("inner-space", "one alphabet, without spaces"),
    ("payload-missing", "wrong shape"),
    ("payload-null", "wrong shape"),
    ("signature-missing", "wrong shape"),
    ("authorization-garbage", "wrong shape"),
    ("extensions-array", "wrong shape"),
    ("signature-short-hex", "x402.md 8.2: 65 bytes"),
    ("value-hex", "x402.md 3.2: decimal digits"),
    ("value-exponent", "x402.md 3.2: decimal digits"),
    ("value-empty", "x402.md 3.2: decimal digits"),
    ("svm-shaped-payload-on-evm-network", "wrong shape"),
];
