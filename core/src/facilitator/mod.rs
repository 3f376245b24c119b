//! What a facilitator is asked and what its answers prove. Spec: x402 v2, "Facilitator Interface".
//!
//! [`breaker`] says whether it is worth asking, [`funds`] whether its answer is known, [`auth`] shows who asks, [`wire`]
//! reads replies: only a positive, field-checked success is a success; every doubt is an unknown. [`reason`] has the words
//! for everything else, [`unproven`] bounds the calls about payments that nobody vouches for. The operator reads each
//! [`fault`], and what is [`supported`].

pub mod auth;
pub mod breaker;
pub mod fault;
pub mod funds;
pub mod reason;
pub mod reply;
pub mod supported;
pub mod unproven;
pub mod wire;
