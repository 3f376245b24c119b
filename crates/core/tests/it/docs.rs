//! The documents agree with the code: every variable, field, code, file and command is there, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use farebox_core::mpp::problem::Problem;
use serde_json::Value;

type Names = BTreeSet<String>;

const CONFIGURATION: &str = "docs/configuration.md";
const PROTOCOLS: &str = "docs/protocols.md";
const ANSWERS: &str = "docs/answers.md";
/// The npm package's own, which stands alone there.
const PACKAGE: &str = "pkg/README.md";
/// The pages outside `docs/`.
const OTHERS: [&str; 11] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "examples/README.md",
    PACKAGE,
    "pkg/gate/README.md",
    "pkg/market/README.md",
    "pkg/treasury/README.md",
    "mcp/README.md",
    "tests/vectors/README.md",
];
/// Which section describes the fields of each structured variable.
const SECTIONS: [(&str, &[&str]); 9] = [
    ("## Routes", &["RouteConfig"]),
    ("### Diagnostics", &["LimitsConfig"]),
    ("### Pages of other sites", &["CorsConfig"]),
    ("### Request descriptions", &["BazaarConfig"]),
    ("### Price in atomic units", &["AtomicPrice"]),
    ("### An asset in full", &["ExplicitAsset"]),
    ("## Service description", &["ServiceConfig"]),
    ("## Facilitator", &["FacilitatorConfig"]),
    ("## Recovery times", &["Recovery"]),
];
/// Which shape of `crates/gate/src/config/shape.rs` names the fields of which struct.
const SHAPES: [(&str, &str); 8] = [
    ("ROUTE", "RouteConfig"),
    ("ATOMIC_PRICE", "AtomicPrice"),
    ("ASSET", "ExplicitAsset"),
    ("FACILITATOR", "FacilitatorConfig"),
    ("BAZAAR", "BazaarConfig"),
    ("SERVICE", "ServiceConfig"),
    ("LIMITS", "LimitsConfig"),
    ("RECOVERY", "Recovery"),
];

// A-428
#[test]
fn no_host_is_told_to_start_a_program_of_its_folder_beside_a_key() {
    for document in &documents() {
        let text = read(document);
        for block in
            text.split("```").skip(1).step_by(2).filter(|block| block.contains("mcpServers"))
        {
            assert!(!block.contains("\"npx\""), "{document}: {block}");
        }
    }
}

/// Words of a command line, or of an import, that has npm fetch what has our names there.
const FETCHED: [&str; 5] = [
    "npx farebox",
    "npx --package farebox",
    "npm create farebox",
    "farebox-mcp\n",
    "from 'farebox",
];

#[test]
fn whoever_installs_is_told_that_the_names_on_npm_are_not_ours_yet() {
    let mut pages = documents();
    pages.extend(pages_below("examples"));
    pages.push("create/README.md".into());
    for page in pages {
        let text = read(&page);
        let is_fetched = |block: &str| {
            let installs = block.lines().any(|line| line.starts_with("npm install"));
            installs || FETCHED.iter().any(|word| block.contains(word))
        };
        let fetches = text.split("```").skip(1).step_by(2).any(is_fetched);
        // An example is copied out of the repository: it links to nothing there.
        let is_told = text.contains("until-the-packages-are-on-npm")
            || page.starts_with("examples/") && text.contains("The packages are not on npm yet");
        assert!(!fetches || is_told, "{page}: say that the packages are not on npm yet");
    }
}

#[test]
fn every_variable_that_the_code_reads_is_described_and_no_other() {
    let document = read(CONFIGURATION);
    let mut described = names_in(section(&document, "## Variables"));
    described.extend(names_in(section(&document, "## Secrets")));
    // A name of a binding is read to refuse a variable of that name.
    let bindings = names_in(section(&document, "## Bindings"));
    let mut read: Names = variables().difference(&bindings).cloned().collect();
    // Stands for a name in a remedy.
    read.remove("NAME_OF_A_SECRET");
    assert_same(&described, &read, CONFIGURATION);
}

