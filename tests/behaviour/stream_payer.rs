//! A payer of streams by session of MPP: what it counts of what comes, and what it signs for sellers that lie.

use farebox_core::amount::Amount;
use farebox_core::channel::config::ChannelId;
use farebox_core::client::Policy;
use farebox_core::client::channel::{
    ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelUse,
};
use farebox_core::client::session::{
    ReceivedStream, SessionMeans, SessionPurchase, StreamRaise, noted, sessions,
};
use farebox_core::encoding::{base64, hex, jcs};
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::http::Headers;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

const URL: &str = "https://api.example.com/live";
const ENDPOINT: &str = "GET https://api.example.com/live";
const NOW: UnixTime = UnixTime::from_secs(1_763_618_400);
const ESCROW: &str = "0x5E550002e64FaF79B41D89fE8439eEb1be66CE3b";
const PRICE: u64 = 10;
const STEP: u64 = 30;

fn wallet() -> Account {
    Account::from_candidates([Secret::new([3; 32])].into_iter()).unwrap()
}

fn lines(text: &str) -> Headers {
    Headers::from_lines(text.lines())
}

fn challenge(unit: &str, step: u64) -> Headers {
    let request = json!({
        "amount": PRICE.to_string(), "currency": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "recipient": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "suggestedDeposit": "100", "unitType": unit,
        "methodDetails": {"chainId": 84_532, "escrowContract": ESCROW,
            "feePayer": true, "minVoucherDelta": step.to_string()},
    });
    let request = base64::encode_url(jcs::text(&request).as_bytes());
    let expires = NOW.plus(300).rfc3339();
    lines(&format!(
        "www-authenticate: Payment id=\"c\", realm=\"api.example.com\", method=\"evm\", intent=\"session\", request=\"{request}\", expires=\"{expires}\""
    ))
}

/// The head of an answer whose receipt says that so much is spent.
fn served(kind: &str, spent: u64) -> Headers {
    let receipt = json!({"method": "evm", "intent": "session", "status": "success", "reference": "0x",
        "timestamp": NOW.rfc3339(), "spent": spent.to_string()});
    let receipt = base64::encode_url(jcs::text(&receipt).as_bytes());
    lines(&format!("content-type: {kind}\npayment-receipt: {receipt}"))
}

/// A payer, and a seller that takes everything.
struct Reader {
    unit: &'static str,
    /// The type of what flows.
    kind: &'static str,
    record: Option<String>,
    /// Vouchers that were signed, and actions that were sent.
    signed: Vec<u64>,
    sent: u64,
    seed: u8,
    /// How many vouchers the seller calls used up.
    refusals: u8,
    /// What comes of another stream while a voucher is signed.
    meanwhile: Option<(ChannelId, Amount)>,
}

impl Reader {
    const fn new(unit: &'static str) -> Self {
        Self {
            unit,
            kind: "text/event-stream",
            record: None,
            signed: Vec::new(),
            sent: 0,
            seed: 0,
            refusals: 0,
            meanwhile: None,
        }
    }

