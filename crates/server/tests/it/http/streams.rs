//! Events as a stream of lines: whatever ends it, the complete lines are kept.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use server::engine::Quotas;
use server::server::Limits;

use crate::harness::front::{Front, driver, new_event, new_shipment, operator};
use crate::harness::home::Home;

const LINES: &str = "application/x-ndjson";

fn head(length: &str) -> String {
    format!(
        "POST /events/batch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: {LINES}\r\n{length}\r\n\r\n",
        operator()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_answered_like_a_batch() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let lines = format!(
        "{}\n\n{{\"no\":1}}\r\n{}",
        new_event(&number, "picked_up", "2026-01-31T10:00:00Z"),
        new_event(&number, "in_warehouse", "2026-01-31T11:00:00Z")
    );
    let told = front
        .post_text(&driver("client_001"), "/events/batch", LINES, lines.clone())
        .await
        .is(202);
    assert_eq!((&told["received"], &told["queued"]), (&json!(3), &json!(2)));
    assert_eq!(told["rejected"][0]["index"], 1);
    let path = format!("/events/batches/{}", told["batch_id"].as_str().unwrap());
    let receipt = front.get(&driver("client_001"), &path).await.is(200);
    assert_eq!(
        (&receipt["applied"], &receipt["duplicates"]),
        (&json!(2), &json!(0))
    );
    let waiting = front
        .request(Method::POST, "/events/batch")
        .bearer_auth(operator());
    let waiting = waiting
        .header("content-type", LINES)
        .header("prefer", "wait")
        .body(lines);
    let told = front.send(waiting).await.is(200);
    assert_eq!(
        (&told["applied"], &told["duplicates"], &told["rejected_total"]),
        (&json!(0), &json!(2), &json!(1))
    );
    assert_eq!(
        front.statuses(&number).await,
        ["created", "picked_up", "in_warehouse"]
    );
    for empty in ["", "\n\n"] {
        front
            .post_text(&operator(), "/events/batch", LINES, empty)
            .await
            .is_problem(400, "VALIDATION_FAILED");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_lines_are_skipped_and_not_counted() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let good = new_event(&number, "picked_up", "2026-01-31T10:00:00Z");
    let lines = format!("\n \t\r\n{{}}\n\r\n\n{good}\n\n  \nno event\n\n");
    let told = front
        .post_text(&operator(), "/events/batch", LINES, lines)
        .await
        .is(202);
    assert_eq!((&told["received"], &told["queued"]), (&json!(3), &json!(1)));
    let indexes: Vec<&Value> = told["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["index"])
        .collect();
    assert_eq!(indexes, [0, 2]);
    let lines = format!("\n{{}}\r\n\n \n{}\n\nno shipment\n", new_shipment("client_001"));
    let told = front
        .post_text(&operator(), "/shipments/batch", LINES, lines)
        .await
        .is(200);
    assert_eq!((&told["received"], &told["created"]), (&json!(3), &json!(1)));
    let results: Vec<(&Value, bool)> = told["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (&line["index"], line["tracking_number"].is_string()))
        .collect();
    assert_eq!(
        results,
        [(&json!(0), false), (&json!(1), true), (&json!(2), false)]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_more_events_than_a_batch_may() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let line = format!("{}\n", new_event(&number, "picked_up", "2026-01-31T10:00:00Z"));
    let lines = line.repeat(25_000);
    let waiting = front
        .request(Method::POST, "/events/batch")
        .bearer_auth(operator());
    let waiting = waiting
        .header("content-type", LINES)
        .header("prefer", "wait")
        .body(lines);
    let told = front.send(waiting).await.is(200);
    assert_eq!(
        (&told["received"], &told["applied"], &told["duplicates"]),
        (&json!(25_000), &json!(1), &json!(24_999))
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_stops_reading_and_refuses_nothing() {
    let limits = Limits {
        bodies_in_memory_bytes: 2 * 1024 * 1024,
        ..Limits::default()
    };
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let number = front.shipment_of("client_001").await;
    let mut line = new_event(&number, "picked_up", "2026-01-31T10:00:00Z").to_string();
    line.extend(std::iter::repeat_n(' ', 60_000));
    line.push('\n');
    let lines = line.repeat(200);
    let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
    let (hold, held) = tokio::sync::oneshot::channel();
    let holding = front.engine.with_writer(move |_| {
        hold.send(()).ok();
        released.recv().ok();
        Ok(())
    });
    let streaming = async {
        held.await.unwrap();
        let request = front
            .request(Method::POST, "/events/batch")
            .bearer_auth(operator());
        let request = request
            .header("content-type", LINES)
            .header("prefer", "wait")
            .body(lines);
        let mut answer = std::pin::pin!(front.send(request));
        let early = tokio::time::timeout(Duration::from_secs(1), &mut answer).await;
        assert!(early.is_err(), "{early:?}");
        release.send(()).unwrap();
        answer.await
    };
    let (_, answer) = tokio::join!(holding, streaming);
    let told = answer.is(200);
    assert_eq!(
        (&told["received"], &told["applied"], &told["duplicates"]),
        (&json!(200), &json!(1), &json!(199))
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_for_which_there_is_no_room_may_come_again() {
    let limits = Limits {
        bodies_in_memory_bytes: 1024 * 1024,
        ..Limits::default()
    };
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let large = vec![b' '; 2 * 1024 * 1024];
    let refused = front
        .post_text(&operator(), "/events/batch", "application/json", large)
        .await;
    refused.is_problem(503, "UNAVAILABLE");
    assert_ne!(refused.header("retry-after"), "");
    front.shipment_of("client_001").await;
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_takes_no_idempotency_key() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let request = front
        .request(Method::POST, "/events/batch")
        .bearer_auth(operator());
    let line = new_event(&number, "picked_up", "2026-01-31T10:00:00Z").to_string();
    let request = request
        .header("content-type", LINES)
        .header("idempotency-key", "k")
        .body(line);
    front.send(request).await.blames("Idempotency-Key");
    assert_eq!(front.statuses(&number).await, ["created"]);
    front.end().await;
}

/// Waits until a shipment has so many statuses.
async fn until_it_has(front: &Front, number: &str, statuses: usize) {
    let begun = Instant::now();
    while front.statuses(number).await.len() < statuses {
        assert!(begun.elapsed() < Duration::from_secs(20), "the lines were lost");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_in_mid_line_keeps_the_complete_lines() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let one = new_event(&number, "picked_up", "2026-01-31T10:00:00Z").to_string();
    let two = new_event(&number, "in_warehouse", "2026-01-31T11:00:00Z").to_string();
    let three = new_event(&number, "in_transit", "2026-01-31T12:00:00Z").to_string();
    let body = format!("{one}\n{two}\n{three}");
    let request = format!("{}{}", head("content-length: 100000"), &body[..body.len() - 5]);
    let mut stream = TcpStream::connect(front.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    drop(stream);
    until_it_has(&front, &number, 3).await;
    let request = format!(
        "{}{:x}\r\n{three}\n",
        head("transfer-encoding: chunked"),
        three.len() + 1
    );
    let mut stream = TcpStream::connect(front.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    drop(stream);
    until_it_has(&front, &number, 4).await;
    front.end().await;
}

/// A server that keeps one receipt of a principal.
async fn with_one_receipt() -> Front {
    let limits = Limits {
        quotas: Quotas {
            batch_receipts: 1,
            ..Quotas::default()
        },
        ..Limits::default()
    };
    Front::start_within(limits, Home::new(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_for_whose_receipt_there_is_no_room_is_refused_before_it_is_read() {
    let front = with_one_receipt().await;
    let number = front.shipment_of("client_001").await;
    let line = |status: &str| new_event(&number, status, "2026-01-31T10:00:00Z").to_string();
    for (status, answer) in [("picked_up", 202), ("in_warehouse", 429)] {
        front
            .post_text(&operator(), "/events/batch", LINES, line(status))
            .await
            .is(answer);
    }
    assert_eq!(front.statuses(&number).await, ["created", "picked_up"]);
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_its_events_when_the_last_receipt_goes_to_another_meanwhile() {
    for (prefer, status) in [("", 202), ("prefer: wait\r\n", 200)] {
        let front = with_one_receipt().await;
        let number = front.shipment_of("client_001").await;
        let line = |status: &str| format!("{}\n", new_event(&number, status, "2026-01-31T10:00:00Z"));
        let (one, two) = (line("picked_up"), line("in_warehouse"));
        let length = format!(
            "{prefer}connection: close\r\ncontent-length: {}",
            one.len() + two.len()
        );
        let mut stream = TcpStream::connect(front.address).unwrap();
        write!(stream, "{}{one}", head(&length)).unwrap();
        until_it_has(&front, &number, 2).await;
        let other = json!({"events": [new_event(&number, "created", "2026-01-31T10:00:00Z")]});
        front.post(&operator(), "/events/batch", &other).await.is(202);
        write!(stream, "{two}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(!head.contains("location"), "{answer}");
        let told: Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&told["received"], &told["receipt_kept"]),
            (&json!(2), &json!(false))
        );
        let path = format!("/events/batches/{}", told["batch_id"].as_str().unwrap());
        front.get(&operator(), &path).await.is_problem(404, "NOT_FOUND");
        assert_eq!(
            front.statuses(&number).await,
            ["created", "picked_up", "in_warehouse"]
        );
        front.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_has_64_kib_and_one_that_has_more_is_bad_alone() {
    let front = Front::start().await;
    let number = front.shipment_of("client_001").await;
    let event = |status: &str| new_event(&number, status, "2026-01-31T10:00:00Z").to_string();
    let padded = |mut text: String, length: usize| {
        text.extend(std::iter::repeat_n(' ', length - text.len()));
        text
    };
    let lines = [
        padded(event("picked_up"), 64 * 1024),
        padded(event("in_warehouse"), 64 * 1024 + 1),
        padded("x".to_owned(), 1024 * 1024),
        event("in_warehouse"),
    ];
    let told = front
        .post_text(&operator(), "/events/batch", LINES, lines.join("\n"))
        .await
        .is(202);
    assert_eq!((&told["received"], &told["queued"]), (&json!(4), &json!(2)));
    assert_eq!(
        (&told["rejected"][0]["index"], &told["rejected"][1]["index"]),
        (&json!(1), &json!(2))
    );
    assert!(told["rejected"][0]["message"].as_str().unwrap().contains("65536"));
    assert_eq!(
        front.statuses(&number).await,
        ["created", "picked_up", "in_warehouse"]
    );
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_too_slow_is_given_up_and_keeps_what_came() {
    let limits = Limits {
        slowest_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let number = front.shipment_of("client_001").await;
    let line = new_event(&number, "picked_up", "2026-01-31T10:00:00Z").to_string();
    let body = format!("{}{line}\n{{\"tracking", head("content-length: 100000"));
    let reply = front.raw_reply(body.as_bytes());
    reply.is_problem(408, "REQUEST_TIMEOUT");
    assert_eq!(front.statuses(&number).await, ["created", "picked_up"]);
    for path in ["/events", "/events/batch", "/shipments", "/shipments/batch"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{{",
            operator()
        );
        front
            .raw_reply(request.as_bytes())
            .is_problem(408, "REQUEST_TIMEOUT");
    }
    front.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_now_and_then_is_too_slow_too() {
    let limits = Limits {
        slowest_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let front = Front::start_within(limits, Home::new(), &[]).await;
    let mut stream = TcpStream::connect(front.address).unwrap();
    stream
        .write_all(head("content-length: 100000").as_bytes())
        .unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (begun, mut answer) = (Instant::now(), [0; 12]);
    let told = loop {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was never given up");
        stream.write_all(b" ").ok();
        if stream.read_exact(&mut answer).is_ok() {
            break String::from_utf8_lossy(&answer).into_owned();
        }
    };
    assert_eq!(told, "HTTP/1.1 408");
    drop(stream);
    front.end().await;
}
