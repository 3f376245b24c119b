//! `ORGANIZATIONS`: who is served, with the rules, agents and keys to begin with.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::accounts::{PayingAccount, find_shared, of_rules};
use super::environment::Environment;
use super::reader::{list, members, read_named, text};
use super::wallets::Wallet;
use crate::policy::Rules;
use crate::row::{Scope, TokenKind};
use crate::token::{Token, is_name};
use farebox_base::hash;
use farebox_common::config::Reader;

/// An organization and its seed.
#[derive(Debug)]
pub struct Organization {
    /// Its name.
    pub name: String,
    /// Which money it spends.
    pub environment: Environment,
    /// Rules to begin with, JSON.
    pub policy: Option<String>,
    /// Agents to begin with.
    pub agents: Vec<AgentSeed>,
    /// Hash of all of this; another one is applied anew.
    pub version: String,
}

impl Organization {
    /// The accounts from which it pays by the rules that it begins with.
    #[must_use]
    pub(crate) fn accounts(&self, wallets: &[Wallet]) -> Vec<PayingAccount> {
        let read = |document: &Option<String>| Rules::from_json(document.as_deref()?).ok();
        let Some(rules) = read(&self.policy) else { return Vec::new() };
        let mut found = of_rules(&rules, None, self.environment, wallets);
        for agent in &self.agents {
            let own = read(&agent.policy);
            found.extend(of_rules(&rules, own.as_ref(), self.environment, wallets));
        }
        found
    }
}

/// An agent to begin with.
#[derive(Debug)]
pub struct AgentSeed {
    /// Its name.
    pub name: String,
    /// Its rules, JSON.
    pub policy: Option<String>,
    /// The id and the hash of its bootstrap key.
    pub key: Option<(String, String)>,
}

/// All organizations and wallets, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Owners {
    pub organizations: Vec<Organization>,
    pub wallets: Vec<Wallet>,
}

impl Owners {
    /// The organization of this name.
    pub fn organization(&self, name: &str) -> Option<&Organization> {
        self.organizations.iter().find(|it| it.name == name)
    }

    /// The other organization whose rules pay from one of these accounts to begin with.
    pub fn owner_beside(&self, name: &str, accounts: &[PayingAccount]) -> Option<&str> {
        let mut others = self.organizations.iter().filter(|it| it.name != name);
        let owns =
            |it: &&Organization| find_shared(accounts, &it.accounts(&self.wallets)).is_some();
        others.find(owns).map(|it| it.name.as_str())
    }
}

const EXAMPLE: &str = r#"[{"name": "acme", "environment": "test", "policy": {"allowedOrigins": ["https://api.example.com"]}, "agents": [{"name": "buyer", "bootstrapKey": "BUYER_KEY"}]}]"#;
const KNOWN: [&str; 4] = ["name", "environment", "policy", "agents"];
const AGENT: [&str; 3] = ["name", "policy", "bootstrapKey"];

pub(super) fn read(reader: &mut Reader, wallets: &[Wallet], only_test: bool) -> Vec<Organization> {
    let mut all: Vec<Organization> = Vec::new();
    let mut accounts: Vec<(String, Vec<PayingAccount>)> = Vec::new();
    for (index, value) in list(reader, "ORGANIZATIONS", EXAMPLE).iter().enumerate() {
        let place = format!("ORGANIZATIONS[{index}]");
        let Some(it) = organization(reader, &place, value, wallets, only_test) else { continue };
        if all.iter().any(|other| other.name == it.name) {
            reader.fail_at(&place, "name", "is the name of another organization");
        }
        let own = it.accounts(wallets);
        for (name, others) in accounts.iter().filter(|(name, _)| *name != it.name) {
            if let Some((wallet, network)) = find_shared(&own, others) {
                let remedy = format!(
                    "pays on {network} from the wallet {wallet}, as {name} does, so that the books of each would count payments of the other; give each a wallet of its own, and name it in its policy"
                );
                reader.fail(&place, remedy);
            }
        }
        accounts.push((it.name.clone(), own));
        all.push(it);
    }
    all
}

