//! The text that binds a payment to the request of its first use.
//!
//! A form has 64 digits: 16 of the purchase alone, and 48 of the request and its terms. On a route
//! with a pricer a second form follows, over the question to it as well. It says for which question
//! the price was paid, and is all that a row of an earlier version has.

/// Digits of a form that are of the purchase alone: the request, and the name under which it came.
/// The others are of the request and its terms.
pub const REQUEST_DIGITS: usize = 16;

/// Digits of one form.
const FORM_DIGITS: usize = 64;

/// The form without the question and the one with it; both are the whole where only one is there.
pub(crate) fn forms(binding: &str) -> [&str; 2] {
    match binding.split_at_checked(FORM_DIGITS) {
        Some((plain, asked)) if !asked.is_empty() => [plain, asked],
        _ => [binding, binding],
    }
}

/// Whether two bindings have a form in common, by this comparison.
pub(super) fn share(one: &str, other: &str, is_same: impl Fn(&str, &str) -> bool) -> bool {
    let others = forms(other);
    forms(one).iter().any(|form| others.iter().any(|other| is_same(form, other)))
}

/// Whether two forms are of one request and its terms, under whatever name of a purchase.
pub(super) fn is_of_terms(one: &str, other: &str) -> bool {
    let [own, its] = [one, other].map(|form| form.get(REQUEST_DIGITS..));
    if own.is_some() { own == its } else { one == other }
}

/// Whether two forms are of one purchase, or of one request and its terms.
pub(super) fn is_of_request(one: &str, other: &str) -> bool {
    let [own, its] = [one, other].map(|form| form.get(..REQUEST_DIGITS));
    own.is_some() && own == its || is_of_terms(one, other)
}
