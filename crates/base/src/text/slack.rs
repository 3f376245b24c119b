//! Messages in the form that Slack takes, and that Mattermost and Discord take too. Spec: docs.slack.dev, "Formatting message
//! text".

use alloc::format;
use alloc::string::String;

use super::hidden::{is_hidden, show};
use super::{Place, Slack};

/// A message of Slack: each value is a span of code, in which nothing is a mention, a link or markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlackPlace {}

impl Place for SlackPlace {
    fn write(value: &str, out: &mut String) {
        out.push('`');
        for c in value.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                // It would end the span.
                '`' => out.push('\''),
                '\n' | '\t' => out.push(' '),
                c if is_hidden(c) => show(c, out),
                c => out.push(c),
            }
        }
        out.push('`');
    }
}

impl Slack {
    /// An address of the operator's that each of these programs makes a link: what is no character of
    /// an address is escaped for one.
    #[must_use]
    pub fn address(url: &str) -> Self {
        let mut written = String::with_capacity(url.len());
        for byte in url.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~:/?#=".contains(&byte) {
                written.push(char::from(byte));
            } else {
                written.push_str(&format!("%{byte:02X}"));
            }
        }
        Self::trusted(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_no_mention_no_link_and_ends_nothing() {
        for (value, written) in [
            (
                "<!channel> & <https://evil.example|pay>",
                "`&lt;!channel&gt; &amp; &lt;https://evil.example|pay&gt;`",
            ),
            ("`@everyone` *now*\n_ok_", "`'@everyone' *now* _ok_`"),
            ("a\u{202e}b", "`a\u{2039}U+202E\u{203a}b`"),
            ("", "``"),
        ] {
            assert_eq!(Slack::of(value).as_str(), written);
        }
    }

    #[test]
    fn an_address_stays_one() {
        let plain = "https://gate.example:8402/_farebox/desk/#payment?id=rcpt_a2";
        assert_eq!(Slack::address(plain).as_str(), plain);
        let escaped = "https://gate.example/%20%3C%7C%3E%60%40%C3%A9";
        assert_eq!(Slack::address("https://gate.example/ <|>`@\u{e9}").as_str(), escaped);
    }
}
