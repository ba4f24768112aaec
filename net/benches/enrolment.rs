//! What enrolments cost the server under load, as a share of what nobody can do without, measured in one run.
//!
//! - The rate at which newcomers are enrolled, journal and disk included, against the rate at which the same server shakes
//!   hands and checks requests alone: those come with an invite that nobody has made, are checked just so, and refused.
//! - How many syncs an enrolment takes where fifty newcomers come at one moment and each sync takes 5 ms.
//!
//! The newcomers are the client's own machines, and their time does not count: they run on other people's computers. Server and
//! journal are as in the program, with the journal's thread and its file.
#![allow(missing_docs, reason = "a measurement has no readers but its own")]

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::device::Output as Wanted;
use countersign_core::device::enrol::{EnrolInput, EnrolResult, Enrolment};
use countersign_core::id::{AdminId, AppendId, ConnId, DeviceLabel, DeviceName, Fingerprint, Realm, UserName};
use countersign_core::invite::{Endpoint, InviteLink, Token};
use countersign_core::journal::State;
use countersign_core::limits::{INVITE_LIFETIME, KEY_OPERATIONS_PER_SECOND_MAX};
use countersign_core::operator::{Answer, Command};
use countersign_core::pki::{Authority, Founded, SecretKey, found_realm};
use countersign_core::server::{Input, Output, Server, Settings, Source};
use countersign_core::time::{Now, Wall};
use countersign_core::tls::TlsEnv;
use mio::{Events, Poll, Waker};
use net::entropy::OsEntropy;
use net::store::journal::{Done, Journal, JournalHandle};
use rustls::crypto::aws_lc_rs::default_provider;

