//! Decides what a signal does: the first asks for an end in good order, which takes the server and its folder along.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::{Exit, Failure};

/// Whether a signal has come.
#[derive(Clone, Debug)]
pub(super) struct Halt(Arc<AtomicBool>);

impl Halt {
    /// Takes over the signals of this process, until it ends.
    pub(super) fn take() -> Result<Self, Failure> {
        let halt = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first finds the flag down and raises it, the second ends the process where it stands.
            flag::register_conditional_shutdown(signal, Exit::Failed.number().into(), Arc::clone(&halt))
                .and_then(|_| flag::register(signal, Arc::clone(&halt)))
                .map_err(|error| Failure::failed(format_args!("signals can't be taken over ({error})")))?;
        }
        Ok(Self(halt))
    }

    /// Fails once one has come.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::Relaxed) { Err(Failure::failed("ended by a signal")) } else { Ok(()) }
    }
}
