//! CSV.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Writes one line of CSV, without its end. A cell is in quotes if necessary, and begins with an
/// apostrophe if a table program would compute it: also those of other scripts do, and some divide
/// at semicolons.
///
/// Spec: RFC 4180 2.6, 2.7.
///
/// # Examples
/// ```
/// use farebox_base::text::csv_line;
/// assert_eq!(csv_line(["a,b", "=1+1", "plain"]), "\"a,b\",\"'=1+1\",plain");
/// ```
#[must_use]
pub fn csv_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    cells.join(",")
}

fn cell(text: &str) -> String {
    let computes = |c: char| {
        matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
    };
    let is_formula = text.trim_start_matches(' ').starts_with(computes);
    if !is_formula && !text.contains([',', ';', '\t', '"', '\r', '\n']) {
        return text.to_string();
    }
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    // A-125
    #[test]
    fn cells_that_a_table_program_would_compute_are_text() {
        let cases = [
            ("plain", "plain"),
            ("", ""),
            ("=cmd()", "\"'=cmd()\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("＝1", "\"'＝1\""),
            ("\t=1", "\"'\t=1\""),
            ("  =1", "\"'  =1\""),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=\"a\"", "\"'=\"\"a\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("/a=b", "/a=b"),
        ];
        for (text, expected) in cases {
            assert_eq!(csv_line([text]), expected, "{text:?}");
        }
    }
}
