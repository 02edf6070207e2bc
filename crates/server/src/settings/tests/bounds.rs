//! What each setting may be, at the edges.

use std::net::IpAddr;
use std::time::Duration;

use model::head::DelayScale;
use model::public_id::PublicId;
use tracing::Level;

use super::Start;
use crate::logging::LogFormat;
use crate::settings::table::TABLE;
use crate::settings::{CorsOrigins, Secret, Seed, Settings};

fn with(name: &str, value: &str) -> Settings {
    Start::new().variable(name, value).settings()
}

/// Each of the values is refused, in one line that names the setting and the value.
fn refused(name: &str, values: &[&str]) {
    for value in values {
        let problems = Start::new().variable(name, value).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let begins = format!("{name} (from environment {name}): {value:?} is not allowed: use ");
        assert!(problems[0].starts_with(&begins), "{}", problems[0]);
    }
}

#[test]
fn every_default_is_allowed() {
    let settings = Start::new().settings();
    assert_eq!(settings.app_port, 8080);
    assert_eq!(settings.app_host, IpAddr::from([127, 0, 0, 1]));
    assert_eq!(settings.env, "development");
    assert_eq!(settings.data_dir.to_str(), Some("waybill-data"));
    assert_eq!(settings.pg_dsn, None);
    assert_eq!((settings.pg_writers.get(), settings.pg_readers.get()), (2, 4));
    assert_eq!(settings.pg_write_timeout, Duration::from_secs(30));
    assert_eq!(settings.pg_read_timeout, Duration::from_secs(1));
    assert_eq!(settings.pg_connect_wait, Duration::from_secs(60));
    assert_eq!(settings.pg_replica_dsn, None);
    assert_eq!(settings.pg_replica_max_staleness, Duration::from_secs(5));
    assert_eq!(settings.pg_root_certificates, None);
    assert_eq!(settings.node_name, None);
    assert_eq!(settings.jwt_secret, None);
    assert!(!settings.jwt_known_users_only);
    assert_eq!(settings.admin_username, None);
    assert_eq!(settings.admin_password, None);
    assert_eq!(settings.tracking_prefix, "99M-");
    assert_eq!(settings.seed, None);
    assert_eq!(settings.log_level, Level::INFO);
    assert_eq!(settings.log_format, LogFormat::Text);
    assert_eq!(settings.delay_scale, DelayScale::ONE);
    assert_eq!(settings.rate_limit_per_minute, 6_000);
    assert_eq!(settings.shutdown_grace, Duration::from_secs(25));
    assert_eq!(settings.cors_origins, CorsOrigins::Closed);
    assert_eq!(settings.trusted_proxies, []);
    assert_eq!(settings.metrics_addr, None);
    assert_eq!(settings.dead_letter_keep_days, 90);
}

#[test]
fn names_of_settings_are_all_different() {
    for names in [
        TABLE
            .iter()
            .flat_map(|setting| setting.environment)
            .collect::<Vec<_>>(),
        TABLE.iter().flat_map(|setting| setting.keys).collect(),
        TABLE.iter().flat_map(|setting| setting.flags).collect(),
    ] {
        let mut different = names.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), names.len());
    }
}

#[test]
fn numbers_end_at_their_bounds() {
    assert_eq!(with("APP_PORT", "0").app_port, 0);
    assert_eq!(with("APP_PORT", "65535").app_port, 65_535);
    refused("APP_PORT", &["65536", "-1", "80.0", "http", " 80"]);
    assert_eq!(with("RATE_LIMIT_PER_MINUTE", "0").rate_limit_per_minute, 0);
    assert_eq!(
        with("RATE_LIMIT_PER_MINUTE", "4294967295").rate_limit_per_minute,
        u32::MAX
    );
    refused("RATE_LIMIT_PER_MINUTE", &["4294967296", "-1", "off"]);
    assert_eq!(
        with("SHUTDOWN_GRACE_S", "1").shutdown_grace,
        Duration::from_secs(1)
    );
    assert_eq!(
        with("SHUTDOWN_GRACE_S", "3600").shutdown_grace,
        Duration::from_secs(3_600)
    );
    refused("SHUTDOWN_GRACE_S", &["0", "3601", "1.5", "25s"]);
    assert_eq!(with("DEAD_LETTER_KEEP_DAYS", "1").dead_letter_keep_days, 1);
    assert_eq!(with("DEAD_LETTER_KEEP_DAYS", "3650").dead_letter_keep_days, 3_650);
    refused("DEAD_LETTER_KEEP_DAYS", &["0", "3651"]);
}

