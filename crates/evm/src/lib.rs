//! EVM signatures and their signers, and requests to a node with its replies; no code here sends
//! anything.
//!
//! In reading order: [`address`] and [`keccak`]; [`eip712`], the digest of typed data;
//! [`signature`], from a digest to its signer, and [`known`], faster for one who signs often; [`account`], from a key to a signature; [`eip3009`],
//! the authorization that moves a stablecoin, and [`permit2`] for other tokens; [`rlp`] and [`transaction`], a transfer that its
//! sender signed; [`contract_call`], a call that is signed here; [`token`], the known assets; [`wallet`], signatures that only their contract can
//! check; [`rpc`], requests to a node and its replies, and [`evidence`], what a receipt proves of an authorization.
#![no_std]

extern crate alloc;

pub mod account;
pub mod address;
pub mod contract_call;
pub mod eip3009;
pub mod eip712;
pub mod evidence;
pub mod keccak;
pub mod known;
mod multiples;
pub mod permit2;
pub mod permit_calls;
pub mod rlp;
pub mod rpc;
pub mod signature;
pub mod token;
pub mod transaction;
pub mod wallet;
