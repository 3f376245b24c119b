//! What holds for every text: what is written is read again, what is read is written again, and nothing panics.

use crate::support::Dice;
use farebox_core::encoding::{base64, jcs};
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::charge::{Payload, Request};
use farebox_core::mpp::credential::{CredentialSearch, find};
use farebox_core::mpp::receipt::ReceivedReceipt;
use farebox_core::mpp::source::Source;
use farebox_core::mpp::{Challenge, Credential, Malformed, accept, id, rpc, tempo};
use farebox_core::time::UnixTime;
use serde_json::{Map, Value, json};

/// Characters that mean something to some reader, and some that do not.
const CHARACTERS: [char; 24] = [
    'a',
    'Z',
    '0',
    '"',
    '\\',
    ',',
    '=',
    ' ',
    '\'',
    ';',
    '/',
    ':',
    '|',
    'u',
    '{',
    '-',
    '_',
    '+',
    'é',
    '€',
    '\u{1F600}',
    '\u{fb33}',
    '\u{ff}',
    'P',
];

fn any_text(dice: &mut Dice, longest: u64) -> String {
    let length = dice.next() % (longest + 1);
    (0..length).map(|_| CHARACTERS[dice.next() as usize % CHARACTERS.len()]).collect()
}

fn maybe<T>(dice: &mut Dice, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    dice.next().is_multiple_of(2).then(|| make(dice))
}

fn any_object(dice: &mut Dice) -> String {
    let mut object = Map::new();
    for _ in 0..dice.next() % 4 {
        let value = match dice.next() % 5 {
            0 => json!(dice.next() % 1_000_000),
            1 => json!([any_text(dice, 5), null, true]),
            2 => json!({ "x": any_text(dice, 5) }),
            #[allow(clippy::float_arithmetic)] // A number that has no place in money.
            3 => json!((dice.next() % 1_000_000) as f64 / 64.0),
            _ => json!(any_text(dice, 12)),
        };
        object.insert(any_text(dice, 6), value);
    }
    base64::encode_url(jcs::object_text(&object).as_bytes())
}

fn any_challenge(dice: &mut Dice) -> Challenge {
    let method = ["evm", "tempo", "a1:b_c-d"][dice.next() as usize % 3];
    let header = ["Payment-Authorization", "x", "!#"][dice.next() as usize % 3];
    Challenge {
        id: format!("i{}", any_text(dice, 20)),
        realm: any_text(dice, 20),
        method: method.into(),
        intent: ["charge", "session", "A-1"][dice.next() as usize % 3].into(),
        request: any_object(dice),
        expires: maybe(dice, |dice| UnixTime::from_secs(dice.next() % 9_999_999_999).rfc3339()),
        digest: maybe(dice, |_| "sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".into()),
        description: maybe(dice, |dice| format!("\r\nX: {}\t\u{7}", any_text(dice, 20))),
        opaque: maybe(dice, any_object),
        header: maybe(dice, |_| header.into()),
    }
}

#[test]
fn what_is_written_is_read_again_alone_and_among_others() {
    let mut dice = Dice(11);
    let between = [", ", ",", " , , ", ", Basic realm=\"Payment id=x, \\\"\", ", ",Bearer x==,\t"];
    for _ in 0..3_000 {
        let challenges: Vec<Challenge> =
            (0..=dice.next() % 3).map(|_| any_challenge(&mut dice)).collect();
        let mut value = String::new();
        for challenge in &challenges {
            let header = challenge.to_header().unwrap();
            assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{header}");
            if !value.is_empty() {
                value.push_str(between[dice.next() as usize % between.len()]);
            }
            value.push_str(&header);
        }
        let read: Vec<Challenge> = read_list(&value).into_iter().map(Result::unwrap).collect();
        assert_eq!(read, challenges, "{value}");
        for challenge in challenges {
            // An id is a function of exactly the slots, and there is none where they could be read in two ways.
            match id::id(b"key", &challenge) {
                Ok(made) => {
                    assert_eq!(made.len(), 43);
                    let known = Challenge { id: made, description: None, ..challenge.clone() };
                    assert!(id::holds(&[b"other", b"key"], &known));
                }
                Err(error) => {
                    assert!(matches!(error, Malformed::Unbindable("realm")), "{challenge:?}");
                    assert!(challenge.realm.contains('|'));
                }
            }
            let object = rpc::challenge_object(&challenge).unwrap();
            assert_eq!(rpc::challenge(object.as_object().unwrap()), Ok(challenge.clone()));
            let source = maybe(&mut dice, |dice| format!("s{}", any_text(dice, 9)));
            let payload = json!({ "type": any_text(&mut dice, 9), "n": 1 });
            let credential =
                Credential { challenge, payload: payload.as_object().unwrap().clone(), source };
            let header = credential.to_header();
            let rows = ["Bearer x", &format!("Basic y, {header}"), &header];
            let CredentialSearch::One(token) = find(rows.into_iter()) else { panic!("{header}") };
            assert_eq!(Credential::read(token), Ok(credential));
        }
    }
}