#[test]
fn numbers_have_the_default_and_the_bounds_that_are_described() {
    let document = read(CONFIGURATION);
    let rows = rows(section(&document, "## Variables"));
    let source = configuration_source();
    let calls: Vec<&str> = source.split("reader.number(").skip(1).collect();
    assert!(calls.len() >= 6);
    for call in calls {
        let arguments: Vec<String> = call[..call.find(')').unwrap()]
            .split(',')
            .map(|argument| argument.trim().trim_matches('"').replace('_', ""))
            .collect();
        let name = call.split('"').nth(1).unwrap();
        let row = rows.iter().find(|row| names_of(&row[0]).contains(name)).expect(name);
        let text = row.join(" ");
        let numbers: Names = text.split(|c: char| !c.is_ascii_digit()).map(String::from).collect();
        let said = |number: &String| {
            numbers.contains(number)
                || *number == "0"
                || (number == "1 << 40" && text.contains("2^40"))
        };
        for number in &arguments[1..] {
            assert!(said(number), "{name}: {number} is not described");
        }
    }
}

#[test]
fn every_field_of_a_structured_variable_is_described_and_no_other() {
    let document = read(CONFIGURATION);
    let mut structs = structs(&configuration_source());
    for (heading, members) in SECTIONS {
        let fields: Names =
            members.iter().flat_map(|name| structs.remove(*name).expect(name)).collect();
        assert_same(&names_in(section(&document, heading)), &fields, heading);
    }
    assert!(structs.is_empty(), "in no section: {:?}", structs.keys());
}

#[test]
fn every_field_that_is_read_is_one_that_its_shape_lets_through_and_no_other() {
    let structs = structs(&configuration_source());
    let source = read("crates/gate/src/config/shape.rs");
    for (shape, config) in SHAPES {
        let shape_source = between(&source, &format!("const {shape}: Shape ="), "\n};");
        let (_, members) = shape_source.split_once("members: &[").expect(shape);
        let accepted: Names = quoted(members).into_iter().collect();
        let forgotten: Vec<_> = structs[config].difference(&accepted).collect();
        let unread: Vec<_> = accepted.difference(&structs[config]).collect();
        assert!(
            forgotten.is_empty(),
            "{shape} refuses {forgotten:?} as unknown, but {config} reads it: add it to {shape}"
        );
        assert!(
            unread.is_empty(),
            "{shape} accepts {unread:?}, but {config} has no such field: nothing would read it"
        );
    }
}

#[test]
fn every_code_is_described_with_its_statuses_and_no_other() {
    let source = read("crates/common/src/problem/row.rs");
    let mut statuses: BTreeMap<String, Names> = BTreeMap::new();
    let mut retries: BTreeMap<String, String> = BTreeMap::new();
    for call in source.split("=> row(").skip(1) {
        let mut parts = call.split('"');
        let code = parts.nth(1).unwrap().to_owned();
        let status: String = parts.next().unwrap().chars().filter(char::is_ascii_digit).collect();
        if let Some((_, secs)) = call.split("Self::").next().unwrap().split_once(".retry(") {
            retries.insert(code.clone(), secs.split(')').next().unwrap().to_owned());
        }
        statuses.entry(code).or_default().insert(status);
    }
    assert!(statuses.len() > 30);
    let document = read(ANSWERS);
    let answers = section(&document, "## By code");
    assert_same(&names_in(answers), &statuses.keys().cloned().collect(), ANSWERS);
    for row in rows(answers) {
        let code = names_of(&row[0]).pop_first().unwrap();
        for status in &statuses[&code] {
            assert!(row[1].contains(status), "{code}: {status}");
        }
        let retry = retries.get(&code).map_or("–", String::as_str);
        assert_eq!(row[2], retry, "Retry-After of {code}");
    }
}

#[test]
fn every_deviation_names_cases_that_exist() {
    let document = read(PROTOCOLS);
    let rows = rows(section(&document, "## Differences from the references"));
    assert!(rows.len() > 20);
    for row in rows {
        let file = names_of(&row[0]).pop_first().unwrap();
        let vectors: Value = serde_json::from_str(&read(&format!("tests/vectors/{file}"))).unwrap();
        let vectors = vectors.to_string();
        for case in names_of(&row[1]) {
            assert!(vectors.contains(&Value::from(case.clone()).to_string()), "{file}: {case}");
        }
    }
}

