//! Measures what an idle connection costs the server's memory: `cargo run -p tests --example idle` prints one JSON line.
//!
//! The real server runs over loopback, and its resident memory (`VmRSS`, Linux) is read before and after so many more
//! connections of a kind: members who attend, strangers who have only connected, strangers whose handshake is over. Some
//! come before the first reading, so that what a first connection costs once is not counted. Members enrol like anybody;
//! the server is then started anew, so that what enrolling them cost is not counted either.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use countersign_core::device::Identity;
use countersign_core::limits::STRANGERS_MAX;
use countersign_core::tls::Dial;
use serde_json::json;
use tests::Server;
use tests::member::{Member, enrol};
use tests::stranger::{Secure, Stranger, newcomer};

/// Members who are measured.
const MEMBERS: usize = 1000;
/// Connections of each kind that come before the first reading.
const BEFORE: usize = 50;
/// Strangers who are measured: all that there may be at a time.
const STRANGERS: usize = STRANGERS_MAX - BEFORE;
/// Files that this process and the server each have open at the most.
const FILES: usize = 2 * (MEMBERS + BEFORE);
/// Set where the limit on open files has been raised.
const RAISED: &str = "COUNTERSIGN_IDLE_RAISED";

fn main() {
    if std::env::var_os(RAISED).is_none() {
        return again_with_more_files();
    }
    let mut server = Server::start();
    let identities: Vec<Identity> =
        (0..MEMBERS + BEFORE).map(|n| enrol(server.address(), &server.invite(&[]), &format!("user-{n:04}"))).collect();
    let restart = |server: &mut Server| {
        let _ = server.stop("TERM").done();
        server.restart();
        server.address()
    };

    let address = restart(&mut server);
    let mut identities = identities.into_iter();
    let mut members = attend(&mut identities, BEFORE, address, Vec::new());
    let before = resident_bytes(&mut server);
    members = attend(&mut identities, MEMBERS, address, members);
    let member = (resident_bytes(&mut server) - before) / MEMBERS;
    drop(members);

    let address = restart(&mut server);
    let connected = |n| (0..n).map(|_| TcpStream::connect(address).expect("the server listens")).collect::<Vec<_>>();
    let some = connected(BEFORE);
    let before = all_have_come(&mut server, &some);
    let all = connected(STRANGERS);
    let stranger = (all_have_come(&mut server, &all) - before) / STRANGERS;
    drop((some, all));

    restart(&mut server);
    let dial = newcomer(&server.invite(&[]));
    let handshakes = |n| (0..n).map(|_| handshake(address, &dial)).collect::<Vec<_>>();
    let some = handshakes(BEFORE);
    let before = resident_bytes(&mut server);
    let all = handshakes(STRANGERS);
    let newcomer = (resident_bytes(&mut server) - before) / STRANGERS;
    drop((some, all));
    let _ = server.stop("TERM").done();

    let bytes = json!({ "member": member, "connected": stranger, "newcomer": newcomer });
    let count = json!({ "member": MEMBERS, "connected": STRANGERS, "newcomer": STRANGERS });
    println!("{}", json!({ "resident_bytes_per_connection": bytes, "connections": count }));
}

/// Runs this program again with a higher limit on open files, which the server inherits.
fn again_with_more_files() {
    let program = std::env::current_exe().expect("a program knows where it is");
    let script = format!(r#"ulimit -n {FILES} && exec "$0""#);
    let status = Command::new("sh").args(["-c", &script]).arg(program).env(RAISED, "1").status();
    let done = status.is_ok_and(|status| status.success());
    assert!(done, "it can't be measured: {FILES} open files are needed (ulimit -n)");
}

/// So many more members attend. In the end all of them have read what there is, and nothing waits anywhere.
fn attend(
    identities: &mut impl Iterator<Item = Identity>,
    count: usize,
    address: SocketAddr,
    mut members: Vec<Member>,
) -> Vec<Member> {
    members.extend(identities.take(count).map(|identity| Member::attend(address, identity)));
    members.iter_mut().for_each(Member::catch_up);
    members
}

fn handshake(address: SocketAddr, dial: &Dial) -> Secure {
    let stream = TcpStream::connect(address).expect("the server listens");
    let mut secure = Secure::over(Stranger::of(stream), dial).expect("the handshake comes to its end");
    secure.hear();
    secure
}

/// Waits until the server has taken in every one, and gives its memory then. One that says something wrong is answered
/// after those who came before it.
fn all_have_come(server: &mut Server, crowd: &[TcpStream]) -> usize {
    assert!(!crowd.is_empty());
    let mut last = Stranger::dial(server);
    last.send(b"is everybody in?");
    last.end();
    last.rest();
    resident_bytes(server)
}

fn resident_bytes(server: &mut Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.program().number())).expect("the server runs");
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.expect("the system tells a process's memory") * 1024
}
