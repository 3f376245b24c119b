//! The outcomes of calling a skill: it answers, or asks for money that the listing allows or not.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::booking::{Bookings, Figures, Finish};
use super::books::{Change, Rows};
use super::invoke::CALL_LEASE_MS;
use super::kernel::{Applied, Decision, Now};
use super::listing::Listings;
use super::message::{Answer, CallOutcome, Errand, MockProof, PayOrder, SellerAnswer};
use super::price::cut;
use super::row::{Ending, InvocationRow, Moved, Phase, SkillRow, SpendRow, VersionRow};
use super::seal::origin_of;
use super::spend::{SUM_DECIMALS, counted_on, day_of, find_spend};
use crate::grant::Grant;
use crate::text::Members;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_evm::token::{self, TOKENS};
use farebox_payer::client::asset::is_dollar;
use farebox_payer::client::challenge::{Challenge, Means};
use farebox_payer::client::offer::{Offer, digest};
use farebox_payer::client::policy::Policy;

/// Milliseconds for which a Worker may wait for the treasury.
pub(super) const PAY_LEASE_MS: u64 = 60_000;
/// The error of a skill that failed.
pub(super) const FAILED: &str = "Skill invocation failed";

/// Calls of the skills of a market.
pub(super) struct SellerCalls<'m> {
    pub listings: Listings<'m>,
    pub bookings: Bookings<'m>,
    /// Most that an agent may spend in a UTC day, dollars at 18 fraction digits.
    pub daily_cap: Option<Amount>,
    /// Whether payments without terms are pretended.
    pub mock: bool,
}

