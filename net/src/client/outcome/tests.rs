//! The table of exit codes, line by line.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use countersign_core::id::NameRefusal;
use countersign_core::tls::CertRefusal;

use super::*;

fn bob() -> UserName {
    UserName::parse("bob").unwrap()
}

#[test]
fn each_end_of_a_call_has_its_exit_code() {
    use CallEnd::{Closed, Refused, RelayLost};
    let certificate = |refusal| Closed(CloseReason::Fault(Fault::Certificate(refusal)));
    for (end, open, exit) in [
        (Closed(CloseReason::Ours(Code::FINISHED)), true, Exit::Done),
        (Closed(CloseReason::Theirs(Code::FINISHED)), true, Exit::Done),
        (Closed(CloseReason::Ours(Code::FINISHED)), false, Exit::Failed),
        (Closed(CloseReason::Theirs(Code::FINISHED)), false, Exit::Failed),
        (Closed(CloseReason::Truncated), true, Exit::Failed),
        (Closed(CloseReason::PeerClosed), true, Exit::Failed),
        (Closed(CloseReason::TimedOut), true, Exit::Failed),
        (Closed(CloseReason::TimedOut), false, Exit::Failed),
        (Closed(CloseReason::Theirs(Code::MALFORMED)), true, Exit::Failed),
        (Closed(CloseReason::Fault(Fault::Malformed)), true, Exit::Failed),
        (Closed(CloseReason::Fault(Fault::Version(2))), true, Exit::Failed),
        (Closed(CloseReason::Fault(Fault::BadRecord)), true, Exit::Refused),
        (Closed(CloseReason::Alert(46)), false, Exit::Refused),
        (Closed(CloseReason::Alert(20)), true, Exit::Refused),
        (Closed(CloseReason::Alert(40)), false, Exit::Failed),
        (Closed(CloseReason::Fault(Fault::OtherLog)), false, Exit::Refused),
        (Closed(CloseReason::Theirs(Code::OTHER_LOG)), false, Exit::Refused),
        (Closed(CloseReason::Theirs(Code::NOT_LOGGED)), false, Exit::Refused),
        (certificate(CertRefusal::OtherName), false, Exit::Refused),
        (certificate(CertRefusal::Expired), false, Exit::Refused),
        (certificate(CertRefusal::ForeignIssuer), false, Exit::Refused),
        (certificate(CertRefusal::NotADevice(NameRefusal::NotOfRealm)), false, Exit::Refused),
        (RelayLost, true, Exit::Failed),
        (Refused(Code::OFFLINE), false, Exit::Unreachable),
        (Refused(Code::NO_SUCH_USER), false, Exit::Refused),
        (Refused(Code::DECLINED), false, Exit::Refused),
        (Refused(Code::TOO_MANY_CALLS), false, Exit::Refused),
        (Refused(Code::SELF_CALL), false, Exit::Usage),
        (Refused(Code::IN_A_CALL), false, Exit::Failed),
        (Refused(Code::NO_ANSWER), false, Exit::Failed),
        (Refused(Code::HUNG_UP), false, Exit::Failed),
        (Refused(Code::GONE), false, Exit::Failed),
        (Refused(Code::GLARE), false, Exit::Failed),
        (Refused(Code::ELSEWHERE), false, Exit::Failed),
        (Refused(Code(9999)), false, Exit::Failed),
    ] {
        let outcome = of_call(end, &bob(), Began::Us, open);
        assert_eq!(outcome.exit, exit, "{end:?}: {}", outcome.sentence);
        assert!(!outcome.sentence.contains('\n'), "{}", outcome.sentence);
    }
}

#[test]
fn whoever_is_not_the_one_who_was_called_is_said_to_be_so_loudly() {
    let end = CallEnd::Closed(CloseReason::Fault(Fault::Certificate(CertRefusal::OtherName)));
    let sentence = of_call(end, &bob(), Began::Us, false).sentence;
    assert!(sentence.starts_with("NOT CONNECTED") && sentence.contains("bob"), "{sentence}");
}

