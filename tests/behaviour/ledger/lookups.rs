//! Only a claim begins a payment: every state of a row and of the payer's other rows, asked by every request that may not.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;

use farebox_core::ledger::command::{
    Answer, Asking, Command, Envelope, Fate, LookAnswer, Question, Repeat, Resumed, Role, VERSION,
};
use farebox_core::ledger::entry::Plan;
use farebox_core::ledger::shard::{
    Change, FEW_OF_CLIENT, MAX_MOVES_OF_CLIENT, MAX_OF_CLIENT, MAX_ROWS, QuestionAnswer,
    RESERVED_ROWS, Response, Rows, Scene, Shard, Slot,
};
use farebox_core::ledger::state::Lease;
use farebox_core::ledger::{Entry, Payment, State};
use farebox_core::payment::TxHash;

use super::{LEASES, Mode, NOW, SIXTEEN, at, entry, payment, states};

const PAYER: &str = "0x1111111111111111111111111111111111111111";

/// The payment that is asked for, and another one of the same payer.
pub(super) fn slots() -> [Slot; 2] {
    ["aa", "bb"].map(|byte| Slot::new(PAYER, &byte.repeat(32)))
}

/// Rows that answer and cannot be written.
pub(super) struct Fixed(pub(super) BTreeMap<Slot, Entry>, pub(super) bool);

impl Rows for Fixed {
    type Error = Infallible;

    fn find(&self, slot: &Slot) -> Result<Option<Entry>, Infallible> {
        Ok(self.0.get(slot).cloned())
    }
    fn original(&self, _: &Slot) -> Result<Option<String>, Infallible> {
        Ok(None)
    }
    fn is_moved(&self, _: &Slot) -> Result<bool, Infallible> {
        Ok(self.1)
    }
    fn owners(&self, _: &str, _: &TxHash) -> Result<Vec<Slot>, Infallible> {
        Ok(Vec::new())
    }
    fn refunds_another(&self, _: &TxHash, _: &Slot) -> Result<bool, Infallible> {
        Ok(false)
    }
    fn by_receipt(&self, _: &str) -> Result<Option<Slot>, Infallible> {
        Ok(None)
    }
    fn response(&self, _: &Slot) -> Result<Option<Response>, Infallible> {
        Ok(None)
    }
}

pub(super) fn plan(readable: bool) -> Plan {
    Plan {
        resend_secs: vec![5, 15],
        chain_secs: [60, 600],
        refund_secs: 600,
        manual_secs: 86_400,
        readable: if readable { vec!["eip155:84532".to_owned()] } else { Vec::new() },
        known_since: 0,
        refunds: None,
    }
}

/// Every repeat: the binding, the secret, the signature of the wallet, the bytes, the route.
fn repeats(mode: Mode) -> Vec<Repeat> {
    let mut all = Vec::new();
    for (binding, secret, bytes) in [
        ("a", Some("s"), "bytes"),
        ("a", None, "bytes"),
        ("a", None, "other bytes"),
        ("b", Some("s"), "bytes"),
    ] {
        for flags in 0..16 {
            all.push(Repeat {
                payment: Box::new(payment(mode, binding, secret, bytes)),
                leases: LEASES,
                idempotent: flags & 1 > 0,
                wallet: flags & 2 > 0,
                last: flags & 4 > 0,
                denied: flags & 8 > 0,
                rival: None,
                priced: flags & 1 > 0,
            });
        }
    }
    all
}

/// The claim of a payment that came with nothing but its signature.
pub(super) fn claiming(payment: Payment) -> Command {
    Command::Claim {
        payment: Box::new(payment),
        leases: LEASES,
        idempotent: false,
        wallet: false,
        last: false,
        rival: None,
        in_flight: SIXTEEN,
    }
}

