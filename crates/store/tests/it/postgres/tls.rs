//! Encrypted connections, and whom a store trusts to be its server.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use store::postgres::{PostgresOptions, PostgresStore};
use store::{OpenError, Store};
use tempfile::TempDir;

use super::server::Server;
use crate::backend::{birth, skip};
use crate::orders::{Clerk, created, named};

fn open(dsn: &str, root_certificates: Option<&str>) -> Result<PostgresStore, OpenError> {
    let options = PostgresOptions {
        tls_root_certificates: root_certificates.map(Into::into),
        ..PostgresOptions::new(dsn)
    };
    PostgresStore::open(&options, &birth())
}

/// A server that speaks TLS, its address as `localhost`, and the file of who issued its certificate.
fn with_tls() -> Option<(Server, String, String)> {
    let server = Server::start()?;
    let plain = server.dsn();
    let Some(authority) = server.said("tls") else {
        skip("no openssl");
        return None;
    };
    let began = Instant::now();
    loop {
        let mut client = postgres::Client::connect(&plain, postgres::NoTls).unwrap();
        let is_on: String = client.query_one("SHOW ssl", &[]).unwrap().get(0);
        if is_on == "on" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    Some((server, plain.replace("127.0.0.1", "localhost"), authority))
}

/// Writes and reads, and tells how many of the store's sessions are encrypted and how many are not.
fn use_it(store: &PostgresStore, order: &str, plain: &str) -> (i64, i64) {
    let mut clerk = Clerk::of(store);
    clerk.write(&[created(order)]);
    let listener = store.listener().unwrap();
    let store: &dyn Store = store;
    assert!(
        store
            .reading(|reader| reader.order(&named(order)))
            .unwrap()
            .is_some()
    );
    let mut client = postgres::Client::connect(plain, postgres::NoTls).unwrap();
    let sql = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) \
               FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE application_name LIKE 'waybill writer%' OR application_name LIKE 'waybill reader%' \
               OR application_name LIKE 'waybill listener%'";
    let row = client.query_one(sql, &[]).unwrap();
    drop(listener);
    (row.get(0), row.get(1))
}

#[test]
fn a_server_is_trusted_as_far_as_its_address_says() {
    let Some((server, dsn, authority)) = with_tls() else {
        return;
    };
    let plain = server.dsn();
    let with = |more: &str| format!("{dsn} {more}");
    let encrypted = [
        (with(""), None),
        (with("sslmode=prefer"), None),
        (with("sslmode=require"), Some(&*authority)),
        (
            with(&format!("sslmode=verify-full sslrootcert='{authority}'")),
            None,
        ),
        (
            with(&format!("sslmode=verify-ca sslrootcert='{authority}'")),
            Some("/nowhere.pem"),
        ),
    ];
    for (number, (dsn, file)) in encrypted.into_iter().enumerate() {
        let store = open(&dsn, file).unwrap();
        assert_eq!(use_it(&store, &format!("A-{number}"), &plain), (3, 0), "{dsn}");
    }
    let (_, port) = plain.split_once("port=").unwrap();
    let (port, _) = port.split_once(' ').unwrap();
    let url =
        format!("postgres://waybill@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={authority}");
    assert_eq!(use_it(&open(&url, None).unwrap(), "A-url", &plain), (3, 0));
    let unencrypted = open(&with("sslmode=disable"), None).unwrap();
    assert_eq!(use_it(&unencrypted, "A-plain", &plain), (0, 3));
}

#[test]
fn a_server_that_is_not_trusted_is_refused_and_it_is_said_why() {
    let Some((server, dsn, authority)) = with_tls() else {
        return;
    };
    let refused = |dsn: &str, file: Option<&str>| open(dsn, file).err().expect("it was opened");
    let strict = format!("{dsn} sslmode=require");
    let unknown = refused(&strict, None);
    let expected = "is not trusted (nobody who is trusted has issued its certificate): name it as its certificate does, \
                    and give its issuer's certificate as sslrootcert=FILE";
    assert!(unknown.to_string().ends_with(expected), "{unknown}");
    let by_number = format!("{} sslmode=require", server.dsn());
    let wrong_name = refused(&by_number, Some(&authority));
    assert!(
        matches!(wrong_name, OpenError::Untrusted { .. }),
        "{wrong_name:?}"
    );
    assert!(
        wrong_name
            .to_string()
            .contains("not valid for name \"127.0.0.1\""),
        "{wrong_name}"
    );
    let by_address = server.dsn().replace("host=", "hostaddr=") + " sslmode=require";
    let wrong_name = refused(&by_address, Some(&authority));
    assert!(
        matches!(wrong_name, OpenError::Untrusted { .. }),
        "{wrong_name:?}"
    );
    assert!(open(&format!("{dsn} sslmode=require"), Some(&authority)).is_ok());
}

#[test]
fn a_server_without_tls_is_refused_where_it_must_speak_it() {
    let Some(server) = Server::start() else { return };
    let refused = open(&format!("{} sslmode=require", server.dsn()), None)
        .err()
        .unwrap();
    let expected = "cannot hold a store: it speaks no TLS, which the address asks for: switch ssl on there";
    assert!(refused.to_string().ends_with(expected), "{refused}");
    open(&server.dsn(), None).unwrap();
}

#[test]
fn a_file_that_holds_no_certificates_is_refused_by_its_name() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let broken = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    fs::write(at("empty.pem"), "nothing in here").unwrap();
    fs::write(at("broken.pem"), broken).unwrap();
    fs::write(at("half.pem"), &broken[..40]).unwrap();
    for name in ["missing.pem", "empty.pem", "broken.pem", "half.pem"] {
        let file = at(name);
        let dsn = "postgres://ada:s3cret-Pa55@127.0.0.1:1/orders?sslmode=require";
        let refused = open(dsn, Some(file.to_str().unwrap())).err().unwrap();
        let OpenError::BadCertificates { path, .. } = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(path, Path::new(&file));
        let said = refused.to_string();
        let expected =
            "name a file in PEM format with the certificates of those who issue the database server's";
        assert!(said.ends_with(expected) && !said.contains("s3cret"), "{said}");
    }
}
