//! Guards of channels, and the test that fails without each. Histories find the others.

use std::panic::catch_unwind;

use farebox_core::mutant::{Mutant, plant};

pub use super::explore::MUTANTS as IN_HISTORIES;
use super::{errands, explore, vouchers};
use crate::channel_payer::lost;
use crate::sessions::{
    ahead, by_mpp, ceilings, cheap, claims, dust, funds, kinds, overtaken, own, paid_out, payee,
    refunds, restored, retention, sales, settlers, told, units, vain, waits, wrong,
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
    row!(AnySignerPays, vouchers::a_voucher_of_another_signer_or_chain_is_refused),
    row!(KnownAreBelieved, wrong::a_wrong_voucher_of_who_has_paid_often_buys_nothing_either),
    row!(AnyChannelPays, vouchers::a_voucher_of_another_channel_is_refused),
    row!(VouchersFall, vouchers::a_voucher_that_falls_is_refused_and_the_highest_stays),
    row!(DepositIsUnbounded, vouchers::a_voucher_above_the_deposit_is_refused),
    row!(AnyVoucherPays, vouchers::each_request_brings_what_was_charged_and_its_price),
    row!(RepeatsAreCharged, vouchers::the_same_request_again_has_the_same_answer_and_costs_nothing),
    row!(AnyRequestRepeats, vouchers::a_voucher_that_was_charged_pays_for_no_other_request),
    row!(UnitsAreUnbounded, vouchers::less_than_the_price_is_charged_and_never_more),
    row!(OldSightsCount, vouchers::an_answer_of_the_chain_that_comes_late_changes_nothing),
    row!(PromisesAreSpent, vouchers::a_refund_is_one_promise_until_its_nonce_is_used),
    row!(EarnedIsRefunded, vouchers::a_refund_is_one_promise_until_its_nonce_is_used),
    row!(
        UndoneIsRefunded,
        vouchers::what_was_added_to_a_deposit_is_paid_back_once_it_is_not_undone
    ),
    row!(
        UndoneIsForgotten,
        vouchers::refunds_that_the_chain_undoes_are_kept_for_who_has_their_signatures
    ),
    row!(PublishedIsSecret, sales::a_voucher_that_stands_on_a_chain_fetches_nothing),
    row!(PublishedIsSecret, paid_out::a_voucher_that_stands_on_a_chain_pays_for_no_one),
    row!(PublishedIsSecret, paid_out::a_voucher_that_was_sent_for_a_chain_closes_no_channel),
    row!(
        PublishedIsSecret,
        refunds::a_voucher_that_was_sent_for_a_chain_pays_nothing_back_while_its_channel_is_used
    ),
    row!(
        BusyIsRefunded,
        refunds::a_public_voucher_pays_everything_back_once_its_channel_has_rested_and_once_a_day
    ),
    row!(ReadersAreTold, refunds::a_public_voucher_is_told_what_the_chain_shows_and_nothing_else),
    row!(SentIsUntold, lost::a_payer_whose_record_is_lost_or_old_goes_on_after_all_was_claimed),
    row!(SentIsUntold, lost::a_payer_whose_record_is_lost_goes_on_while_no_claim_comes_through),
    row!(OldRefundsAreUntold, lost::a_refund_by_an_old_record_pays_back_the_rest_after_all_was_claimed),
    row!(AheadIsBelieved, ahead::who_withdraws_after_a_clock_ran_ahead_buys_nothing_more),
    row!(AheadIsBelieved, ahead::what_was_earned_while_a_clock_ran_ahead_is_claimed_once_it_is_right),
    row!(DustIsWritten, cheap::vouchers_that_add_less_than_a_request_costs_write_nothing),
    row!(UndoneIsClaimed, paid_out::what_was_earned_before_a_deposit_that_is_undone_is_settled),
    row!(
        LowerDepositsAreForgotten,
        paid_out::a_close_above_what_is_left_of_a_deposit_pays_what_was_earned_and_ends_the_channel
    ),
    row!(
        ShortVouchersCloseNothing,
        paid_out::a_close_above_what_is_left_of_a_deposit_pays_what_was_earned_and_ends_the_channel
    ),
    row!(NothingIsClosed, cheap::a_close_that_would_settle_nothing_is_left_to_the_payer),
    row!(ChannelsAreDust, cheap::a_deposit_below_the_price_opens_nothing),
    row!(UnknownIsLookedFor, cheap::a_channel_that_was_not_opened_here_asks_no_node),
    row!(StrangersAreTold, cheap::a_stranger_who_names_a_deposit_learns_what_the_chain_shows),
    row!(QuietIsWatchedForEver, paid_out::a_payer_who_buys_nothing_for_a_week_is_settled_and_watched_no_more),
    row!(UnspentIsClaimed, paid_out::what_is_not_spent_is_not_claimed_while_the_payer_stays),
    row!(StuckIsNotReplaced, paid_out::a_transaction_that_is_stuck_is_replaced),
    row!(RepeatsAreDoubles, paid_out::a_transaction_that_is_stuck_is_replaced),
    row!(LeaversQueue, payee::sixty_calls_at_once_are_mined_in_a_few_blocks_who_leaves_first),
    row!(CrumbsComeFirst, payee::of_payers_who_leave_those_who_owe_most_go_first),
    row!(BatchesStayWhole, claims::a_claim_that_is_refused_for_ever_does_not_hold_up_the_others),
    row!(UnseenGoTogether, claims::one_whose_deposit_is_gone_is_left_out_of_the_next_batch),
    row!(PricesFreeze, payee::a_price_that_was_raised_to_its_limit_follows_the_chain),
    row!(RaisesAreUnpaid, payee::a_price_that_the_account_cannot_pay_stops_no_one),
    row!(StayersComeFirst, payee::who_leaves_takes_the_nonce_of_who_stays_if_one_can_be_paid),
    row!(DustIsSent, funds::a_deposit_that_is_not_worth_its_gas_is_not_sent),
    row!(UnboundDepositsAreSent, funds::a_deposit_that_is_not_bound_to_its_channel_is_not_sent),
    row!(UnsignedDepositsAreSent, funds::a_deposit_that_its_payer_has_not_signed_is_not_sent),
    row!(LateIsSent, funds::a_deposit_that_ends_too_soon_is_not_sent),
    row!(VainDepositsAreSent, funds::a_deposit_that_the_token_refuses_is_not_sent),
    row!(DepositsAreDoubles, waits::a_deposit_that_waits_is_sent_once),
    row!(
        CrumbsAreClosed,
        waits::who_has_bought_little_waits_for_the_rest_as_long_as_for_a_withdrawal
    ),
    row!(SentIsOwn, own::a_deposit_that_the_gate_has_sent_is_not_its_payers_own),
    row!(
        AnyAddIsOwn,
        own::what_is_added_to_a_deposit_that_the_gate_has_sent_makes_it_no_ones_own
    ),
    row!(AnyEventBrings, own::a_transaction_that_says_nothing_of_the_deposit_brings_none),
    row!(DepositsTakeGas, waits::a_deposit_leaves_the_gas_for_what_pays_out),
    row!(
        VainIsFree,
        vain::deposits_whose_tokens_are_moved_before_the_block_are_sent_ever_more_slowly
    ),
    row!(
        PublishedRowsGo,
        retention::the_row_of_a_channel_with_a_voucher_that_everyone_has_read_stays
    ),
    row!(DepositsDoNotWake, refunds::what_is_added_to_a_channel_at_rest_stays_for_an_hour),
    row!(
        ReadersSendRefunds,
        refunds::a_refund_that_waits_is_sent_once_more_for_whoever_asks_and_then_by_the_alarm
    ),
    row!(PayoutsWait, claims::a_payout_without_a_certain_answer_is_asked_for_again_in_seconds),
    row!(NetworksShareLooks, waits::the_same_question_on_two_networks_is_two_looks),
    row!(
        FirstSendersHoldBack,
        overtaken::a_stranger_who_sends_a_payers_deposits_first_does_not_hold_them_back
    ),
    row!(
        LooksHoldUpAll,
        overtaken::a_look_that_cannot_be_read_holds_up_nothing_that_is_sent
    ),
    row!(
        SpoiltHasCome,
        overtaken::a_payer_who_spoils_what_they_signed_and_adds_as_much_has_made_deposits_that_failed
    ),
    row!(
        OvertakenIsFree,
        overtaken::deposits_that_strangers_send_first_slow_those_of_new_payers_alone
    ),
    row!(RevertedHasCome, vain::a_payer_who_adds_as_much_first_has_made_a_deposit_that_failed),
    row!(StrangersPauseAll, vain::strangers_do_not_hold_up_deposits_of_whoever_has_made_one),
    row!(ProvenFailFree, vain::strangers_do_not_hold_up_deposits_of_whoever_has_made_one),
    row!(AddingIsProof, vain::where_no_receipt_is_known_whoever_adds_is_a_stranger),
    row!(DepositsAreUntold, sales::a_deposit_whose_request_fails_is_told_and_not_made_again),
    row!(ProvenFailOften, vain::payers_who_made_a_deposit_once_have_sixteen_that_fail_too),
    row!(LandedIsForgotten, vain::a_node_that_is_behind_has_no_deposit_sent_twice),
    row!(ErrorsAreReverts, vain::what_a_busy_node_says_is_no_word_against_a_deposit),
    row!(AnyPartiesPay, by_mpp::a_channel_that_another_route_sells_by_pays_for_nothing),
    row!(SentIsSecret, paid_out::a_voucher_that_comes_while_a_transaction_is_made_is_public),
    row!(HigherVouchersUncharge, by_mpp::a_higher_voucher_leaves_what_is_held),
    row!(AnyRouteCloses, waits::a_channel_is_closed_no_sooner_at_a_route_of_another_token),
    row!(ChannelsAreOfAnyKind, kinds::what_comes_by_mpp_says_nothing_of_a_channel_of_x402),
    row!(AnyRouteSells, by_mpp::a_channel_that_another_route_sells_by_pays_for_nothing),
    row!(PublishedIsSecret, units::what_was_not_charged_of_a_public_voucher_pays_for_no_one),
    row!(RoomIsPublished, units::a_voucher_that_was_charged_nothing_is_not_published),
    row!(
        RestoresAreForgotten,
        restored::vouchers_of_x402_that_a_restored_row_has_lost_buy_nothing_again
    ),
    row!(
        RestoresBetweenAreForgotten,
        restored::a_channel_of_the_time_between_two_restores_is_paid_back_by_its_own_terms
    ),
    row!(
        RestoredChannelsSell,
        restored::vouchers_of_mpp_that_a_restored_row_has_lost_buy_nothing_again
    ),
    row!(AnyOpeningIsYoung, restored::a_channel_that_is_opened_again_after_a_restore_is_no_younger),
    row!(AnswersStay, retention::a_route_that_stores_nothing_keeps_no_answer_of_a_session),
    row!(OwedRowsGo, retention::the_row_of_a_channel_that_is_owed_something_stays),
    row!(OneHoldsUpAll, vain::a_payer_whose_deposits_come_to_nothing_is_held_back_and_others_go_on),
    row!(ShownIsChecked, by_mpp::a_voucher_of_someone_else_buys_nothing),
    row!(LeaversAreNotHurried, paid_out::what_is_earned_is_settled_before_the_payer_withdraws),
    row!(
        LeaversAreForgotten,
        explore::a_close_that_is_undone_is_made_again_before_its_payer_withdraws
    ),
    row!(
        SilenceIsFinal,
        explore::what_is_undone_is_made_again_whenever_looks_for_it_fail
    ),
    row!(
        WatchedSinceSent,
        vouchers::what_is_seen_long_after_it_was_sent_is_watched_from_then_on
    ),
    row!(
        QuietIsUnwatched,
        errands::a_payer_who_withdraws_on_a_chain_that_made_no_blocks_for_a_day_is_seen_in_time
    ),
    row!(
        ClaimsAreNotGathered,
        errands::what_is_bought_while_a_claim_is_sent_waits_for_the_next_one
    ),
    row!(RefundsKeepEarnings, errands::a_refund_that_is_never_made_keeps_no_earnings_back),
    row!(
        LeaversWaitOutPauses,
        errands::claims_that_failed_for_days_hold_up_none_once_the_payer_withdraws
    ),
    row!(
        RefundsAreWatchedForEver,
        errands::a_refund_that_is_never_made_is_looked_for_ever_more_seldom
    ),
    row!(WalletsHideChannels, errands::an_empty_wallet_ends_no_looks_at_a_channel),
    row!(HoldsOverlap, by_mpp::two_requests_at_once_need_a_voucher_for_both),
    row!(AnyConfigPays, wrong::a_wrong_voucher_buys_nothing_and_asks_no_one),
    row!(UnknownDepositIsRefused, wrong::a_deposit_whose_outcome_is_unknown_asks_for_no_second_one),
    row!(
        DoubtfulDepositIsRefused,
        wrong::a_deposit_that_may_have_been_sent_though_it_failed_asks_for_no_second_one
    ),
    row!(
        AskedIsShown,
        by_mpp::a_node_that_stands_still_sells_nothing_to_a_payer_who_withdraws
    ),
    row!(
        AskedIsShown,
        by_mpp::a_node_that_stands_still_does_not_bring_back_a_payer_who_was_seen_to_withdraw
    ),
    row!(
        QuietIsStill,
        by_mpp::a_chain_that_makes_a_block_for_each_transaction_sells_while_it_makes_none
    ),
    row!(LooksAreAlone, waits::copies_of_a_deposit_that_waits_share_their_looks),
    row!(LooksAreFree, waits::the_node_is_asked_a_few_times_for_a_deposit_that_does_not_come),
    row!(LagIsRefused, wrong::a_deposit_counts_only_by_an_answer_that_is_right_in_every_member),
    row!(AnyDepositCounts, wrong::a_deposit_counts_only_by_an_answer_that_is_right_in_every_member),
    row!(StatedDepositsCount, settlers::a_deposit_that_its_facilitator_counts_twice_is_looked_at_before_it_pays),
    row!(OneFacilitatorIsAsked, settlers::a_facilitator_that_does_not_serve_sessions_is_passed_by),
    row!(DepositsAreDust, dust::what_is_below_the_price_asks_no_one),
    row!(NewDepositsAreBlind, dust::the_first_voucher_of_a_channel_is_for_the_price),
    row!(RefundsAreBlind, refunds::a_refund_that_the_row_refuses_asks_no_one),
    row!(NothingIsRefunded, refunds::a_channel_that_bought_nothing_is_not_paid_back),
    row!(
        RefundsWaitUntold,
        crate::sessions::refunds::what_was_added_is_paid_back_after_a_quarter_of_an_hour
    ),
    row!(
        RefundsAreDust,
        vouchers::a_part_is_paid_back_if_it_is_worth_it_and_its_voucher_is_not_public
    ),
    row!(DepositsAreBlind, wrong::a_deposit_whose_voucher_does_not_fit_moves_no_money),
    row!(ChannelsAreOnePayment, told::each_request_of_a_channel_is_a_payment_of_its_own),
    row!(NamedPayersAreProven, told::the_origin_is_told_who_signs_and_not_who_is_named),
    row!(OpeningsAreJunk, crate::sessions::junk::whoever_comes_again_as_the_gate_says_opens_a_channel_after_a_flood_from_its_network),
    row!(StrangersAskWithoutEnd, crate::sessions::junk::whoever_names_the_channel_of_another_is_limited_at_that_channel_alone),
    row!(ForgivenTimeIsLost, crate::sessions::junk::time_forgives_one_in_six_seconds_whatever_is_refused_meanwhile),
    row!(EarlierTermsAreForgotten, crate::sessions::earlier::what_was_charged_is_delivered_again_whatever_the_route_asks_for_since),
    row!(StepsAreFree, crate::sessions::streams::a_stream_is_charged_in_steps_before_they_leave),
    row!(SilenceCutsStreams, crate::sessions::streams::a_stream_whose_chain_is_not_seen_ends_with_a_receipt),
    row!(StreamsRepeat, crate::sessions::streams::a_stream_that_was_begun_is_not_begun_again),
    row!(WaitsBeginAnew, crate::sessions::streams::a_step_of_another_stream_makes_no_wait_longer),
    row!(UnitsBegin, crate::sessions::streams::the_origin_is_asked_for_a_step_and_for_no_less),
    row!(DustIsTaken, crate::sessions::streams::a_voucher_adds_a_step_or_the_rest_of_the_deposit),
    row!(StreamsOverlap, ceilings::the_next_request_of_a_channel_ends_its_stream),
    row!(BodiesAreOne, sales::another_body_is_another_request),
    row!(PartsAreOne, by_mpp::another_part_of_a_download_is_another_request_under_the_same_key),
    row!(
        UnchargedIsDelivered,
        sales::copies_of_a_request_whose_hold_was_lost_have_the_answer_that_was_charged
    ),
    row!(
        UnheardChargesAreLost,
        sales::an_answer_whose_charge_was_written_and_not_heard_of_is_delivered
    ),
    row!(OthersChargesDeliver, sales::the_charge_of_another_copy_delivers_nothing),
    row!(NamelessAreOne, sales::requests_that_could_not_be_named_do_not_stand_for_each_other),
    row!(BodiesUseUpHolds, sales::a_body_that_comes_slowly_uses_up_no_hold),
];

#[test]
fn each_guard_of_channels_that_is_removed_fails_its_test() {
    for (mutant, name, test) in TABLE {
        plant(Some(*mutant));
        let outcome = catch_unwind(test);
        plant(None);
        assert!(outcome.is_err(), "{mutant:?} is not found by {name}");
    }
}
