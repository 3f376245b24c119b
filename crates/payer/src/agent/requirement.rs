//! The price that is shown of a challenge: that of the first way to pay.

use alloc::string::String;

use super::asset;
use super::challenge::{RawChallenge, whole};
use super::detect::{MAX_BODY, Scheme, schemes};
use super::field::{Attribution, Source};
use super::json::Json;
use super::money;
use super::text::{MAX_TEXT, bounded};
use farebox_base::encoding::base64;
use farebox_wire::mpp::SCHEME;

/// Whether the amount is what is paid, or the most that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountType {
    /// The amount that is paid.
    Exact,
    /// The most that may be paid.
    Max,
}

/// The price that is shown. Members are texts as they came: whoever pays checks them.
#[derive(Clone, Debug, Default)]
pub struct Requirement {
    /// Decimal amount, with all fraction digits.
    pub amount: Option<String>,
    /// Atomic units.
    pub minor: Option<String>,
    /// Fraction digits.
    pub precision: Option<usize>,
    /// The meaning of the amount.
    pub amount_type: Option<AmountType>,
    /// The token.
    pub asset: Option<String>,
    /// The network.
    pub network: Option<String>,
    /// The recipient.
    pub payee: Option<String>,
    /// The merchant's words.
    pub description: Option<String>,
}

impl Requirement {
    /// Reads the first way to pay; without one the header fields that name a price.
    #[must_use]
    pub fn of(challenge: &RawChallenge) -> Self {
        match challenge.accepts().next() {
            Some(accept) => Self::of_accept(accept, &challenge.payload),
            None => Self::of_charge(challenge).unwrap_or_else(|| Self::of_headers(challenge)),
        }
    }

    /// The first charge of MPP, method `evm`.
    fn of_charge(challenge: &RawChallenge) -> Option<Self> {
        let value = challenge.headers.joined("www-authenticate")?;
        let is_charge = |it: &Scheme| {
            it.name.eq_ignore_ascii_case(SCHEME) && it.param("intent") == Some("charge")
        };
        let scheme = schemes(&value).into_iter().find(is_charge)?;
        let bytes = base64::decode_url(scheme.param("request")?).ok()?;
        let request = Json::read(core::str::from_utf8(&bytes).ok()?, MAX_BODY)?;
        let chain = whole(request.at(&["methodDetails", "chainId"]))?;
        let asset = text(&request, "currency")?;
        let minor = units(request.get("amount"))?;
        let precision = asset::known(&asset).map(|known| known.precision);
        Some(Self {
            amount: precision.and_then(|places| money::from_minor(&minor, places)),
            amount_type: Some(AmountType::Exact),
            minor: Some(minor),
            precision,
            asset: Some(asset),
            network: Some(alloc::format!("eip155:{chain}")),
            payee: text(&request, "recipient"),
            description: None,
        })
    }

    fn of_accept(accept: &Json, payload: &Json) -> Self {
        let exact = units(accept.get("amount"));
        let amount_type = if exact.is_some() { AmountType::Exact } else { AmountType::Max };
        let minor = exact.or_else(|| units(accept.get("maxAmountRequired")));
        let extra = |name| accept.at(&["extra", name]);
        let precision = whole(accept.get("precision"))
            .or_else(|| whole(extra("precision")))
            .or_else(|| whole(extra("decimals")));
        // A known token has its own decimals: others would show another price than is paid.
        let pinned = accept.text_of("asset").and_then(asset::known).map(|known| known.precision);
        let precision = precision.map(|told| pinned.unwrap_or(told));
        let amount = minor
            .as_deref()
            .zip(precision)
            .and_then(|(minor, places)| money::from_minor(minor, places));
        let described = payload.at(&["resource", "description"]).and_then(Json::text);
        Self {
            amount,
            amount_type: minor.is_some().then_some(amount_type),
            minor,
            precision,
            asset: text(accept, "asset"),
            network: text(accept, "network"),
            payee: text(accept, "payTo"),
            description: described
                .map(|text| bounded(text, MAX_TEXT))
                .filter(|text| !text.is_empty()),
        }
    }

    fn of_headers(challenge: &RawChallenge) -> Self {
        let headers = &challenge.headers;
        let is_priced = headers.filled("x-payment-amount").is_some();
        if !is_priced && headers.joined("www-authenticate").is_none() {
            return Self::default();
        }
        let scheme = challenge.scheme();
        let value = |name: &str| {
            let header = challenge.headers.filled(&alloc::format!("x-payment-{name}"));
            let param = scheme.as_ref().and_then(|scheme| scheme.param(name));
            header.or(param).map(|text| bounded(text, MAX_TEXT))
        };
        let amount = value("amount").filter(|text| money::decimals(text).is_some());
        let places = amount.as_deref().and_then(money::decimals);
        let declared = challenge.headers.filled("x-payment-precision");
        let declared = declared.and_then(|text| text.parse().ok());
        // An amount with more decimals than it declares keeps its own.
        let precision = declared.filter(|it| Some(*it) >= places).or(places);
        let minor = amount.as_deref().zip(precision);
        let minor = minor.and_then(|(amount, precision)| money::to_minor(amount, precision).ok());
        Self {
            amount: amount.filter(|_| minor.is_some()),
            amount_type: minor.is_some().then_some(AmountType::Exact),
            precision,
            minor,
            asset: value("asset"),
            network: value("network"),
            payee: value("payee"),
            description: None,
        }
    }

    /// As it is shown.
    #[must_use]
    pub fn to_json(&self, protocol: &str) -> Json {
        let text = |value: &Option<String>| value.as_deref().map(Json::from);
        let amount_type = self.amount_type.map(|it| match it {
            AmountType::Exact => "exact".into(),
            AmountType::Max => "max".into(),
        });
        Json::object([
            ("protocol", Some(protocol.into())),
            ("asset", text(&self.asset)),
            ("amount", text(&self.amount)),
            ("amountMinor", text(&self.minor)),
            ("precision", self.precision.map(number)),
            ("description", text(&self.description)),
            ("network", text(&self.network)),
            ("payee", text(&self.payee)),
            ("amountType", amount_type),
            ("provenance", Some(Attribution::of(Source::Merchant).to_json())),
        ])
    }
}

fn number(value: usize) -> Json {
    Json::number(u64::try_from(value).unwrap_or(u64::MAX))
}

fn text(of: &Json, name: &str) -> Option<String> {
    of.text_of(name).map(|text| bounded(text, MAX_TEXT)).filter(|text| !text.is_empty())
}

/// Atomic units, as text or as a whole number.
fn units(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::Text(text) | Json::Number(text) => money::is_digits(text).then(|| text.clone()),
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
    }
}
