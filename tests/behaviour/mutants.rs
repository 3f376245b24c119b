//! Each guard that ships, removed: the test that fails then, by name.
//!
//! A mutant stands in the code that ships, beside its guard; planting it changes what this thread runs. Those of an entry and
//! of the object around it are found by [`crate::ledger`]'s explorations.

use std::panic::catch_unwind;

use farebox_core::mutant::{Mutant, plant};

use crate::{faults, growth, ledger, limits, mpp, redelivery, settlement, unproven};

/// A mutant, and a test that finds it.
type Row = (Mutant, &'static str, fn());

/// A row of the table: the test by its path, which is its name.
macro_rules! row {
    ($mutant:ident, $test:path) => {
        (Mutant::$mutant, stringify!($test), $test as fn())
    };
}

const TABLE: &[Row] = &[
    row!(AskBegins, unproven::a_payer_with_an_open_payment_buys_nothing_at_a_price_of_their_own),
    row!(OtherBytesResume, unproven::a_repeat_with_another_signature_is_told_what_became_of_the_payment_and_moves_nothing),
    row!(TakenByAll, settlement::one_transaction_never_serves_two_payments),
    row!(MovedBegins, ledger::lookups::what_is_begun_elsewhere_is_not_begun_here),
    row!(HeirForEver, growth::what_was_paid_leaves_room_for_what_comes),
    row!(DoubtIsForgotten, settlement::another_payment_for_the_same_request_waits_for_an_unknown_one),
    row!(DoubtLeavesRoom, limits::a_payer_whose_outcome_is_unknown_has_one_payment_in_flight),
    row!(PayerGrows, growth::a_payer_has_at_most_fifty_rows_for_which_no_money_was_asked),
    row!(NetworkGrows, growth::a_network_has_at_most_five_hundred_rows_for_which_no_money_was_asked),
    row!(ObjectGrows, ledger::lookups::a_full_object_begins_nothing_and_serves_what_it_knows),
    row!(UnpaidStays, growth::a_row_for_which_no_money_was_asked_goes_an_hour_after_its_end),
    row!(AskedGoes, growth::a_row_for_which_money_was_asked_stays),
    row!(HeaderFetches, redelivery::a_payment_header_alone_never_fetches_what_was_delivered),
    row!(PublicResumes, redelivery::whoever_reads_the_chain_cannot_resume_what_nobody_received),
    row!(ExpiredBegins, unproven::a_payer_with_an_open_payment_buys_nothing_with_one_that_has_ended),
    row!(RivalBegins, mpp::of_the_two_payments_that_one_challenge_can_be_answered_with_one_buys_something),
    row!(StaleRoom, faults::work_is_not_begun_for_an_authorization_that_ends_while_it_waits),
];

#[test]
fn each_planted_mutant_fails_the_test_of_its_guard() {
    for (mutant, name, test) in TABLE {
        plant(Some(*mutant));
        let outcome = catch_unwind(test);
        plant(None);
        assert!(outcome.is_err(), "{mutant:?} is not found by {name}");
        eprintln!("{mutant:?}: found by {name}");
    }
}

#[test]
fn every_mutant_is_looked_for() {
    let explored = [ledger::explore::MUTANTS, ledger::traces::MUTANTS].concat();
    for mutant in Mutant::ALL {
        let listed = TABLE.iter().any(|(it, ..)| it == mutant)
            || explored.contains(mutant)
            || ledger::arrivals::mutants().any(|it| it == *mutant);
        assert!(listed, "{mutant:?} is planted and not looked for");
    }
}
