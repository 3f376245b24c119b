//! Payments by link: whoever has a link pays its recipient once, through the facilitator.
//!
//! A link is [`PaymentLink`]: its rules are there. Here its terms become a token's, a payment that
//! it takes is written with what the facilitator is sent, once `claim` has its authorization for
//! it. `settle` reads what the facilitator says of it, and `chain` finds out what became of it if no
//! answer says so. `response` has the answers.

mod chain;
mod claim;
pub(crate) mod id;
mod response;
mod settle;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use self::claim::{USED, Unsent};
pub use self::id::is_link;
use self::response::Words;
use super::books::{Change, Rows};
use super::budget::worth;
use super::config::Environment;
use super::config::Treasury;
use super::id::Fresh;
use super::kernel::{Decision, Now};
use super::message::{Answer, ClaimTold, LinkCommand, Reply};
use super::operate::reply::{not_found, problem};
use super::refused;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::{hex, json};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::{SignatureCheck, SignedAuthorization, ValidityBounds};
use farebox_common::payment::{SignedToken, Terms, TransferMethod};
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_evm::token::{by_address, by_symbol};
use farebox_wire::a2a::ask::LinkAsk;
use farebox_wire::a2a::credential;
use farebox_wire::a2a::link::{LinkDoor, LinkPayment, LinkState, LinkTaking, PaymentLink};
use farebox_wire::facilitator::wire::request;
use farebox_wire::x402::v2::{Flow, PaymentPayload, PaymentRequirements};
use farebox_wire::x402::{Version, exact, handed, header};

/// Seconds for which a payment of x402 is asked to be valid.
const VALID_SECS: u64 = 300;
/// Limits on how long an authorization may still be valid when it is shown.
const ROOM: ValidityBounds = ValidityBounds { min_secs: 15, max_secs: 86_400 };

/// A payment as it was shown: what was signed, beside its members for the facilitator.
type ShownPayment = (SignedAuthorization, Map<String, Value>);

/// The way in which a payment was shown, and the command that showed it.
#[derive(Clone, Copy)]
struct LinkShowing<'a> {
    door: LinkDoor,
    url: Option<&'a str>,
    asked: &'a LinkCommand,
}

impl Treasury {
    /// Answers a request about a link.
    pub(super) fn link<B: Rows>(
        &self,
        books: &B,
        asked: LinkCommand,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let told = |reply: Reply| Ok(Decision::reply(reply));
        let (asked, claimed) = match asked {
            LinkCommand::Claimed(asked, claimed) => (*asked, Some(claimed)),
            asked => (asked, None),
        };
        let id = match &asked {
            LinkCommand::Make(body, origin) => return Ok(self.make(body, origin, scene)),
            LinkCommand::Claimed(..) => return told(refused::internal()),
            LinkCommand::Cancel(id)
            | LinkCommand::Read(id)
            | LinkCommand::Status(id)
            | LinkCommand::Pay(id, _)
            | LinkCommand::Visit(id, ..) => id,
        };
        let Some(link) = books.link(id)? else { return told(not_found("payment")) };
        let words = Words { link: &link, now: scene.now };
        match &asked {
            LinkCommand::Make(..) | LinkCommand::Claimed(..) => told(refused::internal()),
            LinkCommand::Read(_) => told(words.read()),
            LinkCommand::Status(_) => told(words.status()),
            LinkCommand::Cancel(_) => match link.cancel(scene.now) {
                Ok(link) => {
                    let reply = Words { link: &link, now: scene.now }.status();
                    Ok(Decision { answer: Answer::Reply(reply), changes: put(link) })
                }
                Err(status) => {
                    let detail = alloc::format!("the payment is {}", status.name());
                    told(problem(409, "not_pending", &detail))
                }
            },
            LinkCommand::Pay(_, body) => match credential::read(body) {
                Ok(shown) => {
                    let taking =
                        LinkShowing { door: LinkDoor::Credential, url: None, asked: &asked };
                    Ok(self.take(&link, shown, taking, claimed.as_ref(), scene.now))
                }
                Err(code) => told(words.refused(LinkDoor::Credential, code.row().code)),
            },
            LinkCommand::Visit(_, url, None) => told(match self.requirements(&link) {
                Some((_, asks)) => words.asked(url, &asks),
                None => refused::internal(),
            }),
            LinkCommand::Visit(_, url, Some(payment)) => match self.visit(&link, payment) {
                Ok(shown) => {
                    let taking =
                        LinkShowing { door: LinkDoor::X402, url: Some(url), asked: &asked };
                    Ok(self.take(&link, shown, taking, claimed.as_ref(), scene.now))
                }
                Err(code) => told(words.refused(LinkDoor::X402, code.row().code)),
            },
        }
    }

