//! The real binary: its start, its end, and what keeps it from starting.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::acknowledged::history;
use crate::harness::front::{SECRET, new_event, new_shipment, operator};
use crate::harness::home::Home;
use crate::harness::process::{Running, run};

fn serve(home: &Home) -> Command {
    let mut command = home.waybill("serve");
    command.env("APP_PORT", "0").env("JWT_SECRET", SECRET);
    command
        .env("ADMIN_USERNAME", "the-admin")
        .env("ADMIN_PASSWORD", "a-long-password-1");
    command.current_dir(home.path());
    command
}

/// Where it listens, by the one line that it prints.
fn address(running: &Running) -> String {
    assert!(running.prints_more_than(0));
    let line = running.first_line();
    let address = line
        .strip_prefix("waybill listening on http://127.0.0.1:")
        .unwrap_or_else(|| panic!("{line}"));
    assert!(address.parse::<u16>().unwrap() > 0);
    format!("127.0.0.1:{address}")
}

fn terminate(running: &Running) {
    let sent = Command::new("kill")
        .args(["-TERM", &running.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// POSTs JSON on a connection that stays open. Gives the body.
fn post(stream: &mut TcpStream, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        operator(),
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        if let Some((_, body)) = answer
            .split_once("\r\n\r\n")
            .filter(|(_, body)| body.ends_with('}'))
        {
            return body.to_owned();
        }
    }
}

#[test]
fn a_server_told_to_stop_keeps_what_it_took_and_exits_well() {
    let home = Home::new();
    let running = Running::start(serve(&home).env("SHUTDOWN_GRACE_S", "3"));
    let address = address(&running);
    let mut kept_open = connect(&address);
    let made: Value =
        serde_json::from_str(&post(&mut kept_open, "/shipments", &new_shipment("client_001"))).unwrap();
    let number = made["tracking_number"].as_str().unwrap();
    let never_used = connect(&address);
    let line = new_event(number, "picked_up", "2026-01-31T10:00:00Z").to_string();
    let mut stream = connect(&address);
    let begun = format!(
        "POST /events/batch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\n\
         content-length: 1000000\r\n\r\n{line}\n{{\"tracking",
        operator()
    );
    stream.write_all(begun.as_bytes()).unwrap();
    let path = format!("/shipments/{number}");
    while !get(&mut kept_open, &path).contains("picked_up") {}
    let told = Instant::now();
    terminate(&running);
    let ended = running.wait();
    assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, format!("waybill listening on http://{address}\n"));
    drop((stream, kept_open, never_used));
    let store = home.place().look_into().unwrap();
    assert_eq!(history(&*store, number).len(), 2);
    let verified = run(&mut home.waybill("verify"));
    assert_eq!(verified.code(), Some(0), "{}{}", verified.stdout, verified.stderr);
}

/// GETs on a connection that stays open.
fn get(stream: &mut TcpStream, path: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        operator()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let mut piece = [0; 4096];
    while !answer
        .split_once("\r\n\r\n")
        .is_some_and(|(_, body)| body.ends_with("]}"))
    {
        let read = stream.read(&mut piece).unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    answer
}

/// A figure of a process, in KiB.
fn memory(running: &Running, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_stream_of_garbage_does_not_fill_the_memory() {
    let home = Home::new();
    let running = Running::start(&mut serve(&home));
    let address = address(&running);
    let before = memory(&running, "VmRSS");
    let mut line = vec![b'x'; 60_000];
    line.push(b'\n');
    let lines = 4_000;
    let mut stream = connect(&address);
    let head = format!(
        "POST /events/batch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        operator(),
        line.len() * lines
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..lines {
        stream.write_all(&line).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("0 of 4000 events accepted"), "{answer:.300}");
    let peak = memory(&running, "VmHWM");
    assert!(
        peak < before + 80 * 1024,
        "{before} KiB before, {peak} KiB at most"
    );
    terminate(&running);
    assert_eq!(running.wait().code(), Some(0));
}

#[test]
fn a_batch_of_millions_of_crumbs_takes_little_more_than_its_bytes() {
    let home = Home::new();
    let running = Running::start(&mut serve(&home));
    let address = address(&running);
    let before = memory(&running, "VmRSS");
    let mut body_kib = 0;
    for (path, name) in [("/events/batch", "events"), ("/shipments/batch", "shipments")] {
        let body = format!("{{\"{name}\":[{}1]}}", "1,".repeat(8_000_000));
        let mut stream = connect(&address);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            operator(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        body_kib = u64::try_from(body.len() / 1024).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("this has 8000001"), "{answer:.500}");
    }
    let peak = memory(&running, "VmHWM");
    // What the body itself takes on its way in, and what the allocator keeps of the first. A list of what is in it would take as much
    // again twice over: a reference for each two bytes.
    assert!(
        peak < before + 7 * body_kib,
        "{before} KiB before, {peak} KiB at most"
    );
    terminate(&running);
    assert_eq!(running.wait().code(), Some(0));
}

#[test]
fn connections_that_are_idle_or_unused_do_not_delay_the_end() {
    let home = Home::new();
    let running = Running::start(serve(&home).env("SHUTDOWN_GRACE_S", "50"));
    let address = address(&running);
    let mut used = connect(&address);
    post(&mut used, "/shipments", &new_shipment("client_001"));
    let unused = connect(&address);
    let begun = Instant::now();
    terminate(&running);
    assert_eq!(running.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop((used, unused));
}

#[test]
fn a_setting_that_is_wrong_stops_the_start_with_one_line() {
    for (name, value) in [
        ("APP_PORT", "eighty"),
        ("JWT_SECRET", "short"),
        ("RATE_LIMIT_PER_MINUTE", "-1"),
        ("TRUSTED_PROXIES", "everyone"),
        ("WAYBILL_UNHEARD_OF", "1"),
    ] {
        let home = Home::new();
        let ended = run(serve(&home).env(name, value));
        assert_eq!(ended.code(), Some(2), "{name}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{name}");
        assert_eq!(
            ended.stderr.trim_end().lines().count(),
            1,
            "{name}: {}",
            ended.stderr
        );
        assert!(ended.stderr.contains(name), "{name}: {}", ended.stderr);
        assert!(!ended.stderr.contains("short"), "{}", ended.stderr);
    }
}

#[test]
fn a_port_or_a_folder_in_use_stops_the_start_with_a_sentence() {
    let home = Home::folder();
    let running = Running::start(&mut serve(&home));
    let address = address(&running);
    let port = address.rsplit(':').next().unwrap();
    let elsewhere = Home::folder();
    let ended = run(serve(&elsewhere).env("APP_PORT", port));
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("APP_PORT") && ended.stderr.contains(port),
        "{}",
        ended.stderr
    );
    let ended = run(&mut serve(&home));
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&home.path().display().to_string()),
        "{}",
        ended.stderr
    );
    terminate(&running);
    assert_eq!(running.wait().code(), Some(0));
}

/// The same, as a process that may open so many files, by what the options of `ulimit` say.
fn with_files(files: &str, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit {files} && exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(command.get_current_dir().unwrap());
    limited
}

fn ask_for_health(stream: &mut TcpStream) {
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).unwrap();
}

/// The beginning of an answer, as far as its status.
fn status_line(stream: &mut TcpStream) -> [u8; 12] {
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    line
}

#[test]
fn a_process_that_may_ask_for_more_files_does() {
    let home = Home::new();
    let running = Running::start(&mut with_files("-S -n 160", &serve(&home)));
    let address = address(&running);
    let mut connections: Vec<TcpStream> = (0..100).map(|_| connect(&address)).collect();
    for connection in &mut connections {
        ask_for_health(connection);
        assert_eq!(status_line(connection), *b"HTTP/1.1 200");
    }
    drop(connections);
    terminate(&running);
    let ended = running.wait();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}

#[test]
fn a_process_that_may_open_few_files_has_fewer_connections_and_serves_all_of_them() {
    let home = Home::new();
    let running = Running::start(&mut with_files("-n 160", &serve(&home)));
    let address = address(&running);
    let mut connections: Vec<TcpStream> = (0..32).map(|_| connect(&address)).collect();
    let made: Value = serde_json::from_str(&post(
        &mut connections[0],
        "/shipments",
        &new_shipment("client_001"),
    ))
    .unwrap();
    let path = format!("/shipments/{}", made["tracking_number"].as_str().unwrap());
    for connection in &mut connections {
        assert!(get(connection, &path).contains("created"));
    }
    // One more waits for its turn, while those before it are served as well as ever.
    let mut late = connect(&address);
    ask_for_health(&mut late);
    late.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(late.read(&mut [0; 12]).is_err());
    let made = post(&mut connections[31], "/shipments", &new_shipment("client_001"));
    assert!(made.contains("tracking_number"), "{made}");
    drop(connections.remove(0));
    late.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(status_line(&mut late), *b"HTTP/1.1 200");
    drop((connections, late));
    terminate(&running);
    let ended = running.wait();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let told = ended.stderr.matches("ulimit -n").count();
    assert_eq!(told, 1, "{}", ended.stderr);
    assert!(
        !ended.stderr.contains("could not be accepted"),
        "{}",
        ended.stderr
    );
}
