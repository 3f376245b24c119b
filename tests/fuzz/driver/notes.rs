//! What a run of a target met: the driver keeps inputs that meet something new, for it does not know what code they reached.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;

thread_local! {
    static MET: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// How much of a note is kept.
const MAX_NOTE: usize = 80;

/// Notes an outcome, such as the reason of a refusal.
pub fn met(outcome: impl Debug) {
    let told = format!("{outcome:?}");
    let mut note = String::new();
    for letter in told.chars().take(MAX_NOTE) {
        // A number in a named place would make each input a new one.
        let is_measure = letter.is_ascii_digit() && note.ends_with(": ");
        if !is_measure && (letter.is_ascii_alphanumeric() || matches!(letter, '(' | ' ' | ':')) {
            note.push(letter);
        }
    }
    MET.with_borrow_mut(|all| all.insert(note));
}

/// What was met since the last call.
pub fn taken() -> BTreeSet<String> {
    MET.take()
}
