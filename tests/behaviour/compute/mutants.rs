//! Guards of the exchange, and the test that fails without each.

use std::panic::catch_unwind;

use farebox_core::mutant::{Mutant, plant};

use super::{
    bonds, claims, demos, desk, doors, ended, entrusted, errands, feeds, holds, jobs, keep, older,
    one_request, payments, proofs, quotes, seats, sellers, unheard, unnamed,
};

/// A guard, the name of its test, and the test.
type Row = (Mutant, &'static str, fn());

macro_rules! row {
    ($mutant:ident, $test:path) => {
        (Mutant::$mutant, stringify!($test), $test as fn())
    };
}

/// Those that a single behaviour shows.
pub const TABLE: &[Row] = &[
    row!(
        BondsPileUp,
        bonds::strangers_are_counted_by_the_wallet_and_its_owner_is_not_held_back_by_them
    ),
    row!(
        BondsShareAmounts,
        bonds::strangers_who_hold_challenges_of_a_wallet_show_its_transfer_in_vain
    ),
    row!(AnySignatureBonds, bonds::a_signature_of_a_bond_names_exchange_profile_agent_and_time),
    row!(
        PayoutsComeLate,
        holds::a_job_is_over_nine_minutes_after_its_payment_also_where_a_facilitator_fails_once
    ),
    row!(HashesPayTwice, payments::a_pretended_hash_pays_for_one_quote),
    row!(BondsNeverEnd, bonds::a_challenge_ends_and_serves_its_seller_and_agent_once),
    row!(
        BondsServeTwice,
        bonds::a_transaction_proves_one_bond_and_a_fresh_bond_binds_another_agent
    ),
    row!(PurchasesProveBonds, bonds::a_purchase_whose_payee_and_amount_a_merchant_chose_proves_no_bond),
    row!(
        StrangersBindSigners,
        bonds::who_has_signed_is_bound_anew_by_a_signature_or_its_session_alone
    ),
    row!(
        StrangersBindIdentities,
        bonds::who_has_an_identity_is_bound_anew_by_no_transfer_that_it_did_not_ask_for
    ),
    row!(
        OpenBondsAreToldAgain,
        bonds::an_open_challenge_is_told_again_to_who_proves_to_be_the_seller_alone
    ),
    row!(
        SpentTransfersAreOwed,
        older::a_gate_hears_that_it_owes_nothing_for_a_transfer_that_was_shown_before
    ),
    row!(
        CopiesHideTheUnheard,
        unheard::a_copy_for_another_order_does_not_hide_a_payment_that_was_not_heard_of
    ),
    row!(
        AheadIsNeverDue,
        jobs::what_was_due_by_a_clock_that_ran_ahead_waits_no_longer_once_it_is_right
    ),
    row!(
        PendingIsOwed,
        claims::what_a_facilitator_settles_later_is_not_paid_back_before_it_has_come
    ),
    row!(
        UsedBondsProveAgain,
        bonds::a_bond_opens_one_session_which_is_told_again_for_minutes_without_the_renewal_token
    ),
    row!(
        AnyAudienceIdentifies,
        doors::a_token_for_another_service_proves_no_one_where_an_audience_is_configured
    ),
    row!(AnyBondProves, bonds::a_transfer_of_another_amount_wallet_token_or_outcome_proves_nothing),
    row!(OldTransfersProve, bonds::a_transfer_from_before_the_challenge_proves_nothing),
    row!(AnyTokenRenews, bonds::another_token_or_none_or_another_agent_renews_nothing),
    row!(
        AnyoneRegisters,
        sellers::a_bound_seller_is_changed_by_its_session_alone_and_an_unbound_one_never_works
    ),
    row!(
        StrangersSetTerms,
        sellers::what_a_stranger_registers_is_not_sold_in_the_name_of_who_proves_the_wallet
    ),
    row!(SellersPileUp, sellers::a_client_registers_twenty_sellers_in_an_hour_that_prove_nothing),
    row!(AnyPriceIsOffered, sellers::a_price_that_the_till_does_not_take_is_not_registered),
    row!(DustIsOffered, sellers::a_price_that_does_not_pay_for_its_job_is_not_taken),
    row!(PaidQuotesAreFree, quotes::a_quote_that_the_gate_cannot_price_ends_and_its_seat_is_free),
    row!(
        TablesTakeTheTillAway,
        doors::skills_beside_an_exchange_have_its_till_among_their_own_routes
    ),
    row!(AnyAnswerHasTerms, quotes::only_the_gate_s_402_has_the_terms_of_a_quote),
    row!(DaysHaveNoEnd, quotes::no_more_is_sold_in_a_day_than_can_leave_the_wallet_again),
    row!(
        LateTransfersHaveTheDay,
        quotes::what_is_paid_late_or_by_a_transfer_is_not_sold_beyond_the_day
    ),
    row!(OneSellerHasTheDay, quotes::a_seller_sells_its_share_of_the_day),
    row!(SettlingSeatsAreFree, quotes::a_seat_whose_payment_settles_is_held_by_its_client_too),
    row!(
        PretendedJobsHavePrices,
        quotes::a_quote_whose_money_is_pretended_has_no_price_at_the_till
    ),
    row!(
        StrangersBuy,
        payments::another_wallet_than_the_buyer_s_buys_nothing_at_the_till_and_has_its_money_back
    ),
    row!(
        ForgeriesEndJobs,
        unheard::what_has_the_nonce_of_a_payment_that_settles_and_no_signature_of_its_buyer_ends_nothing
    ),
    row!(
        RepeatsEndJobs,
        unheard::what_the_gate_says_of_a_repeat_ends_no_job_whose_payment_settles
    ),
    row!(
        VersionsShareAField,
        unheard::the_same_bytes_are_the_same_payment_to_the_gate_whichever_field_they_come_in
    ),
    row!(ForgeriesEndQuotes, unheard::a_payment_that_anyone_could_make_up_ends_no_quote),
    row!(
        ReplaysEndQuotes,
        unheard::a_payment_that_was_never_heard_of_frees_the_seat_and_ends_no_quote
    ),
    row!(BuyersSellToThemselves, jobs::no_one_is_sold_its_own_work),
    row!(
        IdleSellersNeverRest,
        jobs::a_seller_that_lets_job_after_job_lie_rests_twice_as_long_each_time
    ),
    row!(AnyIdentitySells, sellers::an_identity_opens_the_session_of_its_own_seller),
    row!(AnySignatureIdentifies, doors::a_token_with_another_s_signature_proves_no_one),
    row!(AnyIssuerIdentifies, doors::a_token_of_another_issuer_or_without_a_subject_proves_no_one),
    row!(IdentitiesNeverEnd, doors::a_token_ends_and_may_begin_later),
    row!(AnyoneNotifies, doors::only_the_gate_says_what_it_owes),
    row!(DebtsOfOthersArePaid, doors::only_money_that_came_to_the_escrow_is_owed_by_the_exchange),
    row!(AnySessionSells, sellers::a_session_of_another_seller_or_profile_or_hand_is_refused),
    row!(
        SessionsNeverEnd,
        sellers::a_session_has_the_contract_s_members_and_ends_after_fifteen_minutes
    ),
    row!(AnySellerServes, jobs::a_seller_proves_who_it_is_before_it_learns_that_a_job_exists),
    row!(SellersFillEvents, sellers::an_hour_has_twenty_events_of_a_seller_whatever_it_says),
    row!(TheDeadAreGivenWork, sellers::a_seller_that_is_silent_for_a_minute_gets_no_work),
    row!(
        TheDeadStayOnline,
        jobs::a_seller_that_does_not_begin_loses_the_job_to_another_and_is_offline
    ),
    row!(
        FullSellersHideOthers,
        quotes::a_seat_is_found_behind_any_number_of_sellers_that_have_none
    ),
    row!(SeatsAreSoldTwice, quotes::of_two_requests_for_one_seat_one_gets_it),
    row!(
        RequestsAreQuotedTwice,
        quotes::the_same_unpaid_request_is_the_same_quote_and_another_prompt_another_one
    ),
    row!(LapsedQuotesKeepPrompts, keep::a_network_leaves_three_prompts_an_hour_behind),
    row!(
        QuotesFillTheBooks,
        keep::an_object_without_room_makes_no_quote_and_goes_on_with_what_was_quoted
    ),
    row!(QuotesPileUp, quotes::a_client_holds_two_seats_and_twenty_in_an_hour_unpaid),
    row!(
        FewNetworksAskForAllBonds,
        bonds::networks_that_ask_for_several_bonds_of_a_wallet_leave_most_of_them_to_others
    ),
    row!(
        UnknownSellersAreAskedAbout,
        older::no_node_is_asked_about_the_signature_of_a_seller_that_never_had_a_session
    ),
    row!(
        UnpaidQuotesKeepSeats,
        quotes::no_number_of_unpaid_quotes_keeps_a_buyer_from_the_seats_of_a_seller
    ),
    row!(
        ForgeriesKeepSeats,
        quotes::payments_that_anyone_could_make_up_keep_no_seat_from_one_that_its_buyer_signed
    ),
    row!(
        UnbegunPaymentsKeepSeats,
        seats::a_payment_that_the_gate_did_not_begin_keeps_its_seat_from_no_one
    ),
    row!(
        PaymentsElsewhereKeepSeats,
        seats::a_payment_that_another_request_shows_the_gate_keeps_no_seat_by_this_one
    ),
    row!(
        DoubtedPaymentsKeepSeats,
        seats::a_payment_that_did_not_come_once_keeps_a_seat_as_a_quote_does
    ),
    row!(SettledOrdersAreRefused, jobs::what_the_gate_has_settled_first_buys_the_work_as_well),
    row!(QuotesStayFirm, quotes::a_network_that_leaves_quotes_unpaid_keeps_no_seat_from_another),
    row!(NewPricesEndQuotes, payments::a_quote_that_is_held_keeps_its_price),
    row!(QuotesNeverEnd, payments::a_quote_is_not_paid_after_its_end),
    row!(AnyPromptIsPaid, payments::another_prompt_than_the_quoted_one_is_not_paid),
    row!(ProfilesMix, payments::a_quote_of_other_terms_is_not_paid),
    row!(
        NewTermsForgetPayments,
        payments::what_was_paid_at_terms_of_before_is_answered_as_it_was
    ),
    row!(AnyonePays, payments::another_payer_than_the_buyer_is_refused_before_the_gate_is_asked),
    row!(
        QuotesSellTwice,
        payments::a_second_payment_for_a_quote_is_refused_and_if_it_was_settled_paid_back
    ),
    row!(
        TillPaymentsAreOthers,
        payments::a_request_whose_quote_was_paid_at_the_till_itself_is_told_where_its_payment_is_known
    ),
    row!(PaymentsBuyAnything, one_request::a_payment_for_another_request_buys_nothing),
    row!(
        ChainReadersAreAnswered,
        one_request::what_the_chain_shows_of_a_payment_has_no_key_to_its_answer
    ),
    row!(
        QuotesAreSecrets,
        one_request::who_was_told_the_same_quote_has_no_key_to_the_answer_of_its_payment
    ),
    row!(
        NewerQuotesArePaidAgain,
        payments::a_repeated_payment_is_shown_to_the_quote_that_it_paid_whatever_was_quoted_since
    ),
    row!(ReasonsHideText, jobs::the_reason_of_a_failure_is_visible_text_on_one_line),
    row!(LongResultsAreLost, jobs::a_result_that_cannot_be_kept_is_refused_before_its_job_ends),
    row!(PaymentsSellTwice, payments::a_payment_makes_one_job_however_often_it_is_told),
    row!(AnyAmountBuys, payments::another_amount_buys_nothing_and_goes_back),
    row!(
        DoubtIsRefused,
        payments::what_the_gate_refused_for_certain_ends_the_quote_and_what_is_doubtful_does_not
    ),
    row!(OrphansAreLost, payments::a_settled_payment_that_gets_no_job_goes_back_to_who_paid),
    row!(AnySellerTakesOver, jobs::a_seller_at_a_higher_price_takes_over_no_job),
    row!(JobsNeverEnd, jobs::a_job_is_given_to_three_sellers_and_then_refunded),
    row!(JobsAreOpen, jobs::a_job_is_read_with_its_token_alone_and_unknown_ids_look_the_same),
    row!(LateWorkIsPaid, jobs::work_for_a_request_that_is_gone_does_not_count),
    row!(OutcomesChange, holds::complete_and_fail_at_once_have_one_outcome),
    row!(WaysHaveKeysOfTheirOwn, holds::release_and_refund_of_a_payment_have_one_key),
    row!(ResultsAreNotProven, proofs::a_result_is_paid_once_the_bound_worker_accepts_it),
    row!(RejectedIsPaid, proofs::a_result_that_is_rejected_is_refunded_and_says_why),
    row!(
        AnyHashPays,
        older::a_hash_without_the_buyer_s_signature_over_the_fingerprint_buys_nothing
    ),
    row!(TransfersPayTwice, older::a_hash_of_what_was_paid_at_the_till_pays_no_other_quote),
    row!(ShownTransfersPayTheTill, older::a_transfer_that_was_shown_pays_nothing_at_the_till),
    row!(
        AnyTransferPays,
        older::a_transfer_of_another_token_amount_payer_payee_or_sender_buys_nothing
    ),
    row!(FreshTransfersPay, older::a_transfer_pays_when_it_has_its_blocks),
    row!(EarlierPricesAreForgotten, older::a_transfer_at_an_earlier_price_of_its_order_goes_back),
    row!(PurchasesAreBonds, bonds::a_wallet_that_money_is_paid_to_takes_no_bonds),
    row!(DaysBeginAgain, quotes::a_clock_that_is_set_back_begins_no_day),
    row!(OldTransfersPay, older::a_transfer_of_last_month_buys_nothing),
    row!(CallbacksNeverEnd, older::a_signature_counts_for_five_minutes_and_a_minute_ahead),
    row!(AnySignatureCalls, older::a_signature_for_another_action_job_or_seller_counts_for_nothing),
    row!(
        OrphansShareEntries,
        entrusted::a_second_payment_of_a_quote_goes_back_under_a_name_of_its_own
    ),
    row!(
        SettlementsAreShared,
        entrusted::a_transaction_that_paid_twice_is_registered_once_and_both_payments_leave
    ),
    row!(
        ContractsChangeSellers,
        entrusted::a_seller_that_does_not_begin_loses_the_job_and_the_buyer_has_its_money_back
    ),
    row!(UnsettledWorkCounts, jobs::work_counts_as_earned_once_the_till_has_charged_for_it),
    row!(EndsCountTwice, feeds::each_end_of_a_job_is_counted_once),
    row!(
        FeedsAreOpen,
        feeds::a_feed_is_read_with_the_token_of_its_seller_or_job_in_its_profile_alone
    ),
    row!(FeedsShareRoom, feeds::who_opens_many_feeds_keeps_out_no_one),
    row!(DemosPileUp, demos::the_fourth_run_in_an_hour_is_refused_before_anything_is_spent),
    row!(RowsStay, keep::what_is_over_leaves_after_thirty_days_and_what_is_not_stays),
    row!(
        FailuresKeepPayments,
        jobs::a_payment_of_a_job_that_failed_uncharged_pays_for_the_next_quote
    ),
    row!(JobsOfOthersLeave, keep::buyers_without_number_share_the_room_of_their_seller),
    row!(YoungJobsLeave, keep::no_job_of_the_last_day_leaves_for_others_unless_all_room_is_taken),
    row!(SoldQuotesKeepPrompts, keep::a_sold_quote_leaves_its_prompt_to_its_job),
    row!(DoubtIsPaidAgain, holds::a_payout_that_may_have_moved_is_not_made_again),
    row!(OrphansPushIn, claims::what_waits_to_go_back_keeps_its_place_in_line),
    row!(OrphansTakeAllPlaces, errands::whoever_pays_for_nothing_has_one_place_and_takes_none_of_a_job),
    row!(BurstsGoFirst, errands::many_jobs_of_one_seller_hold_up_none_of_another),
    row!(
        PayoutsKeepOtherPlaces,
        errands::the_payout_of_a_result_that_was_judged_leaves_its_place_to_the_next_result
    ),
    row!(LooksTakePlaces, errands::looks_at_payouts_take_no_place_of_money_that_waits),
    row!(EndsWaitForErrands, errands::what_time_ends_waits_for_no_errand),
    row!(EndsTakeNoPlaces, errands::what_time_ends_makes_no_call_and_its_money_is_due_at_once),
    row!(OrphansHaveTheDay, claims::what_goes_back_without_a_job_has_a_day_of_its_own),
    row!(TurnsAreUnasked, claims::what_has_waited_for_its_turn_is_asked_of_the_gate_again),
    row!(OwnJobsAreHearsay, claims::a_restored_gate_leaves_what_the_exchange_took_itself),
    row!(RefusedIsUnderWay, ended::what_the_treasury_has_refused_is_not_under_way_once_the_gate_has_paid_it_back),
    row!(UnwrittenIsKept, ended::what_the_treasury_has_refused_unwritten_is_asked_for_anew_by_what_is_configured_since),
    row!(DeadTriesAreUnderWay, ended::a_try_that_never_moves_is_not_under_way_once_the_gate_has_paid_it_back),
    row!(LostPayoutsAreAwaited, ended::a_payout_that_a_restored_treasury_has_forgotten_is_asked_for_under_the_same_key),
    row!(OrdersAreWrittenAgain, ended::a_try_is_asked_for_again_as_it_was_whatever_is_configured_since),
    row!(EndsAreForgotten, ended::what_the_gate_has_paid_back_is_not_paid_once_its_row_has_gone),
    row!(RestoresSellAgain, older::a_transfer_from_before_a_restore_buys_nothing),
    row!(OpenMoneyEnds, ended::what_the_exchange_moves_itself_is_not_ended_by_hand),
    row!(AnswersAreMixedUp, claims::a_debt_that_is_heard_while_the_treasury_is_asked_is_no_answer_of_the_gate),
    row!(SilenceIsAGrant, ended::a_gate_that_was_silent_is_told_once_it_answers),
    row!(LateDebtsAreUnheard, claims::a_debt_that_arises_while_money_is_on_its_way_is_told_at_once),
    row!(BeginsAreForgotten, claims::what_a_gate_had_begun_to_pay_back_is_left_to_a_person_after_its_restore),
    row!(TransfersAreTheGates, claims::a_transfer_of_the_buyers_own_is_no_matter_of_the_gate),
    row!(ServedJobsAreUntold, claims::a_job_that_was_served_and_paid_back_waits_for_no_one),
    row!(SalesNeedTransactions, unnamed::the_gate_hears_of_what_was_sold_though_its_transaction_is_not_known),
    row!(WordsChange, desk::a_job_is_paid_once_whatever_its_gate_its_desk_and_its_treasury_do),
    row!(UnheardDebtsAreUnclaimed, claims::a_debt_of_which_no_notice_came_is_asked_of_the_gate_before_the_money_leaves),
    row!(DebtsAreUnclaimed, claims::what_another_one_pays_back_or_has_is_not_paid_by_the_exchange),
    row!(
        DebtsAreNeverReported,
        claims::the_gate_is_told_of_a_refund_of_what_got_no_job_until_it_hears
    ),
    row!(
        SkillsEndTheExchange,
        doors::what_only_skills_have_ends_no_exchange_however_it_is_written
    ),
    row!(
        UnheardPaymentsAreSignedAgain,
        unheard::a_payment_that_was_not_heard_of_is_told_no_other_terms_while_it_can_be_settled
    ),
    row!(
        HeardPaymentsAreSignedAgain,
        unheard::a_payment_that_was_not_heard_of_is_worked_for_when_it_comes
    ),
    row!(
        AnyPaymentIsTheLostOne,
        unheard::a_payment_that_was_not_heard_of_is_worked_for_when_it_comes
    ),
    row!(DeadTriesHaveMoved, holds::what_was_sent_and_proves_void_is_paid_in_another_try),
    row!(
        UnnamedRefundsStay,
        unnamed::a_refund_without_a_name_is_over_once_a_person_has_reported_it_at_the_gate
    ),
    row!(
        UnnamedRefundsEndUnseen,
        unnamed::a_refund_without_a_name_is_over_once_a_person_has_reported_it_at_the_gate
    ),
    row!(
        LostOnesAreSentBesideTransfers,
        unheard::what_was_lost_is_not_sent_on_beside_a_transfer_that_bought_its_quote
    ),
    row!(
        OthersEndTheUnheard,
        unheard::of_two_payments_that_were_not_heard_of_none_is_sent_on_beside_the_one_that_came
    ),
    row!(
        OnePaymentIsLost,
        unheard::of_two_payments_that_were_not_heard_of_none_is_sent_on_beside_the_one_that_came
    ),
    row!(
        UnheardPromptsAreLost,
        unheard::a_payment_that_was_not_heard_of_is_worked_for_when_it_comes
    ),
    row!(
        CopiesHideJobs,
        unheard::a_copy_for_another_order_does_not_hide_the_job_of_a_payment
    ),
    row!(OtherTermsAreTold, quotes::terms_of_another_payment_than_the_quote_s_reach_no_buyer),
    row!(OneRightWayIsEnough, quotes::terms_of_another_payment_than_the_quote_s_reach_no_buyer),
    row!(OtherChargesAreTold, quotes::charges_of_another_payment_than_the_quote_s_reach_no_buyer),
];

#[test]
fn each_guard_of_the_exchange_that_is_removed_fails_its_test() {
    for (mutant, name, test) in TABLE {
        plant(Some(*mutant));
        let outcome = catch_unwind(test);
        plant(None);
        assert!(outcome.is_err(), "{mutant:?} is not found by {name}");
    }
}