#[test]
fn every_vector_file_has_its_origin_and_no_other() {
    let mut files = Names::new();
    for family in ["agent", "ledger", "mpp", "security", "stored", "x402"] {
        for entry in fs::read_dir(root().join("tests/vectors").join(family)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".json") {
                files.insert(format!("{family}/{name}"));
            }
        }
    }
    assert_same(&names_in(&read("tests/vectors/README.md")), &files, "tests/vectors/README.md");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in &documents() {
        let text = read(document);
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => root().join(document),
                file => root().join(document).parent().unwrap().join(file),
            };
            let there = fs::read(&path).unwrap_or_else(|_| panic!("{document}: {target}"));
            let there = String::from_utf8_lossy(&there);
            assert!(anchor.is_empty() || anchors(&there).contains(anchor), "{document}: {target}");
        }
    }
}

#[test]
fn every_command_that_is_named_exists() {
    let package: Value = serde_json::from_str(&read("package.json")).unwrap();
    for document in &documents() {
        for rest in read(document).split("npm run ").skip(1) {
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ':';
            let name = rest.split(|c: char| !is_name(c)).next().unwrap();
            assert!(package["scripts"][name].is_string(), "{document}: npm run {name}");
        }
    }
}

#[test]
fn every_file_that_contributing_names_exists() {
    let text = read("CONTRIBUTING.md");
    let folders = ["crates/", "docs/", "pkg/", "scripts/", "src/", "tests/"].map(String::from);
    let is_path = |name: &String| {
        folders.iter().any(|folder| name.starts_with(folder)) && !name.contains(['*', '…', ' '])
    };
    let paths: Names =
        text.lines().flat_map(|line| names_of(line).into_iter().filter(is_path)).collect();
    assert!(paths.len() > 40, "{}", paths.len());
    for path in paths {
        assert!(root().join(&path).exists(), "{path}");
    }
}

