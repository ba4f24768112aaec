//! Decides with which exit code, and in which words, a call, a connection or an enrolment ends. The one table of it.
//!
//! | what happened | exit |
//! | --- | --- |
//! | a call ended in good order, by whomever | 0 |
//! | no answer, busy, the caller or callee gave up, both called at once and neither call stood | 1 |
//! | another device of ours has the call | 1 |
//! | a connection (to the person, or to the server once it had been there) broke off or fell silent | 1 |
//! | the other side broke the protocol, or speaks another version of it | 1 |
//! | another program took over this device's connection | 1 |
//! | the server is too busy, or has seen too many passwords tried, or failed to issue the certificate | 1 |
//! | calling oneself | 2 |
//! | declined; no such user; too many calls | 3 |
//! | one of the two is not who the other has met under this name, and was not accepted yet | 3 |
//! | a certificate was not believed, by us or by the other side; data was altered on the way | 3 |
//! | the server has shown the other side another log than us | 3 |
//! | the server refused the enrolment; it does not know this device; this device's certificate has expired and is not renewed | 3 |
//! | this device, or the one at the other end, was revoked; no list says whether it was | 3 |
//! | the one who is called is not online and did not come | 4 |
//! | the server can't be reached, or what is at its address is no Countersign server, or it is full or shutting down | 4 |

use std::fmt;

use countersign_core::device::calls::CallEnd;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::UserName;
use countersign_core::invite::Endpoint;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;

use crate::exit::{Exit, Failure};

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// For scripts.
    pub exit: Exit,
    /// For people.
    pub sentence: String,
    /// For programs: the protocol's number for it.
    pub code: Code,
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Began {
    /// We called.
    Us,
    /// They called.
    Them,
}

/// What the end of a call with `with` means; `open` says whether both had proved who they are.
pub fn of_call(end: CallEnd, with: &UserName, began: Began, open: bool) -> CallOutcome {
    match end {
        CallEnd::Refused(code) => {
            let (exit, sentence) = match began {
                Began::Us => refused(code, with),
                Began::Them => missed(code, with),
            };
            CallOutcome { exit, sentence, code }
        }
        CallEnd::RelayLost => CallOutcome {
            exit: Exit::Failed,
            sentence: format!("the call with {with} broke off: the connection to the server was lost"),
            code: Code::GONE,
        },
        CallEnd::Closed(reason) => {
            let (exit, sentence) = closed(reason, with, open);
            CallOutcome { exit, sentence, code: number(reason) }
        }
    }
}

fn refused(code: Code, with: &UserName) -> (Exit, String) {
    match code {
        Code::OFFLINE => (Exit::Unreachable, format!("{with} is not online: try again later, or with a longer --wait")),
        Code::NO_SUCH_USER => (Exit::Refused, format!("there is no user {with} here: client who lists everybody")),
        Code::DECLINED => (Exit::Refused, format!("{with} declined the call")),
        Code::TOO_MANY_CALLS => (Exit::Refused, "the server allows no more calls at once: end one first".to_owned()),
        Code::SELF_CALL => (Exit::Usage, format!("{with} is you: call somebody else")),
        Code::IN_A_CALL => (Exit::Failed, format!("{with} is busy with another call: try again later")),
        Code::NO_ANSWER => (Exit::Failed, format!("{with} did not answer: try again later")),
        Code::HUNG_UP => (Exit::Failed, format!("the call with {with} was given up before it began")),
        Code::GONE => (Exit::Failed, format!("{with} has gone offline: try again later")),
        Code::TIMED_OUT => (Exit::Failed, "the server did not answer in time: try again".to_owned()),
        Code::CHANGED => (
            Exit::Refused,
            format!(
                "{with}'s device has met somebody else under your name: ask them by another way to run client verify, compare \
                 the number, and accept you"
            ),
        ),
        // They had called as well, and both of our devices took it.
        Code::ELSEWHERE => (Exit::Failed, format!("the call with {with} goes on at another device of yours")),
        other => (Exit::Failed, format!("the call with {with} did not come about: {other}")),
    }
}

/// A call of theirs that did not come about. Nobody's exit code hangs on it.
fn missed(code: Code, with: &UserName) -> (Exit, String) {
    let sentence = match code {
        Code::DECLINED => format!("the call from {with} was declined"),
        Code::ELSEWHERE => format!("the call from {with} was taken on another device"),
        Code::NO_ANSWER => format!("nobody answered the call from {with}"),
        Code::HUNG_UP | Code::GONE => format!("{with} has given up calling"),
        Code::CHANGED => format!(
            "{with} called and turned away, since their device has met somebody else under your name: ask them by another way \
             to run client verify"
        ),
        other => format!("the call from {with} did not come about: {other}"),
    };
    (Exit::Failed, sentence)
}

