//! Parameters of the scheme `Payment` in a field value that may hold other schemes too.
//!
//! Spec: RFC 9110 11.6.1 and 11.2; draft-httpauth-payment, "Challenge". In addition, `\u` and four
//! hex digits in a quoted string are that UTF-16 code unit, because the reference writes text
//! outside Latin-1 so.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Malformed, SCHEME};

/// Maximum length of a value, bytes.
pub const MAX_VALUE_BYTES: usize = 16 * 1024;
/// Maximum parameters of one challenge.
const MAX_PARAMS: usize = 64;

/// The elements of a list: the text between its commas, outside quoted strings.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::elements;
/// let value = r#"Digest realm="a, Payment e30", Payment e31"#;
/// assert_eq!(elements(value), [r#"Digest realm="a, Payment e30""#, " Payment e31"]);
/// ```
#[must_use]
pub fn elements(value: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut quoted, mut escaped, mut from) = (false, false, 0);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                found.extend(value.get(from..at));
                from = at.saturating_add(1);
            }
            _ => {}
        }
    }
    found.extend(value.get(from..));
    found
}

/// The text after the scheme's name, each time that the name starts an element of the list outside
/// a quoted string; each piece extends to the next one.
pub fn pieces(value: &str) -> Vec<&str> {
    let starts = starts(value);
    let ends = starts.iter().skip(1).map(|(name, _)| *name).chain([value.len()]);
    starts.iter().zip(ends).filter_map(|((_, after), end)| value.get(*after..end)).collect()
}

/// Position of the scheme's name, and of its parameters.
fn starts(value: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0_usize;
    for element in elements(value) {
        let text = element.trim_start_matches(SPACE);
        let at = from.saturating_add(element.len().saturating_sub(text.len()));
        let name = text.get(..SCHEME.len());
        let space = text.as_bytes().get(SCHEME.len()).is_some_and(|next| is_space(*next));
        if space && name.is_some_and(|name| name.eq_ignore_ascii_case(SCHEME)) {
            found.push((at, at.saturating_add(SCHEME.len())));
        }
        from = from.saturating_add(element.len()).saturating_add(1);
    }
    found
}

/// Reads names, in lower case, and values of one piece. A word without `=` starts another scheme,
/// and ends this one.
///
/// # Errors
/// [`Malformed::Syntax`], [`Malformed::Duplicate`], [`Malformed::TooLarge`].
pub fn read(piece: &str) -> Result<Vec<(String, String)>, Malformed> {
    let mut params: Vec<(String, String)> = Vec::new();
    let mut rest = piece;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(params);
        }
        let (name, after) = split_while(rest, is_token);
        if name.is_empty() {
            return Err(Malformed::Syntax);
        }
        let Some(after) = after.trim_start_matches(SPACE).strip_prefix('=') else {
            return Ok(params);
        };
        let after = after.trim_start_matches(SPACE);
        let (value, after) = match after.strip_prefix('"') {
            Some(after) => quoted(after)?,
            None => {
                let (value, after) = split_while(after, is_bare);
                (String::from(value), after)
            }
        };
        rest = after.trim_start_matches(SPACE);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(Malformed::Syntax);
        }
        let name = name.to_ascii_lowercase();
        if params.iter().any(|(known, _)| *known == name) {
            return Err(Malformed::Duplicate);
        }
        if value.len() > MAX_VALUE_BYTES || params.len() >= MAX_PARAMS {
            return Err(Malformed::TooLarge);
        }
        params.push((name, value));
    }
}

/// The content of a quoted string without its opening quote, and the rest after it.
fn quoted(text: &str) -> Result<(String, &str), Malformed> {
    let mut units = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => {
                let content = String::from_utf16(&units).map_err(|_| Malformed::Syntax)?;
                return Ok((content, rest.as_str()));
            }
            '\\' => match unit(rest.as_str()) {
                Some((unit, after)) => {
                    units.push(unit);
                    rest = after.chars();
                }
                None => push(&mut units, rest.next().ok_or(Malformed::Syntax)?)?,
            },
            character => push(&mut units, character)?,
        }
    }
    Err(Malformed::Syntax)
}

fn push(units: &mut Vec<u16>, character: char) -> Result<(), Malformed> {
    if character != '\t' && character.is_control() {
        return Err(Malformed::Syntax);
    }
    units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
    Ok(())
}

/// The code unit of `u` and four hex digits, and the rest.
fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.strip_prefix('u')?.split_at_checked(4)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

/// Appends `name="value"`, in ASCII only. Control characters are escaped too, so no value ends a
/// line.
pub fn write(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    // Nearly every value needs no escape.
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        text.push_str(value);
        text.push('"');
        return;
    }
    for unit in value.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(character @ ('"' | '\\')) => text.extend(['\\', character]),
            Ok(character @ ' '..='~') => text.push(character),
            _ => text.push_str(&alloc::format!("\\u{unit:04x}")),
        }
    }
    text.push('"');
}

fn split_while(text: &str, accepts: fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !accepts(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Whether a byte may stand in a token. Spec: RFC 9110 5.6.2.
pub const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a value without quotes may hold a byte: more than a token, because times and base64 come
/// so.
const fn is_bare(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b'\\')
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

const SPACE: [char; 2] = [' ', '\t'];
