//! An authorization pays one link of all organizations, and none if it was used before.

use farebox_core::ledger::inquiry::finding::{Finality, Finding};
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{
    Answer, ClaimTold, Command, LinkClaim, LinkCommand, MerchantAnswer, Order,
};
use farebox_core::treasury::{Job, Now, Places, RANDOM_BYTES};
use serde_json::json;

use super::super::payouts::{answer, success, world};
use super::super::world::{NETWORK, TRANSACTION, Told, USDC, World, payer, variables};
use super::settling::sent_again;
use super::{
    SEEN, Signs, claim, claimed, credential, link, node, order, pair, pay, refused, report, signs,
    status,
};
use crate::dice::Dice;

/// Two organizations of one treasury.
fn organizations() -> (World, World) {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["FACILITATOR_URL"] = json!("https://facilitator.example.com/");
    let other = json!({"name": "other", "environment": "test", "policy": {}, "agents": [{"name": "clerk"}]});
    variables["ORGANIZATIONS"] = json!([other]);
    let (acme, other) = (world(), World::of(&variables));
    let claims = acme.claims.clone();
    (acme, World { organization: "other", dice: Dice::seeded(8), claims, ..other })
}

#[test]
pub fn an_authorization_pays_one_link() {
    let mut world = world();
    let (one, other) = (link(&mut world), link(&mut world));
    let it = signs(&world, 1);
    let sent = order(&mut world, &one, &it);
    report(&mut world, &sent, success());
    assert_eq!(refused(pay(&mut world, &other, &it)), pair("pending", "authorization_used"));
}

//
#[test]
pub fn an_authorization_pays_one_link_of_all_organizations_though_answers_are_lost() {
    let (mut acme, mut other) = organizations();
    let (one, two) = (link(&mut acme), link(&mut other));
    let it = signs(&acme, 1);
    // Both ask at once, and whoever asks first has it, also without an answer.
    let (mine, theirs) = (claim(&mut acme, &one, &it), claim(&mut other, &two, &it));
    assert_eq!((&mine.object, &mine.name), (&theirs.object, &theirs.name));
    assert_eq!(acme.holder(&mine, node(false).as_deref()), Some(one.clone()));
    let late = claimed(&mut other, &theirs, node(false));
    assert_eq!(refused(late), pair("pending", "authorization_used"));
    assert_eq!(status(&mut acme, &one), "pending", "the answer to its claim was lost");
    // The one that has it finds it again, and pays; the other never does.
    let sent = order(&mut acme, &one, &it);
    assert_eq!(refused(pay(&mut other, &two, &it)), pair("pending", "authorization_used"));
    report(&mut acme, &sent, success());
    assert_eq!(refused(pay(&mut other, &two, &it)), pair("pending", "authorization_used"));
    let fresh = signs(&other, 2);
    order(&mut other, &two, &fresh);
}

#[test]
fn an_authorization_is_one_by_network_token_payer_and_nonce_however_it_is_spelled() {
    let mut world = world();
    let id = link(&mut world);
    let it = signs(&world, 0xab);
    let asked = claim(&mut world, &id, &it);
    let expected = format!("{NETWORK} {USDC} {} 0x{}", payer(), "ab".repeat(32));
    assert_eq!(asked.name, expected.to_lowercase());
    let shouted = credential(&it).replace(&"ab".repeat(32), &"AB".repeat(32));
    let shouted = LinkCommand::Pay(id, shouted.replace(&payer(), &payer().to_lowercase()));
    let Answer::Claim(again) = world.send(Command::Link(shouted)) else { panic!("no claim") };
    assert_eq!((again.name, again.object), (asked.name, asked.object));
}

#[test]
pub fn what_the_chain_shows_used_is_not_sent_and_the_link_stays_as_it_was() {
    let mut world = world();
    let id = link(&mut world);
    let used = signs(&world, 1);
    let asked = claim(&mut world, &id, &used);
    assert_eq!(asked.node.0, "https://node.example.com");
    for call in [
        "eth_chainId",
        "eth_blockNumber",
        &format!("e94a0102000000000000000000000000{}", &payer().to_lowercase()[2..]),
    ] {
        assert!(asked.node.1.contains(call), "{call}: {}", asked.node.1);
    }
    let told = claimed(&mut world, &asked, node(true));
    assert_eq!(refused(told), pair("pending", "authorization_used"));
    // What no node says is not guessed, and nothing is lost by it.
    let fresh = signs(&world, 2);
    let asked = claim(&mut world, &id, &fresh);
    let wrong_chain = node(false).map(|said| said.replace("0x14a34", "0x2105"));
    for silent in [None, Some("[]".to_owned()), wrong_chain] {
        let Answer::Reply(reply) = claimed(&mut world, &asked, silent) else { panic!("sent") };
        assert_eq!((reply.status, Told::of(reply).text("code")), (503, "chain_unavailable"));
    }
    assert_eq!(status(&mut world, &id), "pending");
    order(&mut world, &id, &fresh);
}

