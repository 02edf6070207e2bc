//! What every store does, whatever database is behind it. A scenario sees a [`Backend`] and the API, nothing else.
//!
//! A new database lists its backend at the end; the scenarios are the same. After each, the store must be sound.

pub(crate) mod accounts;
pub(crate) mod api_keys;
pub(crate) mod dead_letters;
mod expiry;
mod following;
mod groups;
mod heads;
mod lifecycles;
mod lists;
mod log;
mod pages;
mod parties;
mod reading;
pub(crate) mod receipts;
mod reopening;
pub(crate) mod trail;

use crate::backend::Backend;

/// Runs a scenario, then proves the store it leaves.
fn run(backend: &dyn Backend, scenario: fn(&dyn Backend)) {
    scenario(backend);
    let report = store::verify::verify(&*backend.open(), &mut |_| {});
    assert_eq!(report.findings, [], "after the scenario");
}

/// A backend that is not there has said so: its scenarios are left out.
macro_rules! conformance {
    ($database:ident, $backend:expr; $($module:ident: $($scenario:ident),+;)+) => {
        mod $database {
            $(mod $module {
                $(#[test]
                fn $scenario() {
                    if let Some(backend) = $backend {
                        super::super::run(&backend, super::super::$module::$scenario);
                    }
                })+
            })+
        }
    };
}

macro_rules! every_scenario {
    ($database:ident, $backend:expr) => {
        conformance! {
            $database, $backend;
            groups:
                an_order_is_found_by_public_id_and_by_key,
                what_is_unknown_loads_as_none_in_its_place,
                a_group_reads_histories_and_single_entries,
                a_dropped_group_leaves_nothing_and_the_next_one_works,
                positions_and_commits_have_no_gaps_over_failed_groups,
                commit_ids_rise_by_one_and_are_known_once_durable,
                a_taken_public_id_is_refused_and_nothing_is_stored,
                a_commit_under_another_id_than_the_next_is_refused,
                an_entry_without_a_head_fails_its_group,
                keys_of_a_dropped_group_are_not_given_out_again;
            heads:
                parked_reports_roundtrip_from_memory_and_from_storage,
                spilled_fingerprints_roundtrip_from_memory_and_from_storage,
                an_order_with_three_thousand_entries_is_walked,
                what_is_due_comes_longest_due_first,
                counts_follow_every_change_of_status;
            log:
                entries_commits_and_orders_come_in_pages,
                a_group_is_one_commit_whose_digest_covers_its_entries,
                private_parts_and_details_come_back_as_written;
            following:
                what_is_wanted_comes_once_and_nothing_else_whatever_the_pages,
                a_page_of_the_wanted_ends_where_it_has_as_many_as_it_may,
                labels_say_what_orders_are_called;
            dead_letters:
                a_dead_letter_comes_back_as_written,
                the_same_refusal_is_found_and_another_is_not,
                numbers_of_a_dropped_group_are_not_given_again,
                letters_come_in_pages_newest_first,
                a_letter_that_was_accepted_after_all_says_as_what,
                letters_of_each_principal_are_counted;
            expiry:
                what_is_older_goes_and_what_is_of_the_very_instant_stays,
                a_revocation_goes_when_its_token_has_expired,
                at_most_so_many_of_each_kind_go_the_oldest_first,
                expired_letters_are_taken_off_their_counts_and_their_numbers_stay_taken,
                expired_receipts_are_taken_off_their_counts;
            accounts:
                a_user_comes_back_as_written_however_it_is_named,
                users_come_in_pages_by_name,
                a_login_is_a_username_first_and_an_email_in_any_case,
                a_taken_username_and_a_taken_email_are_told_apart,
                a_changed_user_may_keep_its_names_and_not_take_others,
                an_unknown_user_is_not_changed,
                a_dropped_accounts_transaction_leaves_nothing,
                after_a_failed_accounts_transaction_the_writer_goes_on,
                groups_and_accounts_follow_each_other;
            api_keys:
                a_key_is_found_by_its_hash_and_by_its_id,
                keys_come_in_pages_newest_first,
                a_voided_key_keeps_the_first_time,
                an_unknown_key_is_not_voided,
                a_voided_token_is_known_as_such,
                what_counts_once_is_used_up_once;
            trail:
                the_trail_is_read_newest_first_in_pages,
                groups_and_accounts_write_to_one_trail;
            receipts:
                an_answer_is_replaced_by_a_later_one_under_its_key,
                an_answer_of_accounts_is_seen_by_a_group,
                a_batch_comes_back_as_written_and_is_stored_once,
                a_group_of_records_alone_is_durable,
                records_of_a_dropped_group_are_not_there,
                receipts_of_each_principal_are_counted_and_long_ones_more;
            lists:
                pages_are_those_of_a_naive_filter,
                an_empty_filter_lists_nothing,
                a_list_follows_every_change_of_status;
            pages:
                pages_by_key_are_those_of_a_naive_filter,
                pages_of_a_time_have_the_first_instant_and_not_the_last,
                pages_are_in_step_while_orders_are_made_and_move,
                a_page_that_is_exactly_full_at_the_end_is_the_last,
                a_page_that_has_looked_at_enough_says_where_to_go_on;
            parties:
                a_name_has_one_number_for_ever,
                a_name_is_kept_whatever_it_says,
                kinds_of_parties_have_names_of_their_own;
            lifecycles:
                definitions_keep_their_numbers_when_pinned_again,
                a_changed_definition_is_refused_and_nothing_of_its_list_is_kept,
                a_new_version_stands_beside_the_old_one;
            reading:
                an_empty_store_reads_as_empty,
                readers_beside_a_writer_see_whole_groups_only,
                a_read_that_pages_too_long_is_ended_and_the_next_works,
                a_read_that_dawdles_between_its_questions_is_ended,
                more_readers_than_there_are_places_wait_their_turn,
                what_a_failed_job_says_reaches_its_caller;
            reopening:
                a_reopened_store_reads_the_same,
                a_reopened_store_goes_on_where_it_ended,
                an_identity_is_kept_for_ever;
        }
    };
}

every_scenario!(sqlite, Some(crate::backend::SqliteFolder::new()));
every_scenario!(postgres, crate::backend::PostgresDatabase::new());
