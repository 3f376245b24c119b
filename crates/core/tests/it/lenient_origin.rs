//! Generated targets against an independent, naive lenient origin: it rewrites the forwarded path by a random
//! sequence of habits, matches it by counting, and must never reach a page that costs more than the gate asked.

use farebox_core::gate::path::Target;
use farebox_core::gate::route::{Ask, Methods, Pattern, RouteMatch, RouteTable, Rule, Unlisted};

const TARGETS: usize = 24_000;
const ORIGINS_PER_TARGET: usize = 32;

type Row = (&'static str, &'static str, u8);

/// Pattern, methods, price (0 is free).
const TABLES: [&[Row]; 5] = [
    &[
        ("/cheap/*", "all", 1),
        ("/premium/*", "all", 9),
        ("/files/[id]", "GET", 5),
        ("/report", "GET", 7),
        ("/infer", "POST", 8),
        ("/public/*", "all", 0),
    ],
    &[
        ("/*", "all", 1),
        ("/[a]/report", "all", 6),
        ("/premium/report", "all", 0),
        ("/premium/[id]/buy", "all", 9),
        ("/premium/cheap/*", "all", 2),
        ("/files/public", "all", 3),
    ],
    &[
        ("/premium/[id]", "all", 4),
        ("/premium/public", "all", 0),
        ("/premium/public/[id]/*", "all", 7),
        ("/files", "GET", 2),
        ("/", "all", 3),
        ("/caf%C3%A9/*", "all", 9),
    ],
    &[("/public/premium/*", "all", 9), ("/public/*", "all", 0), ("/cheap/[a]/[b]", "POST", 1)],
    &[
        ("/premium/", "all", 9),
        ("/files/[id]/", "GET", 5),
        ("/files/public/", "all", 0),
        ("/cheap/*", "all", 1),
        ("/cheap/report/", "all", 7),
    ],
];
/// Tables of patterns without a slash at their end, where a path has one answer.
const WITHOUT_FOLDERS: usize = 4;

//
#[test]
fn no_lenient_origin_serves_a_dearer_page_than_the_gate_asked_for() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let tables: Vec<(RouteTable, Unlisted)> = TABLES
        .iter()
        .flat_map(|rows| {
            [Unlisted::Free, Unlisted::Deny].map(|unlisted| (table(rows, unlisted), unlisted))
        })
        .collect();
    let (mut forwarded, mut refused, mut dearer) = (0, 0, 0);
    for _ in 0..TARGETS {
        let (table, unlisted) = chance.pick(&tables);
        let path = disguised(&mut chance);
        let Ok(target) = Target::parse(&path) else {
            continue;
        };
        let method = *chance.pick(&["GET", "HEAD", "POST", "PUT", "get"]);
        let found = table.find(method, &target);
        let asked = match found {
            RouteMatch::Route(rule) => price(&table.rules()[rule].ask),
            RouteMatch::Unlisted => 0,
            _ => REFUSED,
        };
        if asked == REFUSED {
            refused += 1
        } else {
            forwarded += 1
        }
        let mut worst = 0;
        for _ in 0..ORIGINS_PER_TARGET {
            let (read, habits) = read_by_some_origin(&path, &mut chance);
            let costs = cost(table.rules(), *unlisted, method, &read, chance.below(2) == 0);
            assert!(
                costs <= asked,
                "{method} {path} was let through for {asked}, but reads as {:?}, worth {costs}, by {habits:?}",
                String::from_utf8_lossy(&read)
            );
            worst = worst.max(costs);
            if !table.lists("/premium/") {
                continue;
            }
            // A folder is served with its slash, or as if it had one.
            let folder = [read.as_slice(), b"/"].concat();
            let costs = cost(table.rules(), *unlisted, method, &folder, chance.below(2) == 0);
            assert!(costs <= asked || costs == REFUSED, "{method} {path}: {costs} as a folder");
        }
        let plain = cost(table.rules(), *unlisted, method, path.as_bytes(), false);
        if found == RouteMatch::Ambiguous && worst > plain {
            dearer += 1
        }
    }
    // The generator has to find something to forward, to refuse, and to catch.
    assert!(forwarded > 3_000 && refused > 3_000 && dearer > 500, "{forwarded} {refused} {dearer}");
}

