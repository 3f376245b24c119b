//! The questions to the treasury.

use alloc::string::String;

use super::message::{PayOrder, SellerAnswer, SellerCall};
use crate::text::Members;

/// Where it is asked.
pub const PATH: &str = "/api/sdk/payment-decisions";

impl PayOrder {
    /// The body of the request for a decision, about the call that was answered with a 402.
    #[must_use]
    pub fn document(&self, call: &SellerCall, answer: &SellerAnswer) -> String {
        let fields = |fields: &[(String, String)]| {
            let mut members = Members::new();
            let mut known: alloc::vec::Vec<&str> = alloc::vec::Vec::new();
            for (name, value) in fields {
                if !known.contains(&name.as_str()) {
                    known.push(name);
                    members = members.text(name, value);
                }
            }
            members.done()
        };
        let context = Members::new()
            .text("organization", &self.organization)
            .text("agent", &self.agent)
            .text("description", "invocation of a skill")
            .done();
        let request = Members::new()
            .text("url", &call.url)
            .text("method", &call.method)
            .raw("headers", &fields(&call.headers));
        let request = match &call.body {
            Some(body) => request.text("body", body),
            None => request,
        };
        let challenge = Members::new()
            .text("protocol", "x402")
            .raw("headers", &fields(&answer.headers))
            .text("body", &answer.body)
            .done();
        Members::new()
            .raw("context", &context)
            .raw("request", &request.done())
            .raw("challenge", &challenge)
            .text("idempotencyKey", &self.invocation)
            .text("candidate", &self.candidate)
            .text("maxAmount", &self.max_amount)
            .done()
    }
}