/// At least so much of the rate of handshakes and checks is the rate of enrolments.
const SHARE_MIN: f64 = 0.6;
/// At most so many syncs for an enrolment, on the slow disk.
const SYNCS_MAX: f64 = 0.1;
const SLOW: Duration = Duration::from_millis(5);
/// As many newcomers as under load, and as many as come at one moment.
const MANY: Crowd = Crowd { all: 500, at_once: 250 };
const BURST: Crowd = Crowd { all: 50, at_once: 50 };
/// So often, an odd number.
const ROUNDS: usize = 9;
const NOW: Wall = Wall(1_800_000_000);

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut hall = Hall::open(&folder.path().join("journal.sqlite3"), Duration::ZERO);
    // Turn and turn about, and the middle one counts, so that whatever else the machine does meets both or is left out.
    let mut rounds: Vec<Round> = (0..ROUNDS)
        .map(|round| Round {
            floor: hall.come(round, MANY, false),
            ours: hall.come(round, MANY, true),
            waited: hall.waited,
        })
        .collect();
    hall.close();
    rounds.sort_by(|one, other| one.share().total_cmp(&other.share()));
    let middle = rounds.get(ROUNDS / 2).copied().expect("there are rounds");
    let (Round { floor, ours, waited }, share) = (middle, middle.share());
    let rate = |time: Duration| MANY.each() / time.as_secs_f64();
    println!(
        "enrolments: {:.0} a second, handshakes and checks alone {:.0}: {:.0} % (at least {:.0} %); {:.0} % of the time was the \
         disk's alone",
        rate(ours),
        rate(floor),
        share * 100.0,
        SHARE_MIN * 100.0,
        waited.as_secs_f64() / ours.as_secs_f64() * 100.0
    );
    let mut hall = Hall::open(&folder.path().join("slow.sqlite3"), SLOW);
    let mut syncs = 0;
    for round in 0..ROUNDS {
        hall.come(round, BURST, true);
        syncs += hall.journal.stats().transactions - hall.before;
    }
    let each = f64::from(u32::try_from(syncs).unwrap_or(u32::MAX))
        / BURST.each()
        / f64::from(u32::try_from(ROUNDS).unwrap_or(u32::MAX));
    println!(
        "on a disk of {SLOW:?} a sync: {each:.3} syncs for an enrolment, {} at once (at most {SYNCS_MAX})",
        BURST.at_once
    );
    hall.close();
    if share < SHARE_MIN || each > SYNCS_MAX { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// How many newcomers come, and how many of them are there at a time.
#[derive(Clone, Copy)]
struct Crowd {
    all: usize,
    at_once: usize,
}

impl Crowd {
    fn each(self) -> f64 {
        f64::from(u32::try_from(self.all).unwrap_or(u32::MAX))
    }
}

/// What the server took for one crowd that is refused and for one that is enrolled, and what of the latter was the disk's alone.
#[derive(Clone, Copy)]
struct Round {
    floor: Duration,
    ours: Duration,
    waited: Duration,
}

impl Round {
    fn share(self) -> f64 {
        self.floor.as_secs_f64() / self.ours.as_secs_f64()
    }
}

/// A server over its journal, and the newcomers.
struct Hall {
    server: Server,
    founded: Founded,
    journal: JournalHandle,
    poll: Poll,
    begun: Instant,
    /// What the machine's clock is ahead: the budget for strangers' work is not what is measured.
    skipped: Duration,
    newcomers: BTreeMap<ConnId, Enrolment>,
    answers: BTreeMap<AdminId, Answer>,
    count: u64,
    /// What the server has taken, and the journal while there was nothing else to do.
    spent: Duration,
    /// The second alone.
    waited: Duration,
    /// The journal's syncs before the newest round.
    before: u64,
}

impl Hall {
    fn open(path: &Path, slowed: Duration) -> Self {
        let realm = Realm::default();
        let founded = found_realm(&realm, NOW, &mut OsEntropy);
        let authority = Authority::new(realm, founded.files(), NOW).expect("the files belong together");
        let poll = Poll::new().expect("a poll");
        let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
        let journal = Journal::open(path, 1).expect("a journal").slowed_by(slowed);
        let begun = Instant::now();
        let now = Now { mono: countersign_core::time::Instant(0), wall: NOW };
        let server = Server::start(env(), authority, State::new(1), now, &mut OsEntropy).expect("a server");
        let settings = Settings { key_operations_per_second: KEY_OPERATIONS_PER_SECOND_MAX, ..Settings::default() };
        let server = server.with_settings(settings).expect("within their bounds");
        let mut hall = Self {
            server,
            founded,
            journal: journal.spawn(waker).expect("a thread"),
            poll,
            begun,
            skipped: Duration::ZERO,
            newcomers: BTreeMap::new(),
            answers: BTreeMap::new(),
            count: 0,
            spent: Duration::ZERO,
            waited: Duration::ZERO,
            before: 0,
        };
        hall.until(|hall| hall.server.state().position().n > 3);
        hall
    }

    fn close(self) {
        assert!(self.journal.close().iter().all(|done| matches!(done, Done::Snapshotted { .. })));
    }

    /// So many newcomers shake hands and ask, so many of them at a time; the server's time.
    fn come(&mut self, round: usize, crowd: Crowd, is_invited: bool) -> Duration {
        let mut links: VecDeque<InviteLink> = (0..crowd.all).map(|_| self.link(is_invited)).collect();
        (self.spent, self.waited) = (Duration::ZERO, Duration::ZERO);
        self.before = self.journal.stats().transactions;
        while !links.is_empty() || !self.newcomers.is_empty() {
            while self.newcomers.len() < crowd.at_once
                && let Some(link) = links.pop_front()
            {
                self.begin(user(round * crowd.all + links.len()), link);
            }
            self.step();
            let is_over = |(conn, newcomer): (&ConnId, &Enrolment)| newcomer.result().is_some().then_some(*conn);
            let over: Vec<ConnId> = self.newcomers.iter().filter_map(is_over).collect();
            for conn in over {
                let result = self.newcomers.remove(&conn).and_then(|newcomer| newcomer.result().cloned());
                assert_eq!(matches!(result, Some(EnrolResult::Enrolled(_))), is_invited, "{result:?}");
                // Its socket ends with it.
                self.serve(Input::Ended(conn));
            }
        }
        self.spent
    }

    fn begin(&mut self, user: UserName, link: InviteLink) {
        let name = DeviceName { user, device: DeviceLabel::parse("laptop").expect("a label") };
        let mut newcomer = Enrolment::new(env(), link, name, SecretKey::draw(&mut OsEntropy));
        newcomer.handle(&EnrolInput::Start, self.now());
        newcomer.handle(&EnrolInput::Connected(ConnId(1)), self.now());
        self.count += 1;
        let conn = ConnId(self.count);
        self.newcomers.insert(conn, newcomer);
        // What a stranger may cost has come together for this one.
        self.skipped += Duration::from_millis(1);
        self.serve(Input::Opened(conn, Source::default()));
    }

    fn link(&mut self, is_invited: bool) -> InviteLink {
        let mut token = Token::draw(&mut OsEntropy);
        if is_invited {
            self.count += 1;
            let id = AdminId(self.count);
            self.serve(Input::Operator(id, &Command::Invite { user: None, lifetime: INVITE_LIFETIME }));
            self.until(|hall| hall.answers.contains_key(&id));
            let Some(Answer::Invite(made, _)) = self.answers.remove(&id) else { panic!("no invite") };
            token = made;
        }
        let (endpoint, root) =
            (Endpoint::parse("127.0.0.1:7443").expect("an address"), Fingerprint::of(&self.founded.root));
        InviteLink { endpoint, realm: Realm::default(), root, token }
    }

    fn now(&self) -> Now {
        let micros = (self.begun.elapsed() + self.skipped).as_micros();
        Now { mono: countersign_core::time::Instant(u64::try_from(micros).expect("not so long")), wall: NOW }
    }

    fn serve(&mut self, input: Input<'_>) {
        let (now, begun) = (self.now(), Instant::now());
        self.server.handle(input, now, &mut OsEntropy);
        self.spent += begun.elapsed();
    }

    /// Carries out what there is to be done, until it has come so far.
    fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            self.step();
        }
    }

    /// Carries out what there is to be done, or waits for the journal.
    fn step(&mut self) {
        let has_moved = [self.newcomers_say(), self.server_says(), self.journal_says()].contains(&true);
        if !has_moved {
            let begun = Instant::now();
            self.poll.poll(&mut Events::with_capacity(4), Some(Duration::from_millis(20))).expect("a poll");
            let waited = begun.elapsed();
            (self.spent, self.waited) = (self.spent + waited, self.waited + waited);
            self.serve(Input::Tick);
        }
    }

    fn newcomers_say(&mut self) -> bool {
        let mut said = Vec::new();
        for (conn, newcomer) in &mut self.newcomers {
            while let Some(output) = newcomer.poll_output() {
                match output {
                    Wanted::Write(own) => {
                        let bytes = newcomer.outbound().to_vec();
                        let now = Now { mono: countersign_core::time::Instant(0), wall: NOW };
                        newcomer.handle(&EnrolInput::Sent(own, bytes.len()), now);
                        said.push((*conn, Some(bytes)));
                    }
                    Wanted::Shut(_) | Wanted::Drop(_) => said.push((*conn, None)),
                    Wanted::Dial(_)
                    | Wanted::DialPeer(..)
                    | Wanted::FindAddresses(_)
                    | Wanted::Listen(..)
                    | Wanted::Unlisten(_)
                    | Wanted::Keep(..)
                    | Wanted::Tell(_) => {}
                }
            }
        }
        let has_moved = !said.is_empty();
        for (conn, bytes) in said {
            match bytes {
                Some(bytes) => self.serve(Input::Received(conn, &bytes)),
                None => self.serve(Input::Ended(conn)),
            }
        }
        has_moved
    }

    fn server_says(&mut self) -> bool {
        let mut has_moved = false;
        loop {
            let begun = Instant::now();
            let output = self.server.poll_output();
            self.spent += begun.elapsed();
            let Some(output) = output else { return has_moved };
            has_moved = true;
            match output {
                Output::Append(id, records) => self.journal.append_with(id.0, records).expect("there is room"),
                Output::Load(id, n) => self.journal.load(id.0, n).expect("there is room"),
                Output::Write(conn) => {
                    let bytes = self.server.outbound(conn).to_vec();
                    self.serve(Input::Sent(conn, bytes.len()));
                    self.tell(conn, &EnrolInput::Received(ConnId(1), &bytes));
                }
                Output::Shut(conn) | Output::Drop(conn) => self.tell(conn, &EnrolInput::Ended(ConnId(1))),
                Output::Answer(id, answer) => drop(self.answers.insert(id, answer)),
                Output::LoadBody(..) | Output::DropBodies(_) | Output::KeepBodies(_) => panic!("nobody converses"),
                Output::Snapshot(..) | Output::Stretch(..) | Output::Pause(_) | Output::Resume(_) | Output::Note(_) => {
                }
            }
        }
    }

    fn tell(&mut self, conn: ConnId, input: &EnrolInput<'_>) {
        let now = self.now();
        if let Some(newcomer) = self.newcomers.get_mut(&conn) {
            newcomer.handle(input, now);
        }
    }

    fn journal_says(&mut self) -> bool {
        let mut has_moved = false;
        while let Some(done) = self.journal.done() {
            has_moved = true;
            match done {
                Done::Appended { id, first, .. } => {
                    self.serve(Input::Appended(AppendId(id), first));
                }
                Done::Loaded { id, body } => {
                    self.serve(Input::Loaded(countersign_core::id::LoadId(id), body.as_deref()));
                }
                Done::Snapshotted { .. } | Done::LoadedBody { .. } | Done::Cleared => {}
                Done::Failed { error } => panic!("{error}"),
            }
        }
        has_moved
    }
}

fn env() -> TlsEnv {
    TlsEnv::new(Arc::new(default_provider()))
}

/// Letters alone, so that no two look alike.
fn user(n: usize) -> UserName {
    let letter = |unit: usize| "abcdefghij".chars().nth(n / unit % 10);
    let name: String = [1000, 100, 10, 1].into_iter().filter_map(letter).collect();
    UserName::parse(&name).expect("a name")
}