#[test]
fn every_problem_type_of_a_refusal_is_one_of_mpp() {
    let source = read("crates/common/src/problem/row.rs");
    let named: Names = source
        .split(".problem(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let known: Names = Problem::ALL.iter().map(|problem| problem.name().to_owned()).collect();
    assert!(named.len() >= 5, "{named:?}");
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_field_of_a_policy_is_described_and_no_other() {
    let described = names_in(section(&read(PACKAGE), "## Policy"));
    let source = read("crates/payer/src/client/policy.rs");
    let arms = between(&source, "match field.as_str() {", "_ => return");
    let is_arm = |line: &&str| line.trim_start().starts_with('"');
    let read: Names = arms.lines().filter(is_arm).map(|line| quoted(line).remove(0)).collect();
    assert_same(&described, &read, PACKAGE);
    assert_same(&described, &members("Policy"), PACKAGE);
}

#[test]
fn every_option_and_member_that_the_package_has_is_described() {
    let document = read(PACKAGE);
    assert_same(&names_in(section(&document, "## Options")), &members("PayOptions"), PACKAGE);
    for (heading, kind) in [("## Confirm", "Proposal"), ("## Receipts", "Receipt")] {
        let described = names_of(section(&document, heading));
        for member in members(kind) {
            assert!(described.contains(&member), "{heading}: {member}");
        }
    }
    let entry = read("pkg/src/index.ts");
    for line in entry.split(';').filter(|line| line.trim_start().starts_with("export {")) {
        for name in between(line, "{", "}").split(',').map(str::trim) {
            assert!(document.contains(name), "{name} is not described");
        }
    }
}

#[test]
fn every_network_that_is_paid_on_by_default_is_named_and_no_other() {
    let source = read("crates/evm/src/token.rs");
    let mut seen = Names::new();
    let mut paid = Names::new();
    for line in between(&source, "pub const TOKENS", "\n];").lines() {
        let row = line.trim_start();
        let Some(id) = quoted(row).first().cloned() else { continue };
        if seen.insert(id.clone()) && row.starts_with("eip3009") {
            paid.insert(id);
        }
    }
    let document = read(PACKAGE);
    let list = between(&document, "Networks with a known asset", "\n\n");
    assert_same(&names_of(list), &paid, PACKAGE);
}

#[test]
fn every_error_of_the_package_is_described_with_its_remedy_and_no_other() {
    let thrown = thrown();
    assert!(thrown.len() > 30);
    let mut described = Names::new();
    for row in rows(section(&read(PACKAGE), "## Errors")) {
        for code in names_of(&row[0]) {
            let (signed, remedies) = thrown.get(&code).expect(&code);
            assert_eq!(row[1], if *signed { "yes" } else { "no" }, "{code}");
            for remedy in remedies {
                assert!(row[2].contains(remedy), "{code}: {remedy}");
            }
            described.insert(code);
        }
    }
    assert_same(&described, &thrown.into_keys().collect(), PACKAGE);
}

#[test]
fn the_program_that_pays_is_the_same_wherever_it_stands() {
    let program = |document| between(&read(document), "```js\n", "```").to_owned();
    assert_eq!(program("README.md"), program(PACKAGE));
    assert!(program(PACKAGE).lines().count() <= 10);
}

#[test]
fn a_gate_is_deployed_by_hand_as_the_example_is() {
    let document = read("docs/create.md");
    let gate = section(&document, "## By hand");
    let entry = between(gate, "```js\n", "```");
    assert!(read("demo/js-gate/worker.js").contains(entry), "{entry}");
    let example = read("demo/js-gate/wrangler.toml");
    let known: Vec<&str> = example.lines().collect();
    for line in between(gate, "```toml\n", "[vars]").lines() {
        assert!(known.contains(&line), "{line}");
    }
}

/// The codes that the package throws: whether a payment was signed, and what to do.
fn thrown() -> BTreeMap<String, (bool, Names)> {
    let mut found: BTreeMap<String, (bool, Names)> = BTreeMap::new();
    let mut add = |code: &str, signed: bool, remedy: &str| {
        let entry = found.entry(code.to_owned()).or_default();
        entry.0 |= signed;
        entry.1.insert(remedy.to_owned());
    };
    let core = read("crates/payer/src/client/error.rs");
    let signed = between(&core, "pub const fn money", "Money::Signed");
    for arm in between(&core, "const fn row", "\n    }\n").split("Self::").skip(1) {
        let name = arm.split(' ').next().unwrap();
        let is_signed = signed.split_whitespace().any(|word| word == format!("Self::{name}"));
        let [code, remedy] = quoted(arm).try_into().unwrap();
        add(&code, is_signed, &remedy);
    }
    let own = read("src/bindings/failure.rs");
    let argument = between(&own, "failed(code, message, \"", "\"").to_owned();
    let random = quoted(between(&own, "fn no_randomness", "\n}"));
    add(&random[1], false, &random[0]);
    for source in sources("src/bindings") {
        for call in source.split("refused(").skip(1).filter(|call| call.trim().starts_with('"')) {
            add(&quoted(call)[0], false, &argument);
        }
    }
    for source in sources("pkg/src") {
        // A call may be broken into lines anywhere.
        let source: String = source.lines().map(str::trim).collect();
        for call in source.split("new FareboxError({").skip(1) {
            let (Some((code, _)), Some((remedy, rest))) =
                (literal(call, "code"), literal(call, "remedy"))
            else {
                continue;
            };
            let is_signed = rest.split('}').next().unwrap().contains("signed: true");
            add(&code, is_signed, &remedy);
        }
        for call in source.split("unusable('").skip(1) {
            let arguments = literals(call);
            let remedy = arguments.get(&2).map_or("correct the argument", String::as_str);
            add(&arguments[&0], false, remedy);
        }
    }
    found
}

/// The text of a member of an object of TypeScript, in either kind of quotation marks, and what follows.
fn literal(call: &str, name: &str) -> Option<(String, String)> {
    let (_, text) = call.split_once(&format!("{name}: "))?;
    let mark = text.chars().next().filter(|letter| "'\"".contains(*letter))?;
    let (text, rest) = text[1..].split_once(mark)?;
    Some((text.to_owned(), rest.to_owned()))
}

/// The texts among the arguments of a call of TypeScript, by place; the first one's quotation mark is gone.
fn literals(call: &str) -> BTreeMap<usize, String> {
    let (mut found, mut place, mut inside) = (BTreeMap::<usize, String>::new(), 0, Some('\''));
    for letter in call.replace("\\'", "\u{1}").chars() {
        match (letter, inside) {
            (letter, Some(mark)) if letter == mark => inside = None,
            // A template is no fixed text.
            (_, Some('`')) => found.entry(place).or_default().clear(),
            (letter, Some(_)) => found.entry(place).or_default().push(letter),
            ('\'' | '"' | '`', None) => inside = Some(letter),
            (',', None) => place += 1,
            (')', None) => break,
            _ => {}
        }
    }
    found.into_iter().map(|(place, text)| (place, text.replace('\u{1}', "'"))).collect()
}

/// The members of an object type of the package.
fn members(name: &str) -> Names {
    let source = read("pkg/src/options.ts");
    let body = between(&source, &format!("export type {name} = {{"), "\n};");
    let member = |line: &str| {
        let (name, _) = line.trim().strip_prefix("readonly ")?.split_once(':')?;
        Some(name.trim_end_matches('?').to_owned())
    };
    body.lines().filter_map(member).collect()
}

/// The texts of the files in a folder and the folders in it.
fn sources(folder: &str) -> Vec<String> {
    let (mut folders, mut texts) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (inner, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| path.is_dir());
        folders.extend(inner);
        texts.extend(files.into_iter().map(|file| fs::read_to_string(file).unwrap()));
    }
    texts
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).expect(before);
    rest.split_once(after).expect(after).0
}

