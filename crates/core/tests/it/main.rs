//! The core against published vectors, naive versions and its own documents, each file a module of one program: linking
//! is what a test program costs.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod ambiguous_targets;
mod amount_vectors;
mod breaker;
mod chain_confirmation;
mod chain_inquiry;
mod chain_permits;
mod chain_rpc;
mod chain_transfer;
mod channel_vectors;
mod citations;
mod codec_vectors;
mod docs;
mod dollars;
mod evm_vectors;
mod facilitator_auth;
mod facilitator_outcomes;
mod facilitator_reasons;
mod json_reader;
mod known_signers;
mod leaf_vectors;
mod lenient_origin;
mod machine;
mod messages;
mod mpp_challenge_vectors;
mod mpp_credential_vectors;
mod mpp_properties;
mod mpp_vectors;
mod naive_chain;
mod other_chains;
mod payment_vectors;
mod permit_vectors;
mod prose;
mod receipt_vectors;
mod redelivery_statement;
mod route_rules;
mod route_vectors;
mod session_vectors;
mod support;
mod tables;
mod transaction;
mod typed_data;
