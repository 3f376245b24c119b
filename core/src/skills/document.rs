//! The documents of a market for agents: `SKILL.md`, one for all of it and one for each skill.

use alloc::format;
use alloc::string::{String, ToString};

use super::Market;
use super::offered::Offered;
use super::page::lines;
use super::text::turns_text;

impl Market {
    /// `/SKILL.md`: how to find, call and publish skills.
    #[must_use]
    pub fn document(&self, skills: &[Offered]) -> String {
        let url = &self.url;
        let mut text = format!(
            "---\nname: skills-market\ndescription: Finds and calls paid HTTP skills of many sellers at {url}; each call is paid per request, by a wallet or by a treasury.\n---\n\n\
             # Skills at {url}\n\n\
             ## Find\n\n`GET {url}/api/marketplace/skills?name=&agentId=&maxPriceXLM=` lists what is sold; `GET {url}/skills/{{id}}/SKILL.md` tells about one skill.\n\n\
             ## Call\n\n\
             - With a wallet: send the request to the skill's address. It answers 402 with the price; any x402 or MPP client pays it, to the seller.\n\
             - Without a wallet: `POST {url}/api/marketplace/skills/{{id}}/invoke` with `Authorization: Bearer` and a runtime token of your treasury, and \
             `{{\"agentId\":\"NAME\",\"payload\":…}}`. The treasury pays up to the listed price, never more and to no one else. With `Idempotency-Key` a repeat is the same call.\n\n\
             The answer has `ok`, `response`, `receipt` if something was paid, and `ledgerId`. With `\"ok\":false` look at `error` and `paid`.\n\n\
             ## Sell\n\n`POST {url}/api/marketplace/skills` with `name`, `description`, `price`, `callUrl`, `payTo` and `proof`; \
             `POST {url}/api/marketplace/skills/typed-data` with the same body says what your wallet signs.\n\n## What is sold\n\n",
        );
        for skill in skills {
            text.push_str(&format!(
                "- [{}]({url}/skills/{}/SKILL.md): {} {}. {}\n",
                plain(&skill.name),
                skill.id,
                skill.price,
                skill.asset,
                plain(&skill.description)
            ));
        }
        if skills.is_empty() {
            text.push_str("Nothing yet.\n");
        }
        text
    }

    /// `/skills/{id}/SKILL.md`: what a skill does, what it costs and how it is called.
    #[must_use]
    pub fn skill_document(&self, skill: &Offered) -> String {
        let (with_wallet, without) = lines(skill, self);
        let who = match skill.agent.as_str() {
            "" => format!("`{}`", skill.owner),
            agent => format!("{}, `{}`", plain(agent), skill.owner),
        };
        let fee = skill.fee.as_ref().map_or(String::new(), |(fee, is_paid)| {
            format!(
                "- Fee of the market: {}, once, {}; it is not part of the price\n",
                plain(fee),
                if *is_paid { "paid" } else { "not paid yet" }
            )
        });
        let bazaar = match skill.bazaar.as_str() {
            "" => String::new(),
            json => format!(
                "\n## What it takes and gives\n\n```json\n{}\n```\n",
                json.replace("```", "\\u0060\\u0060\\u0060")
            ),
        };
        format!(
            "---\nname: {}\ndescription: {}\n---\n\n# {}\n\n{}\n\n- Price: {} {} a call, on {}\n- Seller: {who}\n- Address: `{} {}`\n- Version: {}\n{fee}\n\
             ## Call\n\nWith a wallet:\n\n```sh\n{with_wallet}\n```\n\nAs an agent without one, whose treasury pays:\n\n```sh\n{without}\n```\n{bazaar}",
            skill.id,
            quoted(&skill.description),
            plain(&skill.name),
            plain(&skill.description),
            skill.price,
            skill.asset,
            skill.networks.join(", "),
            skill.method,
            skill.url,
            skill.versions.join(", "),
        )
    }
}

/// What an owner wrote, as one line of text without marks.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if c.is_control() || turns_text(c) => {}
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '&' => {
                line.push('\\');
                line.push(c);
            }
            c => line.push(c),
        }
    }
    line
}

/// The same in the front matter, as quoted YAML.
fn quoted(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    serde_json::Value::String(line).to_string()
}