/// Pieces of all the texts that are read here.
const PIECES: [&str; 44] = [
    "Payment ",
    "payment\t",
    "Payment",
    "id=",
    "\"abc\"",
    "realm=\"r\"",
    "method=\"evm\"",
    "method=tempo",
    "intent=\"charge\"",
    "request=\"e30\"",
    "request=\"eyJhIjoxfQ\"",
    "expires=\"2035-01-01T00:00:00Z\"",
    "digest=\"sha-256=AAAA\"",
    "opaque=\"e30\"",
    "header=\"X\"",
    "description=\"",
    "\\u00e9",
    "\\ud83d",
    "\\ude00",
    "\\u12",
    "\\\\",
    "\\\"",
    "\"",
    ",",
    ", ",
    "=",
    " ",
    "\u{7}",
    "é",
    "\u{1F600}",
    "Bearer x",
    "evm/charge",
    "*/*",
    ";q=0.5",
    ";q",
    "{",
    "}",
    "\"challenge\":",
    "\"payload\":{}",
    "null",
    "{\"id\":\"a\"}",
    "did:pkh:eip155:",
    "2035-01-01T00:00:00",
    "+01:00",
];

#[test]
fn no_text_is_misread_and_none_stops_the_reader() {
    let mut dice = Dice(12);
    let (mut read, mut refused) = (0, 0);
    for round in 0..100_000 {
        let mut text = String::new();
        // Half of them begin as a challenge does, so that some are one.
        if round % 2 == 0 {
            text.push_str(
                "Payment id=\"a\", realm=\"r\", method=\"evm\", intent=\"charge\", request=\"e30\"",
            );
            if dice.next().is_multiple_of(2) {
                text.push_str(", ");
            }
        }
        for _ in 0..dice.next() % 8 {
            text.push_str(PIECES[dice.next() as usize % PIECES.len()]);
        }
        for challenge in read_list(&text) {
            match challenge {
                Ok(challenge) => {
                    read += 1;
                    let header = challenge.to_header().unwrap();
                    assert_eq!(read_list(&header), [Ok(challenge.clone())], "{text}");
                    assert_eq!(
                        challenge.request_object().is_ok(),
                        challenge.request.starts_with("e")
                    );
                    let _ = id::id(b"key", &challenge);
                }
                Err(_) => refused += 1,
            }
        }
        if let CredentialSearch::One(token) = find([text.as_str(), &text].into_iter()) {
            assert!(text.contains(token) && !token.is_empty(), "{text}");
            // What follows behind a comma is another scheme, or spoils the token.
            assert!(!token.contains(',') || Credential::read(token).is_err(), "{text}");
        }
        let token = base64::encode_url(text.as_bytes());
        let _ = (Credential::read(&text), Credential::read(&token), Source::parse(&text));
        let _ = (ReceivedReceipt::read(&text), ReceivedReceipt::read(&token));
        let _ = UnixTime::from_rfc3339(&text);
        let ranked = accept::rank(Some(&text), vec![("evm", "charge"), ("x", "y")], |offer| *offer);
        assert!((1..=2).contains(&ranked.len()));
        if let Ok(Value::Object(object)) = serde_json::from_str(&text) {
            let _ = (Request::read(&object), tempo::Request::read(&object), Payload::read(&object));
            let _ = (rpc::credential(&object), rpc::challenges(&object));
        }
    }
    assert!(read > 10_000 && refused > 10_000, "{read} {refused}");
}