impl SellerCalls<'_> {
    /// Goes on after a call.
    pub fn take_outcome<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        outcome: &CallOutcome,
        moment: Now<'_>,
    ) -> Applied<B> {
        let id = grant.id;
        let Some(row) = books.invocation(id)? else {
            return self.bookings.follow(books, id, moment);
        };
        let is_held = row.fence == grant.fence;
        if is_held && row.phase == Phase::Paying && row.looks == 0 {
            // The report came before, and its answer was lost: the treasury knows the key.
            let owner = books.skill(&row.skill)?.map(|skill| skill.owner).unwrap_or_default();
            let order = write_order(&row, &owner, 0);
            return Ok(Decision::told(Answer::Errand(Errand::Pay(Box::new(order)))));
        }
        if !is_held || !matches!(row.phase, Phase::Calling | Phase::Proving) {
            return self.bookings.follow(books, id, moment);
        }
        let answer = match outcome {
            CallOutcome::Answer(answer) => answer,
            CallOutcome::TooLarge => {
                return self.fail(books, row, "response_too_large", moment);
            }
            CallOutcome::Timeout | CallOutcome::Unreachable | CallOutcome::Redirect => {
                return self.fail(books, row, FAILED, moment);
            }
        };
        let is_good = (200..300).contains(&answer.status);
        match (row.phase, answer.status) {
            (Phase::Calling, 402) if row.pack.is_empty() => {
                self.order_payment(books, row, answer, moment)
            }
            (Phase::Calling, _) if is_good => {
                let finish = Finish::success(Ending::Free, Moved::No, answer);
                self.bookings.finish(books, row, &finish, moment.now)
            }
            (Phase::Proving, _) if is_good => {
                let finish = Finish::success(Ending::PaidOk, Moved::Yes, answer);
                self.bookings.finish(books, row, &finish, moment.now)
            }
            _ => self.fail(books, row, FAILED, moment),
        }
    }

    fn fail<B: Rows>(
        &self,
        books: &B,
        row: InvocationRow,
        error: &str,
        moment: Now<'_>,
    ) -> Applied<B> {
        let finish = match row.phase {
            Phase::Proving => Finish::paid_failed(Moved::Yes, error),
            _ => Finish::failure(error),
        };
        self.bookings.finish(books, row, &finish, moment.now)
    }

    /// Asks the treasury to pay what the skill asks for, if the listing has it.
    fn order_payment<B: Rows>(
        &self,
        books: &B,
        row: InvocationRow,
        answer: &SellerAnswer,
        moment: Now<'_>,
    ) -> Applied<B> {
        let (skill, version) = (books.skill(&row.skill)?, books.version(&row.skill, &row.version)?);
        let (Some(skill), Some(version)) = (skill, version) else {
            return self.bookings.finish(
                books,
                row,
                &Finish::failure("Skill not found"),
                moment.now,
            );
        };
        let url = self.listings.address(&skill, &version);
        let offer = match read_terms(answer, &url, moment.now) {
            Some(offers) => choose_offer(offers, &skill, &version),
            None if self.mock => return Ok(pretend_payment(row, &version, moment)),
            None => Err("terms_unreadable"),
        };
        let offer = match offer {
            Ok(offer) => offer,
            Err(error) => {
                return self.bookings.finish(books, row, &Finish::failure(error), moment.now);
            }
        };
        let amount = offer.amount.to_decimal(offer.asset.decimals);
        let dollars = is_dollar(&offer.asset.symbol);
        let counted = Amount::from_decimal(&amount, SUM_DECIMALS).ok().filter(|_| dollars);
        let row = InvocationRow {
            xlm: counted
                .and_then(|_| self.bookings.rate.xlm_of(&amount))
                .unwrap_or_else(|| "0".to_string()),
            amount,
            asset: offer.asset.symbol.clone(),
            network: offer.asset.network.to_string(),
            ..row
        };
        let mut spend = find_spend(books, &row)?;
        let now = moment.now;
        let held = match self.hold(&spend, counted, offer.asset.decimals, now) {
            Ok(held) => held,
            Err(figures) => {
                let finish = Finish::unaffordable(figures);
                return self.bookings.finish(books, row, &finish, now);
            }
        };
        let before = counted_on(&spend, now);
        spend.day = day_of(&spend, now);
        spend.counted = before.checked_add(held).unwrap_or(Amount::MAX).to_string();
        let lease = now.saturating_add(PAY_LEASE_MS);
        let row = InvocationRow {
            phase: Phase::Paying,
            counted: held.to_string(),
            counted_day: Some(spend.day),
            lease,
            due: Some(lease),
            asks: 1,
            ..row
        };
        let order = write_order(&row, &skill.owner, 0);
        let changes =
            Vec::from([Change::Invocation(Box::new(row)), Change::Spend(Box::new(spend))]);
        Ok(Decision { answer: Answer::Errand(Errand::Pay(Box::new(order))), changes })
    }

    /// The amount that is held of an agent's day, or the figures of what is missing.
    fn hold(
        &self,
        spend: &SpendRow,
        counted: Option<Amount>,
        decimals: u8,
        now: u64,
    ) -> Result<Amount, Option<Figures>> {
        let Some(cap) = self.daily_cap else {
            return Ok(counted.unwrap_or(Amount::ZERO));
        };
        // What has no price in dollars cannot be compared with the cap.
        let amount = counted.ok_or(None)?;
        let before = counted_on(spend, now);
        let after = before.checked_add(amount).ok_or(None)?;
        if after <= cap {
            return Ok(amount);
        }
        let left = cap.checked_sub(before).unwrap_or(Amount::ZERO);
        let atomic = |amount: Amount| {
            let text = cut(amount, SUM_DECIMALS, decimals);
            Amount::from_decimal(&text, decimals).unwrap_or(Amount::ZERO).to_string()
        };
        Err(Some(Figures { required: atomic(amount), available: atomic(left) }))
    }
}

/// The offers of a 402; `None` if it has no terms.
fn read_terms(answer: &SellerAnswer, url: &str, now: u64) -> Option<Vec<Offer>> {
    let mut headers = Headers::new();
    for (name, value) in &answer.headers {
        headers.add(name, value);
    }
    let policy = every_asset()?;
    let host = origin_of(url).split_once("://").map_or("", |(_, host)| host);
    let means = Means {
        policy: &policy,
        host,
        url: None,
        now: UnixTime::from_secs(now.checked_div(1000).unwrap_or_default()),
        broadcasts: false,
        authorization_is_free: true,
        pins_realms: false,
    };
    let body = if answer.base64 { "" } else { answer.body.as_str() };
    Challenge::read(&headers, body.as_bytes(), means).ok().map(|challenge| challenge.offers)
}