#[test]
fn delays_scale_to_a_millionth() {
    for (text, parts) in [
        ("0", 0),
        ("0.000001", 1),
        ("0.01", 10_000),
        ("1.5", 1_500_000),
        ("001.000000", 1_000_000),
        ("18446744073709.551615", u64::MAX),
    ] {
        let expected = DelayScale::from_parts_per_million(parts);
        assert_eq!(with("DELAY_SCALE", text).delay_scale, expected, "{text}");
    }
    let beyond = [
        "-1",
        "-0",
        "+1",
        ".5",
        "1.",
        "0.0000001",
        "1e3",
        "inf",
        "nan",
        "1.2.3",
        "18446744073709.551616",
    ];
    refused("DELAY_SCALE", &beyond);
}

#[test]
fn a_tracking_prefix_makes_tracking_numbers() {
    for prefix in ["-", "99M-", "!~-", "A-B-", "123456789012345-"] {
        let settings = with("TRACKING_PREFIX", prefix);
        let number = PublicId::tracking_number(&settings.tracking_prefix, 7).unwrap();
        assert!(number.as_str().starts_with(prefix), "{number}");
        assert!(number.check_symbol_holds(), "{number}");
    }
    refused(
        "TRACKING_PREFIX",
        &["99M", "1234567890123456-", "Ä-", "9 M-", "-9", "\t-"],
    );
}

#[test]
fn secrets_have_their_lengths_and_are_not_shown() {
    let (short, enough) = ("s".repeat(31), "s".repeat(32));
    let kept = with("JWT_SECRET", &format!("{enough},{enough}t")).jwt_secret;
    let both = vec![Secret::new(&enough), Secret::new(&format!("{enough}t"))];
    assert_eq!(kept, Some(both));
    let umlauts = "ü".repeat(16);
    assert_eq!(
        with("JWT_SECRET", &umlauts).jwt_secret,
        Some(vec![Secret::new(&umlauts)])
    );
    for bad in [
        short.clone(),
        format!("{enough},"),
        format!("{enough}, {enough}"),
        format!("{enough},{short}"),
    ] {
        let problems = Start::new().variable("JWT_SECRET", &bad).problems();
        let told = "JWT_SECRET (from environment JWT_SECRET): its value (not shown) is not allowed: \
                    use secrets of at least 32 bytes each, with a comma and no white space between them";
        assert_eq!(problems, [told]);
    }

    for length in [8, 128] {
        let password = "ü".repeat(length);
        assert_eq!(
            with("ADMIN_PASSWORD", &password).admin_password,
            Some(Secret::new(&password))
        );
    }
    for length in [7, 129] {
        let problems = Start::new()
            .variable("ADMIN_PASSWORD", &"p".repeat(length))
            .problems();
        let told = "ADMIN_PASSWORD (from environment ADMIN_PASSWORD): its value (not shown) is not allowed: \
                    use 8 to 128 characters";
        assert_eq!(problems, [told]);
    }
}

#[test]
fn settings_and_flags_do_not_print_secrets() {
    let hush = "hush-hush-hush-hush-hush-hush-hush-hush";
    let start = Start::new()
        .variable("JWT_SECRET", hush)
        .variable("ADMIN_PASSWORD", hush);
    assert!(!format!("{:?}", start.settings()).contains("hush"));
    assert_eq!(
        start.shown("JWT_SECRET"),
        ("***".to_owned(), "environment JWT_SECRET".to_owned())
    );
    assert_eq!(
        Start::new().shown("JWT_SECRET"),
        (String::new(), "default".to_owned())
    );
}

#[test]
fn switches_are_taken_in_many_words() {
    for on in ["true", "1", "yes", "on", "TRUE", "On"] {
        assert!(with("JWT_KNOWN_USERS_ONLY", on).jwt_known_users_only, "{on}");
    }
    for off in ["false", "0", "no", "off", "No"] {
        assert!(!with("JWT_KNOWN_USERS_ONLY", off).jwt_known_users_only, "{off}");
    }
    refused("JWT_KNOWN_USERS_ONLY", &["2", "y", "truth"]);
}