/// Each question against each state of the row, or none, beside each state of another row, or none.
fn everything(mut judge: impl FnMut(&Fixed, &Question, QuestionAnswer, &dyn Display)) -> usize {
    let [own, other] = slots();
    let optional = || std::iter::once(None).chain(states().into_iter().map(Some));
    let mut asked = 0;
    for mode in [Mode::After, Mode::Before] {
        let repeats = repeats(mode);
        for (mine, theirs) in
            optional().flat_map(|mine| optional().map(move |it| (mine.clone(), it)))
        {
            for role in [Role::Sole, Role::Old, Role::New] {
                let mut rows = Fixed(BTreeMap::new(), role == Role::New);
                let mut put = |slot: &Slot, state: &Option<State>| {
                    rows.0.extend(state.clone().map(|state| (slot.clone(), entry(mode, state))));
                };
                put(&own, &mine);
                put(&other, &theirs);
                let plan = plan(true);
                let scene = Scene { plan: &plan, notifies: true, has_room: true, now: at(NOW + 1) };
                let mut loaded = Shard::default();
                for (slot, entry) in &rows.0 {
                    loaded.load(slot, entry, &scene);
                }
                for repeat in &repeats {
                    for ask in [Question::Look(repeat.clone()), Question::Resume(repeat.clone())] {
                        let mut shard = loaded.clone();
                        let (payer, key) = (own.payer.clone(), own.key.clone());
                        let (v, counting, ask_again) = (VERSION, None, ask.clone());
                        let asking = Asking { v, payer, key, ask, role, counting, proving: None };
                        let Ok(said) = shard.ask(asking, &rows, &scene);
                        let case =
                            format_args!("{mode:?} {mine:?} beside {theirs:?}, {ask_again:?}");
                        judge(&rows, &ask_again, said, &case);
                        asked += 1;
                    }
                }
            }
        }
    }
    asked
}

// I-17
#[test]
fn a_look_writes_nothing_and_what_is_not_known_is_told_so_whatever_else_the_payer_owes() {
    let [own, _] = slots();
    let asked = everything(|rows, _, said, case| {
        let QuestionAnswer::Seen(reply) = said else { return };
        let known = rows.0.get(&own);
        assert_eq!(reply.receipt.is_some(), known.is_some(), "{case}");
        if known.is_none() {
            assert_eq!(reply.answer, LookAnswer::Nothing, "{case}");
        }
    });
    assert!(asked > 100_000, "{asked}");
}

#[test]
pub fn whoever_shows_neither_the_recorded_bytes_nor_a_proof_of_their_own_is_not_let_on() {
    let [own, _] = slots();
    everything(|rows, ask, said, case| {
        if let (Question::Look(repeat), QuestionAnswer::Seen(reply)) = (ask, said)
            && reply.answer == LookAnswer::Open
        {
            let recorded = &rows.0[&own].payment;
            let same = repeat.payment.request == recorded.request;
            let knows = repeat.wallet || repeat.payment.secret == recorded.secret;
            assert!(same || knows, "{case}");
            assert_eq!(repeat.payment.binding, recorded.binding, "{case}");
        }
    });
}

#[test]
pub fn what_is_begun_elsewhere_is_not_begun_here() {
    let [own, _] = slots();
    let (plan, rows) = (plan(true), Fixed(BTreeMap::new(), true));
    let scene = Scene { plan: &plan, notifies: false, has_room: true, now: at(NOW) };
    for (role, answer) in
        [(Role::Sole, Answer::Fate(Fate::InProgress)), (Role::New, Answer::Granted { fence: 1 })]
    {
        let command = claiming(payment(Mode::After, "a", None, "bytes"));
        let (payer, key) = (own.payer.clone(), own.key.clone());
        let envelope = Envelope { v: VERSION, payer, key, command, role, counting: None };
        let Ok(decision) = Shard::default().order(envelope, None, &rows, &scene);
        assert_eq!(decision.reply.answer, answer, "{role:?}");
    }
}