#[test]
fn truncated_credentials_are_refused_without_a_panic() {
    let mut dice = Dice(13);
    for _ in 0..300 {
        let payload = json!({ "type": "hash" });
        let credential = Credential {
            challenge: any_challenge(&mut dice),
            payload: payload.as_object().unwrap().clone(),
            source: None,
        };
        let header = credential.to_header();
        let token = header.strip_prefix("Payment ").unwrap();
        for _ in 0..40 {
            let cut = dice.next() as usize % token.len();
            assert!(Credential::read(&token[..cut]).is_err(), "{token} {cut}");
            let mut edited: Vec<u8> = token.bytes().collect();
            edited[cut] = b"AQgw_-9=+/ ,"[dice.next() as usize % 12];
            let edited = String::from_utf8(edited).unwrap();
            // Whatever became of it, it is another credential, or none.
            let standard = |token: &str| token.replace('-', "+").replace('_', "/");
            if standard(&edited) != standard(token) {
                assert_ne!(Credential::read(&edited).as_ref(), Ok(&credential), "{edited}");
            }
        }
    }
}

#[test]
fn a_list_has_bounds() {
    let challenge = r#"Payment id="a", realm="r", method="evm", intent="charge", request="e30", "#;
    let many = challenge.repeat(64 * 1024 / challenge.len());
    assert!(read_list(&many).into_iter().all(|read| read.is_ok()));
    assert_eq!(read_list(&format!("{many}{challenge}")), [Err(Malformed::TooLarge)]);
    let params = |count: usize| (0..count).map(|at| format!("p{at}=1, ")).collect::<String>();
    assert!(read_list(&format!("{challenge}{}", params(59)))[0].is_ok());
    assert_eq!(read_list(&format!("{challenge}{}", params(60))), [Err(Malformed::TooLarge)]);
    let long = |length: usize| format!("{challenge}x=\"{}\"", "y".repeat(length));
    assert!(read_list(&long(16_384))[0].is_ok());
    assert_eq!(read_list(&long(16_385)), [Err(Malformed::TooLarge)]);
}

