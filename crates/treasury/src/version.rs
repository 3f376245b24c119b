//! The versions of `@402flow/sdk` that are served: `>=0.1.0-alpha.0 <0.2.0`.

/// The header that names the version.
pub const HEADER: &str = "x-402flow-sdk-version";
/// The version that this was written against.
pub const CURRENT: &str = "0.1.0-alpha.22";

/// Whether a client of this version is served.
///
/// # Examples
/// ```
/// use farebox_treasury::version::is_served;
/// assert!(is_served("0.1.0-alpha.22") && is_served("0.1.9"));
/// assert!(!is_served("0.2.0") && !is_served("0.1") && !is_served(""));
/// ```
#[must_use]
pub fn is_served(text: &str) -> bool {
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (core, pre) = match text.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (text, None),
    };
    let mut numbers = core.split('.').map(number);
    let version = (numbers.next(), numbers.next(), numbers.next(), numbers.next());
    let (Some(Some(0)), Some(Some(1)), Some(Some(patch)), None) = version else { return false };
    match pre {
        None => true,
        Some(pre) if !is_pre_release(pre) => false,
        // Of 0.1.0, those from alpha.0 on.
        Some(pre) => patch > 0 || is_late(pre),
    }
}

fn number(text: &str) -> Option<u32> {
    let is_plain = text == "0" || !text.starts_with('0');
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && is_digits { text.parse().ok() } else { None }
}

fn is_pre_release(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let is_word = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !part.is_empty() && is_word && (!is_digits || number(part).is_some())
    };
    text.len() <= 64 && text.split('.').all(is_part)
}

/// Whether a pre-release is `alpha.0` or comes after it. Spec: semantic versioning, 11.4.
fn is_late(pre: &str) -> bool {
    let mut parts = pre.split('.');
    let first = parts.next().unwrap_or_default();
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match first {
        "alpha" => parts.next().is_some(),
        // Numbers come before words.
        _ => !is_digits(first) && first > "alpha",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_ends_where_the_contract_may_change() {
        for good in [
            "0.1.0",
            "0.1.7",
            "0.1.0-alpha.0",
            "0.1.0-alpha.22",
            "0.1.0-alpha.22.x",
            "0.1.0-beta",
            "0.1.1-alpha",
            "0.1.0-alpha.1+build",
        ] {
            assert!(is_served(good), "{good}");
        }
        for bad in [
            "",
            "0.1",
            "0.1.0.0",
            "v0.1.0",
            "0.0.9",
            "0.2.0",
            "0.2.0-alpha.1",
            "1.0.0",
            "0.1.0-alpha",
            "0.1.0-1",
            "0.1.0-",
            "0.1.0-alpha..1",
            "0.1.0-alpha.01",
            "0.01.0",
            "0.1.x",
            "latest",
            " 0.1.0",
        ] {
            assert!(!is_served(bad), "{bad}");
        }
    }
}
