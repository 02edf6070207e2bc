//! The real binary as a child that cannot be forgotten: dropped while it runs, it is killed and the test fails.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest that anything waited for may take, on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, deaf to the settings of whoever runs the tests.
pub(crate) fn waybill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
    command.stdin(Stdio::null());
    for name in server::settings::environment_names() {
        command.env_remove(name);
    }
    command
}

/// `waybill SUBCOMMAND --data-dir DIR`.
pub(crate) fn waybill_on(subcommand: &str, data_dir: &Path) -> Command {
    let mut command = waybill();
    command.arg(subcommand).arg("--data-dir").arg(data_dir);
    command
}

/// A process that has ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The exit code; `None` if a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        assert!(!self.stderr.contains("panicked"), "it panicked:\n{}", self.stderr);
        self.status.code()
    }
}

/// Runs to the end.
pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What a child has printed so far.
#[derive(Default)]
struct Output {
    printed: Mutex<Printed>,
    grown: Condvar,
}

#[derive(Default)]
struct Printed {
    text: String,
    lines: usize,
    ended: bool,
}

/// A running child.
pub(crate) struct Running {
    child: Child,
    output: Arc<Output>,
    readers: Option<(JoinHandle<()>, JoinHandle<String>)>,
}

impl Running {
    /// Starts it. What it prints is read all the time, so that it never waits for its reader.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Output::default());
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let shared = output.clone();
        let readers = (
            std::thread::spawn(move || shared.read(stdout)),
            std::thread::spawn(move || read_all(stderr)),
        );
        Self {
            child,
            output,
            readers: Some(readers),
        }
    }

    /// Waits until its output begins with this line. False if it ended without.
    pub(crate) fn begins_with(&self, line: &str) -> bool {
        self.prints_more_than(0) && self.output.printed.lock().unwrap().text.lines().next() == Some(line)
    }

    /// The first line that it printed; empty if there is none.
    pub(crate) fn first_line(&self) -> String {
        let printed = self.output.printed.lock().unwrap();
        printed.text.lines().next().unwrap_or_default().to_owned()
    }

    /// Lines printed so far.
    pub(crate) fn lines(&self) -> usize {
        self.output.printed.lock().unwrap().lines
    }

    /// Waits until there are more lines than that. False if it ended before.
    pub(crate) fn prints_more_than(&self, lines: usize) -> bool {
        let printed = self.output.printed.lock().unwrap();
        let waiting = |printed: &mut Printed| !printed.ended && printed.lines <= lines;
        let waited = self.output.grown.wait_timeout_while(printed, PATIENCE, waiting);
        let (printed, waited) = waited.unwrap();
        assert!(
            !waited.timed_out(),
            "nothing after {} lines in {PATIENCE:?}",
            printed.lines
        );
        printed.lines > lines
    }

    /// Whether its output has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.output.printed.lock().unwrap().ended
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.wait()
    }

    /// SIGINT.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill")
            .args(["-INT", &self.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end and for the end of its output.
    pub(crate) fn wait(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        let (stdout, stderr) = self.readers.take().unwrap();
        stdout.join().unwrap();
        let stdout = std::mem::take(&mut self.output.printed.lock().unwrap().text);
        Ended {
            status,
            stdout,
            stderr: stderr.join().unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.readers.is_some() {
            self.child.kill().ok();
            self.child.wait().ok();
            assert!(
                std::thread::panicking(),
                "a child was left running: wait for it or kill it"
            );
        }
    }
}

impl Output {
    fn read(&self, stdout: ChildStdout) {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        // A line cut short by a kill counts as not printed.
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) && line.ends_with(b"\n") {
            let mut printed = self.printed.lock().unwrap();
            printed.text.push_str(std::str::from_utf8(&line).unwrap());
            printed.lines += 1;
            drop(printed);
            line.clear();
            self.grown.notify_all();
        }
        self.printed.lock().unwrap().ended = true;
        self.grown.notify_all();
    }
}

fn read_all(mut stderr: ChildStderr) -> String {
    let mut text = Vec::new();
    stderr.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
