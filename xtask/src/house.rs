//! The shape of the product's Rust in numbers: what grows when code is added in a hurry. `npm run lint -- --house` prints it.
//!
//! Read are `crates/*/src` and `src`, without test modules. A knot is the largest circle of files that call each other's methods of
//! one type by `self.`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, FnArg, ImplItemFn, Item, ItemFn, Signature, Type, Visibility};

/// Longest function that is read at a glance, lines.
const LONG: usize = 60;
/// Words that are participles without ending in `ed`.
const IRREGULAR: &[&str] = &[
    "told", "shown", "held", "kept", "paid", "sold", "bought", "sent", "taken", "given", "known",
    "left", "made", "found", "met", "written", "broken", "drawn", "begun", "done", "gone", "said",
    "spent", "meant",
];

/// Counts what stands below `root`.
pub(super) fn measure(root: &Path) -> Result<Value, String> {
    let mut house = House::default();
    let mut homes = vec![("farebox".to_owned(), root.join("src"))];
    let crates = fs::read_dir(root.join("crates")).map_err(|error| error.to_string())?;
    for entry in crates.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        homes.push((name, entry.path().join("src")));
    }
    homes.sort();
    for (home, folder) in homes {
        let mut files = Vec::new();
        rust_files(&folder, &mut files);
        for path in files {
            house.read(&home, root, &path)?;
        }
    }
    Ok(house.table())
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// A type of a crate.
type Owner = (String, String);

#[derive(Default)]
struct House {
    home: String,
    file: String,
    lines: BTreeMap<String, usize>,
    functions: Vec<Function>,
    /// Functions with a tuple as a parameter, by crate.
    tuples: BTreeMap<String, usize>,
    public: usize,
    planted: usize,
    /// Documentation that begins with What or Who.
    questions: Vec<String>,
    /// The files in which a type has methods of its own.
    impls: BTreeMap<Owner, BTreeSet<String>>,
    /// Where a method stands, and which methods it calls by `self.`.
    methods: BTreeMap<Owner, BTreeMap<String, Method>>,
    owner: Option<String>,
    method: Option<String>,
}

struct Function {
    name: String,
    place: String,
    lines: usize,
}

#[derive(Default)]
struct Method {
    file: String,
    calls: BTreeSet<String>,
}

impl House {
    fn read(&mut self, home: &str, root: &Path, path: &Path) -> Result<(), String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let file =
            syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        self.home = home.to_owned();
        self.file = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let mut tested = 0;
        for item in &file.items {
            match item {
                Item::Mod(module) if is_test(&module.attrs) => tested += height(item),
                item => self.visit_item(item),
            }
        }
        *self.lines.entry(home.to_owned()).or_default() +=
            text.lines().count().saturating_sub(tested);
        Ok(())
    }

    fn signature(&mut self, signature: &Signature, attrs: &[Attribute], lines: usize) {
        let takes_tuple = |input: &FnArg| match input {
            FnArg::Typed(it) => is_tuple(&it.ty),
            FnArg::Receiver(_) => false,
        };
        if signature.inputs.iter().any(takes_tuple) {
            *self.tuples.entry(self.home.clone()).or_default() += 1;
        }
        self.question(attrs, signature.span().start().line);
        let place = format!("{}:{}", self.file, signature.span().start().line);
        self.functions.push(Function { name: signature.ident.to_string(), place, lines });
    }

    fn question(&mut self, attrs: &[Attribute], line: usize) {
        let Some(doc) = attrs.iter().find_map(doc_of) else { return };
        let first = doc.trim().split([' ', '\'']).next().unwrap_or_default().to_owned();
        if ["What", "Who", "Whose", "Whom"].contains(&first.as_str()) {
            self.questions.push(format!("{}:{line}", self.file));
        }
    }

    fn see(&mut self, visibility: &Visibility) {
        if matches!(visibility, Visibility::Public(_)) {
            self.public += 1;
        }
    }

    fn table(&self) -> Value {
        let long: Vec<_> = self.functions.iter().filter(|it| it.lines > LONG).collect();
        let mut longest: Vec<_> =
            long.iter().map(|it| (it.lines, it.name.as_str(), it.place.as_str())).collect();
        longest.sort_by(|one, other| other.cmp(one));
        let count =
            |holds: fn(&str) -> bool| self.functions.iter().filter(|it| holds(&it.name)).count();
        let share = |part: usize| {
            let per_mille =
                part.saturating_mul(1_000).checked_div(self.functions.len()).unwrap_or_default();
            format!("{}.{} %", per_mille / 10, per_mille % 10)
        };
        let mut spread: Vec<_> = self
            .impls
            .iter()
            .map(|((home, name), files)| (files.len(), format!("{home}::{name}")))
            .collect();
        spread.sort_by(|one, other| other.cmp(one));
        let mut knots: Vec<_> = self
            .methods
            .iter()
            .map(|((home, name), methods)| (knot(methods), format!("{home}::{name}")))
            .collect();
        knots.sort_by(|one, other| other.cmp(one));
        json!({
            "lines": self.lines,
            "functions": self.functions.len(),
            "over 60 lines": long.len(),
            "longest": longest.iter().take(8).map(|(lines, name, place)| format!("{lines} {name} {place}")).collect::<Vec<_>>(),
            "with a tuple as parameter": self.tuples,
            "one-word names": share(count(|name| !name.contains('_'))),
            "bare participles": share(count(is_participle)),
            "docs that begin with What or Who": self.questions.len(),
            "files with impl of one type": spread.iter().take(6).map(|(files, name)| format!("{files} {name}")).collect::<Vec<_>>(),
            "knots": knots.iter().take(6).map(|(files, name)| format!("{files} {name}")).collect::<Vec<_>>(),
            "pub items": self.public,
            "planted defects": self.planted,
        })
    }
}

