//! Lists, pages and documents of what is sold.

use farebox_core::skills::Market;
use farebox_core::skills::index::SkillIndex;
use farebox_core::skills::list::write_list;
use farebox_core::skills::message::Response;
use farebox_core::skills::offered::Offered;
use farebox_core::skills::page::{self, CONTENT_SECURITY_POLICY};
use farebox_core::skills::{document, refused};

use super::config;
use super::showcase::Common;

/// Which one.
pub(super) enum Sheet {
    /// Of all skills.
    All(Overview),
    /// `/skills/{id}`.
    Skill(String),
    /// `/skills/{id}/SKILL.md`.
    SkillDocument(String),
}

/// A view of all skills.
pub(super) enum Overview {
    /// `/api/marketplace/skills`, with its query.
    List(String),
    /// `/`, with its query.
    Page(String),
    /// `/SKILL.md`.
    Document,
}

impl Overview {
    /// The answer that this is, if all who ask get the same.
    pub(super) fn common(&self) -> Option<Common> {
        match self {
            Self::List(query) => query.is_empty().then_some(Common::List),
            Self::Page(query) => query.is_empty().then_some(Common::Page),
            Self::Document => Some(Common::Document),
        }
    }

    /// The response with these skills.
    pub(super) fn written(&self, market: &Market, index: &SkillIndex) -> Response {
        let skills = index.skills();
        match self {
            Self::List(query) => write_list(&market.url, skills, query),
            Self::Page(query) => {
                let beside = config::beside(config::exchange().is_served());
                html(page::write_page(&market.url, index, query, beside))
            }
            Self::Document => markdown(document::write_document(&market.url, skills)),
        }
    }
}

/// The page of a skill, if there is one.
pub(super) fn write_skill_page(market: &Market, found: Option<&Offered>) -> Response {
    found.map_or_else(no_skill, |skill| html(page::write_skill_page(&market.url, skill)))
}

/// The document of a skill, if there is one.
pub(super) fn write_skill_document(market: &Market, found: Option<&Offered>) -> Response {
    found
        .map_or_else(no_skill, |skill| markdown(document::write_skill_document(&market.url, skill)))
}

fn no_skill() -> Response {
    refused::no_skill().no_store()
}

fn html(body: String) -> Response {
    text("text/html; charset=utf-8", body)
        .with("content-security-policy", CONTENT_SECURITY_POLICY)
        .with("referrer-policy", "no-referrer")
}

fn markdown(body: String) -> Response {
    text("text/markdown; charset=utf-8", body)
}

fn text(kind: &str, body: String) -> Response {
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    Response { status: 200, headers, body }.with("x-content-type-options", "nosniff")
}
