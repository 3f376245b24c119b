//! Behaviours of the gate, with everything around it in memory.

mod answers;
mod client;
mod clients;
mod config;
mod diagnostic_client;
mod diagnostics;
mod dice;
mod exposure;
mod facilitator_keys;
mod failover;
mod faults;
mod free_quota;
mod layers;
mod ledger;
mod limits;
mod manners;
mod origins;
mod pricer;
mod published;
mod receipts;
mod recovery;
mod redelivery;
mod settlement;
mod sweep;
mod wallets;
mod world;