    /// One request, or a voucher for a stream; the seller says what is spent.
    fn asks(
        &mut self,
        raise: Option<StreamRaise>,
        spent: u64,
        step: u64,
    ) -> Result<Option<ReceivedStream>, &'static str> {
        self.seed += 1;
        let policy = json!({"perDay": "0.001", "perPayment": "0.00004", "escrows": [ESCROW]});
        let policy = Policy::from_json(&policy.to_string()).unwrap();
        let limits = ChannelLimits {
            deposit: Some("0.0001".into()),
            max_deposit: Some("0.0002".into()),
            ..ChannelLimits::default()
        };
        let address = wallet().address();
        let payer = ChannelPayer { payer: address, voucher_signer: address, salt: [0; 32] };
        let means = SessionMeans { broadcasts: true, authorization_is_free: true };
        let (aim, random) = (ChannelAim::Pay, [self.seed; 48]);
        let request = ChannelUse { url: URL, endpoint: ENDPOINT, random };
        let mut buyer = SessionPurchase::new(policy, limits, payer, aim, means, request);
        buyer = buyer.raising(raise);
        let asked = challenge(self.unit, step);
        let mut next = buyer.answered(402, &asked, b"", NOW);
        for _ in 0..40 {
            next = match next {
                ChannelNext::Update => match buyer.update(self.record.as_deref(), NOW) {
                    Ok(changed) => {
                        self.record = changed.or(self.record.take());
                        buyer.updated()
                    }
                    Err(error) => return Err(error.reason.code()),
                },
                ChannelNext::Ask => buyer.answered(402, &asked, b"", NOW),
                ChannelNext::Sign { deposit, voucher } => {
                    if let Some((channel, came)) = self.meanwhile.take() {
                        let changed = noted(self.record.as_deref(), channel, came, NOW).unwrap();
                        self.record = changed.or(self.record.take());
                    }
                    let amount = |it: &Value| {
                        it["message"]["cumulativeAmount"].as_str().unwrap().parse::<u64>().unwrap()
                    };
                    self.signed.extend(voucher.as_deref().map(amount));
                    let sign = |it: &Value| {
                        let digest = TypedData::from_json(it).unwrap().digest();
                        hex::encode_prefixed(&wallet().sign(&digest).unwrap().to_bytes())
                    };
                    let (deposit, voucher) =
                        (deposit.as_deref().map(sign), voucher.as_deref().map(sign));
                    buyer.signed(deposit.as_deref(), voucher.as_deref())
                }
                ChannelNext::Send { .. } => {
                    self.sent += 1;
                    if self.refusals > 0 && self.signed.last() != Some(&0) {
                        self.refusals -= 1;
                        next = buyer.answered(402, &asked, br#"{"code": 70015}"#, NOW);
                        continue;
                    }
                    buyer.answered(200, &served(self.kind, spent), b"", NOW)
                }
                ChannelNext::Return(_) => return Ok(buyer.stream(&served(self.kind, spent), 0)),
                ChannelNext::Fail(error) => return Err(error.reason.code()),
                ChannelNext::Once(Some(error)) => return Err(error.reason.code()),
                other => panic!("{other:?}"),
            };
        }
        panic!("it goes on for ever")
    }

    fn begins(&mut self, spent: u64) -> ReceivedStream {
        self.asks(None, spent, STEP).unwrap().unwrap()
    }

    /// Takes what came, and does what the seller asks for then.
    fn takes(
        &mut self,
        stream: &mut ReceivedStream,
        text: &str,
        now: u64,
    ) -> Result<String, &'static str> {
        let passed = String::from_utf8(stream.take(text.as_bytes())).unwrap();
        if let Some(raise) = stream.asks() {
            let received = stream.received(now);
            let changed = noted(self.record.as_deref(), stream.channel(), received, NOW).unwrap();
            self.record = changed.or(self.record.take());
            self.asks(Some(raise), 0, STEP)?;
        }
        Ok(passed)
    }

    fn spent(&self) -> u64 {
        let listed = sessions(self.record.as_deref()).unwrap();
        listed[0]["spent"].as_str().unwrap().parse::<u64>().unwrap()
    }
}

fn need(stream: &ReceivedStream, required: u64) -> String {
    let channel = stream.channel();
    format!(
        "event: payment-need-voucher\ndata: {{\"channelId\":\"{channel}\",\"requiredCumulative\":\"{required}\",\"acceptedCumulative\":\"0\",\"deposit\":\"100\"}}\n\n"
    )
}

#[test]
fn a_stream_goes_on_with_each_voucher_and_its_reader_sees_no_payment() {
    let mut reader = Reader::new("event");
    let mut stream = reader.begins(PRICE);
    assert_eq!(reader.signed, [0, STEP]);
    let asked = need(&stream, 40);
    let (first, rest) = asked.split_at(30);
    assert_eq!(reader.takes(&mut stream, "data: 1\r\n\r", 0).unwrap(), "data: 1\r\n\r");
    assert_eq!(
        reader.takes(&mut stream, &["\n: sign\n\n", first].concat(), 0).unwrap(),
        "\n: sign\n\n"
    );
    assert_eq!(reader.takes(&mut stream, rest, 0), Ok(String::new()));
    assert_eq!((reader.signed.last(), reader.spent()), (Some(&40), 10));
    let more = ["data: 2\n\ndata: 3\n\n", &need(&stream, 60), "data: 4"].concat();
    assert_eq!(reader.takes(&mut stream, &more, 0).unwrap(), "data: 2\n\ndata: 3\n\n");
    assert_eq!((reader.signed.last(), reader.spent()), (Some(&60), 30));
    let end = ["\n\nevent: payment-receipt\ndata: {\"spent\":\"70\"}\n\n", "data: 5"].concat();
    assert_eq!(reader.takes(&mut stream, &end, 0).unwrap(), "data: 4\n\n");
    assert_eq!(stream.rest(), b"data: 5");
    assert_eq!(stream.receipt().unwrap()["spent"], "70");
}

