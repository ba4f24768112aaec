//! What must have happened when the sweep of CI is over, family by family; and what can't happen there, with the reason.
//!
//! To extend it: give your counts (`story/tally.rs`) a family of their own, or add to one that is here. Where `core` has
//! a type for it, the list comes from the type (`story/kinds.rs`), so that a new kind is demanded without a line here.
//! In a closed family everything that is counted has to be listed, so that nothing new is counted and forgotten. What
//! is excused and happens all the same is as wrong as what never happens: then its reason has gone stale.

mod conversations;

use std::fmt;

use countersign_core::wire::Code;

use crate::forge::Door;
use crate::scenes;
use crate::story::kinds;
use crate::story::tally::Tally;
use crate::story::weather::{Deed, Weather};

/// What must happen of one family of counts.
pub struct Family {
    /// Its name in the counts.
    pub name: &'static str,
    /// What must happen at least once.
    pub must: Vec<String>,
    /// What can't happen in a sweep, and why not.
    pub excused: &'static [(&'static str, &'static str)],
    /// Whether nothing else may be counted.
    pub closed: bool,
}

impl Family {
    /// Everything in a list that comes from a type, but what is excused.
    fn all(name: &'static str, list: &[&str], excused: &'static [(&'static str, &'static str)]) -> Self {
        let must = list.iter().filter(|what| excused.iter().all(|(excused, _)| excused != *what));
        Self { name, must: must.map(ToString::to_string).collect(), excused, closed: true }
    }

    /// What is listed by hand; other names of the family may be counted too.
    fn some(name: &'static str, list: &[&str]) -> Self {
        Self { closed: false, ..Self::all(name, list, &[]) }
    }

    /// Of a family whose names carry numbers nothing in particular is demanded.
    fn free(name: &'static str) -> Self {
        Self::some(name, &[])
    }
}

/// What is wrong with what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It must happen and never did.
    Never(&'static str, String),
    /// It is excused, with this reason, and happened so often.
    Stale(&'static str, &'static str, &'static str, u64),
    /// It is counted in a closed family, or in none, and nobody demands it.
    Unlisted(&'static str, String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never(family, what) => write!(
                f,
                "never happened: {family}, {what}. Arrange a run for it in sim/src/sweep/arranged.rs, or say in \
                 sim/src/sweep/demanded.rs why it can't happen"
            ),
            Self::Stale(family, what, why, count) => write!(
                f,
                "happened {count} times: {family}, {what}, of which sim/src/sweep/demanded.rs says that it can't \
                 happen, since {why}. Demand it instead"
            ),
            Self::Unlisted(family, what) => write!(
                f,
                "counted, and demanded by nobody: {family}, {what}. Add it to its family in sim/src/sweep/demanded.rs"
            ),
        }
    }
}

/// Compares what happened with what must, can't, and may.
pub fn judge(tally: &Tally, families: &[Family]) -> Vec<Lack> {
    let mut lacks = Vec::new();
    for family in families {
        let never = family.must.iter().filter(|what| tally.count(family.name, what) == 0);
        lacks.extend(never.map(|what| Lack::Never(family.name, what.clone())));
        for (what, why) in family.excused {
            let count = tally.count(family.name, what);
            if count > 0 {
                lacks.push(Lack::Stale(family.name, what, why, count));
            }
        }
    }
    for (name, what, _) in tally.rows() {
        let known = families.iter().find(|family| family.name == name);
        let listed = known.is_some_and(|family| {
            !family.closed
                || family.must.iter().any(|listed| listed == what)
                || family.excused.iter().any(|(excused, _)| *excused == what)
        });
        if !listed {
            lacks.push(Lack::Unlisted(name, what.to_owned()));
        }
    }
    lacks
}

/// The table that the sweep ends with: every count, and a zero for whatever is demanded and never happened.
pub fn table(tally: &Tally, families: &[Family]) -> Tally {
    let mut table = tally.clone();
    for family in families {
        for what in &family.must {
            table.mention(family.name, what);
        }
    }
    table
}

