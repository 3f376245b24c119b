//! What a facilitator is asked and what its answers prove. Spec: x402 v2, "Facilitator Interface".
//!
//! [`breaker`] says whether it is worth asking, [`funds`] whether its answer is known, [`wire`] reads replies: only a
//! positive, field-checked success is a success; every doubt is an unknown. [`reason`] has the words for everything else,
//! [`unproven`] bounds the calls about payments that nobody vouches for.

pub mod breaker;
pub mod funds;
pub mod reason;
pub mod unproven;
pub mod wire;
