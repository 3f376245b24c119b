//! No edge may use another one; what crates may use is Cargo's to say. Spec: docs/design.md, "Layers".

use std::fs;
use std::path::{Path, PathBuf};

/// The modules that a line of code reaches through `crate::`, nested lists included.
fn reached(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut modules = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let mut item = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => item = true,
                        c if item && depth == 0 && !c.is_whitespace() => {
                            modules.push(word(&list[at..]));
                            item = false;
                        }
                        _ => {}
                    }
                    if depth < 0 {
                        break;
                    }
                }
            }
            None => modules.push(word(rest)),
        }
    }
    modules
}

pub fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The folders of `src/` and what each may reach of the others.
const EDGES: &[(&str, &[&str])] = &[
    ("platform", &["platform"]),
    ("worker", &["worker", "platform"]),
    ("treasury", &["treasury", "platform"]),
    ("market", &["market", "platform"]),
    ("bindings", &["bindings"]),
];

/// Edges that a file of this edge reaches although it may not.
fn strange(edge: &str, text: &str) -> Vec<String> {
    let (_, allowed) = EDGES.iter().find(|(name, _)| *name == edge).unwrap();
    let code: Vec<&str> =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let reached = code.join(" ").split(';').flat_map(reached).collect::<Vec<_>>();
    let modules = text.lines().filter_map(|line| line.split_once("from '../")?.1.split_once('/'));
    let modules = modules.map(|(folder, _)| folder.to_owned());
    reached.into_iter().chain(modules).filter(|other| !allowed.contains(&other.as_str())).collect()
}

#[test]
fn no_edge_uses_another_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut read) = (Vec::new(), 0);
    for (edge, _) in EDGES.iter().filter(|(edge, _)| root.join(edge).is_dir()) {
        let mut all = Vec::new();
        files(&root.join(edge), &mut all);
        let scripts = fs::read_dir(root.join(edge)).unwrap().map(|entry| entry.unwrap().path());
        all.extend(scripts.filter(|path| path.extension().is_some_and(|kind| kind == "mjs")));
        for path in all {
            read += 1;
            let other = strange(edge, &fs::read_to_string(&path).unwrap());
            found.extend(other.into_iter().map(|other| format!("{}: {other}", path.display())));
        }
    }
    assert!(read > 40, "{read}");
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(strange("platform", "use crate::worker::config;"), ["worker"]);
    assert_eq!(strange("treasury", "import { x } from '../worker/free.mjs';"), ["worker"]);
    assert_eq!(strange("worker", "use crate::platform::{calls, sql::Sql};"), Vec::<String>::new());
}

/// The ledger's states, commands, roles and answers: deciding about them is the core's.
const RULES: &[&str] = &[
    "State::",
    "Command::",
    "Question::",
    "Role::",
    "Fate::",
    "Claimed::",
    "Resumed::",
    "LookAnswer::",
    "Outcome::",
];

/// The rules that a line of code decides about.
fn decided(line: &str) -> Vec<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    RULES.iter().copied().filter(|rule| code.contains(rule)).collect()
}

#[test]
fn ledger_objects_decide_about_no_state_command_or_role() {
    let objects = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/worker/objects");
    let (mut all, mut found) = (Vec::new(), Vec::new());
    files(&objects, &mut all);
    assert!(all.len() > 8, "{}", all.len());
    for file in all {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for rule in decided(line) {
                found.push(format!("{}:{}: {rule}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(decided("    match entry.state { State::Void => {} }"), ["State::"]);
}
