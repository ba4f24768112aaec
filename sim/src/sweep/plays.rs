//! Counts what the forgeries and the scenes come to beside what happens in the worlds: each is arranged, and has no
//! seed that could leave it out.

use countersign_core::fault::CloseReason;
use countersign_core::pki::CsrRefusal;
use countersign_core::wire::Code;

use crate::forge::{self, Forgery, Heard, Reason};
use crate::scenes;
use crate::story::kinds;
use crate::story::tally::Tally;

/// Tries every forgery, and counts each door at which it was refused, the reason, and what the forger was told. What
/// went wrong.
pub fn forgeries(tally: &mut Tally) -> Vec<String> {
    let report = forge::run(forge::SEED);
    let all = forge::controls().iter().chain(forge::catalogue());
    let mut wrong = Vec::new();
    for (forgery, (name, result)) in all.zip(&report.rows) {
        match result {
            // What was seen at each door is what the catalogue says, or it would be an error.
            Ok(_) => count(forgery, tally),
            Err(error) => wrong.push(format!("forgery {name}: {error}")),
        }
    }
    wrong
}

fn count(forgery: &Forgery, tally: &mut Tally) {
    for (door, verdict) in &forgery.tries {
        match verdict.reason {
            Reason::Passed => tally.add("honest one passed at", door.to_string()),
            Reason::Fault(_)
            | Reason::Parted(_)
            | Reason::Csr(_)
            | Reason::Enrol(_)
            | Reason::NotRenewed(_)
            | Reason::Name(_)
            | Reason::Answer(_)
            | Reason::Call(_)
            | Reason::Closed(_)
            | Reason::Tunnelled(_)
            | Reason::Unmoved => tally.add("forgery refused at", door.to_string()),
        }
        match verdict.reason {
            Reason::Fault(fault) => tally.reason(CloseReason::Fault(fault)),
            Reason::Parted(code) => tally.reason(CloseReason::Ours(code)),
            Reason::Csr(refusal) => {
                let binding = refusal == CsrRefusal::Binding;
                tally.code(if binding { Code::BINDING_REFUSED } else { Code::CSR_REFUSED });
                tally.add("certificate request", kinds::csr_refusal(refusal));
            }
            Reason::NotRenewed(code) => tally.code(code),
            Reason::Name(_) => tally.code(Code::NAME_INVALID),
            Reason::Enrol(refusal) => tally.code(refusal.code()),
            Reason::Answer(refusal) => tally.add("certificate", kinds::cert_refusal(refusal)),
            Reason::Call(end) => tally.ended(end),
            Reason::Closed(reason) => tally.reason(reason),
            Reason::Tunnelled(end) => tally.moved(Some(end)),
            Reason::Passed | Reason::Unmoved => {}
        }
        match verdict.heard {
            Heard::Nothing => {}
            Heard::Alert(number) => tally.add("alert", number.to_string()),
            Heard::Goodbye(code) => tally.code(code),
        }
    }
}

/// Plays every scene, and counts those that ended as they may. What went wrong.
pub fn scenes(tally: &mut Tally) -> Vec<String> {
    let mut wrong = Vec::new();
    for scene in scenes::scenes() {
        match scene.play() {
            Ok(_) => tally.add("scene", scene.name),
            Err(error) => wrong.push(format!("scene {}: {error}", scene.name)),
        }
    }
    wrong
}
