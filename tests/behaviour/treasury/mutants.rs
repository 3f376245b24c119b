//! Guards of the treasury, and the test that fails without each.

use std::panic::catch_unwind;

use farebox_core::mutant::{Mutant, plant};

use super::{
    access, answers, approvals, charges, config, decisions, denials, escrows, links, notices,
    operator, payouts, receiptless, removal, reports, reviews, rules, turns, undelivered,
};

/// A guard, the name of its test, and the test.
type Row = (Mutant, &'static str, fn());

macro_rules! row {
    ($mutant:ident, $test:path) => {
        (Mutant::$mutant, stringify!($test), $test as fn())
    };
}

/// Those that the explorer does not look for.
pub const TABLE: &[Row] = &[
    row!(LinksPayTwice, links::a_link_takes_one_payment_whoever_comes_at_once),
    row!(LinksOutliveTheirTime, links::a_link_that_has_ended_takes_nothing),
    row!(LinksSharePayments, links::claims::an_authorization_pays_one_link),
    row!(ClaimsChangeHands, links::claims::an_authorization_pays_one_link_of_all_organizations_though_answers_are_lost),
    row!(LinksSendUsedPayments, links::claims::what_the_chain_shows_used_is_not_sent_and_the_link_stays_as_it_was),
    row!(UnknownRulesPass, operator::what_would_limit_nothing_is_refused_by_its_name),
    row!(UnseenIsClaimed, links::claims::what_no_node_shows_unused_leaves_nothing_and_what_has_ended_leaves),
    row!(LinksTakeAnyPayment, links::only_what_the_link_says_pays_it_and_the_rest_leaves_it_as_it_was),
    row!(LinksKeepFences, links::settling::who_lost_the_work_on_a_link_says_nothing_of_it_any_more),
    row!(LinksTakeUsedPayments, links::claims::what_was_used_before_its_first_sending_pays_no_link),
    row!(
        LinksBelieveRepeats,
        links::settling::a_facilitator_that_refuses_what_it_has_seen_decides_nothing_and_the_chain_does
    ),
    row!(
        BumpsTakeNonces,
        escrows::what_no_block_takes_is_offered_at_a_higher_price_under_the_same_nonce_within_the_bound
    ),
    row!(WalletsSendAtOnce, escrows::a_wallet_has_one_transaction_in_the_air),
    row!(
        UnseenFlightsBlock,
        escrows::what_cannot_be_asked_about_keeps_its_wallet_waiting_for_an_hour_at_most
    ),
    row!(FirstSightConfirms, escrows::a_block_that_is_forgotten_confirms_nothing),
    row!(GasHasNoBound, escrows::nothing_is_signed_while_gas_costs_more_than_the_bound),
    row!(NewestIsSentAlone, escrows::a_last_price_that_the_wallet_cannot_pay_stops_none_before_it),
    row!(LastBumpIsLow, escrows::the_last_price_that_is_offered_is_the_bound),
    row!(GoalsChange, escrows::where_a_payment_goes_is_decided_once),
    row!(
        SentBeforeWritten,
        escrows::a_transaction_is_written_before_it_is_sent_and_sent_again_with_the_same_bytes
    ),
    row!(EscrowsServeOthers, escrows::a_payment_is_asked_about_with_its_own_facts_alone),
    row!(AnyContractIsCalled, escrows::only_a_contract_that_is_configured_is_called),
    row!(
        ThrottlesAreReverts,
        escrows::a_node_that_does_not_say_what_the_contract_would_do_puts_nothing_off
    ),
    row!(
        LostNodesStayLost,
        notices::a_node_that_is_missing_from_the_settings_for_a_while_is_asked_again
    ),
    row!(
        UnreadKeepTheirRoom,
        notices::a_payment_whose_network_has_no_node_leaves_its_room_when_it_has_ended
    ),
    row!(AnyHostIsPaid, rules::requests_go_to_public_hosts_by_https_alone),
    row!(
        CrashesUseApprovals,
        reviews::an_approval_serves_again_if_its_payment_was_lost_before_it_was_signed
    ),
    row!(PayoutKeysServeOthers, payouts::a_key_of_another_payout_is_a_conflict_and_writes_nothing),
    row!(
        FacilitatorsAreBelieved,
        payouts::a_payout_is_confirmed_by_the_chain_and_not_by_its_facilitator
    ),
    row!(
        PayoutNoncesAreDrawn,
        payouts::a_payout_is_signed_for_the_nonce_of_its_key_and_sent_to_the_facilitator
    ),
    row!(
        UsedNoncesFail,
        payouts::a_payout_that_has_moved_and_is_forgotten_since_is_left_to_the_chain
    ),
    row!(AnyWalletPaysBack, payouts::what_cannot_be_paid_out_is_named_and_writes_nothing),
    row!(PayoutsFromAnyWallet, payouts::an_organization_pays_out_of_no_wallet_of_another),
    row!(TokensShareKeys, payouts::no_holder_of_a_token_takes_a_key_from_another),
    row!(
        FormerKeysAreForgotten,
        payouts::what_was_paid_out_of_a_wallet_is_found_by_its_token_and_by_the_operator
    ),
    row!(TokensPayFromAnyWallet, payouts::the_token_of_a_wallet_pays_out_of_it_alone),
    row!(TokensSeeEveryPayout, payouts::the_token_of_a_wallet_shows_its_payouts_alone),
    row!(CookiesLeave, rules::what_is_the_agents_own_stays_with_it),
    row!(
        VoidIsGivenToOthers,
        reports::what_is_void_is_given_back_to_the_windows_in_which_it_was_counted
    ),
    row!(
        WindowsRunAhead,
        denials::a_clock_that_ran_ahead_locks_no_budget_once_it_is_right_again
    ),
    row!(DaysBeginAgain, denials::a_clock_that_is_set_back_begins_no_hour_day_or_month),
    row!(NoticesNameNoOne, notices::each_notice_names_its_organization),
    row!(RulesForEver, rules::rules_end_at_their_time),
    row!(SilenceAllows, rules::an_organization_pays_only_whom_it_allows),
    row!(OtherPortsPass, rules::a_denied_host_is_denied_at_each_of_its_ports),
    row!(DeniedOriginsPass, rules::an_origin_that_is_denied_is_not_paid_although_it_is_allowed),
    row!(LargePass, reviews::what_is_above_the_limit_waits_for_a_person_and_is_paid_once),
    row!(EnvironmentsMix, rules::test_money_and_money_are_never_mixed),
    row!(TermsMayDrift, rules::other_terms_than_those_that_were_shown_are_not_paid),
    row!(LiesAreEvidence, decisions::a_settlement_that_contradicts_what_was_signed_is_no_evidence),
    row!(RepeatsAreRefused, reports::the_refusal_of_a_repeat_says_nothing_of_the_payment),
    row!(AnyTokenServes, access::a_bootstrap_key_is_exchanged_and_asks_for_nothing_itself),
    row!(IdsAreTokens, access::a_token_of_another_secret_or_organization_is_none),
    row!(SeededKeysStay, access::a_key_that_the_configuration_no_longer_has_is_taken_back),
    row!(TokensForEver, access::a_runtime_token_ends),
    row!(RevokedTokensServe, access::a_key_that_is_taken_back_takes_its_tokens_along),
    row!(DisabledAgentsPay, access::an_agent_that_is_disabled_pays_nothing_until_it_is_enabled),
    row!(
        DisabledWhileAsked,
        reports::an_agent_that_is_disabled_meanwhile_signs_nothing_and_gives_its_budget_back
    ),
    row!(RevokedWhileAsked, reports::a_token_or_key_that_was_revoked_meanwhile_signs_nothing),
    row!(EndedWhileAsked, reports::a_token_or_key_that_was_revoked_meanwhile_signs_nothing),
    row!(WalletChangesWhileAsked, reports::a_wallet_that_the_rules_name_no_more_signs_nothing),
    row!(RulesChangeWhileAsked, reports::rules_that_were_changed_meanwhile_count_when_it_is_signed),
    row!(
        RefusalsEndPurchases,
        undelivered::whatever_a_merchant_answers_one_request_is_charged_once
    ),
    row!(
        MuteDeliveriesClose,
        receiptless::content_without_its_receipt_is_charged_once_whatever_is_asked_again
    ),
    row!(
        RepeatsForgetDeliveries,
        receiptless::what_was_delivered_stays_told_whatever_a_repeat_brings
    ),
    row!(
        ConfirmedStayOpen,
        receiptless::content_without_its_receipt_is_over_once_the_chain_has_confirmed_it
    ),
    row!(
        ConfirmedIsDelivered,
        undelivered::what_the_chain_shows_as_paid_is_sent_again_for_a_day_and_has_its_receipt
    ),
    row!(
        KeysNeverShowReceipts,
        undelivered::what_the_chain_shows_as_paid_is_sent_again_for_a_day_and_has_its_receipt
    ),
    row!(ReplacedAnswersCount, undelivered::an_answer_that_another_one_replaces_takes_no_room),
    row!(RepeatsForgetReceipts, undelivered::what_was_paid_stays_known_when_it_is_sent_again),
    row!(AnyVersionIsServed, access::clients_outside_of_the_range_of_versions_are_not_served),
    row!(ReceiptsOfOthers, access::a_receipt_is_read_by_its_own_agent_alone),
    row!(AnyAgentIsNamed, access::an_agent_asks_in_its_own_name_alone),
    row!(KeysServeOthers, access::a_key_stands_for_one_request_of_one_agent),
    row!(OpenIsForgotten, charges::a_merchant_that_asks_for_more_each_time_is_paid_once),
    row!(ReviewsForEver, reviews::an_approval_ends),
    row!(ReviewsServeOthers, reviews::an_approval_holds_for_its_terms_alone),
    row!(ReviewsServeTwice, reviews::what_is_above_the_limit_waits_for_a_person_and_is_paid_once),
    row!(OldFencesCount, reports::a_worker_that_lost_its_attempt_changes_nothing),
    row!(LeasesKeepFences, reports::a_worker_that_lost_its_attempt_changes_nothing),
    row!(PostsAreRepeated, reports::after_a_crash_the_same_bytes_are_sent_again_where_that_is_safe),
    row!(AnySpellingIsPaid, rules::a_host_and_port_have_one_spelling),
    row!(BodiesAreSentAnyway, rules::a_request_that_cannot_be_sent_is_not_signed),
    row!(UnknownBoundsAreIgnored, rules::a_bound_whose_name_is_misspelt_is_told_and_nothing_is_paid),
    row!(RepeatsWereNeverSent, reports::what_was_never_sent_is_void_at_once_unless_it_is_a_repeat),
    row!(NoncesAreSignedTwice, decisions::a_challenge_is_signed_for_one_decision_alone),
    row!(
        ApprovalsOutliveAgents,
        reviews::what_was_approved_for_an_agent_that_was_ended_is_not_paid
    ),
    row!(DisabledKeepTokens, access::who_is_disabled_loses_its_tokens_and_keys_for_good),
    row!(TokensPileUp, access::tokens_of_a_fleet_live_as_long_as_they_say_and_those_that_ended_are_deleted),
    row!(ClaimsAreKept, reports::a_transaction_that_never_came_is_not_shown_as_that_of_a_payment),
    row!(
        ClaimsOutliveReadings,
        reports::a_transaction_that_the_chain_does_not_bear_out_is_no_evidence
    ),
    row!(
        PutOffsForgetReviews,
        approvals::a_budget_that_is_full_for_a_while_uses_no_approval_up
    ),
    row!(ApprovalsCoverAnything, reviews::an_approval_covers_what_is_sent),
    row!(
        ApprovalsCoverRedirects,
        reviews::an_approval_is_of_the_url_to_which_its_purchase_was_redirected
    ),
    row!(
        RedirectsNamePurchases,
        charges::a_purchase_is_known_by_the_url_that_was_asked_for_wherever_that_is_redirected
    ),
    row!(NonsenseEndsReviews, reviews::a_merchant_that_talks_nonsense_for_a_while_ends_no_review),
    row!(DenialsForEver, reviews::a_denial_ends_with_the_time_of_its_review_and_its_key_asks_again),
    row!(ApprovalsEndWithReviews, reviews::an_approval_waits_as_long_as_its_review_has_waited),
    row!(
        LapsesAreForEver,
        reviews::a_key_whose_review_or_approval_ended_is_told_so_once_and_asks_again
    ),
    row!(DenialsOutlastPayments, reviews::a_key_that_was_paid_after_a_denial_stands_for_its_payment),
    row!(DenialsCoverAnything, reviews::a_denial_is_that_of_one_request),
    row!(ApprovalsOutlive, reviews::a_refusal_ends_the_approval_of_its_payment),
    row!(ReviewsPileUp, reviews::an_agent_has_at_most_100_open_reviews),
    row!(WalletsAreShared, config::two_organizations_do_not_pay_from_one_account),
    row!(DenialsPileUp, denials::an_agent_has_at_most_1000_denials_of_a_day_kept),
    row!(EqualDenialsAddRows, denials::equal_denials_of_a_day_without_a_key_are_one),
    row!(RemovedKeysPayAgain, removal::a_key_whose_payment_has_left_pays_no_second_time),
    row!(OpenRowsLeave, removal::what_is_open_stays_whatever_its_age),
    row!(RequestsLeaveEarly, answers::a_request_is_kept_while_it_may_be_sent_and_no_longer),
    row!(RefusalsAreKept, answers::what_a_merchant_answers_and_does_not_deliver_takes_no_room_of_deliveries),
    row!(OneAgentKeepsAllAnswers, answers::answers_to_one_agent_take_no_room_of_others),
    row!(ReviewsAgeWithCharges, charges::a_review_of_a_charge_is_about_it_at_whatever_second_it_is_asked_for),
    row!(
        RefusedRepeatsAreLost,
        undelivered::a_repeat_that_was_answered_and_refused_is_sent_again_whatever_its_method
    ),
    row!(OverReviewsAnswerOthers, reviews::a_review_that_is_over_under_a_key_answers_no_request_without_one),
    row!(ShortWalletsUseApprovals, reviews::a_wallet_that_is_too_short_uses_no_approval_up),
    row!(FullBudgetsUseApprovals, approvals::a_budget_that_is_full_for_a_while_uses_no_approval_up),
    row!(
        SilentSignersUseApprovals,
        approvals::a_signer_that_says_nothing_for_a_while_uses_no_approval_up
    ),
    row!(
        EndedTokensUseApprovals,
        approvals::a_token_that_ends_while_a_payment_is_prepared_uses_no_approval_up
    ),
    row!(
        EndedTokensLeaveAtOnce,
        approvals::a_token_that_ends_while_a_payment_is_prepared_uses_no_approval_up
    ),
    row!(
        GoneTokensAreEnded,
        approvals::a_token_that_was_taken_back_after_its_end_gives_no_approval_back
    ),
    row!(
        FilledBudgetsUseApprovals,
        approvals::a_budget_that_fills_up_while_a_payment_is_prepared_uses_no_approval_up
    ),
    row!(
        FilledBudgetsAreSilent,
        approvals::a_budget_that_fills_up_while_a_payment_is_prepared_uses_no_approval_up
    ),
    row!(
        LateApprovalsAreForEver,
        approvals::an_approval_that_ends_while_its_payment_is_prepared_is_asked_for_again
    ),
    row!(
        ApprovalsOutliveTokens,
        approvals::what_is_prepared_for_an_agent_that_ends_gives_no_approval_back
    ),
    row!(
        PreparedAreNotDenied,
        approvals::what_is_being_prepared_can_be_denied_until_it_is_signed
    ),
    row!(OtherStatesAreNone, operator::a_state_that_no_row_can_have_is_refused_by_its_name),
    row!(EqualDenialsCount, denials::equal_denials_take_no_place_of_a_review),
    row!(
        OffersAreFoundByPlace,
        reports::a_payment_is_signed_for_the_offer_that_was_judged_wherever_it_stands_by_now
    ),
    row!(UnmovedPileUp, denials::an_agent_begins_no_payment_on_a_day_of_which_5000_never_moved),
    row!(
        UnmovedStayForYears,
        removal::a_payment_that_never_moved_leaves_after_a_week_and_its_key_pays_nothing_more
    ),
    row!(ReviewsStayWhole, removal::a_review_that_is_over_shows_its_request_for_a_week),
    row!(UnreadAnswersAreHeard, undelivered::an_answer_that_cannot_be_read_may_be_a_delivery),
    row!(
        OpenRowsAreLookedAtOnce,
        removal::a_review_that_waits_for_weeks_shows_its_request_no_longer_than_it_waits
    ),
    row!(
        RoundsBeginAnywhere,
        removal::a_round_that_another_version_began_hides_no_row_from_the_next_one
    ),
    row!(AnswersPileUp, answers::answers_have_a_bound_in_all_and_the_oldest_leave_first),
    row!(ClaimsStayTold, reports::what_is_over_names_no_other_transaction_than_the_chain_shows),
    row!(AgentsTakeNoTurns, turns::what_one_agent_leaves_open_takes_no_turn_of_another_agent),
    row!(KindsTakeNoTurns, turns::payments_that_are_read_take_no_turn_of_a_payout_or_an_interrupted_one),
    row!(EscrowsComeBeforeLinks, links::settling::payments_in_escrow_that_wait_hold_up_no_link),
    row!(OneMerchantTakesTurns, turns::a_merchant_that_hangs_holds_up_no_payout_and_no_payment_to_another_one),
    row!(OpenPaymentsPileUp, turns::an_agent_has_at_most_2500_open_payments_and_128_mib_of_their_requests),
    row!(OnePayeeTakesAllRoom, turns::a_payee_has_at_most_200_open_payments_of_an_agent_and_8_mib_of_their_requests),
    row!(OneMerchantTakesAllRoom, turns::a_merchant_of_many_payees_has_at_most_1000_open_payments_of_an_agent_and_48_mib_of_their_requests),
    row!(RequestsOutliveUse, turns::a_request_that_is_never_sent_again_is_not_kept),
    row!(LongUrlsAreKept, answers::a_denial_keeps_origin_and_path_of_its_url),
    row!(ReservesNothing, reports::what_is_signed_is_counted_before_it_leaves),
    row!(BudgetsOverflow, decisions::a_budget_that_would_overflow_is_denied_with_its_three_figures),
    row!(KeysAreForgotten, decisions::a_key_is_answered_with_the_same_bytes_for_ever_and_pays_once),
    row!(RefusalsAreVoid, reports::a_merchant_that_refuses_gives_no_money_back),
    row!(UnusedIsVoid, reports::what_is_unused_past_its_end_is_void_and_not_before),
    row!(OneBlockConfirms, reports::a_payment_is_confirmed_by_twelve_blocks_and_not_by_one),
];

#[test]
fn each_guard_of_the_treasury_that_is_removed_fails_its_test() {
    for (mutant, name, test) in TABLE {
        plant(Some(*mutant));
        let outcome = catch_unwind(test);
        plant(None);
        assert!(outcome.is_err(), "{mutant:?} is not found by {name}");
    }
}
