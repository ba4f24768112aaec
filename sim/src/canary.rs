//! Can the oracles fail? A table of saboteurs, each of whom breaks one promise, and the oracle that has to object.
//!
//! Each runs over plain seeds until its oracle objects. That the same seeds hold without it is what a sweep shows.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::actors::saboteur::weakness;
use crate::config::SimConfig;
use crate::crypto::weakness::{Weakness, suffer};
use crate::oracles::Panel;
use crate::run::{self, Outcome};
use crate::trace::Keep;
use crate::world::World;

/// Within how many seeds an oracle must have objected, counted from 1.
pub const SEEDS_MAX: u64 = 300;

/// Writes each saboteur once: its variant, its name, its oracle, and what it does.
macro_rules! saboteurs {
    ($($variant:ident $name:literal $oracle:ident $what:literal,)*) => {
        /// Which promise is broken, and how.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sabotage {
            $(#[doc = $what] $variant,)*
        }

        /// Every saboteur, in the order of the oracles.
        pub const CATALOGUE: &[Canary] = &[
            $(Canary {
                sabotage: Sabotage::$variant,
                name: $name,
                oracle: stringify!($oracle),
                what: $what,
            },)*
        ];
    };
}

/// A saboteur, and who has to catch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// What it breaks.
    pub sabotage: Sabotage,
    /// Its name.
    pub name: &'static str,
    /// The name of the oracle that has to object.
    pub oracle: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
}

