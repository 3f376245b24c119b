//! Times, networks, assets and secrets against vectors and naive versions.

use std::collections::BTreeSet;

use farebox_core::chain::{ChainId, ChainIdError};
use farebox_core::evm::address::Address;
use farebox_core::evm::token;
use farebox_core::secret::{Secret, ct_eq};
use farebox_core::time::{EmptyWindow, TimeError, UnixTime, Window};
use farebox_core::x402::mints;

use crate::support::{cases, text};

#[test]
fn networks_have_the_names_numbers_and_assets_of_the_reference() {
    for case in cases("x402/networks-assets", "evm") {
        let id = text(&case, "caip2");
        let chain = ChainId::parse(id).unwrap();
        assert_eq!(chain.evm_id(), case["chainId"].as_u64(), "{id}");
        assert_eq!(chain.v1_name(), case["v1Name"].as_str(), "{id}");
        assert_eq!(
            chain.v1_name().and_then(ChainId::from_name).is_some_and(|it| it == chain),
            case["v1Name"].is_string()
        );
        let assets = case["assets"].as_array().unwrap();
        for asset in assets {
            let address = Address::parse_checksummed(text(asset, "asset")).unwrap();
            let token = token::by_address(&chain, &address).unwrap();
            assert_eq!(token.address.to_checksum(), text(asset, "asset"), "{id}");
            assert_eq!(token.symbol, asset["symbol"], "{id}");
            assert_eq!(token.name, asset["name"], "{id}");
            assert_eq!(token.version, asset["version"], "{id}");
            assert_eq!(u64::from(token.decimals), asset["decimals"].as_u64().unwrap(), "{id}");
            assert_eq!(token.eip3009, asset["assetTransferMethod"] != "permit2", "{id}");
            assert_eq!(token::by_symbol(&chain, token.symbol), Some(token), "{id}");
        }
        let default = assets.first().map(|asset| text(asset, "asset").to_owned());
        if default.is_some() {
            let ours = token::default_for(&chain).map(|token| token.address.to_checksum());
            assert_eq!(ours, default, "{id}");
        }
    }
    for case in cases("x402/networks-assets", "solana") {
        let chain = ChainId::parse(text(&case, "caip2")).unwrap();
        assert_eq!(chain.v1_name(), case["v1Name"].as_str());
        assert_eq!((chain.evm_id(), token::default_for(&chain)), (None, None));
        let assets = case["assets"].as_array().unwrap();
        for asset in assets {
            let (symbol, mint) = (text(asset, "symbol"), text(asset, "asset"));
            assert_eq!(mints::known(&chain, Some(symbol)), Some((symbol, mint)));
            assert_eq!(asset["decimals"], mints::DECIMALS);
        }
        let default = (text(&assets[0], "symbol"), text(&assets[0], "asset"));
        assert_eq!(mints::known(&chain, None), Some(default));
        assert_eq!(mints::known(&chain, Some("EURC")), None);
    }
}

#[test]
fn assets_that_only_version_one_knows_are_defaults_too() {
    let table = [
        ("polygon-amoy", "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582", "USDC"),
        ("avalanche-fuji", "0x5425890298aed601595a70AB815c96711a31Bc65", "USD Coin"),
        ("iotex", "0xcdf79194c6c285077a58da47641d4dbe51f63542", "Bridged USDC"),
        ("peaq", "0xbbA60da06c2c5424f03f7434542280FCAd453d10", "USDC"),
        ("abstract", "0x84a71ccd554cc1b02749b35d22f684cc8ec987e1", "Bridged USDC"),
        ("abstract-testnet", "0xe4C7fBB0a626ed208021ccabA6Be1566905E2dFc", "Bridged USDC"),
        ("story", "0xF1815bd50389c46847f0Bda824eC8da914045D14", "Bridged USDC"),
        ("educhain", "0x12a272A581feE5577A5dFa371afEB4b2F3a8C2F8", "Bridged USDC (Stargate)"),
        (
            "skale-base-sepolia",
            "0x2e08028E3C4c2356572E096d8EF835cD5C6030bD",
            "Bridged USDC (SKALE Bridge)",
        ),
    ];
    for (network, address, domain_name) in table {
        let chain = ChainId::parse_or_name(network).unwrap();
        let token = token::default_for(&chain).unwrap();
        assert_eq!(token.address, Address::parse_checksummed(address).unwrap(), "{network}");
        assert_eq!((token.name, token.version), (domain_name, "2"), "{network}");
        assert_eq!((token.decimals, token.eip3009), (6, true), "{network}");
    }
}

