//! Challenges, credentials and receipts drawn at random, from fixed seeds.

use farebox_core::encoding::{base64, jcs};
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::credential::{CredentialSearch, find};
use farebox_core::mpp::receipt::{Receipt, ReceivedReceipt};
use farebox_core::mpp::{Challenge, Credential, Malformed, digest, id};
use farebox_core::time::UnixTime;
use mpp::{Base64UrlJson, PaymentCredential};
use serde_json::{Map, Value, json};

use crate::{ours, their_id, theirs};

const SECRET: &str = "a secret of at least thirty-two bytes";
const ROUNDS: u64 = 500;

/// Repeatable numbers without a pattern (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn text(&mut self) -> String {
        let characters: Vec<char> =
            "aZ09\"\\,= ';/:u{}-_+é€\u{1F600}\u{fb33}\u{ff}".chars().collect();
        (0..self.below(24)).map(|_| characters[self.below(characters.len())]).collect()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.below(2) == 0 { Some(make(self)) } else { None }
    }

    fn object(&mut self) -> Value {
        let mut object = Map::new();
        for _ in 0..self.below(5) {
            let value = match self.below(6) {
                0 => json!(self.next()),
                1 => json!([self.text(), null, true]),
                2 => json!({ "x": self.text(), "a": 1, "\u{20ac}": [] }),
                3 => Some(f64::from_bits(self.next())).filter(|it| it.is_finite()).into(),
                4 => json!(self.next() as i64),
                _ => json!(self.text()),
            };
            object.insert(self.text(), value);
        }
        Value::Object(object)
    }

    fn challenge(&mut self) -> Challenge {
        let request = Base64UrlJson::from_value(&self.object()).unwrap();
        Challenge {
            id: format!("i{}", self.text()),
            realm: self.text(),
            method: ["evm", "tempo", "a1:b_c-d"][self.below(3)].into(),
            intent: ["charge", "session", "subscription"][self.below(3)].into(),
            request: request.raw().into(),
            expires: self.maybe(|dice| UnixTime::from_secs(dice.next() % 9_999_999_999).rfc3339()),
            digest: self.maybe(|dice| digest::of(dice.text().as_bytes())),
            description: self.maybe(|dice| format!("d{}", dice.text())),
            opaque: self.maybe(|dice| {
                let value = json!({ "k": dice.text() });
                Base64UrlJson::from_value(&value).unwrap().raw().into()
            }),
            header: self.maybe(|_| "Payment-Authorization".into()),
        }
    }
}

#[test]
fn canonical_json_is_the_same() {
    let mut dice = Dice(20);
    for _ in 0..ROUNDS {
        let value = dice.object();
        let text = base64::encode_url(jcs::text(&value).as_bytes());
        assert_eq!(text, Base64UrlJson::from_value(&value).unwrap().raw(), "{value}");
    }
}

#[test]
fn challenges_are_written_and_read_alike_and_have_one_id() {
    let mut dice = Dice(21);
    for _ in 0..ROUNDS {
        let mut challenge = dice.challenge();
        challenge.id = id::id(SECRET.as_bytes(), &challenge).unwrap();
        assert_eq!(challenge.id, their_id(SECRET, &challenge), "{challenge:?}");
        let our_header = challenge.to_header().unwrap();
        assert_eq!(
            ours(&mpp::parse_www_authenticate(&our_header).unwrap()),
            challenge,
            "{our_header}"
        );
        let their_header = mpp::format_www_authenticate(&theirs(&challenge)).unwrap();
        assert_eq!(read_list(&their_header), [Ok(challenge.clone())], "{their_header}");
        assert_eq!(our_header, their_header);
        let joined = format!("Basic realm=\"Payment\", {our_header}, Bearer x, {their_header}");
        let list: Vec<Challenge> = mpp::parse_www_authenticate_all([joined.as_str()])
            .into_iter()
            .map(|read| ours(&read.unwrap()))
            .collect();
        assert_eq!(list, [challenge.clone(), challenge.clone()]);
        assert_eq!(read_list(&joined), [Ok(challenge.clone()), Ok(challenge)]);
    }
}

/// mpp.md 3: they bind a slot with the separator in it, and then two challenges have one id.
#[test]
fn only_they_bind_a_slot_that_holds_the_separator() {
    let mut dice = Dice(22);
    let challenge = Challenge { realm: "a|b".into(), ..dice.challenge() };
    assert_eq!(their_id(SECRET, &challenge).len(), 43);
    assert_eq!(id::id(SECRET.as_bytes(), &challenge), Err(Malformed::Unbindable("realm")));
}