#[test]
fn ordinary_paths_are_answered_as_the_naive_matcher_does() {
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    for _ in 0..TARGETS {
        let rows = *chance.pick(&TABLES[..WITHOUT_FOLDERS]);
        let unlisted = *chance.pick(&[Unlisted::Free, Unlisted::Deny]);
        let table = table(rows, unlisted);
        let path = plain(&mut chance);
        let target = Target::parse(&path).unwrap();
        let method = *chance.pick(&["GET", "HEAD", "POST", "PUT", "get"]);
        let expected = cost(table.rules(), unlisted, method, path.as_bytes(), false);
        let asked = match table.find(method, &target) {
            RouteMatch::Route(rule) => price(&table.rules()[rule].ask),
            RouteMatch::Unlisted => 0,
            RouteMatch::Denied | RouteMatch::MethodNotAllowed { .. } => REFUSED,
            other => panic!("{method} {path}: {other:?}"),
        };
        assert_eq!(asked, expected, "{method} {path}");
        let is_outside =
            !table.paid_prefixes().iter().any(|prefix| path.starts_with(prefix.as_str()));
        assert!(
            !is_outside || expected == 0 || unlisted == Unlisted::Deny || method == "get",
            "{method} {path}"
        );
    }
}

const REFUSED: u64 = u64::MAX;

fn price(ask: &Ask) -> u64 {
    match ask {
        Ask::Free => 0,
        Ask::Paid(ways) => u64::from(ways[0].1[31]),
    }
}

/// What the naive table asks for a path: the candidate with the most specific pattern, by scores.
fn cost(rules: &[Rule], unlisted: Unlisted, method: &str, path: &[u8], ignore_case: bool) -> u64 {
    let clean = |text: &[u8]| {
        if ignore_case { text.to_ascii_lowercase() } else { text.to_vec() }
    };
    let parts: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').skip(1).map(clean).collect();
    let mut best: Option<(Vec<u8>, Vec<&Rule>)> = None;
    for rule in rules {
        let pattern: Vec<&str> = rule.pattern.as_str().split('/').skip(1).collect();
        let open = pattern.last() == Some(&"*");
        let fixed = if open { &pattern[..pattern.len() - 1] } else { &pattern[..] };
        if parts.len() < fixed.len() || (!open && parts.len() != fixed.len()) {
            continue;
        }
        let fits = |(want, have): (&&str, &Vec<u8>)| {
            let unescaped = want.replace("%C3%A9", "\u{e9}");
            if want.starts_with('[') {
                !have.is_empty()
            } else {
                have == want.as_bytes() || have == unescaped.as_bytes()
            }
        };
        if !fixed.iter().zip(&parts).all(fits) {
            continue;
        }
        let named = fixed.iter().any(|segment| segment.starts_with('['));
        let mut score = vec![u8::from(!open), u8::from(!named || open), fixed.len() as u8];
        score.extend(fixed.iter().map(|segment| u8::from(!segment.starts_with('['))));
        match &mut best {
            Some((top, same)) if *top == score => same.push(rule),
            Some((top, _)) if *top > score => {}
            _ => best = Some((score, vec![rule])),
        }
    }
    let Some((_, rules)) = best else {
        return if unlisted == Unlisted::Free { 0 } else { REFUSED };
    };
    let method = if method == "HEAD" { "GET" } else { method };
    rules.iter().find(|rule| rule.methods.allows(method)).map_or(REFUSED, |rule| price(&rule.ask))
}

/// One origin: up to nine habits in a row, of them at most three decodings.
fn read_by_some_origin(path: &str, chance: &mut Chance) -> (Vec<u8>, Vec<usize>) {
    let mut text = path.as_bytes().to_vec();
    let mut habits = Vec::new();
    let mut decodings = 0;
    for _ in 0..chance.below(10) {
        let habit = chance.below(HABITS.len() + 3);
        habits.push(habit);
        if let Some(rewrite) = HABITS.get(habit) {
            text = rewrite(text);
        } else if decodings < 3 {
            decodings += 1;
            text = unescape(&text, habit % 3);
        }
    }
    (text, habits)
}

