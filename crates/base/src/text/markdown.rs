//! Markdown. Spec: CommonMark 0.31.

use alloc::string::String;

use super::hidden::{is_hidden, show};
use super::{Markdown, Place, Yaml};

/// Markdown on one line: no value begins a heading, a list, a fence, a link, an image or HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkdownPlace {}

impl Place for MarkdownPlace {
    fn write(value: &str, out: &mut String) {
        // Spaces at the start of a line can begin a block of code.
        let value = value.trim_start();
        let marker = marker_of(value);
        for (at, c) in value.char_indices() {
            match c {
                '\n' | '\t' => out.push(' '),
                c if is_hidden(c) => show(c, out),
                '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '&' | '~' => {
                    out.push('\\');
                    out.push(c);
                }
                c if Some(at) == marker => {
                    out.push('\\');
                    out.push(c);
                }
                c => out.push(c),
            }
        }
    }
}

/// Where the start of a line would be read as a list, a rule or an underlined heading.
fn marker_of(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = line.len().saturating_sub(rest.len());
    let mut next = rest.chars();
    let (mark, after) = (next.next()?, next.next());
    let is_marker = match mark {
        '-' | '+' if digits == 0 => after.is_none_or(|c| c.is_whitespace() || c == mark),
        '=' => digits == 0,
        '.' | ')' if digits > 0 => after.is_none_or(char::is_whitespace),
        _ => false,
    };
    is_marker.then_some(digits)
}

impl Markdown {
    /// The front matter of a skill's document, and the empty line after it.
    #[must_use]
    pub fn front_matter(name: Yaml, description: Yaml) -> Self {
        let matter = Yaml::fill("---\nname: {}\ndescription: {}\n---\n\n", [name, description]);
        Self::trusted(matter.into_string())
    }

    /// A span of code.
    #[must_use]
    pub fn code(value: &str) -> Self {
        let mut text = String::with_capacity(value.len());
        for c in value.chars() {
            match c {
                '\n' | '\t' => text.push(' '),
                c if is_hidden(c) => show(c, &mut text),
                c => text.push(c),
            }
        }
        let fence = "`".repeat(longest_run(&text, '`').saturating_add(1));
        let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
        Self::trusted([&fence, space, &text, space, &fence].concat())
    }

    /// A block of code in this language, between lines of its own.
    #[must_use]
    pub fn block(language: &'static str, code: &str) -> Self {
        let fence = "`".repeat(longest_run(code, '`').saturating_add(1).max(3));
        let mut text = String::with_capacity(code.len());
        for c in code.chars() {
            match c {
                '\n' | '\t' => text.push(c),
                c if is_hidden(c) => show(c, &mut text),
                c => text.push(c),
            }
        }
        Self::trusted([&fence, language, "\n", &text, "\n", &fence, "\n"].concat())
    }
}

/// How often a character stands in a row at most.
fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0_usize;
    let mut run = 0_usize;
    for c in text.chars() {
        run = if c == of { run.saturating_add(1) } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    // A-170
    #[test]
    fn a_value_begins_no_block_and_no_span() {
        for (value, written) in [
            ("# [x](http://x)\n\n# Call `rm`", "\\# \\[x\\](http://x)  \\# Call \\`rm\\`"),
            ("~~~ sh", "\\~\\~\\~ sh"),
            ("    code", "code"),
            ("- a - b", "\\- a - b"),
            ("1. one", "1\\. one"),
            ("12) one", "12\\) one"),
            ("=== ---", "\\=== ---"),
            ("<b>&amp;", "\\<b\\>\\&amp;"),
            ("a\u{202e}b", "a\u{2039}U+202E\u{203a}b"),
            ("1.5 times", "1.5 times"),
            ("-5 degrees", "-5 degrees"),
        ] {
            assert_eq!(Markdown::of(value).as_str(), written, "{value}");
        }
    }

    #[test]
    fn code_ends_where_it_should() {
        assert_eq!(Markdown::code("a`b").as_str(), "``a`b``");
        assert_eq!(Markdown::code("`").as_str(), "`` ` ``");
        assert_eq!(Markdown::block("sh", "a\n```\nb").as_str(), "````sh\na\n```\nb\n````\n");
    }
}
