//! Bodies of requests, with the contract's sentences for what is wrong in them.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::message::JsonAnswer;
use super::refused::{invalid, no_json, refusal};
use super::row::spell_wallet;
use super::settings::Profile;
use farebox_base::encoding::json;

/// Maximum size of a body, bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Longest value of an identifying field, bytes.
const MAX_NAME_BYTES: usize = 256;
/// Longest prompt, bytes.
const MAX_PROMPT_BYTES: usize = 64 * 1024;

/// The members of a body.
#[derive(Clone, Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body.
    pub fn of(body: &str) -> Result<Self, JsonAnswer> {
        match json::parse_with(body.as_bytes(), MAX_BODY_BYTES) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            // A list has none of the members: its first missing one is named.
            Ok(Value::Array(_)) => Ok(Self(Map::new())),
            Ok(_) => Err(invalid("Request body must be a JSON object.")),
            Err(_) => Err(no_json()),
        }
    }

    /// Reads a body for this profile.
    pub fn of_profile(body: &str, served: Profile) -> Result<Self, JsonAnswer> {
        let fields = Self::of(body)?;
        match fields.profile() {
            // Who names none is served by whom the Worker asks.
            Ok(profile) if profile.is_none_or(|it| it == served) => Ok(fields),
            Ok(_) => Err(invalid("network_profile is not the one of this exchange.")),
            Err(answer) => Err(answer),
        }
    }

    /// Reads a body about a job, which says of which profile it is.
    pub fn of_job(body: &str, served: Profile) -> Result<Self, JsonAnswer> {
        let fields = Self::of(body)?;
        if fields.names_profile() { Self::of_profile(body, served) } else { Ok(fields) }
    }

    /// `seller_id` in its one spelling.
    pub fn seller_id(&self) -> Result<String, JsonAnswer> {
        Ok(spell_wallet(&self.text("seller_id")?))
    }

    /// Whether a member is there, and not null.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Text that has to be there, without the blanks around it.
    pub fn text(&self, name: &str) -> Result<String, JsonAnswer> {
        let text = self.0.get(name).and_then(Value::as_str).map(str::trim);
        let text = text.filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| invalid(&format!("{name} must be a non-empty string.")))?;
        let most = if name == "prompt" { MAX_PROMPT_BYTES } else { MAX_NAME_BYTES };
        if text.len() > most {
            return Err(invalid(&format!("{name} must have at most {most} bytes.")));
        }
        Ok(text.to_string())
    }

    /// Text that may be missing or null.
    pub fn maybe(&self, name: &str) -> Result<Option<String>, JsonAnswer> {
        if self.has(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    /// A member as it is.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The members of a member that has to be an object.
    pub fn inner(&self, name: &str) -> Result<Self, JsonAnswer> {
        match self.0.get(name) {
            Some(Value::Object(members)) => Ok(Self(members.clone())),
            _ => Err(invalid(&format!("{name} must be an object."))),
        }
    }

    /// Which profile it says that it is about; `None` for the one that is served to who names none.
    pub fn profile(&self) -> Result<Option<Profile>, JsonAnswer> {
        match self.maybe("network_profile")? {
            Some(name) => Profile::from_name(&name).map(Some).ok_or_else(|| {
                invalid("network_profile must be one of demo-testnet, live-testnet, live-mainnet.")
            }),
            None => Ok(self.is_demo().then_some(Profile::DemoTestnet)),
        }
    }

    /// Whether it says which profile it is about.
    fn names_profile(&self) -> bool {
        self.has("network_profile")
    }

    fn is_demo(&self) -> bool {
        let mode = self.0.get("demo_payment_mode").and_then(Value::as_str);
        mode == Some("demo-direct-escrow")
    }
}

/// The profile that a body is about, which is `usual` where it names none: whose object is asked. A
/// body around a payload is about the payload's.
///
/// # Errors
/// The answer to a body that cannot be read, or names a profile that there is not.
pub fn profile_of(body: &str, usual: Profile) -> Result<Profile, JsonAnswer> {
    let fields = Fields::of(body)?;
    let named = match fields.inner("payload") {
        Ok(payload) => payload.profile(),
        Err(_) => fields.profile(),
    };
    Ok(named?.unwrap_or(usual))
}

/// The profile that a query of `buyers/capabilities` names, else `usual`.
///
/// # Errors
/// The answer where it names none that there is, or the demo's.
pub fn profile_in(query: &str, usual: Profile) -> Result<Profile, JsonAnswer> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let name = pairs.find(|(key, _)| *key == "network_profile").map(|(_, name)| name);
    let name = name.filter(|name| !name.is_empty());
    match name.map_or(Some(usual), Profile::from_name) {
        Some(Profile::DemoTestnet) => Err(demo_unsupported()),
        Some(profile) => Ok(profile),
        None => {
            let why = "network_profile must be live-mainnet or live-testnet.";
            Err(refusal(400, "INVALID_NETWORK_PROFILE", why))
        }
    }
}

/// For the supply of a demonstration.
pub(super) fn demo_unsupported() -> JsonAnswer {
    let why = "Buyer capabilities are available for live profiles only.";
    refusal(400, "BUYER_CAPABILITIES_PROFILE_UNSUPPORTED", why)
}