type Habit = fn(Vec<u8>) -> Vec<u8>;

const HABITS: [Habit; 20] = [
    |text| text.iter().map(|b| if *b == b'\\' { b'/' } else { *b }).collect(),
    |text| replace_all(text, b"//", b"/"),
    dots,
    dots,
    |text| per_segment(text, |segment| segment.split(|b| *b == b';').next().unwrap().to_vec()),
    |text| text.split(|b| *b == b';').next().unwrap().to_vec(),
    |text| match (text.iter().rposition(|b| *b == b'/'), text.iter().rposition(|b| *b == b';')) {
        (Some(slash), Some(semicolon)) if slash < semicolon => text[..semicolon].to_vec(),
        _ => text,
    },
    |text| text.into_iter().filter(|b| *b >= 0x20 && *b != 0x7f).collect(),
    |text| text.split(|b| *b == b'?').next().unwrap().to_vec(),
    |text| text.split(|b| *b == b'#').next().unwrap().to_vec(),
    |text| text.split(|b| *b == 0).next().unwrap().to_vec(),
    |text| text.split(|b| *b == b'\n' || *b == b'\r').next().unwrap().to_vec(),
    |text| text.into_iter().filter(|b| *b != b'\t' && *b != b'\n' && *b != b'\r').collect(),
    |mut text| {
        while text.len() > 1 && text.ends_with(b"/") {
            text.pop();
        }
        text
    },
    |text| per_segment(text, |segment| segment.trim_ascii_end().to_vec()),
    |text| text.trim_ascii_end().to_vec(),
    |text| {
        per_segment(text, |mut segment| {
            while segment.len() > 2 && (segment.ends_with(b".") || segment.ends_with(b" ")) {
                segment.pop();
            }
            segment
        })
    },
    |text| replace_all(text, "\u{ff0f}".as_bytes(), b"/"),
    |text| replace_all(replace_all(text, b"\xc0\xae", b"."), b"\xc0\xaf", b"/"),
    |text| match text.strip_prefix(b"//") {
        Some(rest) => {
            rest.iter().position(|b| *b == b'/').map_or(b"/".to_vec(), |at| rest[at..].to_vec())
        }
        None => text,
    },
];

fn replace_all(mut text: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    while let Some(at) = text.windows(from.len()).position(|window| window == from) {
        text.splice(at..at + from.len(), to.iter().copied());
    }
    text
}

fn per_segment(text: Vec<u8>, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let changed: Vec<Vec<u8>> =
        text.split(|b| *b == b'/').map(|segment| change(segment.to_vec())).collect();
    changed.join(&b'/')
}

/// RFC 3986 section 5.2.4 as it is written there, on buffers.
fn dots(text: Vec<u8>) -> Vec<u8> {
    let mut input = text;
    let mut output: Vec<u8> = Vec::new();
    while !input.is_empty() {
        if input.starts_with(b"/./") {
            input.drain(..2);
        } else if input == b"/." {
            input = b"/".to_vec();
        } else if input.starts_with(b"/../") || input == b"/.." {
            input = if input == b"/.." { b"/".to_vec() } else { input[3..].to_vec() };
            let last = output.iter().rposition(|b| *b == b'/').unwrap_or(0);
            output.truncate(last);
        } else {
            let end =
                input.iter().skip(1).position(|b| *b == b'/').map_or(input.len(), |at| at + 1);
            output.extend(input.drain(..end));
        }
    }
    output
}