#[test]
pub fn a_seller_gets_what_came_and_one_step_whatever_it_says() {
    for (required, outcome) in
        [(40, Ok(())), (41, Err("policy_amount")), (100_000, Err("policy_amount"))]
    {
        let mut reader = Reader::new("event");
        // It says that all of the first voucher is spent.
        let mut stream = reader.begins(STEP);
        assert_eq!(reader.spent(), PRICE);
        let text = ["data: 1\n\n", &need(&stream, required)].concat();
        assert_eq!(reader.takes(&mut stream, &text, 0).map(|_| ()), outcome, "{required}");
        let most = if outcome.is_ok() { 40 } else { STEP };
        assert_eq!(reader.signed.iter().max(), Some(&most));
    }
    // Another channel's demand is none, and nothing is paid for it.
    let mut reader = Reader::new("event");
    let mut stream = reader.begins(PRICE);
    let other =
        need(&stream, 40).replace(&stream.channel().to_string(), &format!("0x{}", "07".repeat(32)));
    assert_eq!(reader.takes(&mut stream, &other, 0), Ok(String::new()));
    assert_eq!(reader.signed.last(), Some(&STEP));
}

#[test]
fn a_seller_that_calls_a_new_voucher_used_up_gets_no_higher_one() {
    let mut reader = Reader::new("event");
    reader.refusals = 2;
    assert_eq!(reader.asks(None, PRICE, STEP).err(), Some("payment_refused"));
    assert_eq!(reader.signed, [0, STEP]);
    // An older one may be: its stream ended unseen.
    reader.refusals = 1;
    let mut stream = reader.begins(PRICE);
    assert_eq!(reader.signed, [0, STEP, 2 * STEP]);
    // And the one for a stream is as new.
    reader.refusals = 1;
    let asked = ["data: 1\n\n", &need(&stream, 70)].concat();
    assert_eq!(reader.takes(&mut stream, &asked, 0), Err("payment_refused"));
    let asked = need(&stream, 71);
    assert_eq!(reader.takes(&mut stream, &asked, 0), Err("policy_amount"));
    assert_eq!(reader.signed, [0, STEP, 2 * STEP, 70]);
}

#[test]
fn a_stream_is_paid_from_its_own_session() {
    let mut reader = Reader::new("event");
    let stream = reader.begins(PRICE);
    let other = ChannelId::parse(&format!("0x{}", "07".repeat(32))).unwrap();
    let raise = StreamRaise { channel: other, ..stream.stalls() };
    assert_eq!(reader.asks(Some(raise), PRICE, STEP).err(), Some("terms_changed"));
    assert_eq!(reader.signed, [0, STEP]);
}

#[test]
fn what_came_while_a_voucher_is_signed_stays_noted() {
    let mut reader = Reader::new("event");
    let mut stream = reader.begins(PRICE);
    reader.meanwhile = Some((stream.channel(), Amount::from_u64(15)));
    let asked = need(&stream, 40);
    reader.takes(&mut stream, &asked, 0).unwrap();
    assert_eq!((reader.signed.last(), reader.spent()), (Some(&40), 25));
}

#[test]
fn a_step_is_a_payment_under_the_policy() {
    let mut reader = Reader::new("event");
    assert!(reader.asks(None, PRICE, 41).is_err());
    assert!(reader.signed.is_empty());
}

#[test]
fn seconds_count_from_the_request_on_and_in_pauses_too() {
    let mut reader = Reader::new("second");
    let mut stream = reader.begins(PRICE);
    // A bit more than a second, of which the first was counted.
    let asked = need(&stream, 40);
    reader.takes(&mut stream, &asked, 1_010).unwrap();
    assert_eq!(reader.spent(), 20);
    // Whoever pays two seconds late has what came meanwhile: the payee asks for it at once.
    let asked = need(&stream, 60);
    reader.takes(&mut stream, &asked, 3_000).unwrap();
    assert_eq!((reader.signed.last(), reader.spent()), (Some(&60), 30));
    let asked = stream.stalls();
    assert_eq!((asked.required, asked.ahead), (None, Amount::from_u64(STEP)));
    assert_eq!(stream.received(61_001), Amount::from_u64(59 * PRICE));
    stream.ends(62_001, false);
    assert_eq!(stream.received(90_000), Amount::from_u64(PRICE));
}

