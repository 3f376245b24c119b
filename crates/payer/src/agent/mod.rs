//! The facts that an agent gets about a paid request before it pays, and the actions that it may
//! take next: pure rules for `farebox/agent`.
//!
//! [`detect`] finds a challenge in an answer, [`challenge`] reads its terms, [`requirement`] is the
//! price that is shown, [`asset`] the tokens that are known, and [`cost`] its sentence. [`hints`]
//! tells how the request should look, by whom that was said ([`field`]; [`schema`] reads it), and
//! [`validation`] compares it with the request: that decides the next action. [`prepared`] puts all
//! of this together. [`harness`] is the life of a prepared request, [`candidate`] what was shown, as
//! a digest, and [`money`] the arithmetic. [`json`] keeps the order of members, [`text`] bounds what
//! merchants say.
//!
//! For hosts that ask a person: [`pool`] is all ways to pay of a 402, [`ranking`] recommends one,
//! [`card`] shows it, [`quote`] is confirmed and paid once, [`plan`] asks for parameters, and
//! [`settled`] tells what became of it; [`approval`] asks for the allowance that a permit needs. [`mcp`] reads tools that ask for a payment, and [`link`]
//! checks and follows payments by link. [`subscription`] says what a state of one allows. [`receipt`] checks what answers a payment that is sent again.
//!
//! At the compute exchange [`purchase`] buys one job, and [`shift`] is what a seller does next.
//!
//! Assumptions:
//! - a merchant's texts are data: they are bounded and cleaned, and decide nothing;
//! - payees, assets and networks are shown as they came: whoever pays checks them again;
//! - nothing that a merchant names is fetched.

pub mod approval;
pub mod asset;
pub mod candidate;
pub mod card;
pub mod challenge;
pub mod cost;
pub mod detect;
pub mod field;
pub mod harness;
pub mod hints;
pub mod json;
pub mod link;
pub mod mcp;
pub mod money;
pub mod plan;
pub mod pool;
pub mod prepared;
pub mod purchase;
pub mod quote;
pub mod ranking;
pub mod receipt;
pub mod requirement;
pub mod schema;
pub mod settled;
pub mod shift;
pub mod subscription;
pub mod text;
pub mod validation;
