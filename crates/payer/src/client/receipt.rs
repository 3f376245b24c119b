//! Checks that a settlement header or a receipt agrees with the signed payment.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value, json};

use super::error::{ClientError, Reason, clean};
use super::offer::{Charge, TermsSource};
use super::prepare::Prepared;
use super::rejection::Problem;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::http::Headers;
use farebox_common::payment::{Cause, TxHash};
use farebox_evm::address::Address;
use farebox_evm::signature::Signature;
use farebox_wire::facilitator::outcome::is_refused;
use farebox_wire::facilitator::reason::cause;
use farebox_wire::mpp::receipt::{HEADER, ReceivedReceipt};
use farebox_wire::x402::extension::offer_receipt;
use farebox_wire::x402::{Version, header};

/// Maximum size of a settlement header, bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The amount that was charged, and the settlement that came with the response, for people, if
/// every member agrees with the payment; `None` if none came.
///
/// # Errors
/// [`Reason::ReceiptMismatch`], naming the member.
pub fn read(
    headers: &Headers,
    paid: &Prepared,
    url: &str,
) -> Result<Option<(Amount, Value)>, ClientError> {
    let offer = &paid.offer;
    let (transaction, amount, signed_by) = match &offer.asked {
        TermsSource::X402 { version, .. } => match Settlement::read(*version, headers)? {
            Some(settlement) => settlement.check(paid, *version, url)?,
            None => return Ok(None),
        },
        TermsSource::Mpp(charge) => match headers.joined(HEADER) {
            Some(value) => (Some(transaction_in(&value, charge, paid)?), offer.amount, None),
            None => return Ok(None),
        },
    };
    let receipt = json!({
        "transaction": transaction.map(|it| it.to_text()).unwrap_or_default(),
        "network": offer.asset.network.as_str(),
        "payer": paid.authorization.from.to_checksum(),
        "payTo": offer.pay_to.to_checksum(),
        "amount": amount.to_string(),
        "asset": offer.asset.address.to_checksum(),
        "price": amount.to_decimal(offer.asset.decimals),
        "symbol": offer.asset.symbol,
        "signedBy": signed_by.map(|address| address.to_checksum()),
    });
    Ok(Some((amount, receipt)))
}

/// The transaction that a `Payment-Receipt` names. Missing members contradict nothing.
fn transaction_in(value: &str, charge: &Charge, paid: &Prepared) -> Result<TxHash, ClientError> {
    let receipt = ReceivedReceipt::read(value).map_err(|error| mismatch(&error.to_string()))?;
    if receipt.method != charge.challenge.method {
        return Err(mismatch("it names a different method"));
    }
    if receipt.challenge_id.is_some_and(|id| id != charge.challenge.id) {
        return Err(mismatch("it names a different challenge"));
    }
    if receipt.chain_id.is_some_and(|id| id != paid.offer.chain_id) {
        return Err(mismatch("it names a different network"));
    }
    let sale = charge.external_id.as_ref().zip(receipt.external_id.as_ref());
    if sale.is_some_and(|(ours, theirs)| ours != theirs) {
        return Err(mismatch("it names a different externalId"));
    }
    let transaction = TxHash::parse(&receipt.reference);
    let transaction = transaction.ok_or_else(|| mismatch("it names no transaction"))?;
    if paid.transaction.is_some_and(|sent| sent != transaction) {
        return Err(mismatch("it names a different transaction than the one that was sent"));
    }
    Ok(transaction)
}

/// Whether a 402 to a payment leaves open that value moved: a settlement was tried that may have
/// been sent. This project's gate answers 402 only if it is certain.
#[must_use]
pub fn leaves_open(headers: &Headers, problem: &Problem) -> bool {
    let is_open = match Settlement::read(Version::V2, headers) {
        Ok(settlement) => settlement.is_some_and(|it| it.is_open()),
        Err(_) => true,
    };
    is_open && !problem.is_ours
}

/// A server's statement about an x402 settlement.
#[derive(Clone, Debug)]
pub struct Settlement {
    object: Map<String, Value>,
}

impl Settlement {
    /// The settlement header, if there is one; servers in Rust answer version 1 in that of version
    /// 2.
    ///
    /// # Errors
    /// [`Reason::ReceiptMismatch`] for one that cannot be read.
    pub fn read(version: Version, headers: &Headers) -> Result<Option<Self>, ClientError> {
        let other = match version {
            Version::V1 => Version::V2,
            Version::V2 => Version::V1,
        };
        let mut names = [version, other]
            .map(|version| version.settlement_header().to_ascii_lowercase())
            .into_iter();
        let Some(value) = names.find_map(|name| headers.joined(&name)) else { return Ok(None) };
        match header::decode_up_to(&value, MAX_HEADER_BYTES) {
            Ok(message) => Ok(Some(Self { object: message.object })),
            Err(_) => Err(mismatch("the settlement header is not base64 of JSON")),
        }
    }

    /// Whether it says that value moved.
    #[must_use]
    pub fn success(&self) -> bool {
        self.object.get("success").and_then(Value::as_bool) == Some(true)
    }

