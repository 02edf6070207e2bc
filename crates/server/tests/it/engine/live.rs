//! The hub of live streams, on a store that fails at will.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::command::{NewId, OrderRef, Scope};
use model::ids::{OrderKey, PartyId, Position};
use model::lifecycle::Lifecycle;
use model::time::Timestamp;
use prometheus::{Registry, TextEncoder};
use server::live::{Closed, Counters, Filter, Hub, Item, Limits, Opening, Reset, Stream};
use store::{Error, Identity, OpenError, PartyKind, Reader, Store, StoredLifecycle, Writer};

use super::{Setting, Stand, public_id};

/// Longest that something may take that has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happens to a read of the follower.
#[derive(Clone, Debug)]
enum Fault {
    Panic,
    Fails(Error),
}

/// What the next reads of the follower come to, and how many there were.
#[derive(Clone, Default)]
struct Reads {
    faults: Arc<Mutex<VecDeque<Fault>>>,
    count: Arc<AtomicUsize>,
}

struct FaultyStore {
    inner: Arc<dyn Store>,
    reads: Reads,
}

impl Store for FaultyStore {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        self.inner.writer()
    }

    fn read(&self, job: &mut dyn FnMut(&mut dyn Reader) -> Result<(), Error>) -> Result<(), Error> {
        if std::thread::current().name() == Some("live") {
            self.reads.count.fetch_add(1, Ordering::Relaxed);
            let fault = self.reads.faults.lock().unwrap().pop_front();
            match fault {
                Some(Fault::Panic) => panic!("made up"),
                Some(Fault::Fails(error)) => return Err(error),
                None => {}
            }
        }
        self.inner.read(job)
    }

    fn pin_lifecycles(
        &self,
        lifecycles: &[Lifecycle],
        at: Timestamp,
    ) -> Result<Vec<StoredLifecycle>, OpenError> {
        self.inner.pin_lifecycles(lifecycles, at)
    }

    fn lifecycles(&self) -> Result<Vec<StoredLifecycle>, Error> {
        self.inner.lifecycles()
    }
}

/// A stand with a hub. To be ended with [`Live::end`].
struct Live {
    stand: Stand,
    hub: Hub,
    registry: Registry,
    reads: Reads,
}

impl Live {
    async fn new(limits: Limits) -> Self {
        let reads = Reads::default();
        let store_reads = reads.clone();
        let setting = Setting {
            between: Box::new(move |inner| {
                Arc::new(FaultyStore {
                    inner,
                    reads: store_reads,
                })
            }),
            ..Setting::default()
        };
        let stand = Stand::start_with(setting).await;
        let registry = Registry::new();
        let counters = Counters::new(&registry).unwrap();
        let hub = Hub::new(stand.handle().clone(), limits, counters);
        Self {
            stand,
            hub,
            registry,
            reads,
        }
    }

    fn head(&self) -> Position {
        *self.stand.handle().wake_ups().borrow()
    }

    fn open(&self, filter: Filter, after: Position) -> Stream {
        self.hub.open(Opening {
            scope: Scope::All,
            filter,
            after,
            head: self.head(),
        })
    }

    /// Everything from now on.
    fn open_now(&self) -> Stream {
        self.open(Filter::default(), self.head())
    }

    fn key(&self, order: &str) -> OrderKey {
        let order = OrderRef::Public(public_id(order));
        let store = self.stand.handle().store();
        let found = store.reading(|reader| reader.order(&order)).unwrap();
        found.unwrap().head.order
    }

    async fn created_for(&self, client: PartyId, id: &str) {
        let create = NewId::Given(public_id(id));
        let create = self.stand.create_as(create, self.stand.lifecycle, client);
        super::accepted(self.stand.one(create).await);
    }

    fn counted(&self, line: &str) -> bool {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.unwrap().lines().any(|found| found == line)
    }

