//! Requests to a facilitator, and the evidence in its answers. Spec: x402 v2, "Facilitator
//! Interface".
//!
//! [`breaker`] and [`payers`] decide whether it is worth asking, [`funds`] whether its answer is
//! known, [`auth`] authenticates, [`wire`] writes requests and [`outcome`] reads replies: only a
//! positive, field-checked success is a success; every doubt is an unknown. [`reason`] lists all
//! other reasons, [`unproven`] limits the calls about unverified payments. The operator reads each
//! [`fault`], the list of what is [`supported`], and what is said of [`extensions`].

pub mod auth;
pub mod breaker;
pub mod doubt;
pub mod extensions;
pub mod fault;
pub mod funds;
pub mod outcome;
pub mod payers;
pub mod reason;
pub mod redirect;
pub mod reply;
pub mod supported;
pub mod unproven;
pub mod wire;
