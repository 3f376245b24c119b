//! From one entry of `EXCHANGE_PROFILES` to the settings of a profile.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::super::row::HoldKind;
use super::super::settings::{OlderWays, Profile, ProfileSettings, Unjudged};
use farebox_base::chain::ChainId;
use farebox_base::secret::Secret;
use farebox_common::config::Reader;
use farebox_evm::address::Address;

/// Members of an entry.
const MEMBERS: [&str; 17] = [
    "profile",
    "network",
    "asset",
    "hold",
    "escrow",
    "bonds",
    "organization",
    "wallet",
    "waits_secs",
    "max_price",
    "min_price",
    "per_day",
    "per_seller_day",
    "direct_transfers",
    "transfers_closed_before",
    "seller_signatures",
    "unjudged",
];
const DEFAULT_ASSET: &str = "USDC";
/// Most that a task may cost, in whole tokens.
const MAX_PRICE: &str = "100";
/// Seconds for which a buyer's request waits for its work.
const WAITS_SECS: u64 = 100;
const MAX_WAITS_SECS: u64 = 240;
/// Most blocks that a transfer of a buyer may need.
const MAX_BLOCKS: u64 = 1_000;
/// The last second that a time may name.
const MAX_TIME: u64 = 1 << 40;

/// The settings that all profiles share.
pub(super) struct SharedSettings {
    pub url: String,
    pub secret: Secret<String>,
    pub previous: Option<Secret<String>>,
    /// Whether main networks are refused.
    pub only_test: bool,
}

/// Reads the entry of a profile; `None` if it is wrong.
pub(super) fn read_profile(
    reader: &mut Reader,
    place: &str,
    entry: &Value,
    shared: &SharedSettings,
) -> Option<ProfileSettings> {
    let Value::Object(members) = entry else {
        reader.fail(place, "must be an object");
        return None;
    };
    for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        let known = MEMBERS.join(", ");
        reader.fail_at(place, name, format!("is not known; there are {known}"));
    }
    let mut entry = ProfileReader { reader, place, members };
    let names = format!("must be one of: {}", Profile::ALL.map(Profile::name).join(", "));
    let profile = entry.parse("profile", &names, Profile::from_name);
    let remedy = "is not a network; use a CAIP-2 id such as eip155:84532";
    let network = entry.parse("network", remedy, |text| ChainId::parse_or_name(text).ok());
    let remedy = "must be one of: escrow, contract, completion, mock";
    let hold = entry.parse("hold", remedy, HoldKind::from_name);
    let has_money = hold.is_some_and(HoldKind::has_money);
    let needs_escrow = has_money || members.contains_key("escrow");
    let escrow = if needs_escrow { entry.address("escrow") } else { Some(Address::ZERO) };
    let bonds = entry.address("bonds");
    let payer = match has_money {
        true => entry.word("organization").zip(entry.word("wallet")),
        false => Some((String::new(), String::new())),
    };
    let asset = entry.word_or("asset", DEFAULT_ASSET);
    let (per_day, per_seller_day) = (entry.maybe("per_day"), entry.maybe("per_seller_day"));
    let (min_price, max_price) = (entry.maybe("min_price"), entry.word_or("max_price", MAX_PRICE));
    let waits_secs = entry.read_waits();
    let unjudged = entry.read_unjudged();
    let older = entry.read_older(hold);
    Some(ProfileSettings {
        profile: profile?,
        network: network?,
        asset: asset?,
        hold: hold?,
        escrow: escrow?,
        bonds: bonds?,
        payer: payer?,
        url: shared.url.clone(),
        secret: Secret::new(shared.secret.expose().clone()),
        previous: shared.previous.as_ref().map(|it| Secret::new(it.expose().clone())),
        waits_ms: waits_secs?.saturating_mul(1000),
        max_price: max_price?,
        min_price: min_price?,
        per_day: per_day?,
        per_seller_day: per_seller_day?,
        unjudged,
        older,
    })
}

