//! A flood at the real door: what it may cost is bounded and counted, and two members talk on as if nothing were.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use countersign_core::limits::{KEY_OPERATIONS_PER_SECOND, KEY_OPERATIONS_SPAN};
use tests::stranger::{Secure, Stranger, anybody, hello, newcomer};
use tests::{Person, Program, Server};

/// Connections of all kinds together.
const STRANGERS: u64 = 4_000;
/// How many threads they come from, and as many that make whole handshakes.
const CROWDS: usize = 2;
/// How many of each thread's stay.
const STAYING: usize = 300;
/// Lines each way before the flood, for comparison.
const QUIET: usize = 200;

/// What one count of the log's line says.
fn figure(line: &str, name: &str) -> u64 {
    let found = line.split_whitespace().find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in: {line}"))
}

/// One line there and one back; how long it took.
fn exchange(call: &mut Program, listen: &mut Program, n: usize) -> Duration {
    let begun = Instant::now();
    call.say(&format!("there {n}"));
    assert_eq!(listen.hear("a line", |line| Some(line.to_owned())), format!("alice: there {n}"));
    listen.say(&format!("back {n}"));
    assert_eq!(call.hear("a line", |line| Some(line.to_owned())), format!("bob: back {n}"));
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Strangers come, each of another kind, until all have come: garbage, half a hello, a hello and then nothing.
fn strangers(address: SocketAddr, came: &AtomicU64) {
    let hello = hello(&anybody());
    let mut silent = VecDeque::new();
    loop {
        let n = came.fetch_add(1, Ordering::Relaxed);
        if n >= STRANGERS {
            return;
        }
        // A server that is full of them may close at any moment, and that is what is wanted of it.
        let Ok(stream) = TcpStream::connect(address) else { continue };
        let mut stranger = Stranger::of(stream);
        match n % 8 {
            0 => stranger.send(&[0xff; 600]),
            1 => stranger.send(&hello[..hello.len() / 2]),
            _ => stranger.send(&hello),
        }
        // Most stay, so that the server is always full of them; this process has not room for all.
        silent.push_back(stranger);
        if silent.len() > STAYING {
            silent.pop_front();
        }
    }
}

/// Strangers make whole handshakes without a certificate, as far as they are let. How many came to their end.
fn handshakes(address: SocketAddr, link: &str, over: &AtomicBool) -> u64 {
    let (newcomer, mut done) = (newcomer(link), 0);
    while !over.load(Ordering::Relaxed) {
        if let Ok(stream) = TcpStream::connect(address) {
            done += u64::from(Secure::over(Stranger::of(stream), &newcomer).is_some());
        }
    }
    done
}

#[test]
fn a_flood_of_strangers_is_bounded_in_public_key_work_and_costs_the_members_no_line() {
    let mut server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let mut listen = bob.start(&["listen", "--accept"]);
    listen.see_part("is online at");
    let mut call = alice.start(&["call", "bob"]);
    call.see_part("connected to bob/laptop");
    listen.see_part("connected to alice/laptop");
    let quiet = median((0..QUIET).map(|n| exchange(&mut call, &mut listen, n)).collect());

    let (address, link, came, over) = (server.address(), server.invite(&[]), AtomicU64::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    let (lines, flooded, played) = thread::scope(|scope| {
        let flood = scope.spawn(|| {
            thread::scope(|scope| {
                for _ in 0..CROWDS {
                    scope.spawn(|| strangers(address, &came));
                }
            });
            over.store(true, Ordering::Relaxed);
        });
        let players: Vec<_> = (0..CROWDS).map(|_| scope.spawn(|| handshakes(address, &link, &over))).collect();
        let mut times = Vec::new();
        while !over.load(Ordering::Relaxed) {
            times.push(exchange(&mut call, &mut listen, QUIET + times.len()));
        }
        flood.join().expect("the flood has come");
        let played = players.into_iter().map(|player| player.join().expect("the handshakes are over")).sum::<u64>();
        (times.len(), median(times), played)
    });
    let flood = begun.elapsed();
    assert!(lines > 0, "nothing was said in the flood");

    // Whoever comes later comes in.
    let carol = Person::enrolled(&server, "carol");
    assert_eq!(carol.run(&["who"]).done().out.len(), 3);
    let _ = call.end().done();
    listen.signal("TERM");
    let _ = listen.end().done();
    let time = begun.elapsed();
    let ended = server.stop("TERM").done();
    let last = ended.err.iter().rfind(|line| line.contains("strangers so far")).expect("it says so at its end");
    let (operations, held_back) = (figure(last, "key_operations"), figure(last, "held_back"));
    // What came before the flood is within the first span ahead.
    let most = u64::from(KEY_OPERATIONS_PER_SECOND)
        * u64::try_from((time + 2 * KEY_OPERATIONS_SPAN).as_millis()).unwrap_or(0)
        / 1000;
    assert!(operations <= most, "{operations} operations of {most}: {last}");
    eprintln!(
        "{STRANGERS} strangers in {flood:?} and {played} whole handshakes; {operations} public-key operations in {time:?}, \
         {most} are the bound; {held_back} held back; {lines} lines each way meanwhile, none lost; a line there and back \
         {quiet:?} before, {flooded:?} in the flood",
    );
}