    async fn end(self) {
        let hub = self.hub.clone();
        tokio::task::spawn_blocking(move || hub.end()).await.unwrap();
        self.stand.verify();
    }
}

async fn next(stream: &Stream) -> Item {
    let next = tokio::time::timeout(PATIENCE, stream.next()).await;
    next.expect("nothing came")
}

/// The status that the next message says, and of which order.
async fn told(stream: &Stream) -> (String, String) {
    match next(stream).await {
        Item::Message(message) => {
            let json: serde_json::Value = serde_json::from_slice(&message.json()).unwrap();
            let text = |name: &str| json[name].as_str().unwrap().to_owned();
            (text("order_id"), text("status"))
        }
        Item::Reset(_, why) => panic!("a reset: {why:?}"),
        Item::Closed(why, _) => panic!("closed: {why:?}"),
    }
}

fn of(order: &str, status: &str) -> (String, String) {
    (order.to_owned(), status.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_fails_closes_its_streams_and_they_go_on_without_loss() {
    let live = Live::new(Limits::default()).await;
    live.hub.start().unwrap();
    let stream = live.open_now();
    live.stand.created("A-1").await;
    assert_eq!(told(&stream).await, of("A-1", "created"));
    live.reads.faults.lock().unwrap().push_back(Fault::Panic);
    // What a new order is called has to be read.
    live.stand.created("A-2").await;
    let Item::Closed(Closed::Shutdown, position) = next(&stream).await else {
        panic!("it is not closed");
    };
    let stream = live.open(Filter::default(), position);
    assert_eq!(told(&stream).await, of("A-2", "created"));
    super::accepted(live.stand.one(live.stand.report("A-1", "picked_up", 1)).await);
    assert_eq!(told(&stream).await, of("A-1", "picked_up"));
    assert!(live.counted("live_follower_failures_total 1"));
    live.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_here_is_told_without_reading_the_log_and_what_the_writer_kept_nothing_of_is_read() {
    let live = Live::new(Limits::default()).await;
    live.hub.start().unwrap();
    let stream = live.open_now();
    live.stand.created("A-1").await;
    assert_eq!(told(&stream).await, of("A-1", "created"));
    let reads = || live.reads.count.load(Ordering::Relaxed);
    let before = reads();
    for (second, status) in (1..).zip(["picked_up", "in_warehouse"]) {
        super::accepted(live.stand.one(live.stand.report("A-1", status, second)).await);
        assert_eq!(told(&stream).await, of("A-1", status));
    }
    assert_eq!(reads(), before);
    // As for what another node writes.
    live.stand.handle().feed().want(None);
    super::accepted(live.stand.one(live.stand.report("A-1", "in_transit", 3)).await);
    assert_eq!(told(&stream).await, of("A-1", "in_transit"));
    assert_eq!(reads(), before + 1);
    super::accepted(live.stand.one(live.stand.report("A-1", "delivered", 4)).await);
    assert_eq!(told(&stream).await, of("A-1", "delivered"));
    assert_eq!(reads(), before + 1, "and from the writer again");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_is_passed_over_and_the_others_are_told() {
    let live = Live::new(Limits::default()).await;
    for id in ["A-1", "A-2"] {
        live.stand.created(id).await;
    }
    let on = |id: &str| {
        let order = Some(live.key(id));
        live.open(
            Filter {
                order,
                ..Filter::default()
            },
            Position::new(0),
        )
    };
    // Opened before the follower looks: they are read at once, and then, as that failed, one by one.
    let (first, second) = (on("A-1"), on("A-2"));
    live.reads.faults.lock().unwrap().extend([
        Fault::Fails(Error::ReadTooLong),
        Fault::Fails(Error::Damaged("made up".to_owned())),
    ]);
    live.hub.start().unwrap();
    assert_eq!(told(&second).await, of("A-2", "created"));
    assert!(matches!(next(&first).await, Item::Reset(_, Reset::Unreadable)));
    super::accepted(live.stand.one(live.stand.report("A-1", "picked_up", 1)).await);
    assert_eq!(told(&first).await, of("A-1", "picked_up"));
    live.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_waits_in_catching_up_is_told_that_the_server_stops() {
    let limits = Limits {
        buffered_messages: 4,
        ..Limits::default()
    };
    let live = Live::new(limits).await;
    for number in 0..10 {
        live.stand.created(&format!("A-{number}")).await;
    }
    let slow = live.open(Filter::default(), Position::new(0));
    live.hub.start().unwrap();
    assert_eq!(told(&slow).await, of("A-0", "created"));
    // Who is told of something later shows that the turn is over in which the slow one was filled.
    let quick = live.open_now();
    live.stand.created("B-1").await;
    assert_eq!(told(&quick).await, of("B-1", "created"));
    let hub = live.hub.clone();
    tokio::task::spawn_blocking(move || hub.end()).await.unwrap();
    let mut last = 0;
    loop {
        match next(&slow).await {
            Item::Message(_) => last += 1,
            Item::Closed(why, position) => {
                assert_eq!((why, position), (Closed::Shutdown, Position::new(last + 1)));
                break;
            }
            Item::Reset(_, why) => panic!("a reset: {why:?}"),
        }
    }
    assert!(last < 9, "it was full");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_too_much_who_has_the_most_of_it_is_closed_and_nobody_else() {
    let limits = Limits {
        messages_bytes: 8 * 1024,
        ..Limits::default()
    };
    let live = Live::new(limits).await;
    live.hub.start().unwrap();
    let handle = live.stand.handle();
    let parties = handle.parties(PartyKind::Client, &["slow", "quick"]).await;
    let [of_slow, of_quick] = parties.unwrap()[..] else {
        panic!("two");
    };
    let of_client = |client| {
        let filter = Filter {
            client: Some(client),
            ..Filter::default()
        };
        live.open(filter, live.head())
    };
    let (slow, quick) = (of_client(of_slow), of_client(of_quick));
    live.created_for(of_quick, "Q-0").await;
    // The quick one always has a message waiting, and never many.
    for number in 0..20 {
        live.created_for(of_slow, &format!("S-{number}")).await;
        for more in 0..2 {
            live.created_for(of_quick, &format!("Q-{}", 2 * number + more + 1))
                .await;
        }
        for more in 0..2 {
            let next = format!("Q-{}", 2 * number + more);
            assert_eq!(told(&quick).await, of(&next, "created"));
        }
    }
    assert!(matches!(next(&slow).await, Item::Closed(Closed::Slow, _)));
    live.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_has_the_log_read_for_many_messages_not_for_each() {
    const ORDERS: usize = 400;
    let limits = Limits {
        // Some forty.
        buffered_bytes: 16 * 1024,
        ..Limits::default()
    };
    let live = Live::new(limits).await;
    for number in 0..ORDERS {
        live.stand.created(&format!("A-{number}")).await;
    }
    let stream = live.open(Filter::default(), Position::new(0));
    live.hub.start().unwrap();
    for number in 0..ORDERS {
        assert_eq!(told(&stream).await, of(&format!("A-{number}"), "created"));
        // It is slow: what is under test is what the follower does meanwhile.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let reads = live.reads.count.load(Ordering::Relaxed);
    assert!(reads < ORDERS / 5, "{reads} reads");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_and_has_left_messages_waiting_for_long_was_slow() {
    let live = Live::new(Limits::default()).await;
    live.hub.start().unwrap();
    let (slow, quick) = (live.open_now(), live.open_now());
    live.stand.created("A-1").await;
    assert_eq!(told(&quick).await, of("A-1", "created"));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    drop((slow, quick));
    assert!(live.counted("live_streams_closed_total{reason=\"slow\"} 1"));
    assert!(live.counted("live_streams_closed_total{reason=\"client\"} 1"));
    live.end().await;
}