saboteurs! {
    AlterLine "altered-line" impostor "A line is altered after it was decrypted.",
    OtherName "other-name" impostor "Somebody is shown another name than the one who was proved.",
    ThirdPerson "third-person" impostor "A tunnel leaks: what is said in one call is heard in somebody else's as well.",
    StolenKey "stolen-key" impostor "A forger has somebody's genuine certificate, with its key.",
    AnySignature "any-signature" impostor "The verifier takes every signature, and a forger shows a certificate without its key.",
    SkipName "skipped-name" impostor "Verifiers skip a check: any member's certificate passes for the one who was called.",
    DoubleLine "doubled-line" delivery "A line is shown twice.",
    SwapLines "swapped-lines" delivery "Two lines are shown in the wrong order.",
    SwallowLines "swallowed-lines" delivery "Nobody is shown a line of any call.",
    LoseLastRecord "lost-record" agreement "The disk answers for an append, and has lost its last record after the next crash.",
    ForgetInSnapshot "forgetful-snapshot" agreement "Snapshots forget who the relay's newest certificate is, under a hash of their own.",
    MisplaceSnapshot "misplaced-snapshot" agreement "Snapshots say that they are of the record after their own.",
    OthersCertificate "others-certificate" accounts "Whoever enrols is given the certificate of the one who enrolled first.",
    LoseAllRecords "lost-journal" durability "The disk has lost all records but the first after a crash.",
    EarlyAnswer "early-answer" durability "The disk answers before the append is durable, and a crash within seconds loses it.",
    KeyAfterRequest "key-after-request" durability "A device's shell stores the key when the answer is there, not before it asks.",
    ForgetRenewal "forgotten-renewal" durability "The devices' shells do not keep a renewed certificate.",
    DropPresence "dropped-presence" presence "One device is never told who comes and goes.",
    KeepGhosts "ghosts" presence "Nobody is told that somebody went.",
    EmptyPage "empty-page" presence "Whoever comes is told that nobody else is here.",
    KeepDown "relay-down" progress "In the calm the relay stays down, or goes down.",
    SwallowMove "swallowed-move" progress "Nobody is told that a call has moved to a direct connection.",
    ForgetIdentity "forgotten-identity" progress "One device's store forgets its identity when the program ends.",
    SwallowClosing "swallowed-closing" closure "The relay does not write into its log that a connection is over.",
    SwallowCallEnd "swallowed-end" closure "Nobody is told that a call is over.",
    KeepListening "kept-listener" closure "The shells keep listening when they are told to stop.",
    KeepSockets "kept-socket" closure "The shells keep direct connections that they are told to drop.",
    Accuse "accusation" blame "The relay's log accuses whoever left in good order.",
    AccusePeer "accused-peer" blame "A direct connection that came to nothing is said to have failed by somebody's fault.",
    NeverWake "never-woken" spin "One device is never woken.",
    SlowClock "slow-clock" spin "The clock of a machine that is woken shows a second ago.",
    OversizeLine "oversize-line" bounds "A line is shown longer than a line may be.",
    NoRoom "no-room" bounds "The shells say that there is room for a line where there is none.",
    CrowdedPort "crowded-port" bounds "The shells never stop listening, and take whoever connects.",
    StuckDisk "stuck-disk" bounds "The disk answers nothing, and appends pile up without a bound.",
    LineOnWire "line-on-wire" secrecy "A device's shell sends a debug print with the line to the relay.",
    LineInLog "line-in-log" secrecy "The relay's log has a line in it that somebody said.",
    TokenInLog "token-in-log" secrecy "The relay's log has a token in it.",
    KeyOnWire "key-on-wire" secrecy "A device's shell sends its key to the relay, to have it kept.",
    OpenCiphers "open-ciphers" secrecy "The ciphers of TLS encrypt nothing.",
    TellLiar "told-to-a-liar" secrecy "Verifiers skip a check, and a relay that lies is told what was meant for others.",
    SkipTime "skipped-expiry" door "Verifiers skip a check: a lapsed certificate is believed at the relay's door.",
    ForgetSettings "forgotten-settings" door "The server is started without what the operator has chosen.",
    NoAlarmForStrangers "no-alarm-for-strangers" door "The server is not woken when a stranger's time is over.",
    LongInvite "long-invite" door "The operator's invites live longer than was asked, and a thief tries one.",
    StealAnother "stolen-another" door "The thief of a revoked device has one that was not revoked.",
    SwapCertificates "swapped-certificates" certificates "Who asks for somebody's certificates is shown somebody else's.",
    MakeUpPerson "made-up-person" certificates "The list of people has somebody in it whom nobody has invited.",
    OthersWelcome "others-welcome" certificates "A device goes on where somebody else is welcomed.",
    NoAlarmForSlow "no-alarm-for-slow" slow "The server is not woken when a member has not read for long enough.",
    SwallowAlarm "swallowed-alarm" unasked "Nobody is told that the log has an act in their name.",
    ForgetReading "forgotten-reading" unasked "The devices' shells do not keep what was found in the log.",
    KeepRevoked "kept-revoked" revoked "The relay keeps the connections of whoever was revoked.",
    IgnoreLists "ignored-lists" revoked "The devices ignore what ends a session, and go on with whoever is on the lists.",
    HideChange "hidden-change" unendorsed "Nobody is told that another one has somebody's name now: it rings as ever.",
    TakeWord "taken-word" unendorsed "Who asks for somebody's certificates is told that a word vouches for one which nobody gave.",
    ForgetFaces "forgotten-faces" unendorsed "The devices' shells do not keep whom they have met.",
    TakeAnyLog "any-log" restored "The devices' shells take whatever log the server has after a restoration, and ask nobody.",
    SwallowWarning "swallowed-warning" split "Nobody is told that the server keeps two logs, or can't show that it keeps one.",
    ForgetEvidence "forgotten-evidence" split "The devices' shells do not keep what says that the server has two logs.",
    KeepReplaced "kept-replaced" copies "The relay keeps the older connection of a device that comes by a newer one.",
    FollowOther "other-head" certificates "What a device has seen of the log is not what the log was.",
    StolenCode "stolen-code" accounts "Somebody has found the paper with another one's recovery code, and comes as them.",
    HideReissue "hidden-reissue" accounts "Nobody is told that somebody has come back as another identity: it rings as ever.",
    ForgetCode "forgotten-code" durability "The disk has lost, after a crash, what was written since somebody last made a recovery code.",
    CodeOnWire "code-on-wire" secrecy "A device's shell sends the words of a recovery code to the relay, to have them kept.",
    ForgetPassword "forgotten-password" durability "The disk has lost, after a crash, what was written since somebody last set a password.",
    PasswordOnWire "password-on-wire" secrecy "A device's shell sends a debug print with a new password to the relay.",
    PasswordInLog "password-in-log" secrecy "The relay's log has a password in it.",
    ForgetWithdrawal "forgotten-withdrawal" durability "The disk has lost, after a crash, what was written since somebody last took back a device of theirs.",
    FalseWithdrawal "false-withdrawal" revoked "Whoever is refused to take back a device of theirs is told that it is done.",
    FalseAlarm "false-alarm" unasked "Somebody is told of an act in their name that there was not.",
    TellPassword "told-password" guesses "Somebody has told their password to whoever guesses at it.",
    HideAddresses "hidden-addresses" guesses "A proxy before the server hides from where anybody comes: all seem to be at one place.",
    FreshAddresses "fresh-addresses" guesses "A proxy before the server shows each connection as from another place.",
    DoubleText "doubled-text" mailbox "The devices' histories have each text twice.",
    SwapTexts "swapped-texts" mailbox "The devices' histories have two texts in the wrong order.",
    SwallowTexts "swallowed-texts" mailbox "The devices' histories have nothing that somebody else wrote.",
    LoseBody "lost-body" mailbox "The relay's disk has lost the bodies of what was posted, though some have not come for it.",
    SwapBodies "swapped-bodies" mailbox "The relay's disk gives the body of what was read before.",
    RollBackGroup "rolled-back-group" mailbox "One device's store has the secrets of its conversations as they were when the program began.",
    MisfileText "misfiled-text" mailbox "What is written into a room stands in another room of its reader's.",
    AlterText "altered-text" transcript "One device's history has each text with a letter more.",
    SkipText "skipped-text" transcript "One device's history lacks every third text.",
    ForgetPost "forgotten-post" transcript "The disk has lost, after a crash, what was written since somebody last posted a message.",
    AlterChange "altered-change" transcript "One device's history says that a room is about something else than the others were told.",
    LeakText "leaked-text" outsider "What one person wrote another one has in their history who was not in the conversation.",
    AddStranger "added-stranger" outsider "The histories say that somebody came whom nobody has enrolled.",
    ForgetGroup "forgotten-group" reunion "One device's store forgets the secrets of its conversations when the program ends.",
    StuckRows "stuck-rows" reunion "In the roll call one device's disk answers nothing about conversations.",
    OtherView "other-view" reunion "One device shows its person each room with everybody as its owner.",
    TextBeside "text-beside" secrecy "The relay writes down a text beside a record.",
}

