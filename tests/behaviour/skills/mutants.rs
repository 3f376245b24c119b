//! Guards of the market, and the test that fails without each.

use std::panic::catch_unwind;

use farebox_core::mutant::{Mutant, plant};

use super::{
    archive, catalogue, documents, invocations, places, quotes, replies, room, sales,
    subscriptions, tables, transactions,
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
    row!(PathsShowSecrets, sales::a_path_is_logged_without_the_tokens_in_it),
    row!(ProofsForEver, catalogue::a_proof_ends),
    row!(AnyWalletOwns, catalogue::the_signature_of_another_wallet_proves_nothing),
    row!(ProofsServeTwice, catalogue::a_proof_serves_once),
    row!(ContentIsNotSigned, catalogue::a_proof_covers_the_whole_body),
    row!(SkillsPileUp, catalogue::an_owner_has_at_most_twenty_active_skills),
    row!(IdsAreTakenOver, room::an_id_that_was_forgotten_is_its_former_owner_s),
    row!(
        LostTablesStay,
        tables::a_table_of_a_time_that_the_books_have_lost_is_written_over_however_its_number_stands
    ),
    row!(LostIdsAreFree, tables::an_id_of_the_time_that_the_books_have_lost_is_its_payee_s_alone),
    row!(UsedIsForgotten, room::a_skill_that_was_paid_is_never_forgotten),
    row!(CallsAreRemembered, room::what_was_called_for_nothing_is_forgotten),
    row!(OwnersFillTheTable, room::an_owner_has_a_share_of_the_table_until_its_skills_are_paid),
    row!(NewcomersFindNoRoom, room::what_no_one_pays_makes_room_and_what_was_sold_does_not),
    row!(ShownMoneyKeepsPlaces, places::a_payment_that_was_not_settled_keeps_no_place),
    row!(DustKeepsPlaces, places::a_dime_keeps_a_kibibyte_for_thirty_days),
    row!(
        SellersVouchForMoney,
        places::an_invocation_keeps_a_place_if_more_than_the_seller_says_that_it_was_paid
    ),
    row!(PlacesGrow, places::a_place_that_grows_is_kept_for_less),
    row!(ComebacksWait, places::what_made_room_comes_back_at_once),
    row!(FormerOwnersPileUp, room::whose_an_id_was_stays_known_of_ten_thousand),
    row!(PackKeysStay, sales::a_key_of_a_pack_ends_after_the_pack),
    row!(PublishingHasNoPace, room::wallets_publish_at_a_pace),
    row!(AnyHostIsCalled, catalogue::a_skill_is_called_at_public_hosts_alone),
    row!(OldTablesCount, catalogue::a_table_that_was_overtaken_is_written_again),
    row!(AnyoneForwards, sales::only_what_the_gate_has_signed_is_served),
    row!(ForwardsForEver, sales::the_gate_s_signature_ends),
    row!(AnyPriceBuys, sales::another_price_buys_nothing),
    row!(OldPricesBuy, sales::a_price_that_was_replaced_buys_for_five_minutes),
    row!(GoneIsSold, sales::a_skill_that_was_deactivated_is_sold_no_more_but_for_what_was_settled),
    row!(PacksNeverEnd, sales::a_pack_gives_as_many_calls_as_were_paid),
    row!(PacksAreRepeated, sales::a_payment_makes_one_pack_however_often_it_is_told),
    row!(OnePaymentGivesAnyPack, sales::a_payment_that_has_made_a_pack_gives_no_other_one),
    row!(
        DaysAreOfInvocations,
        invocations::what_is_refused_is_given_back_to_the_day_in_which_it_counted
    ),
    row!(PaidPacksAreKept, sales::a_pack_that_was_settled_is_given_though_its_skill_was_taken_back),
    row!(PacksOutliveTheirSkill, sales::a_pack_of_a_skill_that_was_forgotten_calls_no_other_one),
    row!(
        UsedSkillsLapse,
        places::a_skill_that_was_used_waits_for_its_owner_where_a_fee_is_not_paid
    ),
    row!(SkillsShareSecrets, sales::a_secret_is_that_of_one_skill),
    row!(RepliesPushOthersOut, replies::calls_for_nothing_push_no_paid_answer_out),
    row!(SellersVouchForAnswers, replies::a_seller_s_own_word_pushes_no_paid_answer_out),
    row!(PacksEndWithTheirSkill, sales::a_pack_gives_its_calls_after_its_skill_was_taken_back),
    row!(PacksCostNothing, sales::a_pack_costs_at_least_the_smallest_payment_for_each_call),
    row!(SmallRepliesFillTheStore, replies::long_answers_find_room_among_small_ones),
    row!(
        ClaimsAreShown,
        transactions::that_a_payment_moved_shows_no_transaction_that_its_seller_named
    ),
    row!(ClaimsKeepTransactions, quotes::a_transaction_that_a_seller_names_stays_its_payers),
    row!(
        ClaimsKeepTransactions,
        transactions::a_transaction_that_is_shown_is_taken_from_an_invocation_whose_seller_named_it
    ),
    row!(RepliesPileUp, replies::an_answer_that_no_one_can_ask_for_leaves_after_two_minutes),
    row!(RepliesFillTheStore, replies::answers_have_a_bound_together),
    row!(AnyMissIsUnasked, invocations::another_miss_than_the_treasury_s_own_ends_no_payment),
    row!(DriftIsPaid, invocations::more_than_the_listed_price_is_not_paid),
    row!(AnyPayeeIsPaid, invocations::another_payee_than_the_listed_one_is_not_paid),
    row!(AnyAssetIsPaid, invocations::another_asset_than_the_listed_one_is_not_paid),
    row!(CallsAreRepeated, invocations::a_key_is_answered_with_the_same_bytes_and_paid_once),
    row!(KeysPayAgain, invocations::a_key_pays_once_for_ever),
    row!(CallsServeOthers, invocations::a_key_stands_for_one_request),
    row!(TwinsAreCalled, invocations::the_same_request_at_once_is_one_invocation),
    row!(OldGrantsCount, invocations::a_worker_that_lost_its_invocation_changes_nothing),
    row!(CapsAreIgnored, invocations::a_day_has_a_cap_that_is_looked_at_before_anything_is_signed),
    row!(
        FailuresAreSuccesses,
        invocations::what_was_paid_and_not_delivered_is_told_with_its_receipt_and_is_no_success
    ),
    row!(
        ReceiptsAreLost,
        invocations::what_was_paid_and_not_delivered_is_told_with_its_receipt_and_is_no_success
    ),
    row!(
        DoubtIsUnpaid,
        invocations::what_may_have_been_paid_is_told_as_unknown_until_the_chain_says
    ),
    row!(LedgersAreOpen, invocations::an_agent_sees_its_own_rows_alone),
    row!(TransactionsServeTwice, transactions::one_transaction_pays_one_invocation),
    row!(ShelvesAreNotRead, archive::rows_stay_until_the_bucket_has_them),
    row!(DepartedIsForgotten, archive::a_transaction_of_a_row_in_the_archive_pays_no_other),
    row!(OpenQuotesPileUp, quotes::a_client_holds_thirty_two_quotes),
    row!(QuotesAreNotShared, quotes::a_few_networks_leave_quotes_to_others),
    row!(AmountsAreShared, quotes::two_quotes_never_ask_for_the_same_amount),
    row!(AmountsAreWhole, quotes::no_quote_asks_for_whole_tenths_of_a_cent),
    row!(SellersSpeakForMarket, documents::what_a_seller_says_is_told_as_their_word),
    row!(SellersSpeakForGate, documents::a_gate_s_documents_tell_what_a_seller_says_as_their_word),
    row!(PriceAloneChooses, sales::what_was_settled_is_served_by_the_version_that_takes_it),
    row!(QueriesAreLost, catalogue::a_query_that_is_paid_and_not_passed_on_is_asked_of_no_one),
    row!(SellersKeysAreShown, catalogue::the_query_of_a_seller_s_url_is_told_to_no_one),
    row!(PayloadsAreDropped, sales::a_payload_that_its_seller_does_not_get_uses_nothing),
    row!(OldQuotesSettle, quotes::a_quote_that_has_ended_is_not_settled),
    row!(HashesSettleTwice, quotes::a_hash_settles_one_quote),
    row!(StrangersSettle, quotes::money_of_another_wallet_than_the_named_one_pays_nothing),
    row!(TipsSettle, quotes::a_block_that_may_be_reorganized_settles_nothing_yet),
    row!(ShownQuotesEnd, quotes::a_payment_whose_block_becomes_safe_hours_later_settles_its_quote),
    row!(SilenceEndsQuotes, quotes::a_node_that_is_silent_ends_no_quote_that_was_paid),
    row!(UnvouchedQuotesEnd, quotes::a_silent_reputation_worker_ends_no_quote_that_was_paid),
    row!(SilentWordsKeepQuotes, quotes::a_silent_reputation_worker_keeps_no_quote_that_is_unpaid),
    row!(NodesAreFlooded, quotes::a_node_is_asked_about_a_quote_once_a_second),
    row!(AnyoneIsReputable, quotes::whom_the_operator_s_worker_denies_gets_no_quote),
    row!(MetricsAreOpen, quotes::the_operator_s_numbers_are_shown_to_the_operator_alone),
    row!(QuotesServeOthers, subscriptions::a_quote_renews_what_it_is_for_and_not_for_less),
    row!(CallsNeverEnd, subscriptions::calls_are_used_one_by_one_until_none_is_left),
    row!(RenewalsAreFree, subscriptions::what_is_not_renewed_serves_for_a_day_and_then_no_more),
    row!(AnyoneConsumes, subscriptions::calls_are_used_with_the_key_alone),
    row!(ValuesTakeNoRoom, room::many_values_of_one_network_keep_no_one_out_of_what_the_gate_reads),
    row!(PlacesAreLeftOut, room::what_no_money_keeps_is_left_out_of_a_table_first),
    row!(SettledPricesEnd, sales::what_was_settled_at_an_earlier_price_is_served_however_late),
    row!(MoneyCountsTwice, places::money_that_an_invocation_tells_of_keeps_no_place_as_a_sale_too),
    row!(GonePaysItsFee, room::the_fee_of_what_cannot_be_sold_is_not_taken),
    row!(RemovalsAreForgotten, room::what_the_operator_took_back_is_never_published_anew),
    row!(RemovedAreIdle, room::a_removal_forgets_what_else_is_idle_and_not_itself),
    row!(
        OldLayoutsStay,
        room::a_table_of_an_earlier_version_is_written_anew_and_its_skills_are_weighed
    ),
    row!(OldSettingsStay, tables::a_skill_is_sold_on_no_network_that_came_after_it),
    row!(OldFeesStay, tables::the_gate_s_table_follows_the_market_s_settings),
    row!(
        AsksHaveTheFirstLease,
        invocations::a_treasury_that_is_asked_again_has_as_long_as_it_had_at_first
    ),
    row!(FormerFeesAreLost, sales::a_fee_that_was_asked_before_it_changed_lists_its_skill),
    row!(LostPaymentsRunForEver, invocations::what_no_one_tells_of_ends_and_may_have_been_paid),
    row!(NetworksAreOnlyCounted, tables::a_skill_is_sold_on_no_network_that_came_after_it),
    row!(FirstTokensPayAlone, sales::a_pack_and_a_fee_are_paid_in_the_usual_token_of_each_network),
    row!(TotalsDrift, invocations::a_skill_that_asks_for_its_price_is_paid_by_the_treasury),
];

#[test]
fn each_guard_of_the_market_that_is_removed_fails_its_test() {
    for (mutant, name, test) in TABLE {
        plant(Some(*mutant));
        let outcome = catch_unwind(test);
        plant(None);
        assert!(outcome.is_err(), "{mutant:?} is not found by {name}");
    }
}