    /// Makes a link.
    fn make(&self, body: &str, origin: &str, scene: Now<'_>) -> Decision {
        let told = |reply: Reply| Decision::reply(reply);
        let wrong = |detail: &str| told(problem(400, "invalid_payment", detail));
        let asked = match LinkAsk::read(body) {
            Ok(asked) => asked,
            Err(faults) => return wrong(&faults),
        };
        let Some(organization) = self.owners.organization(scene.organization) else {
            return told(not_found("organization"));
        };
        let Some(network) = self.network_of(&asked, organization.environment) else {
            return wrong("network: must be a CAIP-2 id of the organization's environment");
        };
        let Some(token) = by_symbol(&network, &asked.symbol).filter(|token| token.eip3009) else {
            return wrong("symbol: is not a known token of this network with EIP-3009");
        };
        let amount = Amount::from_decimal(&asked.amount, token.decimals).ok();
        let payable = |it: &Amount| !it.is_zero() && worth(*it, token.decimals).is_some();
        let Some(amount) = amount.filter(payable) else {
            return wrong(
                "amount: must be decimal text above 0 with no more digits than the token has",
            );
        };
        if self.facilitator.is_none() || self.chain.node(&network).is_none() {
            let detail = "FACILITATOR_URL and a node for this network in RPC_URL have to be set";
            return told(problem(409, "links_not_configured", detail));
        }
        let (now, random) = (scene.now.secs(), Fresh::of(scene.random).nonce);
        let link = PaymentLink {
            id: self.link_ids.draw(scene.organization, &random),
            network: network.to_string(),
            contract: token.address.to_checksum(),
            symbol: token.symbol.to_string(),
            amount: amount.to_string(),
            recipient: asked.recipient.to_checksum(),
            description: asked.description,
            external_id: asked.external_id,
            realm: asked.realm,
            created: now,
            expires: now.saturating_add(asked.secs),
            changed: now,
            fence: 1,
            due: None,
            state: LinkState::Pending,
        };
        let url = asked.has_url.then(|| alloc::format!("{origin}/a2a/{}", link.id));
        let reply = Words { link: &link, now: scene.now }.made(url);
        Decision { answer: Answer::Reply(reply), changes: put(link) }
    }

    /// The network that a link is asked for, or the only one of the organization's wallets.
    fn network_of(&self, asked: &LinkAsk, environment: Environment) -> Option<ChainId> {
        let fits = |it: &ChainId| it.is_main_network() == (environment == Environment::Main);
        if let Some(named) = &asked.network {
            return ChainId::parse_or_name(named).ok().filter(fits);
        }
        let mut own =
            self.owners.wallets.iter().flat_map(|wallet| &wallet.networks).filter(|it| fits(it));
        let first = own.next()?;
        own.all(|other| other == first).then(|| first.clone())
    }

