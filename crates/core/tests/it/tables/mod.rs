//! Route tables in few words.

use farebox_core::gate::route::{Ask, Methods, Pattern, RouteTable, Rule, Unlisted};

/// A table of (pattern, method or `all`, ask).
pub fn table(rows: &[(&str, &str, Ask)], unlisted: Unlisted) -> RouteTable {
    RouteTable::new(rows.iter().map(|row| rule(row.0, row.1, row.2.clone())).collect(), unlisted)
        .unwrap()
}

/// One rule of such a table.
pub fn rule(pattern: &str, method: &str, ask: Ask) -> Rule {
    let methods = if method == "all" { Methods::all() } else { Methods::list([method]).unwrap() };
    Rule { pattern: Pattern::parse(pattern).unwrap(), methods, ask }
}

/// Nothing to pay.
pub fn free() -> Ask {
    Ask::Free
}

/// An amount of an asset.
pub fn paid(asset: &str, amount: u64) -> Ask {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&amount.to_be_bytes());
    Ask::Paid(vec![(asset.to_owned(), bytes)])
}
