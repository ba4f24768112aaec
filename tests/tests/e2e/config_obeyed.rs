//! That what is configured is what is done: by a file, a variable, a flag, each on the real programs.

use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use countersign_core::limits::HANDSHAKE_TIME_MAX;
use serde_json::json;
use tests::server::{command, listen, listening, run};
use tests::{Ended, Person, Program, Server};

/// A data folder with a config file of this text.
fn configured(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let place = tempfile::tempdir().expect("a folder can be made");
    let folder = place.path().join("data");
    // The program takes no looser one.
    fs::create_dir(&folder).expect("a folder can be made");
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is ours");
    fs::write(folder.join(name), text).expect("a file can be written");
    (place, folder)
}

#[test]
fn a_server_founds_the_realm_of_its_file_and_lists_it_in_links_with_its_public_name() {
    let text = format!(
        "listen = \"{}\"\npublic = \"chat.example.org:443\"\nrealm = \"club.example\"\n\n[invites]\nlifetime = \"2h\"\n",
        listen()
    );
    let (_place, folder) = configured("server.toml", &text);
    let mut program = Program::start(command(&folder).arg("--json"));
    let heard = program.hear_event("listening");
    assert_eq!(heard["realm"], "club.example");
    let invite = |args: &[&str]| {
        let made = Ended::run(command(&folder).args(["--json", "invite"]).args(args)).done().objects().remove(0);
        let link = made["link"].as_str().map(str::to_owned).unwrap_or_default();
        assert!(link.starts_with("countersign://chat.example.org:443/club.example/"), "{link}");
        made["expires"].as_u64().expect("a second")
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let hours = |n: u64| now + n * 3600..now + n * 3600 + 60;
    assert!(hours(2).contains(&invite(&[])), "the lifetime is the configured one");
    assert!(hours(5).contains(&invite(&["--expires", "5h"])), "but for a flag");
    program.signal("TERM");
    let _ = program.end().done();

    // Another realm is refused where it was asked for, and nothing is changed by it.
    let other = text.replace("club.example", "other.example");
    fs::write(folder.join("server.toml"), other).expect("a file can be written");
    let sentence = Ended::run(&mut command(&folder)).refused(2);
    let expected = format!(
        "{}/server.toml:3: {} holds the realm club.example, not other.example: leave the realm out",
        folder.display(),
        folder.display()
    );
    assert!(sentence.starts_with(&expected), "{sentence}");
    let sentence = Ended::run(command(&folder).env("COUNTERSIGN_REALM", "third.example")).refused(2);
    assert!(sentence.starts_with("COUNTERSIGN_REALM: "), "{sentence}");
    // Without a wish the folder's own realm goes on.
    let mut program = Program::start(command(&folder).arg("--json").env("COUNTERSIGN_REALM", "club.example"));
    assert_eq!(program.hear_event("listening")["realm"], "club.example");
}

#[test]
fn the_limits_of_the_file_and_the_times_of_variables_are_the_ones_that_hold() {
    let (_place, folder) = configured("server.toml", "limits = { connections = 4, strangers = 2 }\n");
    let mut program = Program::start(run(&folder, &listen()).env("COUNTERSIGN_TIMEOUTS_HANDSHAKE", "60s"));
    let address = listening(&mut program);
    // Of three who say nothing, one has to go at once, and the others stay.
    let crowd = [(); 3].map(|()| TcpStream::connect(address).expect("somebody listens"));
    program.see_part("connection closed: the server has no room for another connection");
    program.kill();
    let closed = program.whole_log().iter().filter(|line| line.contains("connection closed")).count();
    assert_eq!(closed, 1);
    drop(crowd);

    let mut program = Program::start(run(&folder, &listen()).env("COUNTERSIGN_TIMEOUTS_HANDSHAKE", "1s"));
    let address = listening(&mut program);
    let begun = Instant::now();
    let _silent = TcpStream::connect(address).expect("somebody listens");
    program.see_part("connection closed");
    assert!(begun.elapsed() < HANDSHAKE_TIME_MAX, "it took as long as by default");
}

#[test]
fn the_log_has_the_level_and_the_form_of_the_configuration() {
    let (_place, folder) = configured("server.toml", "[log]\nlevel = \"debug\"\nformat = \"json\"\n");
    let mut program = Program::start(&mut run(&folder, &listen()));
    let address = listening(&mut program);
    let _stranger = TcpStream::connect(address).expect("somebody listens");
    let line = program.see_part("\"connected\"");
    program.signal("TERM");
    let ended = program.end().done();
    let object = tests::program::json(&line);
    assert_eq!(
        (&object["level"], &object["message"], &object["fields"]["conn"]),
        (&json!("DEBUG"), &json!("connected"), &json!(1))
    );
    for line in &ended.err {
        assert!(tests::program::json(line)["time"].is_string(), "{line}");
    }
    let silent = Program::start(run(&folder, &listen()).env("COUNTERSIGN_LOG_LEVEL", "off"));
    let mut silent = silent;
    let _ = listening(&mut silent);
    silent.signal("TERM");
    assert!(silent.end().done().err.is_empty());
}

#[test]
fn a_device_finds_its_server_after_a_move_and_is_led_to_no_other() {
    let mut server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let old = server.address().to_string();
    let _ = server.stop("TERM").done();
    server.move_to(&listen());
    let sentence = alice.run(&["who"]).refused(4);
    assert!(sentence.contains(&old), "{sentence}");

    let toml = |server: &Server| format!("server = \"{}\"\n", server.address());
    fs::write(alice.folder().join("client.toml"), toml(&server)).expect("a file can be written");
    assert_eq!(alice.run(&["who"]).done().out, ["alice            offline (you)", "bob              offline"]);
    assert!(alice.run(&["cert", "show"]).done().out.iter().any(|line| line.contains(&server.address().to_string())));
    let mut by_variable = bob.client(&["listen", "--json", "--accept"]);
    let mut listen = Program::start(by_variable.env("COUNTERSIGN_SERVER", server.address().to_string()));
    listen.hear_event("online");
    let mut call = alice.start(&["call", "bob", "--json", "--path", "tunnel"]);
    assert_eq!(call.hear_event("open")["path"], "tunnel");
    let _ = call.end().done();

    // The address moves, the root does not.
    let other = Server::start();
    fs::write(alice.folder().join("client.toml"), toml(&other)).expect("a file can be written");
    for args in [&["who"][..], &["call", "bob"], &["listen"]] {
        let ended = alice.run(args);
        assert_eq!(ended.code, Some(3), "{ended}");
        assert!(ended.err.iter().any(|line| line.contains("NOT CONNECTED")), "{ended}");
    }
}

#[test]
fn a_call_waits_as_long_as_is_configured_and_a_flag_goes_before() {
    let server = Server::start();
    let (alice, _bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    fs::write(alice.folder().join("client.toml"), "[call]\nwait = \"0s\"\n").expect("a file can be written");
    let ended = alice.run(&["call", "bob"]);
    assert_eq!(ended.code, Some(4), "{ended}");
    let mut call = alice.start(&["call", "bob", "--wait", "3000", "--json"]);
    assert_eq!(call.hear_event("waiting")["seconds"], 3000);
    let mut call = Program::start(alice.client(&["call", "bob", "--json"]).env("COUNTERSIGN_CALL_WAIT", "50m"));
    assert_eq!(call.hear_event("waiting")["seconds"], Duration::from_secs(3000).as_secs());
}