#[test]
fn a_call_that_was_missed_or_declined_is_said_from_the_side_of_the_one_who_was_called() {
    let words = |code| of_call(CallEnd::Refused(code), &bob(), Began::Them, false).sentence;
    assert_eq!(words(Code::DECLINED), "the call from bob was declined");
    assert_eq!(words(Code::ELSEWHERE), "the call from bob was taken on another device");
    assert_eq!(words(Code::NO_ANSWER), "nobody answered the call from bob");
    assert_eq!(words(Code::HUNG_UP), "bob has given up calling");
}

#[test]
fn each_end_of_a_connection_has_its_exit_code_before_and_after_the_server_was_known() {
    let endpoint = Endpoint::parse("127.0.0.1:7443").unwrap();
    for (reason, first, later) in [
        (CloseReason::Unreachable, Exit::Unreachable, Exit::Failed),
        (CloseReason::TimedOut, Exit::Unreachable, Exit::Failed),
        (CloseReason::Truncated, Exit::Unreachable, Exit::Failed),
        (CloseReason::PeerClosed, Exit::Unreachable, Exit::Failed),
        (CloseReason::Fault(Fault::NotTls), Exit::Unreachable, Exit::Failed),
        (CloseReason::Alert(120), Exit::Unreachable, Exit::Failed),
        (CloseReason::Theirs(Code::SHUTTING_DOWN), Exit::Unreachable, Exit::Failed),
        (CloseReason::Theirs(Code::FULL), Exit::Unreachable, Exit::Failed),
        (CloseReason::Fault(Fault::Certificate(CertRefusal::BadRoot)), Exit::Refused, Exit::Refused),
        (CloseReason::Fault(Fault::BadRecord), Exit::Refused, Exit::Refused),
        (CloseReason::Alert(45), Exit::Refused, Exit::Refused),
        (CloseReason::Theirs(Code::EXPIRED), Exit::Refused, Exit::Refused),
        (CloseReason::Theirs(Code::UNKNOWN_DEVICE), Exit::Refused, Exit::Refused),
        (CloseReason::Theirs(Code::NOT_LOGGED), Exit::Refused, Exit::Refused),
        (CloseReason::Theirs(Code::REPLACED), Exit::Failed, Exit::Failed),
        (CloseReason::Fault(Fault::Version(9)), Exit::Failed, Exit::Failed),
    ] {
        for (known, exit) in [(false, first), (true, later)] {
            let failure = of_connection(reason, &endpoint, "connection refused", known);
            assert_eq!(failure.exit, exit, "{reason:?}, known: {known}: {failure}");
        }
    }
    let failure = of_connection(CloseReason::Unreachable, &endpoint, "connection refused", false);
    assert!(failure.sentence.contains("127.0.0.1:7443 (connection refused)"), "{failure}");
}

#[test]
fn a_certificate_of_another_time_is_first_the_clocks_fault() {
    let endpoint = Endpoint::parse("127.0.0.1:7443").unwrap();
    for refusal in [CertRefusal::Expired, CertRefusal::NotYetValid] {
        let failure = of_connection(CloseReason::Fault(Fault::Certificate(refusal)), &endpoint, "", true);
        assert_eq!(failure.exit, Exit::Refused);
        assert!(failure.sentence.contains("check the clock"), "{failure}");
    }
    let lapsed = of_enrolment(Code::EXPIRED, 0);
    assert!(lapsed.sentence.contains("--data-dir"), "{lapsed}");
}

#[test]
fn a_refused_enrolment_is_the_servers_refusal_unless_the_server_failed() {
    for (code, name) in Code::ALL {
        let exit = match *code {
            Code::BUSY | Code::ISSUE_FAILED | Code::TRIES_TOO_MANY => Exit::Failed,
            _ => Exit::Refused,
        };
        let failure = of_enrolment(*code, 0);
        assert_eq!(failure.exit, exit, "{name}");
        assert!(failure.sentence.contains(code.sentence().unwrap()), "{failure}");
    }
}