/// Sends the original's proof of a pretended payment.
fn pretend_payment(row: InvocationRow, version: &VersionRow, moment: Now<'_>) -> Decision {
    let reference = alloc::format!("{}:stellar:{}", version.call_url, moment.now);
    // The id, because two may begin in one millisecond.
    let hash = hex::encode(&Sha256::digest(alloc::format!("{reference} {}", row.id).as_bytes()));
    let tx = alloc::format!("mock_tx_{hash}");
    let proof = Members::new()
        .text("paymentRef", &reference)
        .text("txHash", &tx)
        .text("chain", "stellar")
        .done();
    let lease = moment.now.saturating_add(CALL_LEASE_MS);
    let row = InvocationRow {
        phase: Phase::Proving,
        amount: version.price.clone(),
        asset: version.asset.clone(),
        network: "stellar".to_string(),
        xlm: version.xlm.clone().unwrap_or_else(|| "0".to_string()),
        tx,
        lease,
        due: Some(lease),
        ..row
    };
    let header = ("x-payment".to_string(), proof);
    let proof = MockProof { invocation: row.id.clone(), fence: row.fence, header };
    let changes = Vec::from([Change::Invocation(Box::new(row))]);
    Decision { answer: Answer::Errand(Errand::Prove(Box::new(proof))), changes }
}

/// The order for what a row pays.
pub(super) fn write_order(row: &InvocationRow, owner: &str, delay_ms: u64) -> PayOrder {
    let chain = ChainId::parse(&row.network).ok();
    let token = chain.as_ref().and_then(|chain| token::by_symbol(chain, &row.asset));
    let candidate = token.and_then(|token| {
        let amount = Amount::from_decimal(&row.amount, token.decimals).ok()?.to_string();
        let (asset, payee) = (token.address.to_lower_hex(), owner.to_ascii_lowercase());
        Some(digest([&row.network, &asset, &payee, &amount, "exact"]))
    });
    PayOrder {
        invocation: row.id.clone(),
        fence: row.fence,
        organization: row.organization.clone(),
        agent: row.agent.clone(),
        // Without a digest nothing may be paid.
        candidate: candidate.unwrap_or_else(|| "none".to_string()),
        max_amount: row.amount.clone(),
        delay_ms,
    }
}

/// The cheapest offer that the listing allows.
fn choose_offer(
    offers: Vec<Offer>,
    skill: &SkillRow,
    version: &VersionRow,
) -> Result<Offer, &'static str> {
    if offers.is_empty() {
        return Err("terms_unreadable");
    }
    let keep = |offers: Vec<Offer>, good: &dyn Fn(&Offer) -> bool, error: &'static str| {
        let kept: Vec<Offer> = offers.into_iter().filter(|offer| good(offer)).collect();
        if kept.is_empty() { Err(error) } else { Ok(kept) }
    };
    let is_payee = |offer: &Offer| offer.pay_to.to_checksum() == skill.owner;
    let offers = keep(offers, &is_payee, "payee_not_listed")?;
    let is_asset = |offer: &Offer| {
        let network = offer.asset.network.as_str();
        let known = token::by_symbol(&offer.asset.network, &version.asset);
        version.networks.iter().any(|it| it == network)
            && known.is_some_and(|token| token.address == offer.asset.address)
    };
    let offers = keep(offers, &is_asset, "asset_not_listed")?;
    let is_cheap = |offer: &Offer| {
        let price = Amount::from_decimal(&version.price, offer.asset.decimals);
        price.is_ok_and(|price| offer.amount <= price)
    };
    let offers = keep(offers, &is_cheap, "price_exceeds_listing")?;
    let whole = |offer: &Offer| {
        let text = offer.amount.to_decimal(offer.asset.decimals);
        Amount::from_decimal(&text, SUM_DECIMALS).unwrap_or(Amount::MAX)
    };
    offers.into_iter().min_by_key(whole).ok_or("terms_unreadable")
}

/// Every known asset, without limits: those of the listing are checked here.
fn every_asset() -> Option<Policy> {
    let mut symbols: Vec<Value> = Vec::new();
    for token in TOKENS.iter().filter(|token| token.eip3009) {
        if !symbols.iter().any(|known| known == token.symbol) {
            symbols.push(token.symbol.into());
        }
    }
    let mut members = Map::new();
    members.insert("assets".to_string(), Value::Array(symbols));
    Policy::from_json(&Value::Object(members).to_string()).ok()
}
