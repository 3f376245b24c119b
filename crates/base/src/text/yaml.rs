//! YAML. Spec: YAML 1.2.2, 7.3.1 "Double-Quoted Style".

use alloc::string::String;

use super::Place;
use super::hidden::{is_hidden, show};

/// A scalar in double quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlPlace {}

impl Place for YamlPlace {
    fn write(value: &str, out: &mut String) {
        out.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' => {
                    out.push('\\');
                    out.push(c);
                }
                '\n' | '\t' => out.push(' '),
                c if is_hidden(c) => show(c, out),
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::super::Yaml;

    // I-24
    #[test]
    fn a_value_is_one_scalar() {
        let evil = Yaml::of("a: \"b\"\\\n---\u{feff}");
        assert_eq!(evil.as_str(), "\"a: \\\"b\\\"\\\\ ---\u{2039}U+FEFF\u{203a}\"");
    }
}