    /// Whether it leaves open that value moved or is about to: it does not say for certain that
    /// nothing was sent to the chain. Who lacks funds has nothing that could move.
    fn is_open(&self) -> bool {
        let is_unsent = self.text("transaction").unwrap_or_default().is_empty();
        let lacks = self.refusal().is_some_and(|reason| cause(reason) == Cause::Funds);
        !(is_refused(&self.object) || is_unsent && lacks)
    }

    /// The reason why no value moved, in the server's words, if it says so and gives one.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.text("errorReason").filter(|reason| !self.success() && !clean(reason).is_empty())
    }

    /// The reason, cleaned.
    fn reason(&self) -> String {
        clean(self.refusal().unwrap_or("no reason given"))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.object.get(name).and_then(Value::as_str)
    }

    /// The transaction, the amount, and the signer of its receipt, if every member agrees with the
    /// payment. Less than was signed is an agreement where the price is known afterwards, and no
    /// transaction belongs to an amount of zero.
    fn check(
        &self,
        paid: &Prepared,
        version: Version,
        url: &str,
    ) -> Result<(Option<TxHash>, Amount, Option<Address>), ClientError> {
        let (offer, payer) = (&paid.offer, paid.authorization.from);
        if !self.success() {
            return Err(mismatch(&format!(
                "it reports that no payment was made: {}",
                self.reason()
            )));
        }
        let ours = &offer.asset.network;
        let is_ours = |network: &str| match version {
            Version::V1 => ChainId::parse_or_name(network).as_ref() == Ok(ours),
            Version::V2 => network == ours.as_str(),
        };
        if !self.text("network").is_some_and(is_ours) {
            return Err(mismatch("it names a different network"));
        }
        let is_payer = |text: &str| Address::parse(text).is_ok_and(|address| address == payer);
        if self.text("payer").is_some_and(|text| !text.is_empty() && !is_payer(text)) {
            return Err(mismatch("it names a different payer"));
        }
        let agrees = |amount: Amount| match offer.is_bound() {
            true => amount <= offer.amount,
            false => amount == offer.amount,
        };
        let amount = match self.text("amount").filter(|text| !text.is_empty()) {
            None => offer.amount,
            Some(text) => Amount::from_atomic(text)
                .ok()
                .filter(|amount| agrees(*amount))
                .ok_or_else(|| mismatch("it names a different amount"))?,
        };
        if amount.is_zero() && self.text("transaction").unwrap_or_default().is_empty() {
            return Ok((None, amount, None));
        }
        let transaction = self.text("transaction").and_then(TxHash::parse);
        let transaction = transaction.ok_or_else(|| mismatch("it names no transaction"))?;
        Ok((Some(transaction), amount, self.receipt(paid, &transaction, url)?))
    }

    /// The signer of the receipt of extension `offer-receipt`, if there is one in a form that can
    /// be checked here.
    fn receipt(
        &self,
        paid: &Prepared,
        transaction: &TxHash,
        url: &str,
    ) -> Result<Option<Address>, ClientError> {
        let extension = self.object.get("extensions").and_then(|all| all.get(offer_receipt::NAME));
        let receipt = extension.and_then(|it| it.get("info")).and_then(|info| info.get("receipt"));
        let Some(receipt) = receipt else { return Ok(None) };
        if receipt.get("format").and_then(Value::as_str) != Some(offer_receipt::FORMAT) {
            return Ok(None);
        }
        let (signer, payload) = signer_of_receipt(receipt)?;
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
        let payer = Address::parse(text("payer"));
        // A server may omit the transaction; if it names one, it must be this one.
        let other = !text("transaction").is_empty()
            && TxHash::parse(text("transaction")).as_ref() != Some(transaction);
        if payer != Ok(paid.authorization.from) || other {
            return Err(mismatch("the signed receipt names a different payer or transaction"));
        }
        if text("network") != paid.offer.asset.network.as_str() || !is_for(text("resourceUrl"), url)
        {
            return Err(mismatch("the signed receipt names a different network or resource"));
        }
        Ok(Some(signer))
    }
}

/// Whether a receipt for `resource` is one for the request to `url`.
#[must_use]
pub fn is_for(resource: &str, url: &str) -> bool {
    resource == url
}

/// Signer and content of a receipt of extension `offer-receipt`.
///
/// # Errors
/// [`Reason::ReceiptMismatch`] if it has another form or no signer.
pub fn signer_of_receipt(receipt: &Value) -> Result<(Address, &Map<String, Value>), ClientError> {
    let payload = receipt.get("payload").and_then(Value::as_object);
    let payload = payload.ok_or_else(|| mismatch("the receipt has no payload"))?;
    let digest = offer_receipt::Payload::read(payload)
        .ok_or_else(|| mismatch("a member of the receipt is missing"))?
        .digest();
    let signature = receipt.get("signature").and_then(Value::as_str).unwrap_or_default();
    let signer = hex::decode_prefixed(signature)
        .ok()
        .and_then(|bytes| Signature::from_bytes(&bytes).ok())
        .and_then(|signature| signature.recover(&digest).ok());
    signer.map(|signer| (signer, payload)).ok_or_else(|| mismatch("the receipt has no signer"))
}

fn mismatch(what: &str) -> ClientError {
    let message = format!("the receipt contradicts what was signed: {what}");
    ClientError::new(Reason::ReceiptMismatch, message)
}
