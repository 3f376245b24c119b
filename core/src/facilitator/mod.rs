//! What a facilitator is asked and what its answers prove. Spec: x402 v2, "Facilitator Interface".
//!
//! [`breaker`] says whether it is worth asking, [`funds`] whether its answer is known, [`wire`] reads replies: only a
//! positive, field-checked success is a success; every doubt is an unknown. [`reason`] has the words for everything else.

pub mod breaker;
pub mod funds;
pub mod reason;
pub mod wire;
