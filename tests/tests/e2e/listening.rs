//! Where a server listens and what its links say: IPv6, all addresses of both families, and as many as files may be open.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use tests::server::{command, run};
use tests::{Ended, Person, Program, Server};

/// `command` under limits on open files, as `ulimit` sets them.
fn with_files(limits: &str, command: &Command) -> Command {
    let mut outer = Command::new("sh");
    outer.args(["-c", &format!("ulimit {limits}; exec \"$0\" \"$@\"")]);
    outer.arg(command.get_program()).args(command.get_args());
    outer
}

/// The addresses of the next so many lines that say where it listens.
fn addresses(program: &mut Program, n: usize) -> Vec<SocketAddr> {
    let address = |line: &str| line.strip_prefix("listening on ")?.split_once(", realm ")?.0.parse().ok();
    (0..n).map(|_| program.hear("listening on", address)).collect()
}

#[test]
fn two_people_join_and_talk_over_ipv6() {
    let server = Server::start_at("[::1]:0");
    let address = server.address();
    assert!(address.is_ipv6() && address.port() != 0, "{address}");
    let link = server.invite(&[]);
    assert!(link.starts_with(&format!("countersign://[::1]:{}/chat.internal/", address.port())), "{link}");
    let alice = Person::new("alice");
    let _ = alice.join(&link).done();
    let bob = Person::enrolled(&server, "bob");
    let mut listen = bob.start(&["listen", "--accept"]);
    listen.see_part(&format!("bob/laptop is online at [::1]:{}", address.port()));
    let mut call = alice.start(&["call", "bob"]);
    call.see_part("connected to bob/laptop");
    call.say("hello over six");
    listen.hear_part("alice: hello over six");
    listen.say("and back");
    call.hear_part("bob: and back");
    let _ = call.end().done();
}

#[test]
fn all_addresses_of_both_families_lead_in_and_links_say_what_others_need() {
    let place = tempfile::tempdir().expect("a folder can be made");
    let folder = place.path().join("data");
    let mut program = Program::start(run(&folder, "0.0.0.0:0").args(["--listen", "[::]:0"]));
    let [four, six] = addresses(&mut program, 2).try_into().expect("two were asked for");
    assert!(four.ip().is_unspecified() && four.is_ipv4() && six.ip().is_unspecified() && six.is_ipv6());
    program.see_part("links only work on this machine: give the name that others reach it by with --public");

    // The two ports are one server: who came by one talks to who came by the other.
    let link = || Ended::run(command(&folder).arg("invite")).done().out.remove(0);
    let by_four = link();
    assert!(by_four.starts_with(&format!("countersign://127.0.0.1:{}/", four.port())), "{by_four}");
    let by_six = link().replace(&format!("127.0.0.1:{}", four.port()), &format!("[::1]:{}", six.port()));
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let _ = alice.join(&by_four).done();
    let _ = bob.join(&by_six).done();
    let mut listen = bob.start(&["listen", "--accept"]);
    listen.see_part("online at [::1]:");
    let mut call = alice.start(&["call", "bob"]);
    call.see_part("connected to bob/laptop");
    let _ = call.end().done();

    // The port of [::] has IPv6 alone behind it, so that 0.0.0.0 beside it is free to be another server's.
    let beside = format!("0.0.0.0:{}", six.port());
    let other = place.path().join("other");
    let mut beside = Program::start(run(&other, &beside).args(["--public", "chat.example.org:443"]));
    let _ = addresses(&mut beside, 1);
    beside.signal("TERM");
    let log = beside.end().done().err;
    assert!(log.iter().all(|line| !line.contains("WARN")), "with a public name there is nothing to warn of: {log:?}");
}

#[test]
fn one_address_of_several_that_is_taken_is_exit_1_and_nothing_is_founded() {
    let server = Server::start();
    let place = tempfile::tempdir().expect("a folder can be made");
    let folder = place.path().join("data");
    let taken = server.address().to_string();
    let sentence = Ended::run(run(&folder, "127.0.0.1:0").args(["--listen", &taken])).refused(1);
    assert!(sentence.starts_with(&format!("another program listens on {taken} already")), "{sentence}");
    assert!(!folder.join("root.pem").exists());
}

#[test]
fn the_soft_limit_on_open_files_is_raised_to_the_hard_one() {
    let place = tempfile::tempdir().expect("a folder can be made");
    let mut program = Program::start(&mut with_files("-Sn 100", &run(&place.path().join("data"), "127.0.0.1:0")));
    let _ = addresses(&mut program, 1);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.number())).expect("Linux tells limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("this one, too");
    let mut numbers = files.split_whitespace().skip(3);
    let (soft, hard) = (numbers.next(), numbers.next());
    assert!(soft == hard && soft != Some("100"), "{files}");
}

#[test]
fn where_few_files_may_be_open_the_server_says_how_few_connections_it_has_and_members_still_get_in() {
    let place = tempfile::tempdir().expect("a folder can be made");
    let folder = place.path().join("data");
    let mut program = Program::start(&mut with_files("-n 228", &run(&folder, "127.0.0.1:0")));
    let [address] = addresses(&mut program, 1).try_into().expect("one was asked for");
    let warning = program.see_part("fewer connections than configured fit the limit on open files");
    assert!(warning.contains(" connections=100 configured=4096 strangers=12 limit=228"), "{warning}");
    let alice = Person::new("alice");
    let _ = alice.join(&Ended::run(command(&folder).arg("invite")).done().out.remove(0)).done();
    // More than there are files: each newcomer takes the place of the oldest, and nobody waits outside.
    let crowd: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(address).expect("somebody listens")).collect();
    assert_eq!(alice.run(&["who"]).done().out, ["alice            offline (you)"]);
    assert!(program.err.so_far().iter().all(|line| !line.contains("nobody can be let in")));
    drop(crowd);

    let sentence = Ended::run(&mut with_files("-n 60", &run(&place.path().join("other"), "127.0.0.1:0"))).refused(1);
    assert!(sentence.contains("only 60 files may be open, and the server needs at least 130"), "{sentence}");
    assert!(!place.path().join("other/root.pem").exists());
}
