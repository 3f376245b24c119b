//! No type's name stands more than twice in the tree: a name that many types share says nothing.
//! And no doc comment begins with a question word: it names its item, or begins with a verb.
//! Spec: CONTRIBUTING.md, "Style in brief".

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::layers::files;

/// Names that may stand more often, with the reason.
const ALLOWED: &[(&str, &str)] = &[
    ("Answer", ROLE),
    ("Change", ROLE),
    ("Command", ROLE),
    ("Decision", ROLE),
    ("Now", ROLE),
    ("Rows", ROLE),
];
/// The roles of a machine, whose types every system has: see `farebox_machine`.
const ROLE: &str = "a role of every machine: the path says whose it is";
/// Most types that may share a name: the same word of two specifications, or of two systems.
const MOST: usize = 2;

/// The name of the type that a line of code begins, if it begins one. An indented alias belongs to
/// a trait.
fn declared(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let code = match code.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.strip_prefix(' ')?,
        None => code,
    };
    let (kind, rest) = code.split_once(' ')?;
    let is_type = matches!(kind, "struct" | "enum" | "trait" | "union")
        || kind == "type" && !line.starts_with(' ');
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (is_type && name.starts_with(|c: char| c.is_uppercase())).then_some(name)
}

/// The files of `crates/*/src` and `src`.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["crates", "src"] {
        files(&root.join(folder), &mut all);
    }
    all.retain(|path| {
        path.strip_prefix(root).unwrap().components().any(|part| part.as_os_str() == "src")
    });
    all
}

#[test]
fn no_type_name_stands_more_than_twice() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources(root) {
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let home = path.strip_prefix(root).unwrap().display();
        for name in shipped.lines().filter_map(declared) {
            homes.entry(name.to_owned()).or_default().push(home.to_string());
        }
    }
    assert!(homes.len() > 500, "{}", homes.len());
    let allowed = |name: &String| ALLOWED.iter().any(|(known, _)| known == name);
    homes.retain(|name, homes| homes.len() > MOST && !allowed(name));
    assert!(homes.is_empty(), "find the field's term for each: {homes:#?}");
}

#[test]
fn a_type_is_found_in_each_form_of_its_declaration() {
    for line in [
        "struct Row;",
        "pub struct Row<'a> {",
        "pub(super) enum Row {",
        "    pub(in crate::gate) struct Row(u8);",
        "pub type Row = u8;",
        "pub trait Row: Sized {",
    ] {
        assert_eq!(declared(line), Some("Row"), "{line}");
    }
    for line in ["    type Row = u8;", "// struct Row", "let enum_row = 1;", "type_of(Row)"] {
        assert_eq!(declared(line), None, "{line}");
    }
}

/// Words with which no doc comment begins.
const QUESTIONS: &[&str] = &["What", "Who", "Whose", "Whom"];

/// The text of a line of a doc comment.
fn documented(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    // More slashes make it no doc comment.
    (!text.starts_with('/')).then(|| text.trim_start())
}

/// The first line of each doc comment, with its number from 1.
fn beginnings(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for (at, line) in text.lines().enumerate() {
        let doc = documented(line);
        found.extend(doc.filter(|_| !is_inside).map(|doc| (at + 1, doc)));
        is_inside = doc.is_some();
    }
    found
}

/// Whether the first word of a doc comment is a question word.
fn asks(doc: &str) -> bool {
    let word = doc.split(|c: char| !c.is_alphanumeric()).next();
    word.is_some_and(|word| QUESTIONS.contains(&word))
}

#[test]
fn no_doc_begins_with_a_question_word() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut seen, mut found) = (0, Vec::new());
    for path in sources(root) {
        let text = fs::read_to_string(&path).unwrap();
        let home = path.strip_prefix(root).unwrap().display();
        for (number, doc) in beginnings(&text) {
            seen += 1;
            if asks(doc) {
                found.push(format!("{home}:{number}: {doc}"));
            }
        }
    }
    assert!(seen > 3_000, "{seen}");
    assert!(found.is_empty(), "begin each with a noun or a verb: {found:#?}");
}

#[test]
fn a_question_word_is_found_where_a_doc_begins() {
    let lines = [
        "//! What a file is.",
        "//! Who reads on.",
        "",
        "    /// Whose it is.",
        "    /// Whom it names.",
        "let what = 1;",
        "//// What",
        "// Who",
        "///What",
    ];
    let text = lines.join("\n");
    let found: Vec<_> = beginnings(&text).into_iter().filter(|(_, doc)| asks(doc)).collect();
    assert_eq!(found, [(1, "What a file is."), (4, "Whose it is."), (9, "What")]);
    for doc in ["Whatever it is.", "The answer to what was asked.", "Whole tokens.", ""] {
        assert!(!asks(doc), "{doc}");
    }
}