fn organization(
    reader: &mut Reader,
    place: &str,
    value: &Value,
    wallets: &[Wallet],
    only_test: bool,
) -> Option<Organization> {
    let found = members(reader, place, value, &KNOWN)?;
    let written = text(reader, place, found, "name")?;
    let name = name(reader, place, written);
    let environment = match found.get("environment").and_then(Value::as_str) {
        Some("test") => Some(Environment::Test),
        Some("main") if !only_test => Some(Environment::Main),
        Some("main") => {
            let remedy = "is \"main\" and TEST_NETWORKS_ONLY is true; use \"test\"";
            reader.fail_at(place, "environment", remedy);
            None
        }
        _ => {
            reader.fail_at(place, "environment", "must be \"test\" or \"main\"");
            None
        }
    };
    let policy = policy(
        reader,
        &format!("{place}.policy"),
        found.get("policy"),
        &Scope::Organization,
        wallets,
    );
    let mut agents: Vec<AgentSeed> = Vec::new();
    let listed = match found.get("agents") {
        None => &[][..],
        Some(Value::Array(listed)) => listed,
        Some(_) => {
            reader.fail_at(place, "agents", "must be a list");
            &[]
        }
    };
    let organization = name.clone().unwrap_or_default();
    for (index, value) in listed.iter().enumerate() {
        let place = format!("{place}.agents[{index}]");
        let Some(agent) = agent(reader, &place, value, &organization, wallets) else { continue };
        if agents.iter().any(|other| other.name == agent.name) {
            reader.fail_at(&place, "name", "is the name of another agent");
        }
        agents.push(agent);
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let written = value.to_string();
    parts.push(written.as_bytes());
    for (id, hash) in agents.iter().filter_map(|agent| agent.key.as_ref()) {
        parts.extend([id.as_bytes(), hash.as_bytes()]);
    }
    let version = hash::digest(&parts);
    Some(Organization { name: name?, environment: environment?, policy, agents, version })
}

fn agent(
    reader: &mut Reader,
    place: &str,
    value: &Value,
    organization: &str,
    wallets: &[Wallet],
) -> Option<AgentSeed> {
    let found = members(reader, place, value, &AGENT)?;
    let written = text(reader, place, found, "name")?;
    let name = name(reader, place, written);
    let scope = Scope::Agent(name.clone().unwrap_or_default());
    let policy = policy(reader, &format!("{place}.policy"), found.get("policy"), &scope, wallets);
    let key = match found.get("bootstrapKey") {
        None => None,
        Some(Value::String(secret)) => key(reader, place, secret, organization),
        Some(_) => {
            reader.fail_at(place, "bootstrapKey", "must be the name of a secret");
            None
        }
    };
    Some(AgentSeed { name: name?, policy, key })
}

fn name(reader: &mut Reader, place: &str, name: String) -> Option<String> {
    if is_name(&name) {
        return Some(name);
    }
    let remedy = "must be 3 to 64 of a-z, 0-9 and single dashes, beginning with a letter";
    reader.fail_at(place, "name", remedy);
    None
}

fn key(
    reader: &mut Reader,
    place: &str,
    secret: &str,
    organization: &str,
) -> Option<(String, String)> {
    let place = format!("{place}.bootstrapKey");
    let Some(text) = read_named(reader, secret) else {
        reader.fail(&place, format!("the secret {secret} is not set; set it, or remove this"));
        return None;
    };
    if organization.is_empty() {
        // Its name is an error already.
        return None;
    }
    let token = Token::parse(text)
        .filter(|token| token.kind == TokenKind::Bootstrap && token.organization == organization);
    match token {
        Some(token) => Some((token.id.clone(), token.hash())),
        None => {
            let remedy = format!(
                "{secret} must hold fbk_{organization}_<id>_<secret>: 4 to 32 and 32 to 128 letters and digits"
            );
            reader.fail(&place, remedy);
            None
        }
    }
}

fn policy(
    reader: &mut Reader,
    place: &str,
    value: Option<&Value>,
    scope: &Scope,
    wallets: &[Wallet],
) -> Option<String> {
    let document = value?.to_string();
    match Rules::read_proposal(&document, scope) {
        Ok(rules) => {
            let known = |name: &String| wallets.iter().any(|wallet| wallet.name == *name);
            if rules.wallet.as_ref().is_some_and(|name| !known(name)) {
                reader.fail_at(place, "wallet", "is not the name of a wallet in WALLETS");
            }
        }
        Err(faults) => {
            for (member, remedy) in faults {
                reader.fail_at(place, &member, remedy);
            }
        }
    }
    Some(document)
}