#[test]
pub fn what_is_begun_elsewhere_is_not_told_to_be_unknown_here() {
    let [own, _] = slots();
    let (plan, rows) = (plan(true), Fixed(BTreeMap::new(), true));
    let scene = Scene { plan: &plan, notifies: false, has_room: true, now: at(NOW) };
    let in_progress = (LookAnswer::Fate(Fate::InProgress), Resumed::Fate(Fate::InProgress));
    let nothing = (LookAnswer::Nothing, Resumed::Nothing);
    for (role, expected) in [(Role::Sole, in_progress), (Role::New, nothing)] {
        let told = |ask: Question| {
            let (payer, key) = (own.payer.clone(), own.key.clone());
            let asking =
                Asking { v: VERSION, payer, key, ask, role, counting: None, proving: None };
            let Ok(said) = Shard::default().ask(asking, &rows, &scene);
            said
        };
        let repeat = repeats(Mode::After).remove(0);
        let QuestionAnswer::Seen(seen) = told(Question::Look(repeat.clone())) else {
            panic!("{role:?}")
        };
        let QuestionAnswer::Resumed(resumed) = told(Question::Resume(repeat)) else {
            panic!("{role:?}")
        };
        assert_eq!((seen.answer, resumed.reply.answer), expected, "{role:?}");
        assert!(resumed.changes.is_empty(), "{role:?}");
    }
}

#[test]
pub fn a_network_has_so_many_payments_moved_in_an_hour_and_those_that_were_are_not_counted_again() {
    let plan = plan(true);
    let mut shard = Shard::default();
    let claim = |shard: &mut Shard, number: u32, (client, marked, secs): (&str, bool, u64)| {
        let scene = Scene { plan: &plan, notifies: false, has_room: true, now: at(NOW + secs) };
        let mut payment = payment(Mode::After, "a", None, "bytes");
        payment.client = client.to_owned();
        let command = claiming(payment);
        let (payer, key) = (format!("0x{number:040x}"), "aa".repeat(32));
        let envelope =
            Envelope { v: VERSION, payer, key, command, role: Role::Old, counting: None };
        let rows = Fixed(BTreeMap::new(), marked);
        let Ok(decision) = shard.order(envelope, None, &rows, &scene);
        shard.keep(&decision.changes, &scene);
        (decision.reply.answer, decision.changes.len())
    };
    for number in 0..MAX_MOVES_OF_CLIENT {
        assert_eq!(claim(&mut shard, number, ("one", false, 0)), (Answer::Absent, 1));
    }
    let more = MAX_MOVES_OF_CLIENT;
    assert_eq!(claim(&mut shard, more, ("one", false, 3_599)), (Answer::Full, 0));
    assert_eq!(claim(&mut shard, 0, ("one", true, 3_599)), (Answer::Absent, 0), "marked already");
    assert_eq!(claim(&mut shard, more, ("two", false, 3_599)), (Answer::Absent, 1));
    assert_eq!(claim(&mut shard, more, ("one", false, 3_600)), (Answer::Absent, 1));
}

/// An object with rows of this client network, each of another payer.
pub(super) fn loaded(shard: &mut Shard, rows: std::ops::Range<u32>, client: &str, state: &State) {
    let plan = plan(true);
    let scene = Scene { plan: &plan, notifies: false, has_room: true, now: at(NOW) };
    let mut row = entry(Mode::Before, state.clone());
    row.payment.client = client.to_owned();
    row.watch.asked = true;
    for number in rows {
        shard.load(&Slot::new(&format!("0x{number:040x}"), &"aa".repeat(32)), &row, &scene);
    }
}

