//! HTML.

use alloc::format;
use alloc::string::String;

use super::hidden::{is_hidden, show};
use super::{Html, Place};

/// HTML, between tags or in a quoted attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HtmlPlace {}

impl Place for HtmlPlace {
    fn write(value: &str, out: &mut String) {
        for c in value.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '`' => out.push_str("&#96;"),
                '\n' | '\t' => out.push(' '),
                c if is_hidden(c) => show(c, out),
                c => out.push(c),
            }
        }
    }
}

impl Html {
    /// JSON as the content of a `script` element that holds data. Only `<` could end the element;
    /// hidden characters stand in strings alone, and are escaped there.
    #[must_use]
    pub fn data(json: &str) -> Self {
        let mut written = String::with_capacity(json.len());
        for c in json.chars() {
            if c == '<' || (is_hidden(c) && !c.is_ascii()) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    written.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                written.push(c);
            }
        }
        Self::trusted(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A-124
    #[test]
    fn a_value_is_text_between_tags_and_in_attributes() {
        let evil = Html::of("</p><script a='1' b=\"2\" c=`3`>&\u{202e}\u{7}\n");
        assert_eq!(
            evil.as_str(),
            "&lt;/p&gt;&lt;script a=&#39;1&#39; b=&quot;2&quot; c=&#96;3&#96;&gt;&amp;\u{2039}U+202E\u{203a}\u{2039}U+0007\u{203a} "
        );
    }

    // I-24
    #[test]
    fn data_cannot_end_its_element_and_hides_nothing() {
        let data = Html::data("{\"a\":\"</script>\u{202e}\"}");
        assert_eq!(data.as_str(), r#"{"a":"\u003c/script>\u202e"}"#);
    }
}