/// Every family that is counted.
pub fn families() -> Vec<Family> {
    // A call's end is told by it where the tunnel outlives its TLS: once in thousands of runs.
    let codes = Code::ALL.iter().map(|(_, name)| *name).filter(|name| *name != "TLS_FAILED");
    let codes: Vec<&str> = codes.collect();
    let doors: Vec<String> = Door::ALL.iter().map(ToString::to_string).collect();
    let doors: Vec<&str> = doors.iter().map(String::as_str).collect();
    let scenes: Vec<&str> = scenes::scenes().iter().map(|scene| scene.name).collect();
    let deeds = Deed::ALL.map(Deed::name);
    let device_wakes = [kinds::DEVICE_WAKES, &[kinds::ENROLMENT_WAKE]].concat();
    vec![
        // From the types of core.
        Family::all("close reason", kinds::CLOSE_REASONS, &[]),
        Family::all("fault", kinds::FAULTS, &[]),
        Family::all("certificate", kinds::CERT_REFUSALS, &NO_CERTIFICATE),
        Family::all("certificate request", kinds::CSR_REFUSALS, &NO_REQUEST),
        // A relay that lies says codes that there are not.
        Family { closed: false, ..Family::all("code", &codes, &NO_CODE) },
        Family::all("relay woken", kinds::RELAY_WAKES, &NO_RELAY_WAKE),
        Family::all("device woken", &device_wakes, &NO_WAKE),
        Family::all("no direct connection", kinds::DIRECT_ENDS, &[]),
        Family::all("end of a call", kinds::CALL_ENDS, &[]),
        Family::all("approval", kinds::APPROVALS, &NO_APPROVAL),
        Family::all("call denied", kinds::DENIALS, &NO_DENIAL),
        Family::all(
            "wish",
            kinds::WISHES,
            &[
                ("await", "nobody of this world waits for the others: core's own tests do"),
                ("call off", "the shell alone calls off: core's own tests do"),
            ],
        ),
        // From the catalogues.
        Family::all("forgery refused at", &doors, &[]),
        Family::all("honest one passed at", &doors, &[]),
        Family::all("scene", &scenes, &[]),
        // What the world does and what it comes to.
        Family::all("network", &NETWORK, &[]),
        Family::all("direct", &DIRECT, &[]),
        Family::all("relay", &[kinds::CRASHES, &RELAY].concat(), &NO_NEWS),
        Family::all("journal", &JOURNAL, &[]),
        // One that rots in its versions looks like another program's: once in thousands.
        Family::some("snapshot passed over", &["OtherDigest", "OtherIncarnation"]),
        Family::all("device", &[kinds::ANSWERS, &DEVICE].concat(), &[]),
        Family::all("call", &CALL, &[]),
        // What the network, clocks, disks and villains do, by their own lists.
        Family::all("weather", &Weather::COUNTED, &[]),
        Family::all("meddler", &deeds, &[]),
        Family::all("time", &TIME, &[]),
        Family::all("device disk", &DEVICE_DISK, &[]),
        Family::some("villain", &VILLAINS),
        Family::some("slip", &SLIPS),
        Family::some("lie", &LIES),
        Family::free("lie found out"),
        Family::free("villain told"),
        Family::free("forgery"),
        Family::free("secrecy"),
        Family::all("log", &LOG, &[]),
        Family::some("log refused", &LOG_REFUSED),
        Family::some("renewal", &RENEWAL),
        Family::some("lists refused", &["Issuer"]),
        Family::some("enrolment", &ENROLMENT),
        Family::some("call ended", &CALL_ENDED),
        Family::some("call moved", &CALL_MOVED),
        Family::some("device lost", &DEVICE_LOST),
        Family::free("device gave up"),
        Family::some("relay closed a member's", &MEMBERS_CLOSED),
        Family::some("relay closed a stranger's", &STRANGERS_CLOSED),
        Family::free("relay refused"),
        Family::free("alert"),
    ]
    .into_iter()
    .chain(conversations::families())
    .collect()
}

