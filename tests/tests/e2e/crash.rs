//! A server that is killed while people enrol loses nobody whom it told that they are in, and revives no invite.

use std::collections::BTreeMap;
use std::fs;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tests::{Person, Program, Server};

/// The rounds, each with one kill. Letters: digits would make names that look alike.
const ROUNDS: [char; 10] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
/// Who enrols at the same time, in each round.
const CROWD: [char; 3] = ['a', 'b', 'c'];

/// When the server is killed. No clock is in it, so that a round is about an order of events, not about a speed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as all have been started.
    AtOnce,
    /// After so many lines of the server's log.
    Logged(u64),
    /// After so many have been told that they are in.
    Told(u64),
}

impl Moment {
    fn draw(rng: &mut ChaCha20Rng) -> Self {
        let crowd = CROWD.len() as u64;
        match rng.next_u64() % 8 {
            0 => Self::AtOnce,
            1..=5 => Self::Logged(1 + rng.next_u64() % (2 * crowd)),
            _ => Self::Told(1 + rng.next_u64() % crowd),
        }
    }
}

/// Somebody who enrols in a round.
#[derive(Debug)]
struct Newcomer {
    person: Person,
    link: String,
}

#[test]
fn ten_kills_during_enrolments_lose_no_account_and_revive_no_invite() {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut server = Server::start();
    let mut members: Vec<Newcomer> = Vec::new();
    let mut interrupted = 0;
    for round in ROUNDS {
        let moment = Moment::draw(&mut rng);
        let newcomer =
            |letter| Newcomer { person: Person::new(&format!("p-{round}-{letter}")), link: server.invite(&[]) };
        let crowd: Vec<Newcomer> = CROWD.iter().map(newcomer).collect();
        let mut joins: Vec<Program> =
            crowd.iter().map(|one| one.person.start(&["join", &one.link, "--user", &one.person.name])).collect();
        let mut issued = wait_and_kill(&mut server, &mut joins, moment);

        let ended: Vec<_> = joins.into_iter().map(Program::finish).collect();
        server.restart();
        let after_crash = server.users();
        for (one, ended) in crowd.iter().zip(&ended) {
            let name = &one.person.name;
            if ended.code == Some(0) {
                assert!(after_crash.contains(name), "{name} was told to be in ({moment:?}): {after_crash:?}");
            } else {
                // Cut off in the middle (1), or no longer let in (4); never refused.
                assert!(matches!(ended.code, Some(1 | 4)), "{moment:?}: {ended}");
                interrupted += 1;
            }
        }
        for one in crowd {
            let name = one.person.name.clone();
            let _ = one.person.join(&one.link).done();
            let serial = serial(&one.person);
            // What was signed before the crash is what is handed out after it.
            assert_eq!(*issued.entry(name).or_insert_with(|| serial.clone()), serial, "{moment:?}");
            members.push(one);
        }
    }
    // How many it is depends on how busy the machine is; that none is would say that nothing was tried.
    assert!(interrupted > 0, "the kills came too late to matter");

    let mut names: Vec<String> = members.iter().map(|one| one.person.name.clone()).collect();
    names.sort();
    assert_eq!(server.users(), names);
    for (n, one) in (0..).zip(&members) {
        // Another key, under a name of its own or under the member's.
        let thief = Person::new(if n % 2 == 0 { "thief" } else { &one.person.name });
        let sentence = thief.join(&one.link).refused(3);
        assert!(sentence.contains("the invite has been used already"), "{sentence}");
    }
    for one in members.iter().step_by(4) {
        // The member's own key gets the member's own certificate, once more.
        let before = serial(&one.person);
        fs::remove_file(one.person.folder().join("identity.json")).expect("who has joined has an identity");
        let _ = one.person.join(&one.link).done();
        assert_eq!(serial(&one.person), before);
    }
    assert_eq!(server.users(), names);
}

/// Kills the server at the moment, and gives the serials of the certificates that it had logged as issued.
fn wait_and_kill(server: &mut Server, joins: &mut [Program], moment: Moment) -> BTreeMap<String, String> {
    let mut issued = BTreeMap::new();
    let mut note = |line: &str| {
        let fields = line.split_once("certificate issued device=").map(|(_, fields)| fields);
        if let Some((device, serial)) = fields.and_then(|fields| fields.split_once("/laptop serial=")) {
            issued.insert(device.to_owned(), serial.to_owned());
        }
    };
    match moment {
        Moment::AtOnce => {}
        Moment::Logged(lines) => {
            for _ in 0..lines {
                server.program().see("a line of the log", |line| {
                    note(line);
                    // Invites were made before, and are logged, too.
                    (line.contains("certificate issued") || line.contains("connection closed")).then_some(())
                });
            }
        }
        Moment::Told(clients) => {
            for join in joins.iter_mut().take(usize::try_from(clients).unwrap_or(usize::MAX)) {
                join.hear_part("has joined");
            }
        }
    }
    server.program().kill();
    // What it said last has been read by now or is in the pipe.
    server.program().whole_log().iter().for_each(|line| note(line));
    server.kill();
    issued
}

fn serial(person: &Person) -> String {
    let shown = person.run(&["cert", "show", "--json"]).done();
    let serial = shown.objects().first().and_then(|object| Some(object["serial"].as_str()?.to_owned()));
    serial.unwrap_or_else(|| panic!("no serial: {shown}"))
}
