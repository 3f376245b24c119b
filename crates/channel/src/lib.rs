//! Payment channels: one deposit on a chain, then one signed voucher for each request.
//!
//! | file | what |
//! |---|---|
//! | [`escrow`] | the contracts that hold deposits, and the typed data of their vouchers |
//! | [`config`] | what names a channel, and the nonces of its deposits |
//! | [`voucher`] | vouchers; only one whose signature was checked reaches a channel |
//! | [`funds`] | deposits that the payee sends |
//! | [`facts`] | what a channel of MPP is made of |
//! | [`onchain`] | what a node shows of a channel of MPP |
//! | [`payee`] | what the payee's account sends, each call under a nonce of its own |
//! | [`claims`] | claims of x402 that are sent together |
//! | [`authorizer`] | what the payee signs: claims and refunds |
//! | [`state`] | one channel: what it accepts, holds, charges and owes |
//! | [`errand`] | when its money is claimed, and what its alarm does next |
//! | [`row`] | a channel as text |
//! | [`looks`] | looks for deposits that wait, shared by all who show them |
//! | [`messages`] | what the object of a channel is asked, and its answers |
//! | [`desk`] | the object of a channel: how it answers, and what is written |
//! | [`clock`] | what is not believed of a clock that ran ahead |
//! | [`retention`] | how long answer and row are kept |
//! | [`index`] | the list of channels, for operators |
//! | [`refusal`] | why a voucher is refused, with the codes of both protocols |
//!
//! A voucher is cumulative: the highest one replaces all before it. Four amounts are in order at
//! every instant: claimed ≤ spent ≤ accepted ≤ deposit, and what is delivered was spent first.
//!
//! - A charge is written before its response leaves, in one row; nothing is written before.
//! - A hold keeps two requests from being served for one voucher. It is in memory alone: after a
//!   crash the charge checks everything again, and of two requests one is refused.
//! - What the chain shows is mirrored, and is used only while it is fresh: a third of the time that
//!   the payer has to wait for a withdrawal, so that two thirds are left to claim.
//! - A refund is a promise from the moment it is signed: whoever has the signature may send it.
#![no_std]

extern crate alloc;

pub mod authorizer;
pub mod claims;
pub mod clock;
pub mod config;
pub mod desk;
pub mod errand;
pub mod escrow;
pub mod facts;
pub mod funds;
pub mod index;
pub mod looks;
pub mod messages;
pub mod onchain;
pub mod own;
pub mod payee;
pub mod refusal;
pub mod retention;
pub mod row;
pub mod state;
pub mod voucher;