fn closed(reason: CloseReason, with: &UserName, open: bool) -> (Exit, String) {
    match reason {
        CloseReason::Ours(Code::FINISHED) if open => (Exit::Done, format!("the call with {with} has ended")),
        CloseReason::Theirs(Code::FINISHED) if open => (Exit::Done, format!("{with} hung up")),
        CloseReason::Ours(Code::FINISHED) | CloseReason::Theirs(Code::FINISHED) => refused(Code::HUNG_UP, with),
        CloseReason::Fault(Fault::Certificate(CertRefusal::Revoked)) => (
            Exit::Refused,
            if open {
                format!("the call with {with} was ended: the device at the other end was revoked just now")
            } else {
                format!("NOT CONNECTED: the device at the other end was revoked: ask {with} by another way")
            },
        ),
        CloseReason::Fault(Fault::Certificate(refusal @ (CertRefusal::NoList | CertRefusal::ListExpired))) => {
            (Exit::Refused, format!("NOT CONNECTED to {with}: {refusal}"))
        }
        CloseReason::Theirs(Code::REVOKED) => (Exit::Refused, Code::REVOKED.to_string()),
        CloseReason::Fault(Fault::Certificate(refusal)) => (
            Exit::Refused,
            format!(
                "NOT CONNECTED: the one at the other end did not prove to be {with} ({refusal}): nothing was said to them; \
                 tell {with} and the server's operator"
            ),
        ),
        CloseReason::Fault(Fault::BadRecord) => {
            (Exit::Refused, format!("the call with {with} was cut: data was altered on the way; call again"))
        }
        CloseReason::Theirs(Code::NOT_LOGGED) => (
            Exit::Refused,
            format!(
                "NOT CONNECTED: {with}'s device does not find this device's certificate in the realm's log: run \
                 `client log check`, and ask the server's operator"
            ),
        ),
        CloseReason::Fault(Fault::OtherLog) | CloseReason::Theirs(Code::OTHER_LOG) => (
            Exit::Refused,
            format!(
                "NOT CONNECTED: the server has shown {with}'s device another log than this one: both run \
                 `client log check`, and compare what it says by another way"
            ),
        ),
        CloseReason::Alert(number) if is_refusal(number) => (
            Exit::Refused,
            format!("NOT CONNECTED: the program at the other end refused the call with {with}: {reason}"),
        ),
        CloseReason::Truncated | CloseReason::PeerClosed => {
            (Exit::Failed, format!("the call with {with} broke off: the last lines may not have arrived"))
        }
        CloseReason::TimedOut if open => {
            (Exit::Failed, format!("{with} did not answer any more: the last lines may not have arrived"))
        }
        CloseReason::TimedOut => (Exit::Failed, format!("the call with {with} did not come about in time: try again")),
        CloseReason::Fault(_)
        | CloseReason::Alert(_)
        | CloseReason::Ours(_)
        | CloseReason::Theirs(_)
        | CloseReason::Unreachable => (Exit::Failed, format!("the call with {with} broke off: {reason}")),
    }
}

/// The protocol's number for the end of a session.
fn number(reason: CloseReason) -> Code {
    match reason {
        CloseReason::Ours(code) | CloseReason::Theirs(code) => code,
        CloseReason::Fault(fault) => fault.code(),
        CloseReason::Alert(_) => Code::TLS_FAILED,
        CloseReason::TimedOut => Code::TIMED_OUT,
        CloseReason::PeerClosed | CloseReason::Truncated | CloseReason::Unreachable => Code::GONE,
    }
}

