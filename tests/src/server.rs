//! Decides how a test has a server: the real program in a folder of its own, at an address of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::program::{Ended, Program};
use crate::programs;

/// A server, running or not, with its realm.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    address: SocketAddr,
    /// `None` while it is down.
    running: Option<Program>,
}

impl Server {
    /// Founds a realm and waits until its server listens.
    pub fn start() -> Self {
        Self::start_at(&listen())
    }

    /// The same with what a server has unless its operator says otherwise, and tests of other things do without: a lobby.
    pub fn with_lobby() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut program = Program::start(run(&folder.path().join("data"), &listen()).env_remove(LOBBY));
        let address = listening(&mut program);
        Self { folder, address, running: Some(program) }
    }

    /// The same, at this address.
    pub fn start_at(listen: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut program = Program::start(&mut run(&folder.path().join("data"), listen));
        let address = listening(&mut program);
        Self { folder, address, running: Some(program) }
    }

    /// The data folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn program(&mut self) -> &mut Program {
        self.running.as_mut().expect("the server is up")
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts it again, on the same folder and address.
    pub fn restart(&mut self) {
        let mut program = Program::start(&mut run(&self.folder(), &self.address.to_string()));
        assert_eq!(listening(&mut program), self.address);
        self.running = Some(program);
    }

    /// Starts it again, on the same folder and elsewhere.
    pub fn move_to(&mut self, listen: &str) {
        let mut program = Program::start(&mut run(&self.folder(), listen));
        self.address = listening(&mut program);
        self.running = Some(program);
    }

    /// Asks it by a signal, `"TERM"` or `"INT"`, to end, and waits until it has.
    pub fn stop(&mut self, signal: &str) -> Ended {
        let program = self.running.take().expect("the server is up");
        program.signal(signal);
        program.end()
    }

    /// Runs one of the server's subcommands.
    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::run(command(&self.folder()).args(args))
    }

    /// Makes an invite, for one name or for any, and gives its link.
    pub fn invite(&self, args: &[&str]) -> String {
        let made = self.run(&[&["invite"], args].concat()).done();
        match made.out.as_slice() {
            [link] => link.clone(),
            _ => panic!("not the link alone: {made}"),
        }
    }

    /// Waits for a line of its log that contains every one of `parts`.
    pub fn log(&mut self, parts: &[&str]) -> String {
        let has = |line: &str| parts.iter().all(|part| line.contains(part)).then(|| line.to_owned());
        self.program().see(&parts.join(" ... "), has)
    }

    /// The people that it knows, in order, each with whether one of their devices is online.
    pub fn users(&self) -> Vec<String> {
        let listed = self.run(&["users", "--json"]).done();
        let name = |object: &serde_json::Value| object["user"].as_str().map(str::to_owned);
        listed.objects().iter().map(|object| name(object).unwrap_or_else(|| panic!("no user: {listed}"))).collect()
    }
}

/// `server` on a data folder, still without a command.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(programs::server());
    command.arg("--data-dir").arg(folder);
    command
}

/// `server run` on a data folder.
pub fn run(folder: &Path, listen: &str) -> Command {
    let mut command = command(folder);
    command.args(["run", "--listen", listen]).env(LOBBY, "off");
    command
}

/// Whether there is a room for everybody, in which each newcomer would be news to all others.
const LOBBY: &str = "COUNTERSIGN_LOBBY";

/// Waits until a server says that it listens, and where.
pub fn listening(program: &mut Program) -> SocketAddr {
    program.hear("listening on", |line| {
        let (address, realm) = line.strip_prefix("listening on ")?.split_once(", realm ")?;
        assert_eq!(realm, "chat.internal");
        Some(address.parse().unwrap_or_else(|_| panic!("{address} is no address")))
    })
}

/// An address to listen on, the port to be chosen by the system.
///
/// Where all of 127/8 is this machine (Linux), each server gets an address of its own: nobody else can be given its
/// port while it is down, neither another test's server nor, as its own end, a client that dials it.
pub fn listen() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let ip = if cfg!(target_os = "linux") {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let [.., n] = n.to_be_bytes();
        Ipv4Addr::new(127, high, low, n.max(2))
    } else {
        Ipv4Addr::LOCALHOST
    };
    format!("{ip}:0")
}
