//! Command lines of a POSIX shell. Spec: POSIX.1-2024, Shell Command Language, 2.2 "Quoting".

use alloc::string::String;

use super::Place;
use super::hidden::{is_hidden, show};

/// One argument of a command line, whatever the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShellPlace {}

impl Place for ShellPlace {
    fn write(value: &str, out: &mut String) {
        // `=` is left out: the first word of a line would be an assignment. `~` and `{` expand.
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"@%+:,./_-".contains(&b);
        if !value.is_empty() && value.bytes().all(is_plain) {
            out.push_str(value);
            return;
        }
        out.push('\'');
        for c in value.chars() {
            match c {
                '\'' => out.push_str("'\\''"),
                c if is_hidden(c) => show(c, out),
                c => out.push(c),
            }
        }
        out.push('\'');
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shell;

    //
    #[test]
    fn every_value_is_one_argument() {
        for (value, written) in [
            ("https://a.example/v1", "https://a.example/v1"),
            ("https://a.example/v1?a=b&c=d", "'https://a.example/v1?a=b&c=d'"),
            ("v1;touch$IFS/x;echo", "'v1;touch$IFS/x;echo'"),
            ("a'b", "'a'\\''b'"),
            ("", "''"),
            ("a\nb", "'a\u{2039}U+000A\u{203a}b'"),
        ] {
            assert_eq!(Shell::of(value).as_str(), written, "{value}");
        }
    }
}