impl<'ast> Visit<'ast> for House {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Struct(it) => {
                self.see(&it.vis);
                self.question(&it.attrs, it.span().start().line);
            }
            Item::Enum(it) => {
                self.see(&it.vis);
                self.question(&it.attrs, it.span().start().line);
            }
            Item::Const(it) => {
                self.see(&it.vis);
                self.question(&it.attrs, it.span().start().line);
            }
            Item::Trait(it) => {
                self.see(&it.vis);
                self.question(&it.attrs, it.span().start().line);
            }
            Item::Type(it) => self.see(&it.vis),
            Item::Impl(it) => {
                let before = self.owner.take();
                if it.trait_.is_none()
                    && let Type::Path(path) = it.self_ty.as_ref()
                    && let Some(last) = path.path.segments.last()
                {
                    let name = last.ident.to_string();
                    let owner = (self.home.clone(), name.clone());
                    self.impls.entry(owner).or_default().insert(self.file.clone());
                    self.owner = Some(name);
                }
                visit::visit_item(self, item);
                self.owner = before;
                return;
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_fn(&mut self, it: &'ast ItemFn) {
        self.see(&it.vis);
        self.signature(&it.sig, &it.attrs, body_lines(&it.block));
        visit::visit_item_fn(self, it);
    }

    fn visit_impl_item_fn(&mut self, it: &'ast ImplItemFn) {
        self.see(&it.vis);
        self.signature(&it.sig, &it.attrs, body_lines(&it.block));
        let name = it.sig.ident.to_string();
        if let Some(owner) = &self.owner {
            let methods = self.methods.entry((self.home.clone(), owner.clone())).or_default();
            methods.entry(name.clone()).or_default().file = self.file.clone();
        }
        let before = self.method.replace(name);
        visit::visit_impl_item_fn(self, it);
        self.method = before;
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::MethodCall(call) => {
                if let Expr::Path(receiver) = call.receiver.as_ref()
                    && receiver.path.is_ident("self")
                    && let (Some(owner), Some(method)) = (&self.owner, &self.method)
                {
                    let methods =
                        self.methods.entry((self.home.clone(), owner.clone())).or_default();
                    methods
                        .entry(method.clone())
                        .or_default()
                        .calls
                        .insert(call.method.to_string());
                }
            }
            Expr::Call(call) => {
                if let Expr::Path(path) = call.func.as_ref()
                    && path.path.segments.last().is_some_and(|it| it.ident == "planted")
                {
                    self.planted += 1;
                }
            }
            _ => {}
        }
        visit::visit_expr(self, expr);
    }
}

/// The number of files in the largest circle of calls.
fn knot(methods: &BTreeMap<String, Method>) -> usize {
    let mut reaches: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for method in methods.values() {
        let called = method.calls.iter().filter_map(|name| methods.get(name));
        let others = called.map(|it| it.file.as_str()).filter(|file| *file != method.file);
        reaches.entry(&method.file).or_default().extend(others);
    }
    // Small enough to close transitively.
    loop {
        let known = reaches.clone();
        for found in reaches.values_mut() {
            let further: Vec<&str> =
                found.iter().filter_map(|file| known.get(file)).flatten().copied().collect();
            found.extend(further);
        }
        if reaches == known {
            break;
        }
    }
    let back = |from: &str, to: &str| reaches.get(to).is_some_and(|it| it.contains(from));
    let circle =
        |(file, found): (&&str, &BTreeSet<&str>)| found.iter().filter(|it| back(file, it)).count();
    reaches.iter().map(circle).max().unwrap_or_default()
}

fn is_tuple(ty: &Type) -> bool {
    match ty {
        Type::Tuple(it) => !it.elems.is_empty(),
        Type::Reference(it) => is_tuple(&it.elem),
        _ => false,
    }
}

fn is_participle(name: &str) -> bool {
    !name.contains('_')
        && (IRREGULAR.contains(&name)
            || name.len() > 3 && name.ends_with("ed") && !name.ends_with("eed"))
}

fn is_test(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|it| {
        it.path().is_ident("cfg")
            && it.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn doc_of(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(it) = &attribute.meta else { return None };
    let Expr::Lit(literal) = &it.value else { return None };
    let syn::Lit::Str(text) = &literal.lit else { return None };
    it.path.is_ident("doc").then(|| text.value())
}

fn height(node: &impl Spanned) -> usize {
    let span = node.span();
    span.end().line.saturating_sub(span.start().line).saturating_add(1)
}

fn body_lines(block: &Block) -> usize {
    height(block).saturating_sub(2)
}