    /// The terms of a link, and how x402 asks for them.
    fn requirements(&self, link: &PaymentLink) -> Option<(Terms, PaymentRequirements)> {
        let network = ChainId::parse(&link.network).ok()?;
        let (contract, pay_to) =
            (Address::parse(&link.contract).ok()?, Address::parse(&link.recipient).ok()?);
        let (token, chain_id) = (by_address(&network, &contract)?, network.evm_id()?);
        let extra = [("name", token.name), ("version", token.version)];
        let terms = Terms {
            network,
            asset: link.contract.clone(),
            pay_to: link.recipient.clone(),
            amount: Amount::from_atomic(&link.amount).ok()?,
            unit: None,
            max_timeout_secs: VALID_SECS,
            extra: json::object(extra.map(|(name, text)| (name.to_string(), text.into()))),
            token: Some(SignedToken {
                chain_id,
                asset: contract,
                pay_to,
                method: TransferMethod::Eip3009,
                separator: token.domain(chain_id).separator(),
            }),
        };
        let asks = PaymentRequirements::new(&terms, Flow::Authorization);
        Some((terms, asks))
    }

    /// Reads a payment of x402.
    fn visit(&self, link: &PaymentLink, payment: &str) -> Result<ShownPayment, Code> {
        let (_, asks) = self.requirements(link).ok_or(Code::Internal)?;
        let message = header::decode(payment)?;
        let payment = PaymentPayload::read(&message)?;
        if !asks.accepted_as(payment.accepted) {
            return Err(Code::TermsMismatch);
        }
        Ok((exact::read(payment.payload)?, exact::own(payment.payload)))
    }

    /// Takes a payment, or says why not: first it asks for the authorization, and with that it
    /// begins.
    fn take(
        &self,
        link: &PaymentLink,
        (signed, own): ShownPayment,
        LinkShowing { door, url, asked }: LinkShowing<'_>,
        claimed: Option<&ClaimTold>,
        now: UnixTime,
    ) -> Decision {
        let told = |reply: Reply| Decision::reply(reply);
        let words = Words { link, now };
        let (Some((terms, asks)), Some(facilitator)) = (self.requirements(link), &self.facilitator)
        else {
            return told(words.refused(door, "links_not_configured"));
        };
        let authorization = signed.authorization();
        let handed = handed::Version2::new(&asks, own).of(url, &link.description, "");
        let payment = LinkPayment {
            from: authorization.from.to_checksum(),
            nonce: hex::encode_prefixed(&authorization.nonce),
            valid_before: authorization.valid_before.secs(),
            request: request(Version::V2, &handed, &asks),
            door,
            resent: false,
            seen_block: 0,
        };
        let lease = self.window.lease_secs();
        let taken = match link.pay(payment, lease, now) {
            LinkTaking::Known => return told(words.outcome(door)),
            LinkTaking::Taken => return told(words.taken(door)),
            LinkTaking::Begins(taken) => *taken,
        };
        match signed.check(&terms, None, now, ROOM) {
            Err(code) if !planted(Mutant::LinksTakeAnyPayment) => {
                return told(words.refused(door, code.row().code));
            }
            Ok(SignatureCheck::Deferred) => return told(words.refused(door, "invalid_signature")),
            Ok(SignatureCheck::Verified) | Err(_) => {}
        }
        let Some(claimed) = claimed else {
            return match self.ask_for(&taken, asked) {
                Some(claim) => Decision::told(Answer::Claim(Box::new(claim))),
                None => told(words.refused(door, "links_not_configured")),
            };
        };
        let taken = match self.granted(taken, claimed) {
            Ok(taken) => taken,
            Err(Unsent::Used) => return told(words.refused(door, USED)),
            Err(Unsent::Unseen) => return told(Words::unseen()),
        };
        match self.settle_order(&taken, facilitator, now) {
            Some(order) => Decision { answer: Answer::Send(Box::new(order)), changes: put(taken) },
            None => told(refused::internal()),
        }
    }
}

fn put(link: PaymentLink) -> Vec<Change> {
    Vec::from([Change::Link(Box::new(link))])
}
