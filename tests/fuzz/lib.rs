//! What holds for any bytes: targets, each with the property that a failing input breaks, and the driver that looks for one.
//!
//! The machines are played in the worlds of `tests/behaviour`, by the rules that are asked there.

pub mod differential;
pub mod driver;
pub mod targets;

macro_rules! shared {
    ($($path:literal $name:ident)*) => {
        $(#[path = $path]
        #[allow(dead_code, unused_imports, reason = "its tests are compiled in the workspace")]
        mod $name;)*
    };
}

shared! {
    "../behaviour/channel/mod.rs" channel
    "../behaviour/channel_payer/mod.rs" channel_payer
    "../behaviour/client/mod.rs" client
    "../behaviour/compute/mod.rs" compute
    "../behaviour/dice.rs" dice
    "../behaviour/ledger/mod.rs" ledger
    "../behaviour/mpp_client/mod.rs" mpp_client
    "../behaviour/onchain/mod.rs" onchain
    "../behaviour/paid_back.rs" paid_back
    "../behaviour/payer_purchases/mod.rs" payer_purchases
    "../behaviour/session_payer/mod.rs" session_payer
    "../behaviour/sessions/mod.rs" sessions
    "../behaviour/skills/mod.rs" skills
    "../behaviour/treasury/mod.rs" treasury
    "../behaviour/world/mod.rs" world
    "../../crates/core/tests/it/json_reader.rs" json_reader
    "../../crates/core/tests/it/support/mod.rs" support
    "../../crates/core/tests/it/tables/mod.rs" tables
}
