//! Streams by session: each step is charged before it leaves, a stream waits for vouchers, and two share one voucher.

use farebox_core::gate::Gate;
use farebox_core::gate::paid::StreamEnd;
use farebox_core::gate::session::flow::{FlowEnd, FlowLimits, Pause};
use farebox_core::gate::session::step::{SessionRequest, SessionStep};
use farebox_core::http::BodyPresence;
use farebox_core::mpp::session::{SessionTerms, UnitType};
use farebox_core::mpp::stream::{StreamEvent, StreamFraming};
use serde_json::{Value, json};

use super::chain::units;
use super::door::{Answer, Door, OriginManner};
use super::mpp_payer::{DEPOSIT, Session, challenge_of, code, variables};
use super::node::NodeManner;
use crate::dice::Dice;
use crate::world::{With, get, request};

const UNIT: u64 = 1_000;
const STEP: u64 = 3;

/// What a stream does next.
enum Next {
    /// Units flow, and then it asks.
    Flows(Box<SessionRequest<'static>>),
    /// It waits.
    Waits(Pause, Box<SessionRequest<'static>>),
    Ends(FlowEnd),
}

/// A stream, as the edge carries it.
pub struct Stream {
    next: Option<Next>,
    /// Units that are paid and have not left.
    paid: u64,
    charged: u64,
    pub delivered: u64,
}

impl Stream {
    /// One whose answer has begun.
    pub fn begun((limits, request): (FlowLimits, Box<SessionRequest<'static>>)) -> Self {
        let paid = limits.paid;
        Self { next: Some(Next::Flows(request)), paid, charged: paid, delivered: 0 }
    }

    fn is(&self, name: &str) -> bool {
        let found = match self.next.as_ref().unwrap() {
            Next::Flows(_) => "flows",
            Next::Waits(..) => "waits",
            Next::Ends(_) => "ends",
        };
        found == name
    }

    /// Carries out what comes until units flow, or it waits or ends.
    fn carry(&mut self, door: &mut Door, mut step: SessionStep<'static>) {
        self.next = loop {
            step = match step {
                SessionStep::Grant(units, request) => {
                    self.paid += units;
                    self.charged += units;
                    break Some(Next::Flows(request));
                }
                SessionStep::Pause(pause, request) => break Some(Next::Waits(pause, request)),
                SessionStep::Finish(end) => break Some(Next::Ends(end)),
                SessionStep::Respond(_) => break Some(Next::Ends(FlowEnd::Cut)),
                step => door.advance(step, "", "", &mut String::new()).unwrap().ok().unwrap(),
            };
        };
    }

    /// One more unit comes from the origin.
    pub fn flow(&mut self, door: &mut Door) {
        match self.next.take() {
            Some(Next::Flows(request)) if self.paid == 0 => {
                let step = request.due(door.time());
                self.carry(door, step);
                if self.is("flows") {
                    self.flow(door);
                }
            }
            Some(Next::Flows(request)) => {
                (self.paid, self.delivered) = (self.paid - 1, self.delivered + 1);
                self.next = Some(Next::Flows(request));
            }
            other => self.next = other,
        }
    }

    /// Messages have come to the object.
    fn wake(&mut self, door: &mut Door) {
        self.next = match self.next.take() {
            Some(Next::Waits(pause, request)) => {
                let (answer, _) = door.ask(&pause.name, &pause.message, None);
                let answer = answer.unwrap();
                if answer.contains("\"waiting\"") {
                    Some(Next::Waits(pause, request))
                } else {
                    let step = request.resumed(Some(&answer), door.time());
                    self.carry(door, step);
                    return;
                }
            }
            other => other,
        };
    }

    /// What the object answers to a stream that waits.
    fn hears(&self, door: &mut Door) -> String {
        let Some(Next::Waits(pause, _)) = &self.next else { panic!("it does not wait") };
        door.ask(&pause.name, &pause.message, None).0.unwrap()
    }

    fn goes_on(&mut self, door: &mut Door, answer: &str) {
        let Some(Next::Waits(_, request)) = self.next.take() else { panic!("it does not wait") };
        let step = request.resumed(Some(answer), door.time());
        self.carry(door, step);
    }

    /// The longest that it waits, seconds; 0 if it does not.
    fn longest_wait(&self) -> u64 {
        match &self.next {
            Some(Next::Waits(pause, _)) => pause.secs,
            Some(Next::Flows(_) | Next::Ends(_)) | None => 0,
        }
    }

    /// It has waited long enough.
    fn times_out(&mut self, door: &mut Door) {
        if let Some(Next::Waits(pause, request)) = self.next.take() {
            let (answer, _) = door.ask(&pause.name, &pause.message, None);
            let step = request.resumed(answer.as_deref(), door.time());
            self.carry(door, step);
        }
    }

    /// What the reader is told while it waits.
    fn demand(&self) -> Option<[u64; 3]> {
        let Some(Next::Waits(pause, _)) = &self.next else { return None };
        let Some(StreamEvent::NeedVoucher(need)) = StreamEvent::read(pause.event.as_ref()?) else {
            return None;
        };
        Some([need.required, need.accepted, need.deposit].map(|it| it.to_string().parse().unwrap()))
    }

    /// The text at its end; none if it broke off.
    pub fn end(&self) -> Option<Option<String>> {
        match self.next.as_ref()? {
            Next::Ends(FlowEnd::Whole(text)) => Some(Some(text.clone())),
            Next::Ends(FlowEnd::Cut) => Some(None),
            Next::Flows(_) | Next::Waits(..) => None,
        }
    }
}

fn selling(edit: &dyn Fn(&mut Value)) -> Value {
    let mut vars = variables();
    let route = &mut vars["ROUTES"][0];
    route["session_unit"] = json!("second");
    route["session_unit_price"] = json!("$0.001");
    route["session_step"] = json!(STEP);
    edit(route);
    vars
}

/// A channel that is known, at a gate that sells streams.
fn opened_at(edit: &dyn Fn(&mut Value)) -> Session {
    let mut session = Session::new();
    let node = session.door.node.clone();
    session.door = Door::with(&selling(edit));
    session.door.node = node;
    session.door.origin = OriginManner::Streams;
    assert_eq!(session.open(0).status, 200);
    session
}

fn opened() -> Session {
    opened_at(&|_| {})
}

/// Begins a stream with a voucher of this amount.
fn begin(session: &mut Session, cumulative: u64) -> Option<Stream> {
    let answer = session.pay(cumulative);
    let begun = session.door.flows.pop()?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Some(Stream::begun(begun))
}

/// A voucher that comes by a request of its own.
fn bring(session: &mut Session, cumulative: u64) -> Answer {
    session.door.signed = session.door.signed.max(cumulative);
    let voucher = session.voucher("voucher", cumulative);
    session.send(request("HEAD", "/report/1"), &voucher).unwrap()
}

fn show(session: &mut Session, cumulative: u64) -> u16 {
    bring(session, cumulative).status
}

/// The code of a refusal, and what the next voucher has to be for.
fn lacks(answer: &Answer) -> (u64, Value) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(answer.head.headers.get("www-authenticate").is_some());
    (code(answer), body["requiredCumulative"].clone())
}

#[test]
fn a_challenge_names_the_unit_and_its_price() {
    let mut session = opened();
    let answer = session.door.send(get("/report/1"), "").unwrap();
    let asked = challenge_of(&answer, "session").request_object().unwrap();
    let terms = SessionTerms::read(&asked).unwrap();
    assert_eq!((terms.unit, terms.amount), (UnitType::Second, units(UNIT)));
    assert_eq!(terms.suggested_deposit, Some(units(100 * STEP * UNIT)));
    assert_eq!(terms.min_delta, units(STEP * UNIT));
    // Who pays once pays for all of it.
    assert_eq!(challenge_of(&answer, "charge").request_object().unwrap()["amount"], "10000");
}

#[test]
fn what_is_deposited_for_a_step_is_enough_whatever_the_whole_costs() {
    let dear = |route: &mut Value| route["price"] = json!("$1");
    let mut session = opened_at(&dear);
    assert!(begin(&mut session, STEP * UNIT).is_some());
    let mut session = Session::new();
    let (id, node) = (session.id.clone(), session.door.node.clone());
    session.door = Door::with(&selling(&dear));
    session.door.node = node;
    session.door.node.channels.get_mut(&id).unwrap().deposit = STEP * UNIT - 1;
    let refused = session.open(0);
    assert_eq!((refused.status, code(&refused), session.door.writes), (402, 70_012, 0));
}

//
#[test]
pub fn a_stream_is_charged_in_steps_before_they_leave() {
    let mut session = opened();
    let mut stream = begin(&mut session, 20 * UNIT).unwrap();
    assert_eq!(session.door.book(), (STEP * UNIT, 20 * UNIT));
    for second in 1..=7 {
        stream.flow(&mut session.door);
        assert_eq!(stream.delivered, second);
        let (spent, _) = session.door.book();
        assert!(second * UNIT <= spent, "{second} delivered for {spent}");
    }
    // Three steps: one write for each.
    assert_eq!(session.door.book(), (9 * UNIT, 20 * UNIT));
    assert_eq!(session.door.writes, 4);
}

#[test]
pub fn the_origin_is_asked_for_a_step_and_for_no_less() {
    let mut session = Session::new();
    let node = session.door.node.clone();
    session.door = Door::with(&selling(&|_| {}));
    session.door.node = node;
    session.door.origin = OriginManner::Streams;
    // A first voucher for a unit is kept, and buys nothing.
    assert_eq!(session.open(UNIT).status, 200);
    let short = session.pay(UNIT);
    assert_eq!((short.status, lacks(&short)), (402, (70_015, json!("3000"))));
    let short = session.pay(2 * UNIT);
    assert_eq!((short.status, lacks(&short)), (402, (70_013, json!("3000"))));
    assert_eq!((session.door.served, session.door.book()), (0, (0, UNIT)));
    // What it lacks is less than a step.
    assert!(begin(&mut session, STEP * UNIT).is_some());
    assert_eq!((session.door.served, session.door.book()), (1, (STEP * UNIT, STEP * UNIT)));
}

#[test]
pub fn a_voucher_adds_a_step_or_the_rest_of_the_deposit() {
    let mut session = opened();
    assert_eq!(show(&mut session, STEP * UNIT), 200);
    let less = bring(&mut session, 4 * UNIT);
    assert_eq!((less.status, lacks(&less)), (402, (70_013, json!("6000"))));
    assert_eq!(session.door.book(), (0, STEP * UNIT));
    assert_eq!(show(&mut session, DEPOSIT - 2 * UNIT), 200);
    assert_eq!(show(&mut session, DEPOSIT - UNIT), 402);
    assert_eq!([show(&mut session, DEPOSIT), show(&mut session, DEPOSIT)], [200, 200]);
}

#[test]
fn a_stream_waits_for_the_next_voucher_and_goes_on_with_it() {
    let mut session = opened();
    let mut stream = begin(&mut session, 4 * UNIT).unwrap();
    for _ in 0..5 {
        stream.flow(&mut session.door);
    }
    assert_eq!((stream.delivered, stream.is("waits")), (3, true));
    assert_eq!(stream.demand(), Some([6 * UNIT, 4 * UNIT, DEPOSIT]));
    // Less than a step is not enough. Some platforms say that a request without a body has one of no bytes.
    let mut head = request("POST", "/report/1").header("content-length", "0");
    head.body = BodyPresence::Present;
    let less = session.voucher("voucher", 5 * UNIT);
    session.door.signed = 5 * UNIT;
    let refused = session.send(head, &less).unwrap();
    assert_eq!((lacks(&refused), session.door.served), ((70_013, json!("6000")), 1));
    stream.wake(&mut session.door);
    assert!(stream.is("waits"));
    // What lacks for the next step may be less than one.
    assert_eq!(show(&mut session, 6 * UNIT), 200);
    stream.wake(&mut session.door);
    stream.flow(&mut session.door);
    assert_eq!((stream.delivered, session.door.book()), (4, (6 * UNIT, 6 * UNIT)));
    assert_eq!(session.door.served, 1);
}

#[test]
fn a_stream_without_a_voucher_ends_with_a_receipt() {
    let mut session = opened();
    let mut stream = begin(&mut session, STEP * UNIT).unwrap();
    for _ in 0..=STEP {
        stream.flow(&mut session.door);
    }
    assert_eq!(stream.demand(), Some([6 * UNIT, 3 * UNIT, DEPOSIT]));
    stream.times_out(&mut session.door);
    let end = stream.end().unwrap().unwrap();
    let Some(StreamEvent::Receipt(receipt)) = StreamEvent::read(&end) else { panic!("{end}") };
    assert_eq!((&receipt["spent"], &receipt["intent"]), (&json!("3000"), &json!("session")));
    assert_eq!(
        (&receipt["channelId"], &receipt["status"]),
        (&json!(session.id), &json!("success"))
    );
    assert_eq!(session.door.book(), (STEP * UNIT, STEP * UNIT));
}

//
#[test]
pub fn a_stream_whose_chain_is_not_seen_ends_with_a_receipt() {
    let mut session = opened();
    let mut stream = begin(&mut session, 50 * UNIT).unwrap();
    session.door.node.manner = NodeManner::Down;
    session.door.now += 301;
    for _ in 0..2 * STEP {
        stream.flow(&mut session.door);
    }
    let end = stream.end().unwrap().unwrap();
    let Some(StreamEvent::Receipt(receipt)) = StreamEvent::read(&end) else { panic!("{end}") };
    assert_eq!(receipt["spent"], json!("3000"));
    assert_eq!((stream.delivered, session.door.book().0), (STEP, STEP * UNIT));
}

#[test]
fn a_stream_that_the_origin_ends_has_a_receipt_and_one_that_breaks_has_none() {
    for (end, has_receipt) in
        [(StreamEnd::Complete, true), (StreamEnd::Broken, false), (StreamEnd::ClientLeft, false)]
    {
        let mut session = opened();
        let mut stream = begin(&mut session, 6 * UNIT).unwrap();
        for _ in 0..4 {
            stream.flow(&mut session.door);
        }
        let Some(Next::Flows(request)) = stream.next.take() else { panic!("it does not flow") };
        stream.carry(&mut session.door, request.ended(end));
        assert_eq!(stream.end().unwrap().is_some(), has_receipt, "{end:?}");
        // Of what was charged at most a step was not delivered.
        assert_eq!((session.door.book().0, stream.delivered), (6 * UNIT, 4));
    }
}

#[test]
fn bytes_wait_without_an_event_and_break_off_without_a_voucher() {
    let mut session = opened_at(&|route| route["session_unit"] = json!("byte"));
    session.door.origin = OriginManner::Serves;
    assert_eq!(session.pay(STEP * UNIT).status, 200);
    assert_eq!(session.door.flows[0].0.framing, StreamFraming::Bytes);
    let mut stream = begin(&mut session, 6 * UNIT).unwrap();
    for _ in 0..=STEP {
        stream.flow(&mut session.door);
    }
    assert_eq!((stream.is("waits"), stream.demand()), (true, None));
    stream.times_out(&mut session.door);
    assert_eq!(stream.end(), Some(None));
}

#[test]
pub fn two_streams_share_a_voucher_and_do_not_overspend() {
    let mut session = opened();
    let mut one = begin(&mut session, 9 * UNIT).unwrap();
    let mut other = begin(&mut session, 9 * UNIT).unwrap();
    for _ in 0..7 {
        one.flow(&mut session.door);
        other.flow(&mut session.door);
    }
    assert_eq!((one.delivered, other.delivered), (6, 3));
    assert_eq!(session.door.book(), (9 * UNIT, 9 * UNIT));
    let demand = Some([12 * UNIT, 9 * UNIT, DEPOSIT]);
    assert_eq!((one.demand(), other.demand()), (demand, demand));
    assert_eq!(show(&mut session, 12 * UNIT), 200);
    one.wake(&mut session.door);
    other.wake(&mut session.door);
    assert_eq!((one.is("flows"), other.is("waits")), (true, true));
    assert_eq!(session.door.book(), (12 * UNIT, 12 * UNIT));
}

#[test]
pub fn a_step_of_another_stream_makes_no_wait_longer() {
    let mut session = opened();
    let mut streams = [6, 6].map(|paid| begin(&mut session, paid * UNIT).unwrap());
    for stream in &mut streams {
        for _ in 0..=STEP {
            stream.flow(&mut session.door);
        }
        assert_eq!(stream.longest_wait(), 60);
    }
    // One step every 20 seconds, which the first stream gets, while both have heard that there is one.
    for (paid, left) in [(9, 40), (12, 20)] {
        session.door.now += 20;
        assert_eq!(show(&mut session, paid * UNIT), 200);
        let [one, other] = streams.each_ref().map(|stream| stream.hears(&mut session.door));
        streams[0].goes_on(&mut session.door, &one);
        streams[1].goes_on(&mut session.door, &other);
        assert_eq!((streams[0].is("flows"), streams[1].longest_wait()), (true, left));
        for _ in 0..=STEP {
            streams[0].flow(&mut session.door);
        }
        assert_eq!(streams[0].longest_wait(), 60);
    }
    session.door.now += 20;
    assert_eq!(show(&mut session, 15 * UNIT), 200);
    let [one, other] = streams.each_ref().map(|stream| stream.hears(&mut session.door));
    streams[0].goes_on(&mut session.door, &one);
    streams[1].goes_on(&mut session.door, &other);
    assert!(streams[0].is("flows"));
    assert!(streams[1].end().unwrap().unwrap().contains("payment-receipt"));
}

#[test]
fn a_close_ends_what_flows() {
    let mut session = opened();
    let mut stream = begin(&mut session, STEP * UNIT).unwrap();
    for _ in 0..=STEP {
        stream.flow(&mut session.door);
    }
    let closing = session.voucher("close", STEP * UNIT);
    assert_eq!(session.send(get("/report/1"), &closing).unwrap().status, 200);
    stream.wake(&mut session.door);
    assert!(stream.end().unwrap().is_some());
    session.rest(60);
    assert_eq!(session.locked(), (STEP * UNIT, DEPOSIT - STEP * UNIT, true));
}

#[test]
fn a_stream_that_lasts_has_the_chain_looked_at() {
    let mut session = opened();
    let mut stream = begin(&mut session, 50 * UNIT).unwrap();
    let asked = session.door.node.asked;
    for _ in 0..4 {
        session.door.now += 301;
        for _ in 0..STEP {
            stream.flow(&mut session.door);
        }
    }
    assert_eq!((stream.delivered, session.door.node.asked), (12, asked + 3));
    // Its payer leaves: what flows is not charged any more, nor delivered.
    let (id, now) = (session.id.clone(), session.door.now);
    session.door.node.channels.get_mut(&id).unwrap().leaving = now;
    session.door.now += 301;
    for _ in 0..2 * STEP {
        stream.flow(&mut session.door);
    }
    assert!(stream.end().unwrap().is_some());
    assert_eq!(session.door.book().0, stream.charged * UNIT);
}

#[test]
pub fn a_stream_that_was_begun_is_not_begun_again() {
    let mut session = opened();
    let challenge = session.challenge();
    let credential = session.credential(&challenge, &session.voucher("voucher", 9 * UNIT));
    session.door.signed = 9 * UNIT;
    let head = get("/report/1").header("authorization", &credential);
    let first = session.door.begun(head.clone());
    // What holds the first one is lost.
    session.door.restarts();
    let second = session.door.begun(head.clone());
    assert_eq!(session.door.run(first, "", "").unwrap().status, 200);
    let answer = session.door.run(second, "", "").unwrap();
    assert_eq!((answer.status, code(&answer)), (402, 70_015));
    assert_eq!(session.door.flows.len(), 1);
    let again = session.door.send(head, "").unwrap();
    assert_eq!((again.status, session.door.flows.len()), (402, 1));
    assert_eq!(session.door.book().0, STEP * UNIT);
}

//
#[test]
pub fn a_stream_whose_first_charge_was_not_heard_of_begins_and_is_charged_once() {
    let mut session = opened();
    session.door.lost = 1;
    let mut stream = begin(&mut session, 9 * UNIT).unwrap();
    assert_eq!((session.door.lost, session.door.book().0), (0, STEP * UNIT));
    stream.flow(&mut session.door);
    assert_eq!((stream.delivered, session.door.book().0), (1, STEP * UNIT));
}

//
#[test]
pub fn a_charge_that_was_not_heard_of_is_not_made_again_after_another_one() {
    let mut session = opened();
    session.door.signed = 9 * UNIT;
    let begun = |session: &mut Session| {
        let challenge = session.challenge();
        let credential = session.credential(&challenge, &session.voucher("voucher", 9 * UNIT));
        session.door.begun(get("/report/1").header("authorization", &credential))
    };
    let (first, second) = (begun(&mut session), begun(&mut session));
    session.door.lost = 1;
    let asked = session.door.advance(first, "", "", &mut String::new()).unwrap().ok().unwrap();
    let asked = session.door.advance(asked, "", "", &mut String::new()).unwrap().ok().unwrap();
    assert_eq!((session.door.lost, session.door.book().0), (0, STEP * UNIT));
    assert_eq!(session.door.run(second, "", "").unwrap().status, 200);
    assert_eq!(session.door.run(asked, "", "").unwrap().status, 503);
    assert_eq!(session.door.book().0, 2 * STEP * UNIT);
}

/// Plays a history of streams on one channel; why a rule is broken, if one is.
fn play(seed: u64) -> Result<(), String> {
    let mut dice = Dice::seeded(seed * 7_919 + 11);
    let mut session = opened();
    let (mut streams, mut over): (Vec<Stream>, Vec<Stream>) = (Vec::new(), Vec::new());
    let mut trace = Vec::new();
    for _ in 0..24 {
        let what = dice.below(12);
        trace.push(what);
        let (spent, accepted) = session.door.book();
        match what {
            0 | 1 if streams.len() < 2 => {
                let amount = accepted.max(spent + STEP * UNIT) + dice.below(4) * UNIT;
                streams.extend(begin(&mut session, amount));
            }
            2 => {
                let more = accepted + (1 + dice.below(4)) * UNIT;
                show(&mut session, more);
            }
            3 if !streams.is_empty() => over.push(streams.remove(0)),
            4 => {
                // The Worker and the object die.
                over.append(&mut streams);
                session.door.restarts();
            }
            5 => session.door.restarts(),
            6 => session.door.now += 200,
            7 => {
                for stream in &mut streams {
                    stream.times_out(&mut session.door);
                }
            }
            8 if dice.below(4) == 0 => {
                let (id, now) = (session.id.clone(), session.door.now);
                session.door.node.channels.get_mut(&id).unwrap().leaving = now;
            }
            _ => {
                for stream in &mut streams {
                    stream.wake(&mut session.door);
                    let many = dice.below(3);
                    for _ in 0..many {
                        stream.flow(&mut session.door);
                    }
                }
            }
        }
        let (spent, accepted) = session.door.book();
        let all = || streams.iter().chain(&over);
        let delivered = all().map(|it| it.delivered).sum::<u64>() * UNIT;
        let charged = all().map(|it| it.charged).sum::<u64>() * UNIT;
        let is_right = delivered <= charged
            && charged == spent
            && spent <= accepted
            && accepted <= session.door.signed.min(DEPOSIT)
            && all().all(|it| it.charged - it.delivered <= STEP);
        if !is_right {
            return Err(format!("{delivered} {charged} {spent} {accepted}: {seed} {trace:?}"));
        }
    }
    Ok(())
}

#[test]
pub fn histories_of_streams_keep_every_rule() {
    for seed in 0..200 {
        assert_eq!(play(seed), Ok(()));
    }
}

#[test]
fn a_route_sells_streams_where_it_can() {
    let says = |edit: &dyn Fn(&mut Value)| {
        let errors = Gate::from_vars(&selling(edit).to_string()).unwrap_err();
        assert!(errors.iter().any(|it| it.variable == "ROUTES[0].session_unit"), "{errors:?}");
    };
    says(&|route| route["session_unit"] = json!("request"));
    says(&|route| route["session_unit"] = json!("minute"));
    says(&|route| route["session_unit_price"] = json!("$0"));
    says(&|route| route["session_unit_price"] = json!("$0.0000001"));
    says(&|route| route["session_step"] = json!(0));
    says(&|route| route["session_pause_secs"] = json!(601));
    says(&|route| {
        route.as_object_mut().unwrap().remove("session_unit_price");
    });
    says(&|route| {
        route.as_object_mut().unwrap().remove("session_escrow");
    });
    // By x402 a voucher is for the price.
    says(&|route| {
        route["session_delay_secs"] = json!(900);
        route["price"] = json!("$0.0029");
    });
}
