//! Payments by link: whoever has a link pays its recipient once, through the facilitator.
//!
//! A link is [`PaymentLink`]: its rules are there. Here its terms become a token's, a payment that
//! it takes is written with what the facilitator is sent, once `claim` has its authorization for
//! it. `settlement` has it settled and finds out what became of it. `response` has the answers.

pub(crate) mod claim;
pub(crate) mod id;
mod response;
pub(crate) mod settlement;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use self::claim::{USED, Unsent, accept_claim, write_claim};
use self::id::LinkIds;
use self::response::LinkReplies;
use self::settlement::LinkSettlements;
use super::books::{Change, Rows};
use super::budget::worth;
use super::config::{Environment, Owners};
use super::id::Fresh;
use super::kernel::{Decision, Now};
use super::message::{Answer, ClaimTold, LinkCommand, Reply};
use super::operate::reply::{not_found, problem};
use super::refused;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::{hex, json};
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

/// Links that have one payment each, and how they take it.
pub(super) struct Links<'t> {
    pub owners: &'t Owners,
    pub ids: &'t LinkIds,
    pub settlements: LinkSettlements<'t>,
}

/// A payment as it was shown: what was signed, its members for the facilitator, and the way in which
/// it came.
struct ShownPayment<'a> {
    signed: SignedAuthorization,
    own: Map<String, Value>,
    door: LinkDoor,
    url: Option<&'a str>,
    asked: &'a LinkCommand,
}

impl Links<'_> {
    /// Answers a request about a link.
    pub fn answer<B: Rows>(
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
        let replies = LinkReplies { link: &link, now: scene.now };
        match &asked {
            LinkCommand::Make(..) | LinkCommand::Claimed(..) => told(refused::internal()),
            LinkCommand::Read(_) => told(replies.read()),
            LinkCommand::Status(_) => told(replies.status()),
            LinkCommand::Cancel(_) => match link.cancel(scene.now) {
                Ok(link) => {
                    let reply = LinkReplies { link: &link, now: scene.now }.status();
                    Ok(Decision { answer: Answer::Reply(reply), changes: put(link) })
                }
                Err(status) => {
                    let detail = alloc::format!("the payment is {}", status.name());
                    told(problem(409, "not_pending", &detail))
                }
            },
            LinkCommand::Pay(_, body) => match credential::read(body) {
                Ok((signed, own)) => {
                    let (door, asked) = (LinkDoor::Credential, &asked);
                    let shown = ShownPayment { signed, own, door, url: None, asked };
                    Ok(self.take(&link, shown, claimed.as_ref(), scene.now))
                }
                Err(code) => told(replies.refusal(LinkDoor::Credential, code.row().code)),
            },
            LinkCommand::Visit(_, url, None) => told(match requirements(&link) {
                Some((_, asks)) => replies.challenge(url, &asks),
                None => refused::internal(),
            }),
            LinkCommand::Visit(_, url, Some(payment)) => match read_payment(&link, payment) {
                Ok((signed, own)) => {
                    let (door, url, asked) = (LinkDoor::X402, Some(url.as_str()), &asked);
                    let shown = ShownPayment { signed, own, door, url, asked };
                    Ok(self.take(&link, shown, claimed.as_ref(), scene.now))
                }
                Err(code) => told(replies.refusal(LinkDoor::X402, code.row().code)),
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
        let LinkSettlements { chain, facilitator, .. } = self.settlements;
        if facilitator.is_none() || chain.node(&network).is_none() {
            let detail = "FACILITATOR_URL and a node for this network in RPC_URL have to be set";
            return told(problem(409, "links_not_configured", detail));
        }
        let (now, random) = (scene.now.secs(), Fresh::of(scene.random).nonce);
        let link = PaymentLink {
            id: self.ids.draw(scene.organization, &random),
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
        let reply = LinkReplies { link: &link, now: scene.now }.creation(url);
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

    /// Takes a payment, or says why not: first it asks for the authorization, and with that it
    /// begins.
    fn take(
        &self,
        link: &PaymentLink,
        shown: ShownPayment<'_>,
        claimed: Option<&ClaimTold>,
        now: UnixTime,
    ) -> Decision {
        let told = |reply: Reply| Decision::reply(reply);
        let replies = LinkReplies { link, now };
        let ShownPayment { signed, own, door, url, asked } = shown;
        let found = requirements(link).filter(|_| self.settlements.facilitator.is_some());
        let Some((terms, asks)) = found else {
            return told(replies.refusal(door, "links_not_configured"));
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
        let lease = self.settlements.window.lease_secs();
        let taken = match link.pay(payment, lease, now) {
            LinkTaking::Known => return told(replies.outcome(door)),
            LinkTaking::Taken => return told(replies.conflict(door)),
            LinkTaking::Begins(taken) => *taken,
        };
        match signed.check(&terms, None, now, ROOM) {
            Err(code) => {
                return told(replies.refusal(door, code.row().code));
            }
            Ok(SignatureCheck::Deferred) => {
                return told(replies.refusal(door, "invalid_signature"));
            }
            Ok(SignatureCheck::Verified) => {}
        }
        let Some(claimed) = claimed else {
            return match write_claim(self.settlements.chain, &taken, asked) {
                Some(claim) => Decision::told(Answer::Claim(Box::new(claim))),
                None => told(replies.refusal(door, "links_not_configured")),
            };
        };
        let taken = match accept_claim(taken, claimed) {
            Ok(taken) => taken,
            Err(Unsent::Used) => return told(replies.refusal(door, USED)),
            Err(Unsent::Unseen) => return told(LinkReplies::unseen()),
        };
        match self.settlements.order(&taken, now) {
            Some(order) => Decision { answer: Answer::Send(Box::new(order)), changes: put(taken) },
            None => told(refused::internal()),
        }
    }
}

/// The terms of a link, and how x402 asks for them.
fn requirements(link: &PaymentLink) -> Option<(Terms, PaymentRequirements)> {
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
fn read_payment(
    link: &PaymentLink,
    payment: &str,
) -> Result<(SignedAuthorization, Map<String, Value>), Code> {
    let (_, asks) = requirements(link).ok_or(Code::Internal)?;
    let message = header::decode(payment)?;
    let payment = PaymentPayload::read(&message)?;
    if !asks.accepted_as(payment.accepted) {
        return Err(Code::TermsMismatch);
    }
    Ok((exact::read(payment.payload)?, exact::own(payment.payload)))
}

fn put(link: PaymentLink) -> Vec<Change> {
    Vec::from([Change::Link(Box::new(link))])
}