/// The texts between quotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(String::from).collect()
}

/// The variables of the configuration: each text of capitals that its source quotes.
fn variables() -> Names {
    let source = configuration_source();
    source.split('"').filter(|text| is_variable(text)).map(String::from).collect()
}

fn is_variable(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c == '_';
    text.len() > 3 && text.chars().all(plain)
}

/// The source of the configuration, without comments.
fn configuration_source() -> String {
    let mut files: Vec<PathBuf> = ["crates/common/src/config", "crates/gate/src/config"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut source = String::new();
    for file in files {
        for line in fs::read_to_string(file).unwrap().lines() {
            if !line.trim_start().starts_with("//") {
                source.push_str(line);
                source.push('\n');
            }
        }
    }
    source
}

/// The fields of each struct that is read from a variable.
fn structs(source: &str) -> BTreeMap<String, Names> {
    let listed = source.split("read_struct!(").chain(source.split("\nimpl FromJson for ")).skip(1);
    let names = listed.filter_map(|rest| rest.split_once(" {")).map(|(name, _)| name);
    let mut found = BTreeMap::new();
    for name in names {
        let Some((_, rest)) = source.split_once(&format!("struct {name} {{\n")) else {
            continue;
        };
        let body = rest.split("\n}").next().unwrap();
        let fields = body
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| {
                line.trim().trim_start_matches("pub ").split(':').next().unwrap().to_owned()
            })
            .collect();
        found.insert(name.to_owned(), fields);
    }
    found
}

/// A section down to the next heading of any level.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("\n{heading}\n")).expect(heading);
    rest.split("\n#").next().unwrap()
}

#[test]
fn what_we_wrote_ourselves_is_where_the_design_says_and_about_as_long() {
    let document = read("docs/design.md");
    let rows = rows(section(&document, "## What we wrote ourselves, and what it saves"));
    assert!(rows.len() >= 12);
    for row in rows {
        let lines: usize = names_of(&row[0]).iter().map(|file| read(file).lines().count()).sum();
        let said: usize = row[2].parse().unwrap();
        assert!(said.abs_diff(lines) <= said / 4, "{}: {lines} lines, not {said}", row[0]);
        assert!(row.len() == 6 && row.iter().all(|cell| !cell.is_empty()), "{}", row[0]);
    }
}

/// The cells of each row of the tables in a text, headings left out.
fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// What the first cells of the tables in a text name.
fn names_in(text: &str) -> Names {
    rows(text).iter().flat_map(|row| names_of(&row[0])).collect()
}

/// What a cell has between backticks.
fn names_of(cell: &str) -> Names {
    cell.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// The anchors of a document's headings, as code hosts make them.
fn anchors(document: &str) -> Names {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Every page that people read.
pub fn documents() -> Vec<String> {
    let mut all = pages_below("docs");
    assert!(all.len() > 30, "{}", all.len());
    all.extend(OTHERS.map(String::from));
    all.sort();
    all
}

/// The pages of a folder and of those inside it.
fn pages_below(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap);
    let pages = entries.flat_map(|entry| {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() { pages_below(&path) } else { vec![path] }
    });
    pages.filter(|page| page.ends_with(".md")).collect()
}

pub fn read(file: &str) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares what a document lists with what the code has, and fails with the difference alone.
#[track_caller]
fn assert_same(document: &Names, code: &Names, place: &str) {
    let missing: Vec<_> = code.difference(document).collect();
    let stale: Vec<_> = document.difference(code).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "{place} lacks {missing:?}, and {stale:?} are in it alone"
    );
}
