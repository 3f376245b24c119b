//! Each guard that ships, removed: the test that fails then, by name.
//!
//! A mutant stands in the code that ships, beside its guard; planting it changes what this thread runs. Those of an entry and
//! of the object around it are found by [`crate::ledger`]'s explorations.

use std::panic::catch_unwind;

use farebox_core::mutant::{Mutant, plant};

use crate::{
    agent, asked_by_link, bounded, changes, channel, channel_payer, client, clients, compute,
    config, contested, deferred, diagnostics, faults, forestalled, growth, handed, handles, ledger,
    limits, manners, metered, mpp, mpp_client, onchain, other_chains, payer_purchases, permits,
    pricer, purchases, receipts, redelivery, requests, restore, session_payer, settlement,
    signed_again, skills, spellings, strain, stream_payer, treasury, unproven, uploads, wallets,
};

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
    row!(AnewLosesSecret, signed_again::the_secret_of_the_first_request_stays),
    row!(AnewForAnother, signed_again::what_rests_begins_at_another_request_and_gets_no_answer_of_the_first),
    row!(AnewBesidePaid, signed_again::what_was_paid_by_another_nonce_is_not_paid_once_more),
    row!(RefusedIsSentBeside, contested::what_rests_is_not_paid_beside_another_payment_of_its_request),
    row!(SentIsRefused, contested::while_a_refused_payment_is_sent_again_its_outcome_is_not_known),
    row!(LostIsRefused, contested::a_second_send_whose_report_is_lost_is_in_doubt),
    row!(OldHearsItself, contested::what_rests_is_not_paid_beside_another_payment_of_its_request),
    row!(AnewIsResumed, signed_again::a_wallet_that_was_too_empty_a_moment_ago_is_told_so_and_begins_later),
    row!(DoubtBeginsAnew, signed_again::while_it_is_open_it_is_that_payment),
    row!(EarlierProves, signed_again::an_authorization_that_was_sent_before_fetches_nothing),
    row!(ShownProves, signed_again::an_authorization_without_a_proof_fetches_and_begins_nothing),
    row!(EarlierIsForgotten, signed_again::an_earlier_authorization_that_was_mined_pays_what_costs_no_more),
    row!(ShownIsForgotten, signed_again::whichever_authorization_is_mined_there_is_one_charge_and_at_most_one_delivery),
    row!(OldVerdictCounts, signed_again::a_verdict_that_knows_fewer_authorizations_than_the_row_says_nothing),
    row!(LessIsPaid, signed_again::an_earlier_authorization_that_was_mined_pays_no_higher_price_and_no_other_payee),
    row!(LessIsServed, signed_again::an_earlier_authorization_that_was_mined_pays_no_higher_price_and_no_other_payee),
    row!(RowAsksForToday, signed_again::while_it_is_open_it_is_that_payment_whatever_it_costs_by_now),
    row!(TakenByAll, settlement::one_transaction_never_serves_two_payments),
    row!(MovedBegins, ledger::lookups::what_is_begun_elsewhere_is_not_begun_here),
    row!(HeirForEver, growth::what_was_paid_leaves_room_for_what_comes),
    row!(DoubtIsForgotten, settlement::another_payment_for_the_same_request_waits_for_an_unknown_one),
    row!(DoubtLeavesRoom, limits::a_payer_whose_outcome_is_unknown_has_one_payment_in_flight),
    row!(PayerGrows, handles::a_payer_whose_places_are_taken_by_unfinished_work_is_told_why_and_for_how_long),
    row!(NetworkGrows, growth::a_network_has_at_most_five_hundred_rows_for_which_no_money_was_asked),
    row!(CrowdStays, growth::what_was_let_go_a_minute_ago_gives_its_place_to_what_comes),
    row!(ObjectGrows, ledger::lookups::a_full_object_begins_nothing_and_serves_what_it_knows),
    row!(UnpaidStays, growth::a_row_for_which_no_money_was_asked_goes_an_hour_after_its_end),
    row!(AskedGoes, growth::a_row_for_which_money_was_asked_stays),
    row!(HeaderFetches, redelivery::a_payment_header_alone_never_fetches_what_was_delivered),
    row!(ShortStreamsAreLost, redelivery::a_stream_is_not_lost_before_its_first_sign_of_life),
    row!(AnyReviewEnds, ledger::only_the_holder_of_a_lost_stream_ends_a_review),
    row!(UploadOutlastsPayment, uploads::a_body_flows_no_longer_than_its_payment_leaves_time_to_settle),
    row!(PublicResumes, redelivery::a_reader_of_the_chain_cannot_resume_an_undelivered_response),
    row!(ExpiredBegins, unproven::a_payer_with_an_open_payment_buys_nothing_with_one_that_has_ended),
    row!(ProvingIsForgotten, unproven::a_copy_at_another_price_of_what_is_being_verified_is_not_asked_to_pay_again),
    row!(UnprovenIsNew, unproven::a_wallets_payment_for_an_earlier_price_is_told_what_became_of_it),
    row!(DeniedIsSentAgain, clients::what_was_refused_is_not_sent_again_for_a_payer_denied_since),
    row!(TermsAreAnotherRequest, settlement::another_payment_for_the_same_request_waits_for_an_unknown_one_at_whatever_terms),
    row!(CallsAreCounted, strain::calls_of_one_payer_that_fail_hold_back_no_other),
    row!(OwnFailuresAreCredit, strain::a_payer_whose_settlement_failed_is_served_nothing_on_credit_until_one_succeeds),
    row!(EmptyWalletsStrain, strain::empty_wallets_that_a_facilitator_fails_on_change_nothing_for_another),
    row!(PaidAreStrained, strain::while_settlements_of_ten_payers_fail_who_has_not_paid_is_served_nothing_on_credit_and_who_has_is),
    row!(WalletsCountAgain, strain::wallets_whose_settlements_failed_do_not_count_again_until_they_have_paid),
    row!(PendingIsPaid, deferred::anything_but_a_clear_yes_is_a_doubt_that_no_payer_is_asked_to_pay_again_for),
    row!(ErrorsArePaid, deferred::anything_but_a_clear_yes_is_a_doubt_that_no_payer_is_asked_to_pay_again_for),
    row!(AnyIsPending, deferred::no_other_payment_is_paid_while_it_is_pending),
    row!(EndlessEnds, deferred::what_never_ends_is_kept_for_good),
    row!(BatchesAreOne, deferred::one_transaction_for_many_payments_serves_each_of_them),
    row!(NonceBySchemes, deferred::one_nonce_buys_once_by_whichever_scheme),
    row!(CopiesAreOne, wallets::a_forged_copy_that_is_being_verified_holds_up_no_payment),
    row!(ProvidersAreMany, unproven::who_holds_a_thousand_networks_of_one_provider_holds_up_another_for_one_place),
    row!(SettingsForget, changes::a_payment_that_the_ledger_knows_is_never_answered_with_terms_whatever_was_changed),
    row!(UnlistedIsNew, changes::a_payment_on_a_chain_that_is_not_sold_on_any_more_is_told_what_became_of_it),
    row!(ElsewhereIsNew, faults::a_late_repeat_hears_what_its_row_says_and_never_fresh_terms),
    row!(ForgottenIsNew, changes::what_a_restore_may_have_lost_is_not_asked_for_again_while_it_may_be_charged),
    row!(HopsAreAnybodys, pricer::told::connection_takes_away_nothing_that_the_platform_says_of_a_client),
    row!(DoubtIsDelivered, other_chains::what_the_alarm_settles_after_the_origin_ran_is_given_to_the_next_repeat_without_a_secret),
    row!(MarksGrow, ledger::lookups::a_network_has_so_many_payments_moved_in_an_hour_and_those_that_were_are_not_counted_again),
    row!(MovedIsNothing, ledger::lookups::what_is_begun_elsewhere_is_not_told_to_be_unknown_here),
    row!(RefusedIsNew, wallets::a_copy_that_is_refused_because_the_first_one_paid_is_told_so_and_gets_no_terms),
    row!(UnsignedIsNew, onchain::rotated::a_transaction_that_the_ledger_knows_is_not_asked_for_again_once_its_secret_is_gone),
    row!(UnsignedBegins, onchain::rotated::a_transaction_under_a_challenge_that_anyone_can_write_begins_nothing_and_is_looked_for_nowhere),
    row!(UnreadIsNew, restore::a_payment_that_the_gate_cannot_read_may_have_been_lost_as_well),
    row!(DatesAreUnread, restore::a_challenge_that_has_a_date_is_put_up_and_its_payment_served),
    row!(ClosedAsks, restore::no_client_is_asked_to_sign_what_would_be_refused),
    row!(SenderUnasked, onchain::senders::a_hash_whose_sender_is_not_named_belongs_to_who_sent_it_as_the_chain_says),
    row!(PayeeUnasked, pricer::payees::a_payee_that_the_route_does_not_allow_is_no_answer),
    row!(QuoteForEveryPayee, pricer::payees::a_quote_returned_with_another_payee_is_none),
    row!(PayeeStays, pricer::payees::a_payment_reaches_the_payee_of_its_402_or_is_refused_before_it_is_settled),
    row!(RefundersDecide, crate::refunds::who_reports_refunds_decides_and_sees_nothing_else),
    row!(AnyoneRefunds, crate::refunds::a_refund_is_reported_with_its_own_token_if_the_payees_wallet_sent_it),
    row!(LongIsTold, pricer::quotes::what_is_too_long_to_be_told_is_refused_and_buys_nothing),
    row!(ProofIsUnheard, receipts::a_repeat_that_shows_the_first_ones_secret_is_told_which_payment_it_is_and_no_other_is),
    row!(DebtsAreToldEarly, onchain::burnt::the_operator_hears_of_a_debt_once_it_may_not_be_served_any_more),
    row!(RivalBegins, mpp::of_the_two_payments_that_one_challenge_can_be_answered_with_one_buys_something),
    row!(StaleRoom, faults::work_is_not_begun_for_an_authorization_that_ends_while_it_waits),
    row!(PartBegins, requests::a_body_that_breaks_off_begins_nothing),
    row!(SentGetsTerms, onchain::moved::it_is_served_at_the_price_of_its_challenge_whatever_is_asked_by_now),
    row!(BlindForgets, onchain::moved::a_node_that_does_not_answer_leaves_a_row_that_finds_it),
    row!(DeniedIsServed, onchain::moved::a_transaction_sent_by_a_denied_payer_is_owed_and_never_called_uncharged),
    row!(LateIsServed, onchain::moved::what_was_mined_long_after_its_challenge_is_owed_and_not_served),
    row!(NotesHold, onchain::burnt::a_hash_that_others_have_shown_too_late_is_served_to_who_has_paid_in_time),
    row!(NotedSecretStays, onchain::burnt::who_has_shown_a_hash_for_another_fetches_nothing_that_was_served_for_it),
    row!(DebtsAreServed, onchain::burnt::what_the_operator_has_heard_to_be_owed_is_served_no_more),
    row!(FullForgets, onchain::moved::what_was_sent_and_finds_no_place_waits_to_be_fetched),
    row!(TrailingBytes, other_chains::what_stands_behind_a_message_of_solana_makes_no_other_payment_of_it),
    row!(SpellingNames, other_chains::a_payment_of_aptos_is_one_in_every_spelling),
    row!(TakenInManyPlaces, other_chains::a_transaction_that_a_facilitator_names_for_several_payments_counts_for_one),
    row!(TakenTwice, other_chains::a_transaction_that_a_facilitator_names_for_several_payments_counts_for_one),
    row!(TakenUnheard, other_chains::a_transaction_whose_owner_is_not_recorded_counts_for_nothing),
    row!(HandlesAreBelieved, handles::no_client_makes_a_handle_or_counts_for_one_that_it_was_not_given),
    row!(NetworksEscalate, diagnostics::a_hundred_unpaid_requests_from_one_network_stop_no_payer_there),
    row!(LengthBesideFraming, pricer::quotes::a_length_beside_another_framing_says_nothing_of_the_body),
    row!(QuestionUnbound, pricer::repeats::what_was_paid_for_one_question_and_not_received_answers_no_other),
    row!(QuoteForAll, pricer::quotes::a_price_holds_for_the_whole_question_that_it_was_named_for),
    row!(ChallengeForAll, mpp::another_question_is_asked_anew_and_a_challenge_for_the_same_price_is_served),
    row!(KeyIsOfPayment, signed_again::what_rests_begins_at_another_request_and_gets_no_answer_of_the_first),
    row!(KeyIsReceipt, manners::the_origin_sees_the_payer_and_nothing_that_speaks_of_payment),
    row!(ConflictNames, manners::a_conflict_does_not_name_the_payment_without_proof),
    row!(ClientsWriteKeys, manners::no_client_writes_a_key_of_those_that_the_gate_makes),
    row!(ReceiptIsSearched, receipts::a_receipt_needs_the_first_secret_or_a_signature),
    row!(TestMoneyBuys, config::every_wrong_setting_is_the_one_error_and_is_named_with_what_to_do),
    row!(
        UnpaidKnowMoney,
        manners::what_an_origin_did_without_a_payment_before_it_failed_is_not_known
    ),
    row!(UnderscoresPass, manners::what_origins_read_as_the_gates_own_is_not_the_clients_to_send),
    row!(DeepEscapesPass, requests::a_separator_that_is_encoded_three_times_is_refused_wherever_it_stands),
    row!(MangledPasses, requests::a_path_of_bytes_that_are_no_utf_8_is_refused),
    row!(AskWrites, ledger::lookups::what_is_resumed_has_a_row_and_makes_none),
    row!(BodyOfGet, requests::a_get_with_a_body_is_refused_before_anything_is_begun),
    row!(PinnedUnpaid, client::a_payee_whom_nothing_was_paid_is_not_the_one_of_before),
    row!(HeadsAreNames, settlement::transactions_whose_hashes_begin_alike_are_several),
    row!(ListedIsRefused, mpp::a_nonce_of_either_framing_pays_its_own_challenge_and_no_other),
    row!(JoinedIsRefused, mpp::a_nonce_of_either_framing_pays_its_own_challenge_and_no_other),
    row!(TiplessPasses, onchain::signed::one_that_leaves_no_tip_or_no_room_for_the_base_fee_may_wait_for_ever),
    row!(NoHeadroom, onchain::signed::one_that_leaves_no_tip_or_no_room_for_the_base_fee_may_wait_for_ever),
    row!(BytesUnasked, onchain::signed::the_challenge_names_what_the_route_takes),
    row!(UnminedIsManual, onchain::signed::an_unmined_transaction_is_closed_after_few_lookups_and_found_when_shown_again),
    row!(UnminedIsLookedFor, onchain::signed::an_unmined_transaction_is_closed_after_few_lookups_and_found_when_shown_again),
    row!(AllowanceReaches, onchain::hashes::a_longer_time_to_pay_makes_no_earlier_transaction_one_of_a_challenge),
    row!(AnyRealm, mpp_client::a_challenge_of_another_realm_is_not_signed_unless_the_payer_knows_it_to_be_the_hosts),
    row!(WordIsChain, settlement::one_transaction_told_to_two_payers_serves_the_second_only_where_the_facilitator_is_believed),
    row!(CachesAnswer, manners::no_cache_stands_between_a_paid_request_and_its_origin),
    row!(HeaderUnread, client::refusals::a_refusal_quotes_the_header_or_else_the_body),
    row!(PendingIsRefused, client::refusals::a_settlement_that_may_have_been_sent_is_asked_for_again_and_is_no_refusal),
    row!(UsedIsRefused, client::refusals::a_payment_that_is_said_to_have_been_used_is_no_refusal),
    row!(FundsUntold, client::refusals::an_empty_wallet_error_names_amount_token_and_network),
    row!(HopsArePriced, pricer::told::what_connection_names_is_neither_priced_nor_forwarded),
    row!(TwinsPass, pricer::told::no_field_stands_for_another_one_that_was_priced),
    row!(FieldsGrow, requests::a_request_with_more_fields_or_longer_lists_than_any_client_needs_is_refused_on_every_path),
    row!(PlusIsNoSpace, spellings::what_stands_for_a_space_is_one),
    row!(MarksAreLetters, spellings::marks_and_letters_without_width_make_no_other_path),
    row!(BasesDiffer, spellings::a_letter_is_its_base_and_what_it_looks_like),
    row!(StreamsAreFiles, spellings::the_nameless_streams_of_a_file_are_the_file),
    row!(SessionsArePaths, spellings::sessions_in_a_path_are_no_part_of_it),
    row!(ShortNamesPass, spellings::a_short_name_of_windows_is_a_name_of_the_file),
    row!(JunkIsKept, handed::junk_beside_a_payment_is_neither_kept_nor_handed_over),
    row!(AnyBound, bounded::a_bound_is_signed_only_where_the_policy_allows_one_so_high),
    row!(ReceiptsAreMoney, bounded::a_server_whose_receipts_say_nothing_is_signed_for_no_more_than_the_day_allows),
    row!(EndedIsPaidAgain, payer_purchases::a_charge_that_has_ended_is_made_again_only_if_a_person_or_the_policy_says_so),
    row!(NoncesAreDrawn, payer_purchases::a_key_is_one_charge_and_counted_once_in_every_process_where_the_nonce_is_the_payers),
    row!(PurchaseNamesCharges, payer_purchases::a_key_is_one_charge_and_counted_once_in_every_process_where_the_nonce_is_the_payers),
    row!(AnySlotIsSigned, payer_purchases::another_nonce_is_signed_for_a_request_only_once_nothing_else_can_be_charged),
    row!(ElsewhereIsUncounted, payer_purchases::another_nonce_is_signed_for_a_request_only_once_nothing_else_can_be_charged),
    row!(PolicyOfBefore, payer_purchases::a_purchase_goes_on_under_the_rules_of_today),
    row!(PurchaseCountsTwice, payer_purchases::calls_for_one_request_are_one_charge_whatever_is_answered_in_whatever_process),
    row!(SharedIsReleased, payer_purchases::what_another_process_may_have_signed_is_not_taken_out_of_the_budget),
    row!(AnyAmountCharged, client::a_receipt_that_contradicts_what_was_signed_is_no_receipt),
    row!(AnyPermittedToken, permits::a_permit_for_other_terms_buys_nothing),
    row!(PermitByToken, permits::one_nonce_of_permit2_is_served_once_whatever_it_is_signed_for),
    row!(ChargedAboveAll, ledger::a_seal_charges_a_part_of_what_was_signed_once_and_never_more),
    row!(ResendsAll, metered::the_same_part_is_sent_again_by_whoever_resumes_it),
    row!(FreeAgain, metered::an_answer_without_units_to_pay_is_not_charged_and_not_served_again),
    row!(CountIsUnbounded, metered::the_units_of_the_origin_are_settled_and_never_more_than_was_signed),
    row!(AnyContractSpends, forestalled::a_call_that_did_not_spend_the_permit_proves_nothing),
    row!(RevertedSpends, forestalled::a_call_that_did_not_spend_the_permit_proves_nothing),
    row!(DelegatedSpends, forestalled::a_call_that_did_not_spend_the_permit_proves_nothing),
    row!(AnySpenderSpends, forestalled::a_call_that_did_not_spend_the_permit_proves_nothing),
    row!(AnyTermsSpend, forestalled::a_call_that_did_not_spend_the_permit_proves_nothing),
    row!(AnyNonceSpends, forestalled::one_transfer_is_one_delivery_whichever_worker_is_shown_a_used_nonce),
    row!(SpentIsPaid, forestalled::a_call_without_its_transfer_is_no_payment),
    row!(UnsafeIsTraced, forestalled::calls_are_asked_for_once_their_block_is_safe),
    row!(TracedForEver, forestalled::calls_are_asked_for_two_hours_and_no_longer),
    row!(AllAreTraced, forestalled::only_the_block_in_which_the_nonce_is_used_is_looked_into),
    row!(UntracedIsUnread, forestalled::a_node_that_shows_no_calls_leaves_it_to_the_operator),
    row!(WordsArePaid, permits::a_permit_in_the_data_of_another_transfer_is_no_payment),
    row!(LinksAreTrusted, asked_by_link::a_link_that_says_otherwise_than_expected_is_not_paid),
    row!(AnySubscriptionContract, asked_by_link::another_contract_than_the_known_one_is_a_stop),
    row!(ActiveIsSubscribedAgain, asked_by_link::what_is_active_is_not_subscribed_to_again),
    row!(AnySchemeSigns, agent::a_way_that_cannot_be_signed_is_listed_and_not_recommended),
    row!(AnyBalanceIsEnough, agent::a_balance_below_the_amount_is_as_good_as_none),
    row!(QuoteOfAnyone, agent::a_quote_is_its_owners_alone),
    row!(QuoteForEver, agent::a_quote_ends_after_its_time_and_with_its_challenge),
    row!(AnyTokenPays, agent::a_confirmation_is_for_one_quote_payee_amount_and_way_alone),
    row!(TokenStays, agent::a_confirmation_begins_one_payment),
    row!(ExecutingTwice, agent::a_request_that_is_executed_or_was_is_neither_executed_again_nor_superseded),
    row!(ConsumedReturns, agent::a_request_that_is_executed_or_was_is_neither_executed_again_nor_superseded),
    row!(AnyStatusAsks, agent::an_answer_that_is_no_402_asks_for_nothing),
    row!(IssuesPass, agent::a_request_that_lacks_what_the_seller_requires_is_not_executed),
    row!(ModelsLookAnywhere, agent::a_model_looks_at_public_answers_and_at_the_hosts_of_its_policy),
    row!(PolicyForEver, agent::nothing_is_paid_after_the_end_of_the_policy),
    row!(PinIsForgotten, agent::a_pinned_offer_is_paid_and_no_other),
    row!(QuotesAreBelieved, purchases::a_quote_that_contradicts_itself_or_the_order_is_not_signed),
    row!(KeptQuotesAreSigned, purchases::a_quote_above_what_a_later_call_allows_is_not_signed),
    row!(StaleQuotesAreSigned, purchases::a_quote_whose_seat_is_gone_is_asked_for_again_and_not_signed),
    row!(AnyProposalIsSigned, purchases::only_the_payment_of_the_quote_is_signed),
    row!(DoubtIsNotCharged, purchases::a_payment_that_may_have_arrived_is_looked_for_at_the_gate),
    row!(JobsAreBelieved, purchases::where_nothing_is_held_a_job_without_its_result_proves_nothing),
    row!(GoneJobsAreAwaited, purchases::a_job_whose_row_has_left_is_over),
    row!(AnyWordIsKept, purchases::what_an_exchange_says_is_kept_within_bounds_or_not_at_all),
    row!(RefusalsAreBelieved, purchases::each_answer_to_a_payment_says_what_became_of_the_money),
    row!(LostJobsAreKept, purchases::a_seller_lets_go_of_a_job_that_is_another_s_by_now),
    row!(DepositsAreFree, channel_payer::no_history_of_a_payer_by_channel_breaks_a_rule),
    row!(AnyDelay, channel_payer::what_is_sold_with_a_longer_delay_is_paid_for_by_itself),
    row!(AnyDeposit, channel_payer::a_deposit_is_never_larger_than_the_payer_allows),
    row!(PayeesAreBelieved, channel_payer::a_payee_is_believed_as_far_as_was_signed_and_no_further),
    row!(DepositsVanish, channel_payer::a_payee_that_says_the_deposit_is_gone_gets_no_other),
    row!(DepositsRepeat, channel_payer::one_request_deposits_once_whatever_the_server_says),
    row!(ChannelsAreSwapped, channel_payer::corrected_terms_of_another_channel_or_at_another_price_are_not_signed),
    row!(LaterIsRefused, channel_payer::a_refund_that_has_to_wait_says_so_and_until_when),
    row!(AnyRefund, channel_payer::a_refund_of_more_than_is_left_is_not_believed_and_nothing_is_forgotten),
    row!(ChargedIsSignedAgain, channel_payer::a_request_that_is_called_charged_and_not_answered_is_signed_for_once),
    row!(StreamsAreTrusted, stream_payer::a_seller_gets_what_came_and_one_step_whatever_it_says),
    row!(VouchersAreSignedOn, session_payer::a_voucher_that_is_called_used_up_leads_to_one_higher_one_and_no_more),
    row!(RestsAreForgotten, session_payer::a_payee_that_closes_channel_after_channel_gets_one_deposit_more_a_day),
    row!(ClosedSessionsReopen, session_payer::a_payee_that_says_that_the_session_is_gone_gets_no_other_deposit),
    row!(NamesAreBelieved, agent::a_known_token_has_its_own_name_and_decimals),
    row!(DecimalsAreBelieved, agent::a_known_token_has_its_own_name_and_decimals),
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
    let in_the_worker = include_str!("../worker/mutants.test.ts");
    for mutant in Mutant::ALL {
        let systems = treasury::mutants::TABLE.iter().chain(skills::mutants::TABLE);
        let systems = systems.chain(compute::mutants::TABLE).chain(channel::mutants::TABLE);
        let listed = TABLE.iter().chain(systems).any(|(it, ..)| it == mutant)
            || explored.contains(mutant)
            || channel::mutants::IN_HISTORIES.contains(mutant)
            || ledger::arrivals::mutants().any(|it| it == *mutant)
            || in_the_worker.contains(&format!("mutants: '{mutant:?}"));
        assert!(listed, "{mutant:?} is planted and not looked for");
    }
}