/// Kind 0 decodes everything, 1 leaves `%2F`, 2 knows `%uXXXX` as well.
fn unescape(text: &[u8], kind: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = |from: usize, count: usize| {
            let digits = text.get(at + from..at + from + count)?;
            let valid = digits.iter().all(u8::is_ascii_hexdigit);
            valid.then(|| u32::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
        };
        if text[at] == b'%'
            && kind == 2
            && text.get(at + 1) == Some(&b'u')
            && digits(2, 4).is_some()
        {
            out.extend(char::from_u32(digits(2, 4).unwrap()).unwrap().to_string().bytes());
            at += 6;
        } else if text[at] == b'%' && digits(1, 2).is_some_and(|byte| kind != 1 || byte != 0x2f) {
            out.push(digits(1, 2).unwrap() as u8);
            at += 3;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

fn table(rows: &[Row], unlisted: Unlisted) -> RouteTable {
    let rules = rows.iter().map(|(pattern, method, price)| {
        let mut amount = [0; 32];
        amount[31] = *price;
        let ask =
            if *price == 0 { Ask::Free } else { Ask::Paid(vec![(String::from("usdc"), amount)]) };
        let methods =
            if *method == "all" { Methods::all() } else { Methods::list([*method]).unwrap() };
        Rule { pattern: Pattern::parse(pattern).unwrap(), methods, ask }
    });
    RouteTable::new(rules.collect(), unlisted).unwrap()
}

const NAMES: [&str; 12] = [
    "premium", "cheap", "files", "report", "public", "infer", "buy", "a", "x-1", "v2.0", "premium",
    "report",
];

fn plain(chance: &mut Chance) -> String {
    let mut path = String::new();
    for _ in 0..chance.below(5) {
        path.push('/');
        let name: &str = chance.pick::<&str>(&NAMES);
        path.push_str(name);
    }
    if path.is_empty() { String::from("/") } else { path }
}

/// A plain path with junk spliced in and letters escaped once to three times.
fn disguised(chance: &mut Chance) -> String {
    const JUNK: [&str; 30] = [
        "/..",
        "/../",
        "/.",
        "/./",
        "//",
        "/",
        "\\",
        "..\\",
        ";x",
        ";",
        "..;/",
        "?",
        "?q",
        "#f",
        "\0",
        "\0.css",
        "\n",
        "\t",
        " ",
        ". ",
        ".",
        "+",
        "\u{e9}",
        "\u{ff0f}",
        "%c0%ae%c0%ae",
        "%c0%af",
        "%u002f",
        "%u002e.",
        "%2e%2e%2f",
        "caf\u{e9}",
    ];
    let mut text = plain(chance);
    for _ in 0..chance.below(4) {
        let at = chance.boundary(&text);
        let junk = *chance.pick(&JUNK);
        text.insert_str(at, junk);
        if chance.below(3) == 0 {
            let at = chance.boundary(&text);
            text.insert_str(at, &plain(chance));
        }
    }
    let times = chance.below(3);
    for _ in 0..times {
        text = text
            .chars()
            .map(|c| if chance.below(9) == 0 { escaped(c) } else { c.to_string() })
            .collect();
    }
    if chance.below(4) == 0 {
        text = text
            .chars()
            .map(|c| if chance.below(6) == 0 { c.to_ascii_uppercase() } else { c })
            .collect();
    }
    // What a URL may not carry as it is is escaped last, once.
    let bare = |c: char| c.is_ascii_graphic() && !"\\#?".contains(c);
    let text: String =
        text.chars().map(|c| if bare(c) { c.to_string() } else { escaped(c) }).collect();
    let bytes = text.as_bytes();
    let mut sent = String::from(if text.starts_with('/') { "" } else { "/" });
    for (at, c) in text.char_indices() {
        let is_escape =
            bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        sent.push_str(if c == '%' && !is_escape { "%25" } else { &text[at..at + 1] });
    }
    sent
}

fn escaped(c: char) -> String {
    c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Xorshift; the same targets on every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// A place in the text: half the time at a segment's end, for that is where junk matters.
    fn boundary(&mut self, text: &str) -> usize {
        let is_end = |at: &usize| text[*at..].starts_with('/') || *at == text.len();
        let ends: Vec<usize> =
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).filter(is_end).collect();
        let places: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        let at_end = self.below(2) == 0;
        *self.pick(if at_end { &ends } else { &places })
    }
}