/// They refuse to write it; we escape it as they escape other characters, and they read that.
#[test]
fn only_we_write_a_description_of_several_lines() {
    let mut dice = Dice(23);
    let challenge = Challenge { description: Some("a\r\nb".into()), ..dice.challenge() };
    assert!(mpp::format_www_authenticate(&theirs(&challenge)).is_err());
    let header = challenge.to_header().unwrap();
    assert_eq!(ours(&mpp::parse_www_authenticate(&header).unwrap()), challenge);
}

/// mpp.md 15, row 1: they know one name, we leave the choice to whoever answers.
#[test]
fn only_we_read_a_challenge_for_another_field() {
    let mut dice = Dice(24);
    let challenge = Challenge { header: Some("X-Payment".into()), ..dice.challenge() };
    let header = challenge.to_header().unwrap();
    assert!(mpp::parse_www_authenticate(&header).is_err());
    assert_eq!(read_list(&header), [Ok(challenge)]);
}

#[test]
fn credentials_are_written_and_read_alike() {
    let mut dice = Dice(25);
    for _ in 0..ROUNDS {
        let payload = dice.object();
        let credential = Credential {
            challenge: dice.challenge(),
            payload: payload.as_object().unwrap().clone(),
            source: dice.maybe(|dice| format!("did:{}", dice.text())),
        };
        let read = mpp::parse_authorization(&credential.to_header()).unwrap();
        assert_eq!(ours_of_echo(&read), credential.challenge);
        assert_eq!((&read.payload, &read.source), (&doubles(&payload), &credential.source));
        let mut written =
            PaymentCredential::new(theirs(&credential.challenge).to_echo(), doubles(&payload));
        written.source.clone_from(&credential.source);
        let header = mpp::format_authorization(&written).unwrap();
        let CredentialSearch::One(token) = find([header.as_str()].into_iter()) else {
            panic!("{header}")
        };
        let read = Credential::read(token).unwrap();
        assert_eq!((read.challenge, read.source), (credential.challenge, credential.source));
        assert_eq!(Value::Object(read.payload), doubles(&payload));
    }
}

/// The value after a journey through canonical JSON, where every number is a double.
fn doubles(value: &Value) -> Value {
    serde_json::from_str(&jcs::text(value)).unwrap()
}

fn ours_of_echo(credential: &PaymentCredential) -> Challenge {
    let echo = credential.challenge.clone();
    Challenge {
        id: echo.id,
        realm: echo.realm,
        method: echo.method.as_str().into(),
        intent: echo.intent.as_str().into(),
        request: echo.request.raw().into(),
        expires: echo.expires,
        description: echo.description,
        digest: echo.digest,
        opaque: echo.opaque.map(|opaque| opaque.raw().into()),
        header: echo.header,
    }
}

#[test]
fn receipts_are_written_and_read_alike() {
    let mut dice = Dice(26);
    for _ in 0..ROUNDS {
        let (reference, challenge_id, external_id) = (dice.text(), dice.text(), dice.text());
        let time = UnixTime::from_secs(dice.next() % 9_999_999_999);
        let receipt = Receipt {
            method: "evm",
            reference: &reference,
            timestamp: time,
            challenge_id: dice.maybe(|_| challenge_id.as_str()),
            chain_id: dice.maybe(|dice| dice.next() % 9_007_199_254_740_992),
            external_id: dice.maybe(|_| external_id.as_str()),
        };
        let read = mpp::parse_receipt(&receipt.to_header()).unwrap();
        assert!(read.is_success());
        assert_eq!((read.method.as_str(), &read.reference), ("evm", &reference));
        assert_eq!(read.timestamp, time.rfc3339());
        assert_eq!(read.external_id.as_deref(), receipt.external_id);
        let extension = |name: &str| read.extensions.get(name).cloned();
        assert_eq!(extension("challengeId"), receipt.challenge_id.map(Value::from));
        assert_eq!(extension("chainId"), receipt.chain_id.map(Value::from));
        let back = ReceivedReceipt::read(&mpp::format_receipt(&read).unwrap()).unwrap();
        assert_eq!((&back.reference, back.timestamp), (&reference, time));
        assert_eq!(back.chain_id, receipt.chain_id);
        assert_eq!(back.challenge_id.as_deref(), receipt.challenge_id);
        assert_eq!(back.external_id.as_deref(), receipt.external_id);
    }
}

#[test]
fn digests_are_the_same() {
    let mut dice = Dice(27);
    for _ in 0..ROUNDS {
        let body = dice.text();
        let written = digest::of(body.as_bytes());
        assert_eq!(written, mpp::body_digest::compute(body.as_bytes()));
        let value = written.strip_prefix("sha-256=").unwrap();
        assert!(mpp::body_digest::verify(&format!("sha-256=:{value}:"), body.as_bytes()));
    }
}
