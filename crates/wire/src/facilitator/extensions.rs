//! Words of a facilitator about the extensions of a payment, such as why its registry does not list a
//! route. For the operator alone: it decides no payment. Spec: header `EXTENSION-RESPONSES` of the
//! reference facilitators of x402.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use farebox_base::encoding::{base64, json};
use farebox_base::text::single_line;

/// Maximum size of the header, bytes.
pub const MAX_HEADER_BYTES: usize = 4_096;
/// Maximum extensions of a header, and characters of a name or text.
const MAX_EXTENSIONS: usize = 8;
const MAX_TEXT: usize = 200;
/// Members that are shown; others may name payers.
const SHOWN: [&str; 4] = ["status", "rejectedReason", "reason", "code"];
/// Statuses of an extension that was not taken.
const FAILED: [&str; 4] = ["rejected", "failed", "failure", "error"];

/// Reads the header: for each extension the members that are shown, each one line of text. `None` if
/// it cannot be read.
///
/// # Examples
/// ```
/// use farebox_base::encoding::base64;
/// use farebox_wire::facilitator::extensions::read;
/// let said = r#"{"bazaar":{"status":"rejected","rejectedReason":"no\nschema","payer":"0x1"}}"#;
/// let said = read(&base64::encode(said.as_bytes())).unwrap();
/// assert_eq!(said["bazaar"]["rejectedReason"], "no schema");
/// assert_eq!(said["bazaar"].get("payer"), None);
/// assert_eq!(read("not base64"), None);
/// ```
#[must_use]
pub fn read(header: &str) -> Option<Map<String, Value>> {
    if header.len() > MAX_HEADER_BYTES {
        return None;
    }
    let text = base64::decode(header).ok()?;
    let Ok(Value::Object(said)) = json::parse(&text) else { return None };
    let one = |(name, said): (String, Value)| {
        let shown = SHOWN.iter().filter_map(|member| {
            let text = line(said.get(*member)?.as_str()?);
            Some((String::from(*member), Value::String(text)))
        });
        (line(&name), Value::Object(shown.collect()))
    };
    Some(said.into_iter().take(MAX_EXTENSIONS).map(one).collect())
}

/// A sentence for each extension that was not taken.
#[must_use]
pub fn complaints(said: &Map<String, Value>) -> Vec<String> {
    let failed = said.iter().filter_map(|(name, said)| {
        let text = |member| said.get(member).and_then(Value::as_str);
        let reason = text("rejectedReason").or(text("reason")).or(text("code"));
        let is_failed = said.get("rejectedReason").is_some()
            || text("status").is_some_and(|it| FAILED.contains(&it));
        is_failed.then(|| {
            format!("does not take the extension {name}: {}", reason.unwrap_or("no reason given"))
        })
    });
    failed.collect()
}

fn line(text: &str) -> String {
    single_line(text).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn said(value: &Value) -> Option<Map<String, Value>> {
        read(&base64::encode(value.to_string().as_bytes()))
    }

    #[test]
    fn what_was_not_taken_is_told_in_one_line() {
        let all = serde_json::json!({
            "bazaar": {"status": "rejected", "rejectedReason": "info.output is missing\u{202e}"},
            "other": {"status": "failed"},
            "third": {"status": "success"},
            "fourth": {"status": "processing"},
            "fifth": 7,
        });
        assert_eq!(
            complaints(&said(&all).unwrap()),
            [
                "does not take the extension bazaar: info.output is missing",
                "does not take the extension other: no reason given",
            ]
        );
    }

    #[test]
    fn texts_of_a_facilitator_are_bounded() {
        let long = "x".repeat(3_000);
        let shown = said(&serde_json::json!({ "bazaar": {"status": long} })).unwrap();
        assert_eq!(shown["bazaar"]["status"].as_str().map(str::len), Some(MAX_TEXT));
        assert_eq!(read(&base64::encode(&[b'x'; 4_000])), None);
        assert_eq!(said(&serde_json::json!([])), None);
        let many: Map<String, Value> = (0..20).map(|it| (it.to_string(), Value::Null)).collect();
        assert_eq!(said(&Value::Object(many)).unwrap().len(), MAX_EXTENSIONS);
    }
}
