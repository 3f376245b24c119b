//! The route table: in a variable, or stored beside the Worker where it can change without a
//! deployment.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::route_config::Inherited;
use super::routes::{self, STORED, table_name};
use crate::offer::Offer;
use crate::route::{RouteTable, TableError, Unlisted};
use farebox_common::config::{MAX_CONFIG_BYTES, Reader};

/// The route table in effect.
#[derive(Clone, Copy, Debug)]
pub enum Routes<'a> {
    /// `ROUTES` in the variables.
    Variables,
    /// This text, in place of the variable.
    Stored(&'a str),
    /// `ROUTES`, or none if it is invalid: for ledger objects, which must keep recovering.
    Spared,
}

/// Adds a stored table to the variables, if there is one.
pub(super) fn add_table(reader: &mut Reader, routes: Routes<'_>, used: usize) {
    // A variable cannot pretend to be one.
    reader.vars.remove(STORED);
    if let Routes::Stored(table) = routes {
        if used.saturating_add(table.len()) > MAX_CONFIG_BYTES {
            reader.fail(STORED, "makes the configuration longer than 256 KiB; list fewer routes");
        }
        reader.vars.insert(STORED.to_string(), Value::String(table.to_string()));
    }
}

/// Reads the table; errors go to the reader, except for [`Routes::Spared`].
pub(super) fn read(
    reader: &mut Reader,
    inherited: &Inherited,
    unlisted: Unlisted,
    source: Routes<'_>,
) -> Option<(RouteTable, Vec<Option<Offer>>)> {
    let known = reader.errors.len();
    let (mut rules, mut offers): (Vec<_>, Vec<_>) =
        routes::read(reader, inherited).into_iter().unzip();
    let mut unlisted = unlisted;
    loop {
        let table = RouteTable::new(rules, unlisted);
        // A route that could not be read is in no rule, so that the others have other numbers.
        if let Err(error) = &table
            && reader.errors.len() == known
        {
            let variable = table_name(reader);
            let (place, remedy) = named(error, variable);
            reader.fail(&format!("{variable}[{place}]"), remedy);
        }
        if !matches!(source, Routes::Spared) || reader.errors.len() == known {
            return Some((table.ok()?, offers));
        }
        reader.errors.truncate(known);
        (rules, offers, unlisted) = (Vec::new(), Vec::new(), Unlisted::Deny);
    }
}

/// The route to change, and what is wrong with it in the words of the configuration.
fn named(error: &TableError, variable: &str) -> (usize, String) {
    match error {
        TableError::SamePattern { first, second, method } => {
            let remedy = format!(
                "matches the same paths as {variable}[{first}] for {method}; keep one of the two, or split the methods"
            );
            (*second, remedy)
        }
        TableError::Unreachable { rule } => {
            let remedy = "is never reached: more specific routes, or dearer ones that some servers read alike, take all its paths; \
                          remove it or them";
            (*rule, remedy.to_string())
        }
    }
}
