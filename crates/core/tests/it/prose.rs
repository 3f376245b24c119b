//! The documents are plain English where that can be counted: sentences are short, and begin with a noun or a verb.

use crate::docs::{documents, read};

/// Words of a sentence at most, and of a page's sentences on average. Code counts as one word, and
/// so does a list of names of code.
const LONGEST: usize = 35;
const MEAN: usize = 18;
/// Clauses without their noun: "the holder of", "anyone who".
const NO_NOUN: [&str; 6] =
    [" to who ", " of who ", " for who ", " from who ", " by who ", " with who "];

#[test]
fn no_sentence_is_long_and_none_begins_with_a_clause_that_has_no_noun() {
    let mut found = Vec::new();
    for document in documents().iter().filter(|name| name.as_str() != "tests/vectors/README.md") {
        let all: Vec<_> = sentences(&read(document));
        let words: usize = all.iter().map(|sentence| count_words(sentence)).sum();
        if words > all.len() * MEAN {
            found.push(format!("{document}: {words} words in {} sentences", all.len()));
        }
        for sentence in &all {
            let first = sentence.trim_start_matches('*').split(' ').next().unwrap_or_default();
            let is_clause = ["Who", "Whoever", "Whom", "Which"].contains(&first);
            let is_loose = NO_NOUN.iter().any(|clause| sentence.contains(clause));
            if count_words(sentence) > LONGEST || is_loose || is_clause && !sentence.ends_with('?')
            {
                found.push(format!("{document}: {sentence}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn sentences_are_counted_as_people_read_them() {
    let page = "# A title\n\nOne two\nthree. Four `five, six` seven: eight.\n\n- nine\n  ten\n- eleven\n\n\
                | twelve | `a`, `b` and `c` |\n|---|---|\n\n```sh\nnot. counted.\n```\nlast";
    assert_eq!(
        sentences(page),
        [
            "One two three.",
            "Four CODE seven:",
            "eight.",
            "nine ten",
            "eleven",
            "twelve",
            "CODE",
            "last"
        ]
    );
    assert_eq!(count_words("a `b` c"), 3);
}

/// The sentences of a page: those of its paragraphs, points and cells. Code is `CODE`.
fn sentences(page: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let (mut is_code, mut is_open) = (false, false);
    for line in page.lines().map(str::trim) {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if is_code || line.starts_with("```") || line.starts_with('#') || line.is_empty() {
            is_open = false;
        } else if let Some(row) = line.strip_prefix('|') {
            is_open = false;
            let is_rule = row.chars().all(|c| "|-: ".contains(c));
            texts.extend(row.trim_matches('|').split(" | ").filter(|_| !is_rule).map(String::from));
        } else {
            let point = point_of(line);
            match texts.last_mut().filter(|_| is_open && point.is_none()) {
                Some(text) => *text = format!("{text} {line}"),
                None => texts.push(point.unwrap_or(line).to_owned()),
            }
            is_open = true;
        }
    }
    texts.iter().flat_map(|text| split(&without_code(text))).collect()
}

/// The text of a list's point.
fn point_of(line: &str) -> Option<&str> {
    let (mark, text) = line.split_once(' ')?;
    let is_number = mark.strip_suffix('.').is_some_and(|n| n.parse::<u32>().is_ok());
    (is_number || mark == "-" || mark == "*").then_some(text)
}

/// Puts one word in the place of code, and of a list of it.
fn without_code(text: &str) -> String {
    let mut all = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 0 {
            all.push_str(part);
        } else {
            all.push_str("CODE");
        }
    }
    for between in ["CODE, CODE", "CODE and CODE", "CODE or CODE"] {
        while all.contains(between) {
            all = all.replace(between, "CODE");
        }
    }
    all
}

fn split(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut sentence = String::new();
    for word in text.split_whitespace() {
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.push_str(word);
        if word.trim_end_matches('*').ends_with(['.', '!', '?', ':']) {
            all.push(std::mem::take(&mut sentence));
        }
    }
    all.push(sentence);
    all.retain(|sentence| !sentence.is_empty());
    all
}

fn count_words(sentence: &str) -> usize {
    sentence.split_whitespace().count()
}