// A-483
#[test]
pub fn a_stream_that_was_cut_off_counts_what_may_have_been_charged_last() {
    for (is_cut, more) in [(true, PRICE + STEP), (false, PRICE)] {
        let mut reader = Reader::new("event");
        let mut stream = reader.begins(PRICE);
        stream.take(b"data: one\n\ndata: two\n\n");
        // The first was counted with the head.
        stream.ends(1_000, is_cut);
        assert_eq!(stream.received(2_000), Amount::from_u64(more), "{is_cut}");
        assert_eq!(stream.received(3_000), Amount::ZERO);
    }
    // Nothing is open where its receipt has come, or where seconds are sold.
    let mut reader = Reader::new("event");
    let mut stream = reader.begins(PRICE);
    stream.take(b"data: one\n\nevent: payment-receipt\ndata: {\"spent\": \"10\"}\n\n");
    stream.ends(1_000, true);
    assert_eq!(stream.received(2_000), Amount::ZERO);
}

#[test]
fn a_seller_that_asks_again_and_again_has_no_more_seconds() {
    let mut reader = Reader::new("second");
    let mut stream = reader.begins(PRICE);
    for now in [1, 2, 3] {
        let asked = need(&stream, PRICE + STEP);
        reader.takes(&mut stream, &asked, now).unwrap();
    }
    let asked = need(&stream, PRICE + STEP + 1);
    assert_eq!(reader.takes(&mut stream, &asked, 999), Err("policy_amount"));
    assert_eq!(reader.signed, [0, STEP, PRICE + STEP]);
}

#[test]
fn bytes_count_as_they_come_and_a_stall_signs_one_step_ahead() {
    let mut reader = Reader { kind: "text/plain", ..Reader::new("byte") };
    let mut stream = reader.begins(PRICE);
    stream.take(b"data: 1\n\n");
    assert_eq!(stream.received(0), Amount::from_u64(8 * PRICE));
    reader.record =
        noted(reader.record.as_deref(), stream.channel(), Amount::from_u64(20), NOW).unwrap();
    assert_eq!(reader.spent(), STEP);
    let raise = stream.stalls();
    reader.asks(Some(raise), 0, STEP).unwrap();
    assert_eq!(reader.signed.last(), Some(&(2 * STEP)));
    // Nothing more came: nothing more is signed, nor sent.
    let sent = reader.sent;
    reader.asks(Some(raise), 0, STEP).unwrap();
    assert_eq!((reader.signed.last(), reader.sent), (Some(&(2 * STEP)), sent));
}

#[test]
fn events_by_the_byte_are_signed_for_two_steps_ahead() {
    // A step of three bytes was charged, and a second one, and the event is longer.
    for (required, outcome) in [(2 * STEP, Ok(())), (PRICE + 2 * STEP + 1, Err("policy_amount"))] {
        let mut reader = Reader::new("byte");
        let mut stream = reader.begins(PRICE);
        let text = need(&stream, required);
        assert_eq!(reader.takes(&mut stream, &text, 0).map(|_| ()), outcome, "{required}");
    }
}

#[test]
fn an_event_is_one_however_long_it_is_and_in_whatever_pieces_it_comes() {
    let mut reader = Reader::new("event");
    let mut stream = reader.begins(PRICE);
    let long = format!("data: 1\n\nid: 2\ndata: {}\n\n", "x".repeat(1_000_000));
    let mut passed = Vec::new();
    for piece in long.as_bytes().chunks(60_001) {
        passed.extend(stream.take(piece));
    }
    assert_eq!(passed, long.as_bytes());
    // The first event was counted with the request.
    assert_eq!(stream.received(0), Amount::from_u64(PRICE));
    // What is longer is passed on, and no demand is looked for in it.
    let endless = vec![b'x'; 1_048_577];
    assert_eq!(stream.take(&endless), endless);
}
