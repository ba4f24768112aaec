//! A full disk and a read-only data folder are one sentence and exit 1; what was acknowledged before is there afterwards.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tests::disk::{as_seen_by, keep_out, runnable_by_all, with_read_only_disk, with_short_files, with_small_disk};
use tests::server::{command, listen, run};
use tests::{Ended, Person, Program, Server, programs};

/// A folder that is not there yet.
fn nowhere() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("data");
    (folder, path)
}

/// Starts a server and ends it in good order, or gives the sentence with which it refuses to start.
fn start(command: &mut Command) -> Result<(), String> {
    let mut program = Program::start(command);
    if !program.says("listening on") {
        return Err(program.end().refused(1));
    }
    program.signal("TERM");
    let _ = program.end().done();
    Ok(())
}

#[test]
fn a_first_start_for_which_there_is_no_room_is_one_sentence_and_can_be_repeated() {
    let (_kept, folder) = nowhere();
    let mut failed = 0;
    // Each time the room ends somewhere else: before the journal, in it, beside it.
    for blocks in [0, 1, 7, 8, 16, 24, 32, 48, 63, 64] {
        match start(&mut with_short_files(blocks, &run(&folder, &listen()))) {
            Ok(()) => fs::remove_dir_all(&folder).expect("it is ours"),
            Err(sentence) => {
                failed += 1;
                let advises = sentence.contains("check the disk") || sentence.contains("free some space");
                assert!(sentence.contains("/data/") && advises, "{blocks}: {sentence}");
            }
        }
    }
    assert!(failed >= 5, "there was room in {} of 10 tries", 10 - failed);
    // With room it founds the realm, whatever a try has left behind.
    assert!(start(&mut with_short_files(7, &run(&folder, &listen()))).is_err());
    assert_eq!(start(&mut run(&folder, &listen())), Ok(()));
    for kib in [4, 16, 40, 56, 64, 68, 72, 76, 80] {
        let (_kept, folder) = nowhere();
        if let Some(mut small) = with_small_disk(&folder, kib, &run(&folder, &listen())) {
            // A server that has said that it listens has founded its realm.
            match start(&mut small) {
                Ok(()) => assert!(kib > 64, "{kib}: there was room"),
                Err(sentence) => assert!(sentence.contains("is full: free some space"), "{kib}: {sentence}"),
            }
        }
    }
}

/// Asks the server of `program`, which sees its data folder at `folder`, for invites until it has ended; gives the links.
fn invite_until_the_end(program: &Program, folder: &Path) -> Vec<String> {
    let mut links = Vec::new();
    loop {
        let invite = Ended::run(command(folder).arg("invite"));
        if invite.code != Some(0) {
            // Who asked is told that there was no answer, and never that it is done.
            let sentence = invite.refused(4);
            assert!(
                sentence.contains("ended before it answered") || sentence.starts_with("no server is running"),
                "{sentence}"
            );
            return links;
        }
        links.extend(invite.out);
        assert!(links.len() < 1000, "the disk of {program} does not fill up");
    }
}

#[test]
fn a_disk_that_fills_up_ends_the_server_and_takes_nothing_back() {
    let mut server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let _ = server.stop("TERM").done();

    let mut program = Program::start(&mut with_short_files(400, &run(&server.folder(), &server.address().to_string())));
    assert!(program.says("listening on"));
    let links = invite_until_the_end(&program, &server.folder());
    assert!(links.len() > 3, "there was no room at all");
    let ended = program.end();
    assert_eq!(ended.code, Some(1), "{ended}");
    let errors: Vec<&String> = ended.err.iter().filter(|line| line.starts_with("error: ")).collect();
    assert!(
        errors.len() == 1 && errors[0].contains("journal.sqlite3") && ended.err.last() == Some(errors[0]),
        "{ended}"
    );
    server.restart();
    assert_eq!(server.users(), ["alice"]);
    for (link, name) in links.iter().rev().zip(["bob", "carol", "dave"]) {
        let _ = Person::new(name).join(link).done();
    }
    let _ = alice.run(&["who"]).done();

    let (_kept, folder) = nowhere();
    if let Some(mut small) = with_small_disk(&folder, 300, &run(&folder, &listen())) {
        let mut program = Program::start(&mut small);
        assert!(program.says("listening on"), "{program}");
        let links = invite_until_the_end(&program, Path::new(&as_seen_by(program.number(), &folder)));
        assert!(links.len() > 3, "there was no room at all");
        let ended = program.end();
        assert_eq!(ended.code, Some(1), "{ended}");
        let last = ended.err.last().map(String::as_str).unwrap_or_default();
        assert!(
            last.starts_with("error: the disk that holds ") && last.contains("is full: free some space"),
            "{ended}"
        );
    }
}

#[test]
fn a_data_folder_that_cant_be_written_to_is_exit_1() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let link = server.invite(&[]);

    // A realm that is there, but not for writing.
    let mut other = Server::start();
    let _ = other.stop("TERM").done();
    if let Some(mut read_only) = with_read_only_disk(&other.folder(), &run(&other.folder(), &listen())) {
        let sentence = Ended::run(&mut read_only).refused(1);
        assert!(sentence.contains("read-only") || sentence.contains("can't be written to"), "{sentence}");
    }
    let public = tempfile::tempdir().expect("a folder can be made");
    fs::set_permissions(public.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let mut guarded = runnable_by_all(public.path(), &run(&other.folder(), &listen()));
    let _other = keep_out(&other.folder(), &mut guarded);
    let sentence = Ended::run(&mut guarded).refused(1);
    assert!(sentence.contains("no permission") || sentence.contains("can't be written to"), "{sentence}");

    // Nothing is there, and nothing can be made.
    let shut = tempfile::tempdir().expect("a folder can be made");
    let inside = shut.path().join("shut");
    fs::create_dir(&inside).expect("a folder can be made");
    let new = inside.join("data");
    let mut found = runnable_by_all(public.path(), &run(&new, &listen()));
    let _nothing = keep_out(&inside, &mut found);
    let sentence = Ended::run(&mut found).refused(1);
    assert!(sentence.contains("no permission for"), "{sentence}");

    // The client has to write in order to join, and not in order to ask.
    let mut join = Command::new(programs::client());
    join.arg("--data-dir").arg(&new).args(["join", &link, "--user", "bob"]);
    let mut join = runnable_by_all(public.path(), &join);
    let _joining = keep_out(&inside, &mut join);
    let sentence = Ended::run(&mut join).refused(1);
    assert!(sentence.contains("no permission for"), "{sentence}");
    let mut who = runnable_by_all(public.path(), &alice.client(&["who"]));
    let _alices = keep_out(&alice.folder(), &mut who);
    assert_eq!(Ended::run(&mut who).done().out, ["alice            offline (you)"]);
    let bob = Person::new("bob");
    let sentence = Ended::run(&mut with_short_files(0, &bob.client(&["join", &link, "--user", "bob"]))).refused(1);
    assert!(sentence.contains("device.key") && sentence.contains("check the disk"), "{sentence}");
    // None of it has cost the invite.
    let _ = bob.join(&link).done();
}