/// The entry of a profile, whose members are read one by one. `None` is what has failed.
struct ProfileReader<'r> {
    reader: &'r mut Reader,
    place: &'r str,
    members: &'r Map<String, Value>,
}

impl ProfileReader<'_> {
    /// Text that has to be there.
    fn word(&mut self, name: &str) -> Option<String> {
        let text = self.members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if text.is_none() {
            self.reader.fail_at(self.place, name, "is missing; it is text");
        }
        text.map(ToString::to_string)
    }

    fn word_or(&mut self, name: &str, usual: &str) -> Option<String> {
        if self.members.contains_key(name) { self.word(name) } else { Some(usual.to_string()) }
    }

    fn maybe(&mut self, name: &str) -> Option<Option<String>> {
        if self.members.contains_key(name) { self.word(name).map(Some) } else { Some(None) }
    }

    fn parse<T>(
        &mut self,
        name: &str,
        remedy: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = parse(&self.word(name)?);
        if value.is_none() {
            self.reader.fail_at(self.place, name, remedy);
        }
        value
    }

    fn address(&mut self, name: &str) -> Option<Address> {
        let remedy = "is not an address; write 0x and 40 hex digits";
        self.parse(name, remedy, |text| Address::parse_checksummed(text).ok())
    }

    fn read_waits(&mut self) -> Option<u64> {
        let waits = match self.members.get("waits_secs") {
            None => Some(WAITS_SECS),
            Some(value) => value.as_u64().filter(|secs| (1..=MAX_WAITS_SECS).contains(secs)),
        };
        if waits.is_none() {
            let remedy = format!("must be a whole number from 1 to {MAX_WAITS_SECS}");
            self.reader.fail_at(self.place, "waits_secs", remedy);
        }
        waits
    }

    /// Whether results are judged, and what becomes of those that are not.
    fn read_unjudged(&mut self) -> Option<Unjudged> {
        let unjudged = match self.members.get("unjudged")?.as_str() {
            Some("released") => Unjudged::Released,
            Some("refunded") => Unjudged::Refunded,
            _ => {
                self.reader.fail_at(self.place, "unjudged", "must be released or refunded");
                return None;
            }
        };
        if !self.reader.is_bound("PROOF") {
            self.reader.fail("PROOF", "is not bound; bind the Worker that judges results");
        }
        Some(unjudged)
    }

    /// Reads the ways of the original that are taken as well.
    fn read_older(&mut self, hold: Option<HoldKind>) -> OlderWays {
        let blocks = self.members.get("direct_transfers");
        let direct_transfers =
            blocks.and_then(Value::as_u64).filter(|it| (1..=MAX_BLOCKS).contains(it));
        if blocks.is_some() && direct_transfers.is_none() {
            let remedy =
                format!("must be the number of blocks that a transfer needs, 1 to {MAX_BLOCKS}");
            self.reader.fail_at(self.place, "direct_transfers", remedy);
        }
        if blocks.is_some() && !hold.is_some_and(HoldKind::has_money) {
            let remedy = "needs hold escrow or contract, which the transfers go to";
            self.reader.fail_at(self.place, "direct_transfers", remedy);
        }
        let closed = self.members.get("transfers_closed_before");
        let closed_before = closed.and_then(Value::as_u64).filter(|it| *it <= MAX_TIME);
        if closed.is_some() && closed_before.is_none() {
            let remedy = "must be the unix time of a restore, in seconds";
            self.reader.fail_at(self.place, "transfers_closed_before", remedy);
        }
        let closed_before = closed_before.unwrap_or_default();
        let flag = self.members.get("seller_signatures");
        if flag.is_some_and(|flag| !flag.is_boolean()) {
            self.reader.fail_at(self.place, "seller_signatures", "must be true or false");
        }
        let seller_signatures = flag.and_then(Value::as_bool).unwrap_or_default();
        OlderWays { direct_transfers, closed_before, seller_signatures }
    }
}
