//! The replies about a link. `/api/v6/pay/a2a/…` answers in the envelope of its specification, and
//! its URL as a resource of x402 does.

use alloc::string::{String, ToString};

use serde_json::{Value, json};

use crate::message::Reply;
use crate::operate::reply::{problem, time};
use farebox_base::chain::ChainId;
use farebox_base::time::UnixTime;
use farebox_wire::a2a::credential::AUTHORIZATION_TYPE;
use farebox_wire::a2a::link::{LinkDoor, LinkStatus, PaymentLink};
use farebox_wire::x402::header;
use farebox_wire::x402::v2::{PaymentRequired, PaymentRequirements, ResourceInfo, ServiceInfo};

/// Seconds after which to ask for a state again.
const POLL_SECS: &str = "3";
/// The header that says whether a state is final, for who follows it.
const FINAL: &str = "farebox-final";
/// Why a link takes no payment.
const USED: &str = "already_used";

/// A link, as of now.
pub(super) struct LinkReplies<'a> {
    pub link: &'a PaymentLink,
    pub now: UnixTime,
}

impl LinkReplies<'_> {
    fn state(&self) -> LinkStatus {
        self.link.status(self.now)
    }

    /// A link that was made.
    pub fn creation(&self, url: Option<String>) -> Reply {
        let mut told = json!({"paymentId": self.link.id, "status": self.state().name(), "expires": time(self.link.expires)});
        if let (Some(url), Value::Object(members)) = (url, &mut told) {
            members.insert("deliveries".to_string(), json!({"url": url}));
        }
        Reply { status: 201, ..envelope(&told) }
    }

    /// Its terms.
    pub fn read(&self) -> Reply {
        envelope(&self.terms())
    }

    fn terms(&self) -> Value {
        let link = self.link;
        let chain_id = ChainId::parse(&link.network).ok().and_then(|network| network.evm_id());
        let details = json!({"chainId": chain_id, "authorizationType": AUTHORIZATION_TYPE});
        let request = json!({
            "amount": link.amount,
            "currency": link.contract,
            "recipient": link.recipient,
            "methodDetails": details,
        });
        json!({
            "paymentId": link.id,
            "challenge": {"data": {"intent": "charge", "expires": time(link.expires), "request": request}},
            "status": self.state().name(),
            "symbol": link.symbol,
            "description": link.description,
            "realm": link.realm,
            "externalId": link.external_id,
            "errorMessage": link.reason(),
        })
    }

    /// Its state.
    pub fn status(&self) -> Reply {
        let is_final = self.state().is_final();
        let reply = envelope(&json!({
            "paymentId": self.link.id,
            "status": self.state().name(),
            "txHash": self.link.transaction(),
            "errorReason": self.link.reason(),
        }));
        let reply = reply.with(FINAL, if is_final { "true" } else { "false" });
        if is_final { reply } else { reply.with("retry-after", POLL_SECS) }
    }

    /// The reply that asks for its payment, for its URL.
    pub fn challenge(&self, url: &str, asks: &PaymentRequirements) -> Reply {
        match self.state() {
            LinkStatus::Pending => {
                let (description, mime_type) = (self.link.description.as_str(), "application/json");
                let service = &ServiceInfo::NONE;
                let resource = ResourceInfo { url, description, mime_type, service };
                let asked = PaymentRequired::new("payment_required", resource, [asks].into());
                let asked = farebox_base::encoding::json::text(&asked);
                let reply = Reply { status: 402, ..self.plain() };
                reply.with("payment-required", &header::encode(&asked))
            }
            LinkStatus::Settling => self.conflict(LinkDoor::X402),
            LinkStatus::Completed
            | LinkStatus::Failed
            | LinkStatus::Expired
            | LinkStatus::Cancelled => Reply { status: 410, ..self.plain() },
        }
    }

    fn plain(&self) -> Reply {
        Reply::json(200, self.terms().to_string())
    }

    /// The reply about the payment that it took.
    pub fn outcome(&self, door: LinkDoor) -> Reply {
        match (door, self.state()) {
            (LinkDoor::Credential, status) => {
                let success = match status {
                    LinkStatus::Completed => Some(true),
                    LinkStatus::Pending | LinkStatus::Settling => None,
                    LinkStatus::Failed | LinkStatus::Expired | LinkStatus::Cancelled => Some(false),
                };
                envelope(&json!({
                    "status": status.name(),
                    "txHash": self.link.transaction(),
                    "success": success,
                    "errorReason": self.link.reason(),
                }))
            }
            (LinkDoor::X402, LinkStatus::Completed) => {
                let settled = json!({
                    "success": true,
                    "transaction": self.link.transaction(),
                    "network": self.link.network,
                    "payer": self.link.payment().map(|payment| payment.from.clone()),
                    "amount": self.link.amount,
                });
                self.plain().with("payment-response", &header::encode(&settled.to_string()))
            }
            (LinkDoor::X402, LinkStatus::Settling) => {
                let detail = "it is not known yet whether the payment moved; send the same payment again, or ask for the status";
                problem(503, "settlement_unknown", detail).with("retry-after", POLL_SECS)
            }
            (
                LinkDoor::X402,
                LinkStatus::Pending
                | LinkStatus::Failed
                | LinkStatus::Expired
                | LinkStatus::Cancelled,
            ) => Reply { status: 410, ..self.plain() },
        }
    }

    /// Another payment than the one that it took, or one after its end.
    pub fn conflict(&self, door: LinkDoor) -> Reply {
        let reason = match self.state() {
            LinkStatus::Expired => "expired",
            LinkStatus::Cancelled => "cancelled",
            LinkStatus::Pending
            | LinkStatus::Settling
            | LinkStatus::Completed
            | LinkStatus::Failed => USED,
        };
        match door {
            LinkDoor::Credential => self.refusal(door, reason),
            LinkDoor::X402 => {
                let detail = "the link takes no payment any more; nothing was settled for this one";
                problem(409, reason, detail)
            }
        }
    }

    /// A payment that was not sent, because it is not known whether it was used before.
    pub fn unseen() -> Reply {
        let detail = "the chain cannot be read; nothing was settled: show the same payment again";
        problem(503, "chain_unavailable", detail).with("retry-after", POLL_SECS)
    }

    /// A payment that is none of this link: nothing was settled, and the link is as it was.
    pub fn refusal(&self, door: LinkDoor, reason: &str) -> Reply {
        match door {
            LinkDoor::Credential => envelope(&json!({
                "status": self.state().name(),
                "success": false,
                "errorReason": reason,
            })),
            LinkDoor::X402 => {
                problem(400, reason, "the payment is not one of this link; nothing was settled")
            }
        }
    }
}

/// `{code, data, msg}`, without members that are null.
fn envelope(data: &Value) -> Reply {
    let mut data = data.clone();
    if let Value::Object(members) = &mut data {
        members.retain(|_, value| !value.is_null());
    }
    Reply::json(200, json!({"code": 0, "msg": "", "data": data}).to_string())
}