/// What the end of a connection to the server means for who can't go on without it; `known` says whether it has shown
/// before that it is the server.
pub fn of_connection(reason: CloseReason, endpoint: &Endpoint, no_connection: &str, known: bool) -> Failure {
    let words = connection_words(reason, endpoint, no_connection);
    match reason {
        // The server makes its certificate anew long before it ends, so the clock is the first suspect (design 4).
        CloseReason::Fault(Fault::Certificate(CertRefusal::Expired | CertRefusal::NotYetValid)) => {
            Failure::refused(format_args!(
                "NOT CONNECTED: by this machine's clock the certificate of the server at {endpoint} is of another time \
                 ({reason}): check the clock, and if it is right ask the operator"
            ))
        }
        CloseReason::Fault(Fault::Certificate(_)) => Failure::refused(format_args!(
            "NOT CONNECTED: what answers at {endpoint} did not prove to be this realm's server ({reason}): ask the operator"
        )),
        CloseReason::Theirs(Code::EXPIRED) => {
            Failure::refused("by the server's clock this device's certificate has expired: check this machine's clock")
        }
        CloseReason::Theirs(code @ (Code::RENEWAL_TOO_LATE | Code::RENEWAL_UNKNOWN | Code::RENEWAL_UNPROVED)) => {
            Failure::refused(format_args!(
                "this device's certificate holds no more, and the server does not renew it: {code}"
            ))
        }
        CloseReason::Theirs(Code::UNKNOWN_DEVICE) => Failure::refused(format_args!(
            "the server at {endpoint} does not know this device: ask its operator whether it was set up anew"
        )),
        CloseReason::Theirs(Code::REVOKED) => Failure::refused(Code::REVOKED),
        CloseReason::Theirs(Code::NOT_LOGGED) => Failure::refused(format_args!(
            "the server at {endpoint} does not have this device's certificate in its log: ask its operator"
        )),
        CloseReason::Theirs(Code::REPLACED) => {
            Failure::failed("another program took over this device's connection: run one listen or call at a time")
        }
        CloseReason::Fault(Fault::BadRecord) => Failure::refused(format_args!(
            "the connection to {endpoint} was cut: data was altered on the way; try again"
        )),
        CloseReason::Alert(number) if is_refusal(number) => {
            Failure::refused(format_args!("the server at {endpoint} refused this device: {reason}"))
        }
        CloseReason::Fault(Fault::Version(_)) | CloseReason::Theirs(Code::VERSION) => Failure::failed(format_args!(
            "no common language with the server at {endpoint} ({reason}): update the older one"
        )),
        _ if known => Failure::failed(format_args!("lost the server: {words}")),
        CloseReason::Theirs(Code::SHUTTING_DOWN | Code::FULL) => {
            Failure::unreachable(format_args!("{words}: try again in a moment"))
        }
        CloseReason::Unreachable => {
            Failure::unreachable(format_args!("{words}: check that the server runs and is reached at this address"))
        }
        CloseReason::Ours(_)
        | CloseReason::Theirs(_)
        | CloseReason::PeerClosed
        | CloseReason::Truncated
        | CloseReason::TimedOut
        | CloseReason::Alert(_)
        | CloseReason::Fault(_) => Failure::unreachable(format_args!(
            "{endpoint} does not answer as a Countersign server does ({words}): check the address"
        )),
    }
}

/// Why a connection to the server ended, or never began.
pub fn connection_words(reason: CloseReason, endpoint: &Endpoint, no_connection: &str) -> String {
    if reason == CloseReason::Unreachable {
        format!("no connection to {endpoint} ({no_connection})")
    } else {
        reason.to_string()
    }
}

/// What a refused enrolment means.
pub fn of_enrolment(code: Code, detail: u16) -> Failure {
    let sentence = EnrolWords { code, detail };
    match code {
        Code::BUSY | Code::ISSUE_FAILED | Code::TRIES_TOO_MANY => Failure::failed(sentence),
        _ => Failure::refused(sentence),
    }
}

struct EnrolWords {
    code: Code,
    detail: u16,
}

impl fmt::Display for EnrolWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused: {}", self.code)?;
        match self.code {
            Code::KEY_TAKEN => f.write_str(
                " (this folder's key was certified under another name before: join under that name with its invite, or \
                 name a new folder with --data-dir)",
            ),
            Code::NAME_TAKEN | Code::NAME_LOOKS_TAKEN => f.write_str(": choose another with --user"),
            Code::EXPIRED => f.write_str(
                " (this folder's key was certified before: name a new folder with --data-dir and choose another user name)",
            ),
            Code::INVITE_UNKNOWN => f.write_str(": copy the whole link, or ask for a new one"),
            Code::INVITE_FOR_OTHER => f.write_str(": join under the name that it was made for"),
            Code::TRIES_TOO_MANY => write!(f, " in {} s", self.detail.max(1)),
            _ if self.detail != 0 => write!(f, " (detail {})", self.detail),
            _ => Ok(()),
        }
    }
}

/// Alerts by which the other side says that a check of its own refused us (RFC 8446 §6.2): a record altered, a
/// certificate not believed, a signature wrong.
fn is_refusal(alert: u8) -> bool {
    matches!(alert, 20 | 42..=49 | 51 | 116)
}

#[cfg(test)]
mod tests;