#[test]
pub fn what_was_used_before_its_first_sending_pays_no_link() {
    let used = was_used();
    // What was sent twice may have been used by the first sending: the chain decides.
    {
        let mut world = world();
        let (id, _, again) = sent_again(&mut world);
        report(&mut world, &again, used.clone());
        assert_eq!(status(&mut world, &id), "settling");
    }
    let mut world = world();
    let id = link(&mut world);
    let it = signs(&world, 1);
    let sent = order(&mut world, &id, &it);
    report(&mut world, &sent, used);
    assert_eq!(status(&mut world, &id), "failed");
}

#[test]
fn what_moved_before_its_first_sending_fails_once_that_is_final() {
    let mut world = world();
    let (id, _, again) = sent_again(&mut world);
    report(&mut world, &again, answer(500, &json!({})));
    for (finality, expected) in [(Finality::Latest, "settling"), (Finality::Safe, "failed")] {
        world.now += 60;
        let jobs = world.alarm();
        let [Job::Read { fence, question, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
        // Blocks from just before it may have been replaced by some that have it.
        assert_eq!(question.seen_block, Some(SEEN - 64));
        let transaction = TxHash::parse(TRANSACTION).unwrap();
        world.read(&id, *fence, &Finding::TransferredBefore { transaction, finality });
        assert_eq!(status(&mut world, &id), expected);
    }
}

//
#[test]
pub fn what_no_node_shows_unused_leaves_nothing_and_what_has_ended_leaves() {
    let mut world = world();
    let id = link(&mut world);
    for nonce in 0..5 {
        let it = signs(&world, nonce);
        let asked = claim(&mut world, &id, &it);
        for sight in [None, Some("[]".to_owned()), node(true)] {
            assert!(matches!(claimed(&mut world, &asked, sight), Answer::Reply(_)));
        }
    }
    assert_eq!(world.claims.borrow().claims.len(), 0);
    let it = signs(&world, 9);
    let sent = order(&mut world, &id, &it);
    report(&mut world, &sent, success());
    let given = |world: &mut World, now: u64| {
        let random = [7; RANDOM_BYTES];
        let scene = Now { organization: "", now: UnixTime::from_secs(now), random: &random };
        let rows = &mut *world.claims.borrow_mut();
        let (_, changes) = world.treasury.recover(rows, &Places::default(), scene).unwrap();
        rows.write(changes);
        rows.claims.len()
    };
    let ends = it.before;
    assert_eq!((given(&mut world, ends - 1), given(&mut world, ends)), (1, 0));
    // From its end on no link takes it.
    world.now = ends;
    let other = link(&mut world);
    let shown = LinkCommand::Pay(other.clone(), credential(&it));
    assert!(matches!(world.send(Command::Link(shown)), Answer::Reply(_)));
    assert_eq!(status(&mut world, &other), "pending");
}

/// What a facilitator says of an authorization that was used.
fn was_used() -> MerchantAnswer {
    let reason = "invalid_exact_evm_nonce_already_used";
    let told =
        json!({"success": false, "errorReason": reason, "transaction": "", "network": NETWORK});
    answer(200, &told)
}

/// What is on its way from one who shows the authorization to a link.
enum LinkShown {
    Begins,
    Asks(Box<LinkClaim>),
    Seen(Box<LinkClaim>, Option<String>),
    Claimed(Box<LinkClaim>, ClaimTold),
    Sent(Box<Order>),
    Settled(Box<Order>, MerchantAnswer),
    Over,
}

/// An organization with a link.
struct RacingPayee {
    world: World,
    link: String,
    orders: usize,
}

/// Two organizations, a link of each for the same terms, and the chain.
struct LinkRace {
    payees: [RacingPayee; 2],
    payment: Signs,
    transfers: usize,
}

impl LinkRace {
    fn new() -> Self {
        let (mut acme, mut other) = organizations();
        let (one, two) = (link(&mut acme), link(&mut other));
        let payment = signs(&acme, 1);
        let payee = |world, link| RacingPayee { world, link, orders: 0 };
        Self { payees: [payee(acme, one), payee(other, two)], payment, transfers: 0 }
    }

    /// The facilitator's answer to a payment that it is sent.
    fn settle(&mut self) -> MerchantAnswer {
        if self.transfers > 0 {
            return was_used();
        }
        self.transfers += 1;
        success()
    }

    fn step(&mut self, at: usize, showing: LinkShown) -> LinkShown {
        let RacingPayee { world, link, orders } = &mut self.payees[at];
        let mut follows = |answer: Answer| match answer {
            Answer::Claim(claim) => LinkShown::Asks(claim),
            Answer::Send(order) => {
                *orders += 1;
                LinkShown::Sent(order)
            }
            _ => LinkShown::Over,
        };
        match showing {
            LinkShown::Begins => {
                let asked = LinkCommand::Pay(link.clone(), credential(&self.payment));
                follows(world.send(Command::Link(asked)))
            }
            LinkShown::Asks(claim) => LinkShown::Seen(claim, node(self.transfers > 0)),
            LinkShown::Seen(claim, sight) => {
                let holder = world.holder(&claim, sight.as_deref());
                LinkShown::Claimed(claim, ClaimTold { holder, sight })
            }
            LinkShown::Claimed(claim, told) => {
                let asked = LinkCommand::Claimed(Box::new(claim.asked), told);
                follows(world.send(Command::Link(asked)))
            }
            LinkShown::Sent(order) => LinkShown::Settled(order, self.settle()),
            LinkShown::Settled(order, answer) => {
                report(world, &order, answer);
                LinkShown::Over
            }
            LinkShown::Over => LinkShown::Over,
        }
    }

    /// Shows the authorization once more, without a loss.
    fn show(&mut self, at: usize) {
        let mut showing = LinkShown::Begins;
        while !matches!(showing, LinkShown::Over) {
            showing = self.step(at, showing);
        }
    }

    /// The alarm, for as long as something is due.
    fn recover(&mut self, at: usize) {
        for _ in 0..4 {
            self.payees[at].world.now += 60;
            for job in self.payees[at].world.alarm() {
                match job {
                    Job::Send(order, _) => {
                        let answer = self.settle();
                        report(&mut self.payees[at].world, &order, answer);
                    }
                    Job::Read { attempt, fence, .. } => {
                        let transaction = TxHash::parse(TRANSACTION).unwrap();
                        let finding = match self.transfers {
                            0 => Finding::Unused { safe_time: None },
                            _ => {
                                Finding::Transferred { transaction, block: SEEN + 1, log_index: 0 }
                            }
                        };
                        self.payees[at].world.read(&attempt, fence, &finding);
                    }
                    Job::Enquire(_) => panic!("no escrow"),
                }
            }
        }
    }
}

/// All orders of the steps of two, each of whom may be lost after any of theirs.
fn orders_of_steps() -> Vec<Vec<usize>> {
    const STEPS: usize = 6;
    let mut all = vec![Vec::new()];
    let mut from = 0;
    while from < all.len() {
        for at in 0..2 {
            let mut next: Vec<usize> = all[from].clone();
            next.push(at);
            if next.iter().filter(|it| **it == at).count() <= STEPS {
                all.push(next);
            }
        }
        from += 1;
    }
    all
}

/// Both show one authorization at once; whatever is lost on the way, they show it again later.
fn every_order_of_two_organizations_pays_one_link() -> Result<usize, String> {
    let all = orders_of_steps();
    for steps in &all {
        let mut scene = LinkRace::new();
        let mut showings = [LinkShown::Begins, LinkShown::Begins];
        for at in steps {
            let showing = std::mem::replace(&mut showings[*at], LinkShown::Over);
            showings[*at] = scene.step(*at, showing);
        }
        for at in [1, 0] {
            scene.recover(at);
            scene.show(at);
            scene.recover(at);
        }
        let mut ends = scene.payees.each_mut().map(|it| status(&mut it.world, &it.link));
        ends.sort();
        let sent = scene.payees.iter().filter(|it| it.orders > 0).count();
        let told = (ends.each_ref().map(String::as_str), scene.transfers, sent);
        if told != (["completed", "pending"], 1, 1) {
            return Err(format!("{told:?} after {steps:?}"));
        }
    }
    Ok(all.len())
}

//
#[test]
fn one_authorization_pays_one_link_in_every_order_of_two_organizations() {
    assert_eq!(every_order_of_two_organizations_pays_one_link(), Ok(3_431));
}

#[cfg(feature = "planted")]
#[test]
fn without_its_guards_some_order_pays_two_links_or_none() {
    for mutant in [Mutant::LinksSharePayments, Mutant::ClaimsChangeHands] {
        plant(Some(mutant));
        let found = every_order_of_two_organizations_pays_one_link();
        plant(None);
        assert!(found.is_err(), "{mutant:?}");
    }
}