#[test]
fn the_chains_of_agent_marketplaces_have_their_tokens() {
    let table = [
        ("eip155:196", "USDT0", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USD₮0", "1", 6),
        (
            "eip155:196",
            "USDG",
            "0x4ae46a509F6b1D9056937BA4500cb143933D2dc8",
            "Global Dollar",
            "1",
            6,
        ),
        ("eip155:196", "USDC", "0xB6CEceAB302E2E4948951eE7843FC24E92933061", "USDC", "2", 6),
        (
            "eip155:2366",
            "USDC.e",
            "0x7aB6f3ed87C42eF0aDb67Ed95090f8bF5240149e",
            "Bridged USDC (Kite AI)",
            "2",
            6,
        ),
        ("eip155:2368", "pieUSD", "0x38129cf4CE5E183eFF248F42A7D345Bb1B47621A", "pieUSD", "1", 18),
    ];
    for (network, symbol, address, name, version, decimals) in table {
        let chain = ChainId::parse(network).unwrap();
        let token = token::by_symbol(&chain, symbol).unwrap();
        assert_eq!(token.address, Address::parse_checksummed(address).unwrap(), "{symbol}");
        assert_eq!((token.name, token.version), (name, version), "{symbol}");
        assert_eq!((token.decimals, token.eip3009), (decimals, true), "{symbol}");
    }
    let is_main = |id| ChainId::parse(id).unwrap().is_main_network();
    assert_eq!(["eip155:196", "eip155:2366"].map(is_main), [true; 2]);
    assert_eq!(["eip155:1952", "eip155:2368"].map(is_main), [false; 2]);
}

#[test]
fn every_known_asset_is_found_and_no_chain_has_a_symbol_or_contract_twice() {
    let mut seen = BTreeSet::new();
    for token in token::TOKENS {
        let chain = ChainId::parse(token.chain).unwrap();
        assert_eq!(token::by_symbol(&chain, token.symbol), Some(token));
        assert_eq!(token::by_address(&chain, &token.address), Some(token));
        assert!(seen.insert((token.chain, token.symbol.to_owned())));
        assert!(seen.insert((token.chain, token.address.to_lower_hex())));
        assert_eq!(token.domain(1).verifying_contract, token.address);
    }
}

//
#[test]
fn a_network_has_one_spelling() {
    let refused = [
        "",
        ":",
        "eip155",
        "eip155:",
        ":1",
        "eip155:0",
        "eip155:08453",
        "eip155:+1",
        "eip155:0x1",
        "eip155:1a",
        "eip155:18446744073709551616",
        "eip155: 1",
        "eip155:1 ",
        "eip155:1:1",
        "EIP155:1",
        "eip155:*",
        "ei:1",
        "cloudflare:402",
        "eip155:１",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp0",
        "base",
        "Base",
    ];
    for text in refused {
        assert_eq!(ChainId::parse(text), Err(ChainIdError), "{text}");
    }
    for text in
        ["eip155:1", "eip155:18446744073709551615", "solana:abc_DEF-9", "a-0:x", "eip15:007"]
    {
        assert_eq!(ChainId::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(ChainId::from_evm(8453), ChainId::parse_or_name("base"));
    assert_eq!(ChainId::from_evm(0), Err(ChainIdError));
    assert_eq!(ChainId::parse_or_name("Base"), Err(ChainIdError));
}

#[test]
fn only_known_test_networks_are_not_main() {
    for text in [
        "eip155:8453",
        "eip155:999999",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        "stellar:pubnet",
        "aptos:1",
        "new:net",
    ] {
        assert!(ChainId::parse(text).unwrap().is_main_network(), "{text}");
    }
    for text in [
        "eip155:84532",
        "eip155:421614",
        "eip155:31337",
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
        "stellar:testnet",
        "aptos:2",
        "keeta:1413829460",
    ] {
        assert!(!ChainId::parse(text).unwrap().is_main_network(), "{text}");
    }
}

#[test]
fn times_are_canonical_seconds() {
    let table = [
        ("0", Ok(0)),
        ("1740672149", Ok(1_740_672_149)),
        ("18446744073709551615", Ok(u64::MAX)),
        ("18446744073709551616", Err(TimeError::Overflow)),
        ("99999999999999999999999999", Err(TimeError::Overflow)),
        ("", Err(TimeError::Format)),
        ("00", Err(TimeError::Format)),
        ("01", Err(TimeError::Format)),
        ("+1", Err(TimeError::Format)),
        ("-1", Err(TimeError::Format)),
        ("1.0", Err(TimeError::Format)),
        ("1e3", Err(TimeError::Format)),
        ("0x1", Err(TimeError::Format)),
        ("1 ", Err(TimeError::Format)),
        ("１", Err(TimeError::Format)),
    ];
    for (text, expected) in table {
        assert_eq!(UnixTime::from_text(text).map(UnixTime::secs), expected, "{text}");
    }
}

//
#[test]
fn time_stops_at_its_ends_instead_of_wrapping() {
    let (first, last) = (UnixTime::from_secs(0), UnixTime::from_secs(u64::MAX));
    assert_eq!((last.plus(1), first.minus(1)), (last, first));
    assert_eq!((first.secs_since(last), last.secs_since(first)), (0, u64::MAX));
    assert_eq!(UnixTime::from_secs(10).plus(5).minus(3).secs_since(first), 12);
}

//
#[test]
fn a_window_excludes_both_its_ends_and_is_never_empty() {
    let [five, six, seven] = [5, 6, 7].map(UnixTime::from_secs);
    let window = Window::new(five, seven).unwrap();
    assert_eq!([five, six, seven].map(|now| window.contains(now)), [false, true, false]);
    assert_eq!((window.after(), window.before()), (five, seven));
    for (after, before) in [(six, six), (seven, six)] {
        assert_eq!(Window::new(after, before), Err(EmptyWindow { after, before }));
    }
}

#[test]
fn dates_agree_with_counting_every_day() {
    let (mut year, mut month, mut day) = (1970_u64, 1_u64, 1_u64);
    for days in 0..400_000_u64 {
        let secs = days * 86_400 + days % 86_400;
        let (hour, minute, second) = (days % 86_400 / 3_600, days % 3_600 / 60, days % 60);
        let expected = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
        assert_eq!(UnixTime::from_secs(secs).rfc3339(), expected);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (year, month, day) = match (month, day == length) {
            (12, true) => (year + 1, 1, 1),
            (_, true) => (year, month + 1, 1),
            (_, false) => (year, month, day + 1),
        };
    }
    // From RFC 3339 and the epoch's well-known points.
    assert_eq!(UnixTime::from_secs(482_196_050).rfc3339(), "1985-04-12T23:20:50Z");
    assert_eq!(UnixTime::from_secs(253_402_300_799).rfc3339(), "9999-12-31T23:59:59Z");
    assert_eq!(UnixTime::from_secs(u64::MAX).rfc3339(), "9999-12-31T23:59:59Z");
}

#[test]
fn a_secret_is_not_shown_and_compares_by_its_bytes() {
    let secret = Secret::new(String::from("correct horse"));
    assert_eq!(format!("{secret:?}"), "[redacted]");
    assert!(ct_eq(secret.expose().as_bytes(), b"correct horse"));
    for other in [&b"correct horsf"[..], b"correct hors", b"correct horse ", b""] {
        assert!(!ct_eq(secret.expose().as_bytes(), other));
    }
    assert!(ct_eq(b"", b""));
}
