//! Rows changed, missing or added by somebody who knows SQL.

use super::{assert_found, copy, findings, report};

const BROKEN_CHAIN: &str = "its digest is not that of the log up to it";

#[test]
fn a_changed_byte_of_a_body_is_found_in_its_commit() {
    let found = findings("UPDATE entries SET body = CAST(body || x'00' AS BLOB) WHERE position = 30");
    assert_found(&found, "commit 2", BROKEN_CHAIN);
}

#[test]
fn a_changed_private_part_is_found_in_its_order() {
    let found = findings("UPDATE entries SET private = CAST(private || x'00' AS BLOB) WHERE position = 2");
    assert_found(&found, "order P-1", "version 2 has another sealed part");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn a_shortened_private_part_is_found_in_its_order() {
    let found = findings("UPDATE entries SET private = x'01' WHERE position = 2");
    assert_found(&found, "position 2", "a sealed part without its salt");
    assert_found(&found, "order P-1", "a sealed part without its salt");
}

#[test]
fn a_deleted_entry_is_found_at_its_position_and_in_its_order() {
    let found = findings("DELETE FROM entries WHERE position = 2");
    assert_found(&found, "position 2", "is missing");
    assert_found(&found, "commit 1", BROKEN_CHAIN);
    assert_found(&found, "order P-1", "the log has no position 2");
}

#[test]
fn a_deleted_stretch_of_the_log_is_found_as_one() {
    let found = findings("DELETE FROM entries WHERE position BETWEEN 5 AND 9");
    assert_found(&found, "positions 5 to 9", "are missing");
}

#[test]
fn two_entries_with_swapped_contents_are_found() {
    let found = findings(
        "CREATE TEMP TABLE one AS SELECT body FROM entries WHERE position = 1; \
         UPDATE entries SET body = (SELECT body FROM entries WHERE position = 3) WHERE position = 1; \
         UPDATE entries SET body = (SELECT body FROM one) WHERE position = 3",
    );
    assert_found(&found, "commit 1", BROKEN_CHAIN);
}

#[test]
fn a_changed_status_of_a_head_is_found_in_order_and_count() {
    let found = findings("UPDATE order_heads SET status = 2 WHERE order_key = 1");
    assert_found(
        &found,
        "order P-1",
        "its head (version 2) is not what its entries say",
    );
    assert_found(
        &found,
        "count of client 1, lifecycle 6, status 1",
        "says 80, there are 79",
    );
    assert_found(
        &found,
        "count of block 0, lifecycle 6, status 1",
        "says 219, there are 218",
    );
}

#[test]
fn a_changed_version_of_a_head_is_found() {
    let found = findings("UPDATE order_heads SET version = 3 WHERE order_key = 1");
    assert_found(&found, "order P-1", "position 2 is not version 3 of order 1");
}

#[test]
fn changed_fingerprints_of_a_head_are_found() {
    let found = findings("UPDATE order_heads SET recent = zeroblob(8) WHERE order_key = 1");
    assert_found(
        &found,
        "order P-1",
        "its head (version 2) is not what its entries say",
    );
    let found = findings("UPDATE order_heads SET recent = x'01' WHERE order_key = 1");
    assert_found(&found, "order 1", "fingerprints of a head");
}

#[test]
fn changed_parked_reports_of_a_head_are_found() {
    let found = findings("UPDATE order_heads SET waiting = NULL WHERE order_key = 6");
    assert_found(
        &found,
        "order P-6",
        "its head (version 3) is not what its entries say",
    );
    let found = findings("UPDATE order_heads SET waiting = x'00' WHERE order_key = 6");
    assert_found(&found, "order 6", "parked reports of a head");
}

#[test]
fn a_head_that_forgets_what_is_due_is_found() {
    let found = findings("UPDATE order_heads SET due_at = NULL WHERE order_key = 12");
    assert_found(&found, "order P-12", "is not what its entries say");
}

#[test]
fn a_head_that_begins_elsewhere_is_found() {
    let found = findings("UPDATE order_heads SET first_position = 3 WHERE order_key = 1");
    assert_found(
        &found,
        "order P-1",
        "does not say where its entries begin and end",
    );
}

#[test]
fn a_changed_count_is_found() {
    let found = findings("UPDATE status_counts SET orders = orders + 1 WHERE client_id = 2 AND status = 0");
    assert_found(
        &found,
        "count of client 2, lifecycle 4, status 0",
        "says 21, there are 20",
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn a_changed_count_of_a_block_is_found() {
    let found =
        findings("UPDATE status_blocks SET orders = orders - 1 WHERE lifecycle_id = 4 AND status = 0");
    assert_found(
        &found,
        "count of block 0, lifecycle 4, status 0",
        "says 19, there are 20",
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn a_missing_count_of_a_block_and_one_of_a_block_that_is_not_there_are_found() {
    let found = findings("UPDATE status_blocks SET block = 7 WHERE lifecycle_id = 4 AND status = 0");
    assert_found(
        &found,
        "count of block 0, lifecycle 4, status 0",
        "says 0, there are 20",
    );
    assert_found(
        &found,
        "count of block 7, lifecycle 4, status 0",
        "says 20, there are 0",
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn an_unreadable_count_of_a_block_is_found() {
    for (column, wrong, problem) in [
        ("lifecycle_id", -9, "lifecycle -9 is out of range"),
        ("status", 256, "status 256 is out of range"),
    ] {
        let found = findings(&format!(
            "UPDATE status_blocks SET {column} = {wrong} WHERE lifecycle_id = 4"
        ));
        assert_found(&found, "counts of blocks", problem);
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn a_wrong_count_of_dead_letters_is_found() {
    let place = "count of dead letters of principal 0";
    let found = findings("UPDATE dead_letter_counts SET letters = 5");
    assert_found(&found, place, "says 5, there are 1");
    assert_eq!(found.len(), 1);
    let found = findings("DELETE FROM dead_letter_counts");
    assert_found(&found, place, "says 0, there are 1");
    let found = findings("DELETE FROM dead_letters");
    assert_found(&found, place, "says 1, there are 0");
}

#[test]
fn a_wrong_count_of_batch_receipts_is_found() {
    let place = "count of batch receipts of principal 0";
    let found = findings("UPDATE batch_counts SET receipts = 5");
    assert_found(&found, place, "says 5, there are 3");
    assert_eq!(found.len(), 1);
    let found = findings("DELETE FROM batch_counts");
    assert_found(&found, place, "says 0, there are 3");
    let found = findings("DELETE FROM batches");
    assert_found(&found, place, "says 3, there are 0");
}

#[test]
fn a_changed_digest_of_a_commit_is_found_there_and_in_the_next_one() {
    let found = findings("UPDATE commits SET digest = zeroblob(32) WHERE commit_id = 7");
    let places: Vec<&str> = found.iter().map(|finding| &*finding.place).collect();
    assert_eq!(places, ["commit 7", "commit 8"]);
}

#[test]
fn a_changed_time_of_a_commit_is_found() {
    let found = findings("UPDATE commits SET committed_at = committed_at + 1 WHERE commit_id = 7");
    assert_found(&found, "commit 7", BROKEN_CHAIN);
}

#[test]
fn a_digest_of_the_wrong_length_hides_no_other_commit() {
    let found = findings(
        "UPDATE commits SET digest = x'00' WHERE commit_id = 3; DELETE FROM entries WHERE position = 460",
    );
    assert_found(&found, "commit 3", "Cannot read 32 byte value");
    assert_found(&found, "position 460", "is missing");
}

#[test]
fn a_deleted_commit_is_found() {
    let found = findings("DELETE FROM commits WHERE commit_id = 7");
    assert_found(&found, "commit 8", "stands where 7 belongs");
    assert_found(&found, "commit 8", "begins at position 162, not 139");
}

#[test]
fn a_commit_that_begins_nowhere_is_found() {
    for position in [i64::MIN, i64::MAX] {
        let found = findings(&format!(
            "UPDATE commits SET first_position = {position} WHERE commit_id = 7"
        ));
        assert_found(&found, "commit 7", "begins at position");
    }
    let found = findings("UPDATE commits SET commit_id = 9223372036854775807 WHERE commit_id = 23");
    assert_found(&found, "commit 9223372036854775807", "stands where 23 belongs");
}

#[test]
fn a_commit_that_says_too_much_is_found() {
    let found = findings("UPDATE commits SET entries = 4294967295 WHERE commit_id = 7");
    assert_found(&found, "commit 7", BROKEN_CHAIN);
}

#[test]
fn a_log_cut_at_its_end_is_found_by_the_heads() {
    let found = findings(
        "DELETE FROM entries WHERE position >= (SELECT first_position FROM commits WHERE commit_id = 22); \
         DELETE FROM commits WHERE commit_id >= 22",
    );
    assert_found(&found, "order P-5", "the log has no position 542");
    assert_found(&found, "log", "holds 462 entries");
}

#[test]
fn entries_without_a_commit_are_found() {
    let found = findings("DELETE FROM commits WHERE commit_id >= 22");
    assert_found(&found, "position 463", "belongs to no commit");
}

#[test]
fn an_edited_definition_is_found() {
    let found = findings(
        "UPDATE lifecycles SET definition = replace(definition, 'A parcel.', 'A box.') WHERE lifecycle_id = 6",
    );
    assert_found(&found, "lifecycles", "lifecycle 6 is not what its hash says");
    let found = findings("UPDATE lifecycles SET definition = 'x' WHERE lifecycle_id = 6");
    assert_found(&found, "lifecycles", "damaged store: lifecycle 6: ");
}

#[test]
fn a_missing_definition_is_found_in_its_orders() {
    let found = findings("DELETE FROM lifecycles WHERE lifecycle_id = 4");
    assert_found(&found, "order P-12", "has the unknown lifecycle 4");
}

#[test]
fn a_changed_reference_or_public_id_is_found() {
    let found = findings("UPDATE order_identities SET reference = 'forged' WHERE order_key = 9");
    assert_found(
        &found,
        "order P-9",
        "its details or its reference are not those it was created with",
    );
    let found = findings("UPDATE order_identities SET public_id = 'FORGED-1' WHERE order_key = 9");
    assert_found(&found, "order FORGED-1", "was created under another public id");
}

#[test]
fn changed_details_of_an_order_are_found() {
    let found =
        findings("UPDATE order_identities SET details = CAST(details || x'20' AS BLOB) WHERE order_key = 9");
    assert_found(
        &found,
        "order P-9",
        "its details or its reference are not those it was created with",
    );
    assert_eq!(found.len(), 1);
    let found = findings("UPDATE order_identities SET details = x'20' WHERE order_key = 9");
    assert_found(&found, "order 9", "details without their salt");
}

#[test]
fn a_changed_time_of_creation_is_found() {
    let found = findings("UPDATE order_identities SET created_at = created_at + 1 WHERE order_key = 9");
    assert_found(
        &found,
        "order P-9",
        "was not created when its first entry was recorded",
    );
}

#[test]
fn an_order_given_to_somebody_else_is_found() {
    for column in ["client_id", "customer_id", "tenant_id", "lifecycle_id"] {
        let found = findings(&format!(
            "UPDATE order_identities SET {column} = 77 WHERE order_key = 9"
        ));
        assert_found(&found, "order 9", "and its head do not belong together");
    }
}

#[test]
fn an_order_without_a_head_and_a_head_without_an_order_are_found() {
    let found = findings(
        "DELETE FROM order_heads WHERE order_key = 9; DELETE FROM order_identities WHERE order_key = 240",
    );
    assert_found(&found, "order 9", "and its head do not belong together");
    assert_found(&found, "order 240", "and its head do not belong together");
}

#[test]
fn an_unreadable_order_hides_no_other() {
    let found = findings(
        "UPDATE order_heads SET recent = x'01' WHERE order_key IN (3, 4); \
         UPDATE order_heads SET status = 2 WHERE order_key = 200",
    );
    assert_found(&found, "order 3", "fingerprints of a head");
    assert_found(&found, "order 4", "fingerprints of a head");
    assert_found(&found, "order P-200", "is not what its entries say");
}

#[test]
fn a_wrong_previous_position_is_found() {
    let found = findings("UPDATE entries SET previous_position = 3 WHERE position = 2");
    assert_found(&found, "order P-1", "position 3 is not version 1 of order 1");
    let found = findings("UPDATE entries SET previous_position = 0 WHERE position = 2");
    assert_found(&found, "order P-1", "the log has no position 0");
    let found = findings("UPDATE entries SET previous_position = 5 WHERE position = 1");
    assert_found(&found, "order P-1", "version 1 of order 1 has one before it");
}

#[test]
fn an_entry_of_an_unknown_kind_is_found() {
    let found = findings("UPDATE entries SET kind = 99 WHERE position = 2");
    assert_found(&found, "position 2", "unknown kind of entry 99");
}

#[test]
fn an_entry_of_a_newer_format_is_found() {
    let found = findings("UPDATE entries SET format = 2 WHERE position = 2");
    assert_found(&found, "order P-1", "entry format 2 is not known here");
}

#[test]
fn a_number_out_of_range_is_found() {
    let found = findings("UPDATE entries SET version = -1 WHERE position = 2");
    assert_found(&found, "position 2", "version -1 is out of range");
}

#[test]
fn a_removed_older_fingerprint_is_found() {
    let found = findings(
        "DELETE FROM older_fingerprints WHERE fingerprint = (SELECT max(fingerprint) FROM older_fingerprints)",
    );
    assert_found(
        &found,
        "order P-5",
        "the fingerprints beside its head are not those of its entries",
    );
}

#[test]
fn findings_beyond_a_thousand_are_counted() {
    let folder = copy();
    let wreck = "UPDATE entries SET kind = 99; UPDATE order_identities SET tenant_id = 5";
    folder.raw_without_triggers().execute_batch(wreck).unwrap();
    let report = report(&folder).unwrap();
    assert_eq!(report.findings.len(), 1_000);
    // Each entry by its position and its order, each pair, each commit but the last, which has no entries.
    assert_eq!(report.more_findings, 542 + 240 + 240 + 22 - 1_000);
    assert_eq!(
        report.findings[0].to_string(),
        "order 1: the order and its head do not belong together: one is missing, or lifecycle or owner differ"
    );
}
