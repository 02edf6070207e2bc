//! Every table and every column of both schemas is copied, or left out for a reason.

use std::collections::BTreeSet;

use store::copy::{LEFT_OUT, TABLES};

use crate::backend::{Backend, PostgresDatabase, SqliteFolder};

fn is_left_out(name: &str) -> bool {
    LEFT_OUT.iter().any(|(left_out, _)| *left_out == name)
}

/// Columns as `table.column`, of tables that are not left out.
fn check(columns: &BTreeSet<String>, is_copied: impl Fn(&str, &str) -> bool) {
    assert!(columns.len() > 100, "{columns:?}");
    for name in columns {
        let (table, column) = name.split_once('.').unwrap();
        assert!(
            is_left_out(table) || is_left_out(name) || is_copied(table, column),
            "{name} is neither in TABLES nor in LEFT_OUT of copy/tables.rs: copy it, or say why not"
        );
    }
    for table in TABLES {
        let is_there = columns
            .iter()
            .any(|name| name.starts_with(&format!("{}.", table.name)));
        assert!(is_there, "{} is copied and not in the schema", table.name);
        assert!(!is_left_out(table.name), "{} is copied and left out", table.name);
    }
}

fn of_sqlite() -> BTreeSet<String> {
    let folder = SqliteFolder::new();
    drop(folder.open());
    let raw = folder.raw();
    let sql = "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
    let mut select = raw.prepare(sql).unwrap();
    let names = select.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

fn of_postgres(database: &PostgresDatabase) -> BTreeSet<String> {
    drop(database.open());
    let sql = "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
               AND NOT a.attisdropped WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
               AND NOT c.relispartition";
    let rows = database.raw().query(sql, &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn every_column_of_sqlite_is_copied_or_left_out_for_a_reason() {
    check(&of_sqlite(), |table, column| {
        let copied = TABLES.iter().find(|copied| copied.name == table);
        copied.is_some_and(|copied| {
            let mut from = copied.columns.iter().map(|column| column.from);
            from.any(|from| {
                from.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == column)
            })
        })
    });
}

#[test]
fn every_column_of_postgres_is_copied_or_left_out_for_a_reason() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let columns = of_postgres(&database);
    check(&columns, |table, column| {
        let copied = TABLES.iter().find(|copied| copied.name == table);
        copied.is_some_and(|copied| copied.columns.iter().any(|copied| copied.name == column))
    });
    for table in TABLES {
        for column in table.columns {
            let name = format!("{}.{}", table.name, column.name);
            assert!(columns.contains(&name), "{name} is copied and not in the schema");
        }
    }
}

#[test]
fn what_is_left_out_is_there_and_has_a_reason() {
    let Some(database) = PostgresDatabase::new() else {
        return;
    };
    let (sqlite, postgres) = (of_sqlite(), of_postgres(&database));
    for (name, why) in LEFT_OUT {
        let table = format!("{name}.");
        let is_there = |columns: &BTreeSet<String>| {
            columns
                .iter()
                .any(|column| column == name || column.starts_with(&table))
        };
        assert!(
            is_there(&sqlite) || is_there(&postgres),
            "{name} is in neither schema"
        );
        assert!(!why.is_empty());
    }
}
