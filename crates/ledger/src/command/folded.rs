//! The request of a payment whose money has reached its end: nobody sends it again, so only what is
//! still asked of it stays.

use alloc::string::String;

use farebox_base::encoding::json;
use farebox_base::hash::digest;

use super::payment::Payment;

impl Payment {
    /// Replaces the facilitator request by its digest and the amount that its payer signed. A
    /// payment that the chain settles keeps its request, which is short.
    pub fn fold(&mut self) {
        if self.is_onchain() || self.is_folded() {
            return;
        }
        let name = fingerprint(&self.request);
        let folded = match signed_amount(&self.request) {
            None => json::json!({ FOLDED: name }),
            Some(amount) => json::json!({ FOLDED: name, SIGNED: amount }),
        };
        self.request = json::text(&folded);
        self.client.clear();
    }

    /// Whether `again` has the request of this payment.
    pub(crate) fn has_request_of(&self, again: &Self) -> bool {
        self.request == again.request
            || self.is_folded() && self.folded_name() == Some(fingerprint(&again.request))
    }

    fn is_folded(&self) -> bool {
        self.folded_name().is_some()
    }

    /// The digest in the place of the request.
    fn folded_name(&self) -> Option<String> {
        let name = self.request.strip_prefix("{\"folded\":\"")?.get(..FINGERPRINT_DIGITS)?;
        Some(String::from(name))
    }
}

/// The amount that the payer signed, as the body of a facilitator request shows it, or what stays of
/// one.
#[must_use]
pub fn signed_amount(request: &str) -> Option<String> {
    let request = json::parse(request.as_bytes()).ok()?;
    let whole = || request.pointer("/paymentPayload/payload/authorization/value");
    request.get(SIGNED).or_else(whole)?.as_str().map(String::from)
}

fn fingerprint(request: &str) -> String {
    let digest = digest(&[request.as_bytes()]);
    digest.get(..FINGERPRINT_DIGITS).map(String::from).unwrap_or_default()
}

/// The member that names the request.
const FOLDED: &str = "folded";
/// The member with the amount that was signed.
const SIGNED: &str = "signed";
/// Digits of the request's digest.
const FINGERPRINT_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::payment::Mode;
    use super::super::signing::Signing;
    use super::*;

    fn payment(request: &str, amount: &str) -> Payment {
        let text = String::from;
        Payment {
            binding: text("b"),
            secret: None,
            mode: Mode::After,
            receipt: text("rcpt_a"),
            route: text("/report"),
            url: text("https://shop.example/report"),
            correlation: text("c"),
            network: text("eip155:84532"),
            asset: text("0x01"),
            amount: text(amount),
            pay_to: text("0x02"),
            valid_before: 1_763_618_400,
            facilitator: text("https://facilitator.example"),
            request: text(request),
            confirm: false,
            client: text("2bb452de418f62fe"),
            signing: Signing::default(),
        }
    }

    const REQUEST: &str =
        r#"{"paymentPayload":{"payload":{"authorization":{"nonce":"0x07","value":"20000"}}}}"#;

    #[test]
    fn a_folded_payment_knows_its_request_and_the_signed_amount() {
        let whole = payment(REQUEST, "10000");
        let mut folded = whole.clone();
        folded.fold();
        assert_eq!(folded.client, "");
        assert_eq!(signed_amount(&folded.request).as_deref(), Some("20000"));
        assert_eq!(
            folded.request,
            r#"{"folded":"aef143e52636aafd80ae5365b31f9394","signed":"20000"}"#
        );
        assert!(folded.has_request_of(&whole));
        assert!(!folded.has_request_of(&payment(&REQUEST.replace("0x07", "0x08"), "10000")));
        let mut again = folded.clone();
        again.fold();
        assert_eq!(again, folded, "and is folded once");
    }

    #[test]
    fn a_payment_that_the_chain_settles_keeps_its_request() {
        let mut onchain = payment("0x02f8", "10000");
        onchain.facilitator = String::from("chain:eip155:84532");
        let before = onchain.clone();
        onchain.fold();
        assert_eq!(onchain, before);
    }
}
