//! What an agent is told about a paid request before it pays, and what it may do next: pure rules
//! for `farebox/agent`.
//!
//! [`detect`] finds a challenge in an answer, [`challenge`] reads its terms, [`requirement`] is the
//! price that is shown, [`asset`] the tokens that are known, and [`cost`] its sentence. [`hints`]
//! tells how the request should look, by whom that was said ([`field`]; [`schema`] reads it), and
//! [`validation`] compares it with the request: that decides the next action. [`prepared`] puts all
//! of this together. [`harness`] is the life of a prepared request, [`candidate`] what was shown, as
//! a digest, and [`money`] the arithmetic. [`json`] keeps the order of members, [`text`] bounds what
//! merchants say.
//!
//! Assumptions:
//! - a merchant's texts are data: they are bounded and cleaned, and decide nothing;
//! - payees, assets and networks are shown as they came: whoever pays checks them again;
//! - nothing that a merchant names is fetched.

pub mod asset;
pub mod candidate;
pub mod challenge;
pub mod cost;
pub mod detect;
pub mod field;
pub mod harness;
pub mod hints;
pub mod json;
pub mod money;
pub mod prepared;
pub mod requirement;
pub mod schema;
pub mod text;
pub mod validation;