// What can't happen, from here to the next line of dashes, and why not.

const NO_REQUEST: [(&str, &str); 1] = [(
    "Key",
    "newcomers may ask for an Ed25519 key alone and are refused all others as KeyKind; other keys come to the operator's desk, \
     where core's own tests try them",
)];

const NO_CERTIFICATE: [(&str, &str); 2] = [
    ("NoList", "whoever has enrolled has heard the lists, and every CA of a run has one"),
    ("ListExpired", "nobody meets anybody in a run who has not met the relay within the week before"),
];

const NO_APPROVAL: [(&str, &str); 1] = [(
    "uncommitted",
    "a relay that lies shows members no device that waits, and an honest one carries nonces as they are",
)];

const NO_WAKE: [(&str, &str); 1] = [(
    "Doubt",
    "a relay that lies answers what it is asked about the log, or ends the connection; core's own tests let it be silent",
)];

const NO_CODE: [(&str, &str); 14] = [
    conversations::CONVERSATION_FULL,
    conversations::POSTED_FULL,
    ("REVOKED_TOO_MANY", "the lists have room for 400 certificates, and a run has fewer"),
    ("LISTS_UNSIGNED", "the CA can sign lists as long as its clock stands within its own certificate"),
    (
        "NOT_REISSUED",
        "the CA takes a link for one that lets in again only where it is one; core's own tests ask the fold",
    ),
    ("LISTS_FULL", "the lists have room for 400 certificates, and a run has fewer"),
    (
        "RECOVERY_REFUSED",
        "a device that makes a recovery key signs for it with its own Ed25519 key, and is there while it is answered",
    ),
    ("DEVICES_FULL", "a person in a run has two devices at a time and loses fewer than fourteen"),
    (
        "NOT_ENDORSED",
        "a device that gives its word is revoked in the moment between its asking and the journal's: once in thousands",
    ),
    ("ENDORSEMENTS_TOO_MANY", "nobody in a run loses the one of their two devices after the other eight times"),
    (
        "CANNOT_ENDORSE",
        "every device of a run has an Ed25519 key, as all have that enrol; others come to the operator's desk",
    ),
    ("ISSUE_FAILED", "the CA can sign whatever it grants, as long as its clock stands within its own certificate"),
    ("REALM_FULL", "a run has fewer people than a realm has places"),
    ("TOO_EARLY", "a device attends before it calls: only a program of somebody else's could hear this"),
];

const NO_RELAY_WAKE: [(&str, &str); 1] = [("Expiry", "no run lasts as long as a certificate")];

const NO_DENIAL: [(&str, &str); 1] = [("TooLong", "people say nothing that is longer than a line may be")];

const NO_NEWS: [(&str, &str); 1] = [("ALARM", "an alarm is told when the relay contradicts itself")];

// ---------------------------------------------------------------------------------------------------------------------

const NETWORK: [&str; 11] = [
    "attempts given up",
    "connections",
    "connections to a relay that lies",
    "cuts",
    "flipped bytes",
    "short writes by the device",
    "short writes by the peer",
    "short writes by the relay",
    "silent cuts",
    "stalls",
    "unreachable",
];

const DIRECT: [&str; 11] = [
    "cuts",
    "cuts of one way",
    "dialled",
    "led astray",
    "listeners",
    "listeners that could not be made",
    "listeners, IPv6 too",
    "met",
    "silent cuts",
    "strangers at a port",
    "unreachable",
];

const RELAY: [&str; 10] = [
    "admitted",
    "certified",
    "held strangers back",
    "invited",
    "issued",
    "passwords looked at",
    "paused",
    "revoked",
    "starts",
    "turned away",
];

const JOURNAL: [&str; 8] = [
    "appends",
    "crashes that lost an append",
    "records read for a repeated request",
    "restored from a backup",
    "snapshots",
    "snapshots without room",
    "starts from a snapshot",
    "starts from the first record",
];