/// What a new payment from this client network gets.
pub(super) fn claimed_from(shard: &mut Shard, client: &str, slot: Slot, rows: &Fixed) -> Answer {
    let plan = plan(true);
    let scene = Scene { plan: &plan, notifies: false, has_room: true, now: at(NOW) };
    let mut payment = payment(Mode::After, "a", None, "bytes");
    payment.client = client.to_owned();
    let Slot { payer, key } = slot;
    let (command, role) = (claiming(payment), Role::Sole);
    let envelope = Envelope { v: VERSION, payer, key, command, role, counting: None };
    let Ok(decision) = shard.order(envelope, None, rows, &scene);
    decision.reply.answer
}

#[test]
pub fn a_full_object_begins_nothing_and_serves_what_it_knows() {
    let [own, other] = slots();
    let working = State::Settling(Lease { until: at(NOW + 50) });
    let mut shard = Shard::default();
    let all = u32::try_from(MAX_ROWS + RESERVED_ROWS).unwrap();
    loaded(&mut shard, 0..all, "busy", &working);
    let known = Entry { fence: 1, ..entry(Mode::After, State::Released) };
    let rows = Fixed(BTreeMap::from([(other.clone(), known)]), false);
    for (slot, answer) in [(own, Answer::Full), (other, Answer::Granted { fence: 2 })] {
        assert_eq!(claimed_from(&mut shard, "new", slot, &rows), answer);
    }
}

//
#[test]
pub fn networks_with_many_unpaid_rows_shut_no_other_one_out() {
    let [own, _] = slots();
    let refused =
        State::Refused { since: at(NOW), reason: "no funds".into(), sent: at(NOW), resend: None };
    let granted = Answer::Granted { fence: 1 };
    let nothing = Fixed(BTreeMap::new(), false);
    let most = u32::try_from(MAX_ROWS).unwrap();
    let mut shard = Shard::default();
    let asked =
        |shard: &mut Shard, client: &str| claimed_from(shard, client, own.clone(), &nothing);
    loaded(&mut shard, 0..MAX_OF_CLIENT - 1, "n00", &refused);
    assert_eq!(asked(&mut shard, "n00"), granted);
    loaded(&mut shard, MAX_OF_CLIENT - 1..MAX_OF_CLIENT, "n00", &refused);
    assert_eq!(asked(&mut shard, "n00"), Answer::Full, "a network has its part, and no more");
    assert_eq!(asked(&mut shard, "n01"), granted);
    for network in 1..most / MAX_OF_CLIENT {
        let first = network * MAX_OF_CLIENT;
        // One that was refused, and then shown where the origin comes first, is let go.
        let state = if network == 1 { &State::Released } else { &refused };
        loaded(&mut shard, first..first + MAX_OF_CLIENT, &format!("n{network:02}"), state);
        if network == 1 {
            assert_eq!(asked(&mut shard, "n01"), Answer::Full);
        }
    }
    loaded(&mut shard, most..most + FEW_OF_CLIENT, "few", &refused);
    assert_eq!(asked(&mut shard, "few"), Answer::Full, "that one has more than a few of them");
    assert_eq!(asked(&mut shard, "new"), granted, "the last places are for whoever has none");
}

#[test]
pub fn what_is_resumed_has_a_row_and_makes_none() {
    let [own, _] = slots();
    everything(|rows, _, said, case| {
        let QuestionAnswer::Resumed(decision) = said else { return };
        let known = rows.0.get(&own);
        if known.is_none() {
            let nothing = [Resumed::Nothing, Resumed::Fate(Fate::Unresolved)];
            assert!(nothing.contains(&decision.reply.answer), "{case}");
            assert_eq!(decision.changes, [], "{case}");
        }
        for change in &decision.changes {
            let (Change::Update(slot, after, _) | Change::Rewrite(slot, after, _)) = change else {
                assert!(matches!(change, Change::Announce(..)), "{case}: {change:?}");
                continue;
            };
            let state = &after.state;
            assert_eq!(slot, &own, "{case}");
            assert!(
                !matches!(state, State::Executing(_) | State::Settling(_)),
                "{case}: {state:?}"
            );
            assert_eq!(after.payment, known.unwrap().payment, "{case}");
        }
    });
}
