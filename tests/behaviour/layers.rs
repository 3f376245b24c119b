//! No module of the core may use a row below its own, nor a neighbour. Spec: docs/design.md, "Layers".

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by row; a module may use the rows above and itself.
const ROWS: &[&[&str]] = &[
    &[
        "amount", "time", "chain", "secret", "encoding", "hash", "mutant", "problem", "sorted",
        "text",
    ],
    &["http", "evm"],
    &["config", "payment"],
    &["x402", "mpp", "a2a"],
    &["channel", "facilitator", "ledger", "paywall"],
    &["gate", "client"],
    &["agent"],
    &["treasury", "skills", "compute"],
];
/// What a module may use although the rows do not say so.
const ALSO: &[(&str, &str)] = &[("facilitator", "x402")];
/// What a module may not use although the rows say so; a star is every module of the row.
const NEVER: &[(&str, &[&str])] = &[
    ("facilitator", &["mpp"]),
    ("channel", &["x402", "mpp"]),
    ("ledger", &["x402", "mpp"]),
    ("paywall", &["x402", "mpp"]),
    ("agent", &["gate"]),
    ("treasury", &["gate"]),
    ("skills", &["gate"]),
    ("compute", &["gate"]),
];
/// Leaves that build on other leaves.
const LEAVES: &[(&str, &str)] = &[
    ("chain", "encoding"),
    ("secret", "encoding"),
    ("hash", "encoding"),
    ("sorted", "encoding"),
    ("problem", "encoding"),
];

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// Why `module` may not use `other`, if it may not.
fn objection(module: &str, other: &str) -> Option<String> {
    let (Some(mine), Some(theirs)) = (row(module), row(other)) else {
        return Some(format!("{module} or {other} is in no row"));
    };
    let never = NEVER.iter().any(|(name, others)| *name == module && others.contains(&other));
    let also = ALSO.contains(&(module, other)) || LEAVES.contains(&(module, other));
    let allowed = module == other || also || (theirs < mine && !never);
    (!allowed).then(|| format!("{module} uses {other}"))
}

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

/// Objections to the text of a file of `module`.
fn objections(module: &str, text: &str) -> Vec<String> {
    // A list may be broken over lines; a statement ends at its semicolon.
    let joined: Vec<String> =
        text.lines().map(|line| line.split("//").next().unwrap().to_owned()).collect();
    let statements = joined.join(" ");
    statements.split(';').flat_map(reached).filter_map(|other| objection(module, &other)).collect()
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

#[test]
fn no_module_uses_a_row_below_it_or_a_neighbour() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src");
    let mut all = Vec::new();
    files(&root, &mut all);
    assert!(all.len() > 30, "{}", all.len());
    let (mut found, mut edges) = (Vec::new(), 0);
    for path in all {
        let relative = path.strip_prefix(&root).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        assert!(row(module).is_some(), "{module} is in no row of the table");
        let text = fs::read_to_string(&path).unwrap();
        edges += text.matches("crate::").count();
        found.extend(
            objections(module, &text)
                .into_iter()
                .map(|why| format!("{}: {why}", relative.display())),
        );
    }
    assert!(edges > 100, "{edges}");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn an_upward_or_sideways_use_would_be_found() {
    for (module, line) in [
        ("amount", "use crate::http::Headers;"),
        ("time", "use crate::chain::ChainId;"),
        ("http", "use crate::evm::address::Address;"),
        ("payment", "use crate::x402::Version;"),
        ("x402", "use crate::mpp::Challenge;"),
        ("x402", "use crate::{amount::Amount, gate::Gate};"),
        ("ledger", "use crate::x402::Version;"),
        ("ledger", "use crate::facilitator::wire;"),
        ("ledger", "fn f() { let g = crate::gate::Gate::new(); }"),
        ("facilitator", "pub use crate::ledger::Entry;"),
        ("facilitator", "use crate::{\n    time::UnixTime,\n    ledger::{Entry, State},\n};"),
        ("gate", "use crate::client::detect;"),
        ("paywall", "use crate::x402::Version;"),
        ("gate", "use crate::unheard_of::Thing;"),
    ] {
        assert!(!objections(module, line).is_empty(), "{module}: {line}");
    }
    for (module, line) in [
        ("gate", "use crate::{ledger::Entry, x402::{header, v1}, amount::Amount};"),
        ("facilitator", "use crate::x402::Version;"),
        ("ledger", "use crate::payment::TxHash; // not crate::gate::Gate"),
        ("client", "use crate::mpp::Challenge;"),
        ("evm", "use crate::evm::address::Address;"),
    ] {
        assert_eq!(objections(module, line), Vec::<String>::new(), "{module}: {line}");
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
