//! A PostgreSQL server and two nodes over one database of it, all of them processes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::front::SECRET;
use crate::harness::home::Home;
use crate::harness::process::Running;
use crate::harness::services::OwnPostgres;
use crate::harness::wire::{Exchange, Wire};

pub(super) struct Cluster {
    home: Home,
    pub(super) database: OwnPostgres,
    nodes: [Option<Running>; 2],
    /// A node that is started again has the address that it had.
    pub(super) addresses: [SocketAddr; 2],
    pub(super) token: String,
}

impl Cluster {
    /// Both nodes start at once, on a database that is empty. `None` where there is no PostgreSQL.
    pub(super) fn start() -> Option<Self> {
        let database = OwnPostgres::start()?;
        let home = Home::on(&database.dsn().parse().unwrap());
        let nodes = [0, 1].map(|node| serve(&home, node, 0));
        let addresses = nodes.each_ref().map(address_of);
        let user = json!({"username": "operator_user", "password": "password123"});
        let mut wire = Wire::connect(addresses[0], "").unwrap();
        let session = wire.must_post("/auth/login", &[], &user.to_string()).is(200);
        Some(Self {
            home,
            database,
            nodes: nodes.map(Some),
            addresses,
            token: session["token"].as_str().unwrap().to_owned(),
        })
    }

    /// SIGKILL of one node.
    pub(super) fn kill(&mut self, node: usize) {
        let ended = self.nodes[node].take().unwrap().kill();
        assert_eq!(ended.code(), None, "it ended by itself: {ended:?}");
    }

    pub(super) fn start_again(&mut self, node: usize) {
        let running = serve(&self.home, node, self.addresses[node].port());
        assert_eq!(address_of(&running), self.addresses[node]);
        self.nodes[node] = Some(running);
    }

    /// Has a node write something until it does.
    pub(super) fn wait_until_it_writes(&self, node: usize, within: Duration) {
        let began = Instant::now();
        loop {
            if self.takes_in(node) {
                return;
            }
            assert!(
                began.elapsed() < within,
                "node {node} does not write after {within:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Signing up writes, and leaves no shipment that nobody noted.
    fn takes_in(&self, node: usize) -> bool {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(mut wire) = Wire::connect(self.addresses[node], "") else {
            return false;
        };
        let username = format!("user-{node}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let wish = json!({"username": username, "password": "password123", "name": "Somebody"});
        match wire.post("/api/v1/users", &[], &wish.to_string()) {
            Exchange::Whole(told) if told.status == 503 => false,
            Exchange::Whole(told) => told.is(201).is_object(),
            Exchange::Closed | Exchange::Half(_) => false,
        }
    }

    /// Stops both nodes as a signal does; the database goes on.
    pub(super) fn end(self) -> (Home, OwnPostgres) {
        for node in self.nodes.into_iter().flatten() {
            node.terminate();
            let ended = node.wait();
            assert_eq!(ended.code(), Some(0), "{ended:?}");
        }
        (self.home, self.database)
    }
}

fn serve(home: &Home, node: usize, port: u16) -> Running {
    let mut command = home.waybill("serve");
    command.args(["--port", &port.to_string(), "--rate-limit-per-minute", "0"]);
    command.args(["--node-name", &format!("node-{node}"), "--log-level", "warn"]);
    Running::start(command.env("SEED", "demo").env("JWT_SECRET", SECRET))
}

fn address_of(running: &Running) -> SocketAddr {
    let line = running.first_line();
    let address = line.strip_prefix("waybill listening on http://");
    address
        .unwrap_or_else(|| panic!("it does not start"))
        .parse()
        .unwrap()
}
