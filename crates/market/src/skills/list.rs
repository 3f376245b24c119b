//! The list of skills for programs.

use alloc::string::String;

use super::message::Response;
use super::offered::Offered;
use super::refused::{self, refusal};
use crate::query::Query;
use crate::text::{Members, list};
use farebox_base::amount::Amount;

/// `GET /api/marketplace/skills` of the market with this origin: those of the listed skills that match
/// a query, which is given as it came, without `?`.
pub fn write_list(market: &str, skills: &[Offered], query: &str) -> Response {
    filter(market, skills, query).unwrap_or_else(|refused| refused)
}

fn filter(market: &str, skills: &[Offered], query: &str) -> Result<Response, Response> {
    let query =
        Query::of(query, &["name", "agentId", "maxPriceXLM"]).map_err(refused::no_parameter)?;
    let no_price = |_| refusal(400, "maxPriceXLM must be a non-negative number");
    let most = query.get("maxPriceXLM").map(|text| Amount::from_decimal(&text, 18));
    let most = most.transpose().map_err(no_price)?;
    let name = query.get("name").map(|name| name.to_lowercase());
    let agent = query.get("agentId");
    let is_found = |skill: &&Offered| {
        let is_named = |name: &String| skill.name.to_lowercase().contains(name.as_str());
        let is_cheap = |most: &Amount| {
            let xlm = skill.xlm.as_deref().and_then(|xlm| Amount::from_decimal(xlm, 18).ok());
            xlm.is_some_and(|xlm| xlm <= *most)
        };
        name.as_ref().is_none_or(is_named)
            && agent.as_ref().is_none_or(|agent| *agent == skill.agent)
            && most.as_ref().is_none_or(is_cheap)
    };
    let found = list(skills.iter().filter(is_found).map(|skill| skill.write(market)));
    Ok(Response::json(200, Members::ok().raw("skills", &found).done()))
}