#[test]
fn words_are_taken_from_their_lists() {
    for (word, level) in [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("INFO", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ] {
        assert_eq!(with("LOG_LEVEL", word).log_level, level);
    }
    refused("LOG_LEVEL", &["warning", "off", "3"]);
    assert_eq!(with("LOG_FORMAT", "json").log_format, LogFormat::Json);
    refused("LOG_FORMAT", &["pretty"]);
    assert_eq!(with("SEED", "demo").seed, Some(Seed::Demo));
    refused("SEED", &["Demo", "prod"]);
    refused("ENV", &["two\nlines", " ", &"e".repeat(65)]);
    assert_eq!(with("ENV", &"e".repeat(64)).env.len(), 64);
    assert_eq!(
        with("ADMIN_USERNAME", &"ü".repeat(200)).admin_username,
        Some("ü".repeat(200))
    );
    refused("ADMIN_USERNAME", &[" root", "ro\0ot"]);
}

#[test]
fn addresses_are_addresses() {
    assert_eq!(with("APP_HOST", "::1").app_host, "::1".parse::<IpAddr>().unwrap());
    refused("APP_HOST", &["localhost", "[::1]", "127.0.0.1:80", "127.1"]);
    let metrics = with("METRICS_ADDR", "[::1]:9090").metrics_addr;
    assert_eq!(metrics, Some("[::1]:9090".parse().unwrap()));
    refused("METRICS_ADDR", &["9090", ":9090", "127.0.0.1", "127.0.0.1:65536"]);
    let proxies = with("TRUSTED_PROXIES", "10.0.0.0/8, ::1").trusted_proxies;
    assert_eq!(proxies.len(), 2);
    assert!(proxies[0].contains([10, 1, 2, 3].into()));
    assert!(proxies[1].contains("::1".parse().unwrap()));
    refused("TRUSTED_PROXIES", &["10.0.0.0/33", "10.0.0.1,", "all"]);
    refused("CORS_ORIGINS", &["shop.example", "https://shop.example/"]);
    assert_eq!(with("CORS_ORIGINS", "*").cors_origins, CorsOrigins::Any);
}

#[test]
fn an_address_of_a_database_is_kept_secret_good_or_bad() {
    for name in ["PG_DSN", "DATABASE_URL"] {
        for good in [
            "postgres://waybill:hush@db/waybill",
            "postgresql://waybill:hush@[::1]:5433,db2/waybill",
            "host=/run/postgresql dbname=waybill password=hush",
        ] {
            assert_eq!(with(name, good).pg_dsn, Some(Secret::new(good)));
        }
        assert_eq!(with(name, "").pg_dsn, None);
        for bad in [
            "mysql://waybill:hush@db/waybill",
            "postgres://waybill:hush@db",
            "hush",
            "dbname=hush",
        ] {
            let problems = Start::new().variable(name, bad).problems();
            assert_eq!(problems.len(), 1);
            assert!(
                problems[0].starts_with(&format!("PG_DSN (from environment {name}): ")),
                "{problems:?}"
            );
            assert!(
                problems[0].contains("use postgres://") && !problems[0].contains("hush"),
                "{problems:?}"
            );
        }
    }
}

#[test]
fn connections_and_waits_have_their_bounds() {
    assert_eq!(with("PG_WRITERS", "1").pg_writers.get(), 1);
    assert_eq!(with("PG_READERS", "64").pg_readers.get(), 64);
    for name in ["PG_WRITERS", "PG_READERS"] {
        refused(name, &["0", "65", "-1", "two"]);
    }
    assert_eq!(
        with("PG_WRITE_TIMEOUT_S", "600").pg_write_timeout,
        Duration::from_secs(600)
    );
    refused("PG_WRITE_TIMEOUT_S", &["0", "601"]);
    assert_eq!(
        with("PG_READ_TIMEOUT_MS", "100").pg_read_timeout,
        Duration::from_millis(100)
    );
    refused("PG_READ_TIMEOUT_MS", &["99", "60001"]);
    assert_eq!(with("PG_CONNECT_WAIT_S", "0").pg_connect_wait, Duration::ZERO);
    refused("PG_CONNECT_WAIT_S", &["3601", "1.5"]);
    refused("PG_REPLICA_MAX_STALENESS_S", &["0", "3601"]);
    assert_eq!(with("NODE_NAME", &"n".repeat(40)).node_name, Some("n".repeat(40)));
    refused("NODE_NAME", &[&"n".repeat(41), "two\nlines", " a"]);
}