#[test]
fn a_request_has_a_bound_wherever_it_stands() {
    let asked = |length: usize| Challenge {
        request: base64::encode_url(format!(r#"{{"a":"{}"}}"#, "x".repeat(length)).as_bytes()),
        ..any_challenge(&mut Dice(15))
    };
    assert_eq!(asked(12_280).request.len(), 16_384);
    assert!(asked(12_280).to_header().is_ok());
    assert_eq!(asked(12_281).to_header(), Err(Malformed::TooLarge));
    let object =
        |challenge| rpc::challenge_object(&challenge).unwrap().as_object().unwrap().clone();
    assert!(rpc::challenge(&object(asked(12_280))).is_ok());
    assert_eq!(rpc::challenge(&object(asked(12_281))), Err(Malformed::TooLarge));
}

// A-27
#[test]
fn parameters_stand_between_commas() {
    let rest = r#"realm="r", method="evm", intent="charge", request="e30""#;
    for (start, read) in [
        (r#"Payment id="a", "#, true),
        (r#"Payment id="a" "#, false),
        (r#"Payment id="a"; "#, false),
        (r#"Payment id=a b, "#, false),
        (r#"Payment @="a", id="a", "#, false),
        (r#"Payment id="\ud83d", "#, false),
        (r#"Payment id="\ude00\ud83d", "#, false),
        ("Payment id=\"a\u{7}\", ", false),
        ("Payment id=\"\\\u{7}\", ", false),
        (r#"Payment id="\u0007", "#, false),
        (r#"Payment id="a", header="", "#, false),
        (r#"Payment id="a", x=1, X=2, "#, false),
        (r#"Payment id="a", description="", "#, true),
        ("Payment id=\"a\", description=\"\t\", ", true),
        ("Payment id=\"a\", description=\"\u{7}\", ", false),
        (r#"Payment id="a", description="\u0007", "#, true),
    ] {
        let list = read_list(&format!("{start}{rest}"));
        assert_eq!(
            list.iter().filter(|challenge| challenge.is_ok()).count(),
            usize::from(read),
            "{start}"
        );
    }
}

#[test]
fn what_is_no_parameter_and_no_scheme_spoils_the_challenge() {
    let challenge = r#"Payment id="a", realm="r", method="evm", intent="charge", request="e30""#;
    assert!(read_list(&format!("{challenge}, Bearer @"))[0].is_ok());
    assert_eq!(read_list(&format!(r#"{challenge}, @="b""#)), [Err(Malformed::Syntax)]);
}

#[test]
fn no_slot_of_an_id_holds_a_control_character() {
    let challenge = Challenge { realm: "a\nb".into(), ..any_challenge(&mut Dice(16)) };
    assert_eq!(id::id(b"key", &challenge), Err(Malformed::Unbindable("realm")));
}

/// Spec: RFC 8785, appendix B and section 3.2.3.
#[test]
fn canonical_json_is_that_of_the_specification() {
    for (bits, text) in [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        assert_eq!(jcs::text(&json!(f64::from_bits(bits))), text, "{bits:x}");
    }
    assert_eq!(jcs::text(&json!(u64::MAX)), "18446744073709552000");
    assert_eq!(jcs::text(&json!(i64::MIN)), "-9223372036854776000");
    assert_eq!(jcs::text(&json!(-1)), "-1");
    assert_eq!(jcs::text(&json!([[], {}, [1, null], true, false])), "[[],{},[1,null],true,false]");
    let sorted = json!({
        "\u{20ac}": "Euro Sign",
        "\r": "Carriage Return",
        "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\u{1f600}": "Emoji: Grinning Face",
        "\u{80}": "Control",
        "\u{f6}": "Latin Small Letter O With Diaeresis",
    });
    assert_eq!(
        jcs::text(&sorted),
        concat!(
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",",
            "\"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",",
            "\"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        )
    );
    assert_eq!(
        jcs::text(&json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{8}\t\u{c}\r\u{7f}")),
        "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\t\\f\\r\u{7f}\""
    );
}

#[test]
fn times_are_read_as_they_are_written() {
    let mut dice = Dice(14);
    for _ in 0..20_000 {
        let time = UnixTime::from_secs(dice.next() % 253_402_300_800);
        let text = time.rfc3339();
        assert_eq!(UnixTime::from_rfc3339(&text), Ok(time));
        let fraction = text.replace('Z', ".999Z");
        assert_eq!(UnixTime::from_rfc3339(&fraction), Ok(time), "{fraction}");
        let offset = dice.next() % 86_400 / 60 * 60;
        let hours = format!("{:02}:{:02}", offset / 3_600, offset / 60 % 60);
        let east = text.replace('Z', &format!("+{hours}"));
        assert_eq!(UnixTime::from_rfc3339(&east), Ok(time.minus(offset)), "{east}");
        let west = text.replace('Z', &format!("-{hours}"));
        assert_eq!(UnixTime::from_rfc3339(&west), Ok(time.plus(offset)), "{west}");
    }
    for (text, secs) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", 0),
        ("0000-01-01T00:00:00Z", 0),
        ("2000-02-29T12:00:00Z", 951_825_600),
        ("2035-01-01T01:00:00+01:00", 2_051_222_400),
    ] {
        assert_eq!(UnixTime::from_rfc3339(text), Ok(UnixTime::from_secs(secs)), "{text}");
    }
    for wrong in [
        "",
        "2035-01-01",
        "2035-01-01T00:00:00",
        "2035-01-01T00:00Z",
        "2035-01-01 00:00:00Z",
        "2035-01-01t00:00:00z",
        "2035-13-01T00:00:00Z",
        "2035-00-01T00:00:00Z",
        "2035-01-00T00:00:00Z",
        "2035-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2035-04-31T00:00:00Z",
        "2035-01-01T24:00:00Z",
        "2035-01-01T00:60:00Z",
        "2035-01-01T00:00:60Z",
        "2035-01-01T00:00:00.Z",
        "2035-01-01T00:00:00.1",
        "2035-01-01T00:00:00+0100",
        "2035-01-01T00:00:00+24:00",
        "2035-01-01T00:00:00+01:60",
        "2035-01-01T00:00:00+01:00Z",
        "2035-01-01T00:00:00Z ",
        "+2035-01-01T00:00:00Z",
        "2035-1-01T00:00:00Z",
        "20é5-01-01T00:00:00Z",
        "2035-01-01T00:00:0:Z",
    ] {
        assert!(UnixTime::from_rfc3339(wrong).is_err(), "{wrong}");
    }
}
