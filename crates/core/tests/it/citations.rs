//! Where a comment cites a section of a document by its name, the document has that section.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::docs::root;

/// Folders whose sources cite documents.
const FOLDERS: [&str; 8] = ["crates", "demo", "mcp", "pkg", "scripts", "src", "tests", "xtask"];
/// Folders in them that are not ours.
const MADE: [&str; 5] = ["build", "dist", "node_modules", "target", "wasm"];
const SOURCES: [&str; 4] = ["rs", "mjs", "ts", "js"];

#[test]
fn every_section_that_a_comment_cites_exists() {
    let mut cited = 0;
    for file in FOLDERS.iter().flat_map(|folder| sources(&root().join(folder))) {
        let place = file.strip_prefix(root()).unwrap().to_owned();
        let source = flat(&fs::read_to_string(&file).unwrap());
        for (document, section) in citations(&source) {
            // As seen from the repository, or from the package that the file belongs to.
            let package = root().join(place.iter().next().unwrap());
            let there: Vec<_> = [root(), package]
                .map(|folder| folder.join(document))
                .into_iter()
                .filter(|path| path.is_file())
                .collect();
            cited += there.len().min(1);
            assert!(
                there.is_empty() || there.iter().any(|path| headings(path).contains(section)),
                "{} cites {document}, \"{section}\": it has no such section",
                place.display()
            );
        }
    }
    assert!(cited > 40, "{cited}");
}

#[test]
fn a_citation_is_found_across_lines_and_with_several_sections() {
    let source =
        "//! What is told. Spec: docs/a.md,\n//! \"One\" and \"Two\".\n * docs/b.md \"Three\"";
    let found: Vec<_> = citations(&flat(source)).map(|(a, b)| format!("{a} {b}")).collect();
    assert_eq!(found, ["docs/a.md One", "docs/a.md Two", "docs/b.md Three"]);
}

/// A source in one line, without the marks of its comments.
fn flat(source: &str) -> String {
    let lines = source.lines().map(|line| line.trim_start().trim_start_matches(['/', '!', '*']));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The documents that a text cites, each with the section.
fn citations(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices(".md").flat_map(|(at, end)| {
        let is_path = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
        let (before, after) = text.split_at(at + end.len());
        let document = before.rsplit(|c| !is_path(c)).next().unwrap();
        let mut rest = after.strip_prefix(',').unwrap_or(after);
        let mut sections = Vec::new();
        while let Some((section, after)) =
            rest.strip_prefix(" \"").and_then(|rest| rest.split_once('"'))
        {
            sections.push((document, section));
            let after = after.strip_prefix(',').unwrap_or(after);
            rest = after.strip_prefix(" and").unwrap_or(after);
        }
        sections
    })
}

/// The headings of a document.
fn headings(document: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(document).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches('#').trim().replace('`', "")).collect()
}

/// The sources in a folder, without what is built or installed there.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy();
            let kind = path.extension().unwrap_or_default().to_string_lossy();
            let is_made = MADE.iter().any(|made| name.ends_with(made));
            if path.is_dir() && (!is_made || path.starts_with(root().join("crates"))) {
                folders.push(path);
            } else if SOURCES.contains(&kind.as_ref()) {
                files.push(path);
            }
        }
    }
    files
}
