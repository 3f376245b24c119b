//! `MERCHANT_BINDINGS`: merchants that are asked through a binding of the platform. Workers of one
//! zone cannot ask each other by URL.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::merchant::{Locality, origin};
use farebox_common::config::Reader;

const NAME: &str = "MERCHANT_BINDINGS";
const REMEDY: &str =
    "must be an object of bindings by origin, such as {\"https://market.example.com\": \"GATE\"}";

/// Origins with the names of their bindings.
pub(super) fn read(reader: &mut Reader, local: bool) -> Vec<(String, String)> {
    let locality = if local { Locality::Local } else { Locality::Public };
    let mut bound = Vec::new();
    match reader.value(NAME) {
        None => {}
        Some(Value::Object(written)) => {
            for (index, (name, binding)) in written.iter().enumerate() {
                let place = format!("{NAME}[{index}]");
                if origin(name, locality).as_ref() != Some(name) {
                    let remedy =
                        "must be named by an origin that can be paid, as rules write it: no path";
                    reader.fail(&place, remedy);
                }
                match binding.as_str().filter(|binding| reader.is_bound(binding)) {
                    Some(binding) => bound.push((name.clone(), binding.to_string())),
                    None => reader.fail(&place, "is not the name of a bound Worker; bind it"),
                }
            }
        }
        Some(_) => reader.fail(NAME, REMEDY),
    }
    bound
}
