//! Decides how the server under test lives: the real program beside this one, on loopback, in a folder of the run's own.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::process;
use crate::exit::Failure;

/// How long a server may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the server is told otherwise than by default: to admit as many as it can, so that it and not its rule about strangers is
/// measured; and not to ask for signs of life, which this program does not give.
const SETTINGS: [(&str, &str); 2] =
    [("COUNTERSIGN_LIMITS_KEY_OPERATIONS", "20000"), ("COUNTERSIGN_TIMEOUTS_SILENCE", "10m")];

/// A server that runs. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    /// What it prints, until it ends.
    lines: Receiver<String>,
    log: PathBuf,
}

/// What a server has said of its journal as it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Transactions, each of which was one sync.
    pub(super) syncs: u64,
}

impl Server {
    /// Starts it on the data folder in `place`, which it makes the first time.
    pub(super) fn start(place: &Path) -> Result<Self, Failure> {
        let program = beside_us()?;
        let log = place.join("server.log");
        let stderr = File::create(&log)
            .map_err(|error| Failure::failed(format_args!("{} can't be made ({error})", log.display())))?;
        let mut command = Command::new(&program);
        command.arg("--data-dir").arg(data(place)).args(["run", "--listen", "127.0.0.1:0", "--json"]);
        // Nothing of the tester's own settings reaches it.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("COUNTERSIGN_")) {
            command.env_remove(name);
        }
        command.envs(SETTINGS).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command
            .spawn()
            .map_err(|error| Failure::failed(format_args!("{} can't be started ({error})", program.display())))?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            // Its end is that of the pipe.
            thread::spawn(move || {
                BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), lines, log };
        server.address = server.listening()?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long it has computed so far.
    pub(super) fn computed(&self) -> Result<Duration, Failure> {
        process::computed(self.child.id())
    }

    /// How much memory it takes, in KiB.
    pub(super) fn resident_kib(&self) -> Result<u64, Failure> {
        process::resident_kib(self.child.id())
    }

    /// Has it end in good order, and says what it has written.
    pub(super) fn stop(mut self) -> Result<Written, Failure> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It is our own child and was not waited for, so the number is still its own.
            let _ = kill_process(pid, Signal::TERM);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(Failure::failed("the server under test does not end")),
            }
        }
        let ended = self.child.wait().is_ok_and(|status| status.success());
        self.written().filter(|_| ended).ok_or_else(|| self.fell())
    }

    fn listening(&self) -> Result<SocketAddr, Failure> {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            let is_it = said.get("event").is_some_and(|event| event == "listening");
            if let Some(address) = said.get("address").and_then(Value::as_str).filter(|_| is_it) {
                return address.parse().map_err(|_| Failure::failed("the server under test listens nowhere"));
            }
        }
        Err(self.fell())
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What its log says of its journal.
    fn written(&self) -> Option<Written> {
        let log = self.log();
        let last = log.lines().rev().find(|line| line.contains("ended in good order"))?;
        let syncs = last.split_whitespace().find_map(|word| word.strip_prefix("syncs="))?.parse().ok()?;
        Some(Written { syncs })
    }

    /// The failure of a server that does not do what it should, in its own last words.
    fn fell(&self) -> Failure {
        let log = self.log();
        let last = log.lines().last().unwrap_or("it has said nothing");
        Failure::failed(format_args!("the server under test has failed: {last}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and that is all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The data folder of the server in `place`.
pub(super) fn data(place: &Path) -> PathBuf {
    place.join("data")
}

/// The program `server` that was built with this one.
fn beside_us() -> Result<PathBuf, Failure> {
    let own = env::current_exe()
        .map_err(|error| Failure::failed(format_args!("this program does not know where it is ({error})")))?;
    let program = own.with_file_name(format!("server{}", env::consts::EXE_SUFFIX));
    if program.is_file() {
        return Ok(program);
    }
    let how = "build it first: cargo build --release -p net --bins";
    Err(Failure::failed(format_args!("there is no program {}: {how}", program.display())))
}