/// How a saboteur was caught, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The oracle objected in this seed, with these words.
    Caught(u64, String),
    /// A seed panicked before anybody objected.
    Panicked(u64),
    /// Nobody objected.
    Missed,
}

impl Canary {
    /// The saboteur of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|canary| canary.name == name)
    }

    /// Runs one configuration with the saboteur, and with its oracle alone.
    pub fn run(&self, config: &SimConfig, keep: Keep) -> Outcome {
        self.run_over(weakness(self.sabotage), config, keep)
    }

    /// The same over a crypto library with another weakness, or none.
    pub fn run_over(&self, weakness: Option<Weakness>, config: &SimConfig, keep: Keep) -> Outcome {
        let _suffered = weakness.map(suffer);
        run::finish(config, World::new(config.clone(), Some(self.sabotage), Panel::only(self.oracle, config), keep))
    }

    /// Tries seeds from 1 on until the oracle objects.
    pub fn try_seeds(&self, most: u64) -> Verdict {
        for seed in 1..=most {
            let run = || self.run(&SimConfig::draw(seed), Keep::default());
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Outcome { objection: Some(objection), .. }) => return Verdict::Caught(seed, objection.words),
                Ok(_) => {}
                Err(_) => return Verdict::Panicked(seed),
            }
        }
        Verdict::Missed
    }
}

/// Tries all saboteurs, or the one of this name, on so many threads; `done` hears of each as it is over.
///
/// # Panics
/// If a thread panicked that only waits, which none does.
pub fn run_all(
    only: Option<&str>,
    threads: usize,
    most: u64,
    done: &(dyn Fn() + Sync),
) -> Vec<(&'static Canary, Verdict)> {
    let all: Vec<&Canary> = CATALOGUE.iter().filter(|one| only.is_none_or(|only| one.name == only)).collect();
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some(canary) = all.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let verdict = canary.try_seeds(most);
                    verdicts.lock().expect("no thread panics while it adds one").push((canary, verdict));
                    done();
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().expect("no thread panics while it adds one");
    verdicts.sort_by_key(|(canary, _)| CATALOGUE.iter().position(|known| known == *canary));
    verdicts
}

/// How many were caught.
pub fn caught(verdicts: &[(&Canary, Verdict)]) -> usize {
    verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Caught(..))).count()
}

/// The table of verdicts as Markdown, so that it can stand in the docs as it is printed.
pub struct Table<'a>(pub &'a [(&'static Canary, Verdict)]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| saboteur | what it does | oracle | seeds | the objection |")?;
        writeln!(f, "| --- | --- | --- | --- | --- |")?;
        for (Canary { name, what, oracle, .. }, verdict) in self.0 {
            let (seeds, words) = match verdict {
                Verdict::Caught(seeds, words) => (seeds.to_string(), beginning(words)),
                Verdict::Panicked(seed) => ("-".to_owned(), format!("NOT CAUGHT: seed {seed} panics")),
                Verdict::Missed => ("-".to_owned(), "NOT CAUGHT".to_owned()),
            };
            writeln!(f, "| {name} | {what} | {oracle} | {seeds} | {words} |")?;
        }
        Ok(())
    }
}

/// The first words of an objection.
fn beginning(words: &str) -> String {
    const LENGTH: usize = 72;
    let first: String = words.chars().take(LENGTH).collect();
    if first.len() < words.len() { format!("{} ...", first.trim_end()) } else { first }
}
