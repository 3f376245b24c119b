//! Pages and documents of what is sold.

use farebox_core::skills::Market;
use farebox_core::skills::message::{Command, Response};
use farebox_core::skills::offered::Offered;
use farebox_core::skills::page::{self, CONTENT_SECURITY_POLICY};
use farebox_core::skills::{document, refused};

use super::config;

/// Which one.
pub(super) enum Sheet {
    /// `/`, with its query.
    Market(String),
    /// `/skills/{id}`.
    Skill(String),
    /// `/SKILL.md`.
    Document,
    /// `/skills/{id}/SKILL.md`.
    SkillDocument(String),
}

impl Sheet {
    /// The command that asks for its skills.
    pub(super) fn command(&self) -> Command {
        Command::Offered(match self {
            Self::Market(_) | Self::Document => None,
            Self::Skill(id) | Self::SkillDocument(id) => Some(id.clone()),
        })
    }

    /// The response with these skills.
    pub(super) fn written(&self, market: &Market, skills: &[Offered]) -> Response {
        let found = |show: &dyn Fn(&Offered) -> Response| {
            skills.first().map_or_else(|| refused::no_skill().no_store(), show)
        };
        match self {
            Self::Market(query) => {
                let beside = config::beside(config::exchange().is_served());
                html(page::write_page(&market.url, skills, query, beside))
            }
            Self::Document => markdown(document::write_document(&market.url, skills)),
            Self::Skill(_) => found(&|skill| html(page::write_skill_page(&market.url, skill))),
            Self::SkillDocument(_) => {
                found(&|skill| markdown(document::write_skill_document(&market.url, skill)))
            }
        }
    }
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
