//! No files of a crate import each other in a circle, but for those that a list names with its reason.
//! Spec: docs/design.md, "Circles".

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter;
use std::path::Path;

use crate::layers::files;

/// Which files each file imports, by module path.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// A circle that may stay: its files, by module path, and why.
struct Allowed {
    files: &'static [&'static str],
    reason: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        files: &[
            "payer::client::exchange",
            "payer::client::exchange::advice",
            "payer::client::exchange::payment",
        ],
        reason: "one exchange: its payment and a server's advice say how it goes on",
    },
    Allowed {
        files: &["evm::eip712", "evm::eip712::types"],
        reason: "types and the limits that they are read within",
    },
    Allowed {
        files: &["gate::alarm", "gate::alarm::refund"],
        reason: "one machine: the steps of a refund are steps of the alarm",
    },
    Allowed {
        files: &[
            "gate::operator",
            "gate::operator::copy",
            "gate::operator::copy::restore",
            "gate::operator::export",
            "gate::operator::visit",
        ],
        reason: "one way of an operator's question, and a file for each kind of answer",
    },
    Allowed {
        files: &[
            "gate::paid",
            "gate::paid::begin",
            "gate::paid::inquire",
            "gate::paid::onchain",
            "gate::paid::origin",
            "gate::paid::recording",
            "gate::paid::replies",
            "gate::paid::settle",
        ],
        reason: "one machine: each state names the next, and the steps name the states",
    },
    Allowed {
        files: &["gate::route", "gate::route::siblings"],
        reason: "the table and the questions about it",
    },
    Allowed {
        files: &[
            "ledger::entry",
            "ledger::entry::claim",
            "ledger::entry::doubt",
            "ledger::entry::note",
            "ledger::entry::pay_back",
            "ledger::entry::recover",
        ],
        reason: "one entry, and a file for each kind of command",
    },
    Allowed {
        files: &[
            "ledger::inquiry",
            "ledger::inquiry::authorization",
            "ledger::inquiry::conclusion",
            "ledger::inquiry::evidence",
            "ledger::inquiry::traced",
            "ledger::inquiry::transfer",
        ],
        reason: "one question to the chain, and a file for each matter",
    },
    Allowed {
        files: &[
            "ledger::shard",
            "ledger::shard::failures",
            "ledger::shard::index",
            "ledger::shard::index::brief",
            "ledger::shard::index::packed",
            "ledger::shard::operate",
            "ledger::shard::order",
            "ledger::shard::proving",
            "ledger::shard::wake",
            "ledger::shard::wanted",
        ],
        reason: "one object, and a file for each kind of work",
    },
];

/// Module paths of a source text: what `use` and inline paths reach, from the module that it is the text of.
fn reached(module: &str, text: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in shipped(text).split(';') {
        for start in ["crate::", "super::", "self::"] {
            for (at, _) in statement.match_indices(start) {
                let before = statement[..at].chars().next_back();
                let inner = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
                // `pub(in crate::gate)` is a visibility.
                if inner || statement[..at].ends_with("in ") {
                    continue;
                }
                paths(&statement[at..], "", &mut |path| {
                    found.extend(home(module, path, modules));
                });
            }
        }
    }
    found.remove(module);
    found
}

/// The text without comments and without its tests.
fn shipped(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
    lines.join(" ")
}

/// Every path that this tree of imports spells out.
fn paths(tree: &str, before: &str, take: &mut impl FnMut(&str)) {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = tree.trim_start();
    let mut path = before.to_owned();
    loop {
        let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
        if end > 0 {
            path = if path.is_empty() {
                rest[..end].into()
            } else {
                format!("{path}::{}", &rest[..end])
            };
        }
        rest = rest[end..].trim_start();
        match rest.strip_prefix("::") {
            Some(more) => rest = more.trim_start(),
            None => break,
        }
        if let Some(list) = rest.strip_prefix('{') {
            for item in items(list) {
                paths(item, &path, take);
            }
            return;
        }
    }
    take(&path);
}

/// The items of a list in braces, whose opening one is gone.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&list[from..at]);
                return found;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The file that a path from `module` leads to.
fn home(module: &str, path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut at: Vec<&str> = Vec::new();
    let mut base: Vec<&str> = module.split("::").collect();
    for (place, word) in path.split("::").enumerate() {
        match (place, word) {
            (0, "crate") => base.truncate(1),
            (0, "self") => {}
            (_, "super") => drop(base.pop()),
            _ => at.push(word),
        }
    }
    base.extend(at);
    while !base.is_empty() {
        let candidate = base.join("::");
        if modules.contains(&candidate) {
            return Some(candidate);
        }
        base.pop();
    }
    None
}

/// The imports of all crates. A crate's name stands first in the paths of its modules.
fn graph() -> Graph {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut all = Vec::new();
    files(&root, &mut all);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for path in all {
        let relative = path.strip_prefix(&root).unwrap().with_extension("");
        let parts: Vec<&str> = relative.iter().map(|part| part.to_str().unwrap()).collect();
        let [crate_name, "src", rest @ ..] = &parts[..] else { continue };
        let own = rest.iter().filter(|part| !matches!(**part, "lib" | "mod"));
        let module: Vec<&str> = iter::once(*crate_name).chain(own.copied()).collect();
        texts.insert(module.join("::"), fs::read_to_string(&path).unwrap());
    }
    let modules: BTreeSet<String> = texts.keys().cloned().collect();
    texts.iter().map(|(module, text)| (module.clone(), reached(module, text, &modules))).collect()
}

/// Everything that can be reached from here, and is not only itself.
fn closure(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = vec![from];
    while let Some(module) = open.pop() {
        for next in graph.get(module).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    found
}

/// The circles: sets of modules each of which reaches each other.
fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&str, BTreeSet<String>> =
        graph.keys().map(|module| (module.as_str(), closure(graph, module))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (module, others) in &reach {
        let circle: BTreeSet<String> = others
            .iter()
            .filter(|other| reach[other.as_str()].contains(*module))
            .cloned()
            .collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

#[test]
fn files_import_each_other_in_no_circle_that_the_list_does_not_name() {
    let graph = graph();
    assert!(graph.len() > 150, "{}", graph.len());
    let found = circles(&graph);
    let listed = |circle: &BTreeSet<String>| {
        ALLOWED
            .iter()
            .any(|allowed| circle.iter().map(String::as_str).eq(allowed.files.iter().copied()))
    };
    let unlisted: Vec<_> = found.iter().filter(|circle| !listed(circle)).collect();
    assert!(unlisted.is_empty(), "{unlisted:#?}");
    for allowed in ALLOWED {
        assert!(!allowed.reason.is_empty());
        let stands =
            found.iter().any(|it| it.iter().map(String::as_str).eq(allowed.files.iter().copied()));
        assert!(stands, "is no circle any more: {:?}", allowed.files);
    }
}
