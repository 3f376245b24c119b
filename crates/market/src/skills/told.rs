//! The money of a skill as pages and documents tell it: who is paid and where, when it moves, and the
//! packs that are sold.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::offered::Offered;
use super::pack::{calls_of, plans};
use farebox_base::chain::ChainId;
use farebox_base::text::Shell;
use farebox_evm::token;

/// Prepaid calls of a skill, with the lines to type.
pub(super) struct PackTold {
    /// Its calls and its price, of which a seller wrote nothing but an amount.
    pub words: String,
    /// The line that buys it.
    pub buy: Shell,
    /// The line that uses a call of it.
    pub call: Shell,
}

impl Offered {
    /// The networks of a skill as people know them, and whether their money is worth something.
    pub(super) fn places(&self) -> String {
        let place = |id: &String| match ChainId::parse(id) {
            Ok(network) if network.is_main_network() => network.title().to_string(),
            Ok(network) => format!("{}, test money", network.title()),
            Err(_) => id.clone(),
        };
        self.networks.iter().map(place).collect::<Vec<_>>().join("; ")
    }

    /// The moment at which the money of a call moves.
    pub(super) fn moves(&self) -> &'static str {
        match (self.charges.as_str(), self.settle.as_str()) {
            ("seller", _) => "as the seller's own server asks",
            (_, "before") => "before the answer; a refund is the seller's",
            _ => "after the answer; a call that fails costs nothing",
        }
    }

    /// The name that a seller goes by, if that is more than the wallet that is paid.
    pub(super) fn label(&self) -> Option<&str> {
        let is_more = !self.agent.is_empty() && !self.agent.eq_ignore_ascii_case(&self.owner);
        is_more.then_some(self.agent.as_str())
    }

    /// The packs of a skill at a market with this origin.
    pub(super) fn told_packs(&self, market: &str) -> Vec<PackTold> {
        let network = self.networks.first().and_then(|id| ChainId::parse(id).ok());
        let usual = network.as_ref().and_then(token::default_for);
        let symbol = usual.map_or(self.asset.as_str(), |token| token.symbol);
        let mut told = Vec::new();
        let mut packs = plans(&self.packs);
        packs.sort_by_key(|(plan, _)| calls_of(plan));
        for (plan, price) in packs {
            let Some(calls) = calls_of(&plan) else { continue };
            let address = format!("{market}/packs/{}/{plan}", self.id);
            let invoked = format!("{market}/api/marketplace/skills/{}/invoke", self.id);
            told.push(PackTold {
                words: format!("{plan}: {calls} calls for {price} {symbol}"),
                buy: Shell::fill("npx --no farebox pay -X POST {}", [Shell::of(&address)]),
                call: Shell::fill(
                    "curl {} -H \"Authorization: Bearer $PACK_KEY\" -H 'content-type: application/json' -d {}",
                    [Shell::of(&invoked), Shell::of(&self.invocation(&self.example()))],
                ),
            });
        }
        told
    }
}
