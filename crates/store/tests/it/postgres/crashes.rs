//! A server that is killed while groups are written: what was acknowledged is there, once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::postgres::{PostgresOptions, PostgresStore};
use store::verify::verify;
use store::{CommitId, Error, Store};

use super::Peer;
use super::server::Server;
use crate::backend::birth;
use crate::orders::{created, named, reported};

/// Writes an order until it is acknowledged, as the engine would: an unknown outcome is settled before anything else is written.
fn write(peer: &mut Peer, name: &str, is_over: &AtomicBool) -> bool {
    let mut unsettled: Option<CommitId> = None;
    while !is_over.load(Ordering::Acquire) {
        if let Some(commit) = unsettled {
            match peer.writer.is_committed(commit) {
                Ok(true) => return true,
                Ok(false) => unsettled = None,
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
            continue;
        }
        let Ok(commit) = peer.writer.next_commit() else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        match peer.write(&[], &[created(name), reported(name, "picked_up")]) {
            Ok(_) => return true,
            Err(Error::OutcomeUnknown { .. }) => unsettled = Some(commit),
            Err(Error::Unavailable { .. } | Error::Contended(_)) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            // Also a name that is taken: the order would have been made twice.
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    false
}

#[test]
fn a_server_killed_again_and_again_loses_nothing_and_doubles_nothing() {
    const CRASHES: usize = 3;
    let Some(server) = Server::start() else { return };
    let store = PostgresStore::open(&PostgresOptions::new(&server.dsn()), &birth()).unwrap();
    let store: &dyn Store = &store;
    let is_over = AtomicBool::new(false);
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let is_over = &is_over;
                scope.spawn(move || {
                    let mut peer = Peer::of(store);
                    let names = (0..).map(|number| format!("W-{writer}-{number}"));
                    let written = names.take_while(|name| write(&mut peer, name, is_over));
                    written.collect::<Vec<_>>()
                })
            })
            .collect();
        for _ in 0..CRASHES {
            std::thread::sleep(Duration::from_millis(700));
            let crashed = server.run("crash");
            assert!(crashed.status.success(), "{crashed:?}");
        }
        std::thread::sleep(Duration::from_millis(500));
        is_over.store(true, Ordering::Release);
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    for name in &acknowledged {
        let order = store.reading(|reader| {
            let order = reader.order(&named(name))?;
            Ok(order.map(|order| order.head.version.get()))
        });
        assert_eq!(order.unwrap(), Some(2), "{name}");
    }
    let report = verify(store, &mut |_| {});
    assert_eq!(report.findings, []);
    let orders = usize::try_from(report.orders).unwrap();
    assert!(
        (acknowledged.len()..=acknowledged.len() + 2).contains(&orders),
        "{orders} orders, {} acknowledged",
        acknowledged.len()
    );
}