const TIME: [&str; 7] = [
    "absences of everybody",
    "clocks beyond what certificates allow",
    "clocks set",
    "machines that fell asleep",
    "machines that woke, sockets Reset",
    "machines that woke, sockets Silent",
    "machines that woke, sockets Whole",
];

const DEVICE_DISK: [&str; 12] = [
    "Identity Full",
    "Identity Kept",
    "Identity Killed",
    "Identity SyncFailed",
    "Key Full",
    "Key Kept",
    "Key Killed",
    "Key SyncFailed",
    "Rows Full",
    "Rows Kept",
    "Rows Killed",
    "Rows SyncFailed",
];

const VILLAINS: [&str; 30] = [
    "a copy was present",
    "a device that keeps the proof does not start",
    "a device was copied",
    "a grown device made a call",
    "a grown device took a call",
    "a guess had to wait",
    "a guess took a name that was nobody's",
    "a guess was one too many for the server",
    "a guess was wrong",
    "an owner came by a password that is guessed at",
    "an owner set a password that is guessed at",
    "certified in secret",
    "copy of a device",
    "crowd, a guessed token",
    "crowd, a hello and no more",
    "crowd, half a hello",
    "crowd, noise",
    "forger",
    "grown, a reissue",
    "grown, as a first device",
    "grown, by a word of its own",
    "grown, by a word that nobody signed",
    "hasty member",
    "intruder",
    "mute",
    "password guesser",
    "slow reader",
    "thief of a revoked device",
    "thief of an old invite",
    "villain who enrols",
];

const LOG: [&str; 5] = ["alarm", "another", "doubted", "grown", "reconciled"];

const LOG_REFUSED: [&str; 4] = ["Certificate", "Checkpoint", "History", "Lineage"];

const RENEWAL: [&str; 3] = ["kept", "refused RENEWAL_TOO_LATE", "the server's clock"];

const SLIPS: [&str; 2] = ["OtherName", "OtherLetter"];

const LIES: [&str; 21] = [
    "Alters",
    "Couples",
    "Crosses",
    "Duplicates",
    "FalseAccept",
    "FalseCertificate",
    "FalseCredit",
    "FalseEnd",
    "FalseLog",
    "FalsePeople",
    "FalsePresence",
    "FalseRefusal",
    "MakesCall",
    "Reorders",
    "Replays",
    "SameNumber",
    "TakesCall",
    "Withholds",
    "WrongCaller",
    "WrongPerson",
    "WrongRinging",
];

const DEVICE: [&str; 15] = [
    "asked to be let in again",
    "begun anew",
    "come back by a code",
    "come back by the operator's word",
    "did not start, own certificate NotYetValid",
    "done",
    "enrolments begun",
    "enrolments by a password",
    "killed",
    "listed",
    "lost",
    "lost, and the code",
    "online",
    "presence",
    "starts",
];

const CALL: [&str; 9] = [
    "incoming",
    "lines heard",
    "lines said",
    "made by both at once",
    "met",
    "opened",
    "ringing",
    "somebody else than before",
    "waiting",
];

const ENROLMENT: [&str; 5] = ["compared", "granted", "lost Truncated", "lost Unreachable", "waits"];

const CALL_ENDED: [&str; 6] =
    ["Truncated", "TimedOut", "ours FINISHED", "theirs FINISHED", "relay lost", "refused DECLINED"];

const CALL_MOVED: [&str; 3] = ["direct", "tunnel: broken, Truncated", "tunnel: failed, fault Certificate(OtherName)"];

const DEVICE_LOST: [&str; 4] = ["TimedOut", "Truncated", "Unreachable", "theirs SHUTTING_DOWN"];

const MEMBERS_CLOSED: [&str; 5] = ["TimedOut", "Truncated", "ours REPLACED", "ours SHUTTING_DOWN", "theirs FINISHED"];

const STRANGERS_CLOSED: [&str; 4] = ["PeerClosed", "TimedOut", "Truncated", "ours FINISHED"];

#[cfg(test)]
mod tests;
