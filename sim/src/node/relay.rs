//! Decides what of the server survives its process: the realm's keys and the journal; everything else begins anew.

use std::collections::BTreeMap;

use countersign_core::id::{ConnId, Fingerprint, Position, Realm};
use countersign_core::journal::snapshot::newest;
use countersign_core::journal::{Record, SnapshotRefusal, State};
use countersign_core::password::Cost;
use countersign_core::pki::{Authority, Founded, SecretKey, found_realm};
use countersign_core::server::{Input, Output, Server, Settings};
use countersign_core::tlog::NoteName;

use super::{Chance, Clocks, Deadline, Why, tls_env};
use crate::crypto::suites::overhear;
use crate::disk::Disk;
use crate::rng::Streams;

/// What a start of the process goes on from.
#[derive(Debug)]
pub struct Begun {
    /// The state, before anything has happened.
    pub state: State,
    /// The place of the snapshot that it was gone on from, 0 if from none.
    pub snapshot: u64,
    /// The snapshots that could not be used.
    pub passed_over: Vec<(u64, SnapshotRefusal)>,
}

/// The server's machine room.
#[derive(Debug)]
pub struct RelayNode {
    chance: Chance,
    /// Its clocks.
    pub clocks: Clocks,
    /// The realm's keys and certificates, as they lie in files.
    founded: Founded,
    realm: Realm,
    incarnation: u64,
    server: Option<Server>,
    /// What the process has read inside of its TLS connections since somebody asked: a record an entry.
    pub heard: Vec<Vec<u8>>,
    /// What the operator has chosen.
    pub settings: Settings,
    /// After how many records the server asks for a snapshot; 0 for never.
    pub snapshot_every: u64,
    /// The journal.
    pub disk: Disk,
    /// The last record of the newest replay.
    replayed: u64,
}

impl RelayNode {
    /// A realm that was founded just now, and whose server does not run yet.
    pub fn new(streams: Streams, skew_max_s: u64, append_max_us: u64) -> Self {
        let mut chance = Chance::new(streams, "relay");
        let clocks = Clocks::draw(streams, "relay", skew_max_s);
        let realm = Realm::default();
        let wall = clocks.now(0).wall;
        let (founded, incarnation) = chance.lend(|rng| (found_realm(&realm, wall, rng), rng.next_u64()));
        let disk = Disk::new(streams.stream("disk"), append_max_us);
        Self {
            chance,
            clocks,
            founded,
            realm,
            incarnation,
            server: None,
            heard: Vec::new(),
            settings: Settings::default(),
            snapshot_every: 0,
            disk,
            replayed: 0,
        }
    }

    /// Starts the process over what the disk holds, and says what it goes on from.
    ///
    /// # Panics
    /// If the server refuses its own files, or a record of its own.
    pub fn start(&mut self, at_us: u64) -> Begun {
        let now = self.clocks.now(at_us);
        self.disk.recover();
        let founded = &self.founded;
        let begun = self.go_on();
        let every = if self.snapshot_every == 0 { u64::MAX } else { self.snapshot_every };
        let server = self.chance.lend(|rng| {
            let authority = Authority::new(self.realm.clone(), founded.files(), now.wall)
                .expect("the realm's files belong together");
            let server = Server::start(tls_env(), authority, begun.state.clone(), now, rng);
            let server = server.expect("a server starts over its own journal");
            server.with_settings(self.settings).expect("the configuration was checked").with_password_cost(Cost::LEAST)
        });
        self.server = Some(server.with_snapshots(begun.snapshot, every));
        begun
    }

    /// The newest snapshot that can be used, and the records after it folded in.
    fn go_on(&self) -> Begun {
        let n = self.disk.records().count();
        let end = Position { incarnation: self.incarnation, n: u64::try_from(n).unwrap_or(u64::MAX) };
        let mut passed_over = Vec::new();
        let mut state = newest(end, self.disk.snapshots(), |n, refusal| passed_over.push((n, refusal)));
        let snapshot = state.position().n;
        for (n, bytes) in (1..).zip(self.disk.records()).skip_while(|(n, _)| *n <= snapshot) {
            state.apply(n, bytes).expect("the server's own records can be read");
        }
        Begun { state, snapshot, passed_over }
    }

    /// What the whole journal on the disk comes to, and the state's digest after each record that is new since somebody asked
    /// last: a digest reads all of the state, and what was replayed once gives the same again or another end.
    ///
    /// # Panics
    /// If it holds bytes that are no record.
    pub fn replay(&mut self) -> (State, BTreeMap<u64, Fingerprint>) {
        let (mut state, mut digests) = (State::new(self.incarnation), BTreeMap::new());
        for (n, bytes) in (1..).zip(self.disk.records()) {
            state.apply(n, bytes).expect("the server's own records can be read");
            if n > self.replayed {
                digests.insert(n, state.digest());
            }
        }
        let end = state.position().n;
        digests.entry(end).or_insert_with(|| state.digest());
        self.replayed = end;
        (state, digests)
    }

    /// While the process is down an older copy of the journal takes its place: the first `keep` records, as another life
    /// of the journal, which says so. How many records are gone.
    pub fn restore(&mut self, keep: usize, incarnation: u64, at_us: u64) -> usize {
        let previous = std::mem::replace(&mut self.incarnation, incarnation);
        let gone = self.disk.restore(keep);
        self.replayed = 0;
        // Of an empty one there is nothing to go on from.
        if keep > 0 {
            let at = self.clocks.now(at_us).wall;
            self.disk.write_down(Record::Restored { previous, at }.encode());
        }
        gone
    }

    /// The log that the server keeps in this life of its journal.
    pub fn log(&self) -> NoteName {
        NoteName::of_log(&self.realm, self.incarnation)
    }

    /// The process ends at once. How many appends it takes with it.
    pub fn crash(&mut self) -> usize {
        self.server = None;
        self.disk.crash()
    }

    /// Whether the process runs.
    pub fn is_up(&self) -> bool {
        self.server.is_some()
    }

    /// Feeds the server; a process that is down takes nothing.
    pub fn handle(&mut self, input: Input<'_>, at_us: u64) {
        if let Some(server) = &mut self.server {
            let (now, heard) = (self.clocks.now(at_us), &mut self.heard);
            self.chance.lend(|rng| overhear(heard, || server.handle(input, now, rng)));
        }
    }

    /// The server's next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        let server = self.server.as_mut()?;
        self.chance.lend(|_| server.poll_output())
    }

    /// When the server wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let (at, wake) = self.server.as_ref()?.next_deadline()?;
        Some(Deadline { at_us: self.clocks.world_us(at), why: Why::Relay(wake) })
    }

    /// What waits for a connection's socket.
    pub fn outbound(&self, conn: ConnId) -> &[u8] {
        self.server.as_ref().map(|server| server.outbound(conn)).unwrap_or_default()
    }

    /// The server, while it runs.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// The realm's secret keys, each with what it is.
    pub fn keys(&self) -> [(&'static str, &SecretKey); 2] {
        [("a root's key", &self.founded.root_key), ("an issuing CA's key", &self.founded.issuing_key)]
    }

    /// The realm's keys: for what the genuine CA has signed and should not have.
    pub(crate) fn founded(&self) -> &Founded {
        &self.founded
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        &self.realm
    }

    /// The root's name.
    pub fn root(&self) -> Fingerprint {
        Fingerprint::of(&self.founded.root)
    }
}
