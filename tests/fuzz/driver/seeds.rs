//! Inputs to begin with: what the vectors have, read where they are, and what was kept in `corpus/`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The directory of this package.
pub const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Every text or value with this name, at any depth of a file of `tests/vectors`.
pub fn members(file: &str, name: &str) -> Vec<Value> {
    let path = format!("{HERE}/../vectors/{file}.json");
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut found = Vec::new();
    collect(&serde_json::from_slice(&text).unwrap(), name, &mut found);
    assert!(!found.is_empty(), "{path} has no {name}");
    found
}

fn collect(value: &Value, name: &str, found: &mut Vec<Value>) {
    match value {
        Value::Object(object) => {
            for (member, inner) in object {
                if member.eq_ignore_ascii_case(name) {
                    found.push(inner.clone());
                }
                collect(inner, name, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, found)),
        _ => {}
    }
}

/// The same as inputs: texts as they are, other values as JSON.
pub fn inputs(file: &str, name: &str) -> Vec<Vec<u8>> {
    let written = |value: &Value| match value {
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    };
    members(file, name).iter().map(written).collect()
}

/// Where inputs of a target are kept.
pub fn corpus_of(target: &str) -> PathBuf {
    Path::new(HERE).join("corpus").join(target)
}

/// The inputs that are kept there, in the order of their names.
pub fn kept(target: &str) -> Vec<Vec<u8>> {
    files(&corpus_of(target))
}

/// The files of a folder, in the order of their names.
pub fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The words of a list, in the form of libFuzzer's dictionaries: a quoted word a line, with `\xNN` for other bytes.
pub fn words(list: &str) -> Vec<Vec<u8>> {
    if list.is_empty() {
        return Vec::new();
    }
    let text = fs::read_to_string(dictionary(list)).unwrap();
    let quoted = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(unescaped).collect()
}

/// The file of a list.
pub fn dictionary(list: &str) -> String {
    format!("{HERE}/words/{list}.dict")
}

fn unescaped(word: &str) -> Vec<u8> {
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}
