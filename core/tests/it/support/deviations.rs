//! Where the gate decides otherwise than a vector or a reference, and why. No refusal becomes an acceptance but the
//! one in [`OVERRULED`].

/// `eip3009_payments` and `headers_request`: what either decision would be right for, and is refused here, and
/// the one refusal that INTERFACE overrules.
pub const EITHER_BUT_REFUSED: &[(&str, &str)] = &[
    ("value-type-number", "INTERFACE 2: wrong shape; money is text"),
    ("time-expires-in-6s", "INTERFACE 6: no time left to serve and settle"),
    ("time-ten-years", "INTERFACE 1: MAX_VALIDITY_SECS"),
    ("time-before-max-u256", "INTERFACE 1: MAX_VALIDITY_SECS"),
    ("time-before-max-u64", "INTERFACE 1: MAX_VALIDITY_SECS"),
    ("time-before-wraps-u64", "INTERFACE 1: MAX_VALIDITY_SECS"),
    ("time-milliseconds", "INTERFACE 1: MAX_VALIDITY_SECS"),
    ("sig-v-raw-parity", "security.md A-02: 27 and 28 only"),
    ("sig-compact-64", "security.md A-10"),
    ("accepted-extra-dropped", "x402.md 4.3: our extra must be in theirs"),
    ("accepted-timeout-changed", "x402.md 4.3: members must be equal"),
    ("version-string", "INTERFACE 2: wrong shape"),
    ("url-alphabet", "security.md A-17: one alphabet"),
    ("raw-lf-in-value", "RFC 9110 5.5"),
    ("json-bom", "security.md A-24"),
    ("json-lone-surrogate-escape", "security.md A-24"),
    ("json-dup-unknown-key-twice", "security.md A-18: any duplicate"),
    ("json-depth-64", "security.md A-22: 64 levels, the payload itself is the first"),
    ("json-version-2.0", "INTERFACE 2: wrong shape"),
    ("json-version-2e0", "INTERFACE 2: wrong shape"),
    ("json-version-20e-1", "INTERFACE 2: wrong shape"),
    ("json-version-2.0000000000000001", "INTERFACE 2: wrong shape"),
    ("multi-empty-then-valid", "security.md A-19: different rows"),
    ("v2-payload-in-v1-header", "x402.md 1: the header names the version"),
    ("v1-caip-network", "x402.md 3.1: names of version 1"),
];

/// Refused by the vector, accepted here because INTERFACE says so.
pub const OVERRULED: &[(&str, &str)] = &[(
    "resource-other-host",
    "INTERFACE 2: of resource.url only path and query are compared, not the host; the binding keeps the host asked for",
)];

/// Accepted by a reference, refused here.
pub const STRICTER: &[(&str, &str)] = &[
    ("utf8-bom", "security.md A-24"),
    ("invalid-utf8-in-unknown-string", "security.md A-24"),
    ("duplicate-key", "security.md A-18"),
    ("duplicate-key-json", "security.md A-18"),
    ("inner-space", "security.md A-17"),
    ("payload-missing", "INTERFACE 2: wrong shape"),
    ("payload-null", "INTERFACE 2: wrong shape"),
    ("signature-missing", "INTERFACE 2: wrong shape"),
    ("authorization-garbage", "INTERFACE 2: wrong shape"),
    ("extensions-array", "INTERFACE 2: wrong shape"),
    ("signature-short-hex", "x402.md 8.2: 65 bytes"),
    ("value-hex", "x402.md 3.2: decimal digits"),
    ("value-exponent", "x402.md 3.2: decimal digits"),
    ("value-empty", "x402.md 3.2: decimal digits"),
    ("svm-shaped-payload-on-evm-network", "INTERFACE 2: wrong shape"),
];
