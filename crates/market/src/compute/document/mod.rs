//! The exchange's instructions for agents that buy and sell: two skill documents.

use alloc::string::String;
use alloc::vec::Vec;

use super::gateway::Gateway;
use super::message::JsonAnswer;
use super::settings::Profile;
use super::vars::Profiles;
use farebox_base::text::{Markdown, Shell};

/// A document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SkillDocument {
    /// `/skills/quotadex-buyer/SKILL.md`.
    Buyer,
    /// `/skills/quotadex-seller/SKILL.md`.
    Seller,
}

impl SkillDocument {
    /// The document of this skill.
    fn from_name(id: &str) -> Option<Self> {
        match id {
            "quotadex-buyer" => Some(Self::Buyer),
            "quotadex-seller" => Some(Self::Seller),
            _ => None,
        }
    }

    /// Its text, for an exchange at this origin that serves these profiles.
    fn text(self, url: &str, profiles: &[Profile]) -> String {
        let template = match self {
            Self::Buyer => include_str!("buyer.md"),
            Self::Seller => include_str!("seller.md"),
        };
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name()).collect();
        // What is bought for money is listed; the demonstration is not.
        let live = names.iter().find(|name| **name != Profile::DemoTestnet.name());
        let first = live.or(names.first()).copied().unwrap_or_default();
        let lines = Shell::fill("EXCHANGE={} PROFILE={}", [Shell::of(url), Shell::of(first)]);
        let profiles = Markdown::join(names.iter().map(|name| Markdown::code(name)), ", ");
        template
            .replace("{exchange}", lines.as_str())
            .replace("{url}", Markdown::of(url).as_str())
            .replace("{profiles}", profiles.as_str())
    }
}

impl Profiles {
    /// The document of a skill for agents that buy or sell here; `None` if there is none of this id.
    #[must_use]
    pub fn skill_document(&self, id: &str) -> Option<JsonAnswer> {
        let document = SkillDocument::from_name(id)?;
        let profiles: Vec<Profile> = self.gateways().map(Gateway::profile).collect();
        let url = self.gateways().next().map(|gateway| gateway.profile.url.as_str())?;
        let answer = JsonAnswer::new(200, document.text(url, &profiles));
        Some(answer.with("content-type", "text/markdown; charset=utf-8"))
    }
}
