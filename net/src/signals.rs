//! Decides what a signal does: the first SIGINT or SIGTERM asks for an end in good order, the second ends at once.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream as Blocking;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use crate::exit::{Exit, Failure};

/// The signals as the loop sees them: bytes in a pipe.
#[derive(Debug)]
pub struct Signals {
    pipe: UnixStream,
}

impl Signals {
    /// Takes over the signals of this process, until it ends.
    pub fn take() -> Result<Self, Failure> {
        Self::try_take().map_err(|error| {
            Failure::failed(format_args!("signals can't be taken over ({error}): raise the limit on open files"))
        })
    }

    fn try_take() -> io::Result<Self> {
        let (reader, writer) = Blocking::pair()?;
        reader.set_nonblocking(true)?;
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and raises it. The second ends the process where it
            // stands, also when the loop no longer turns.
            flag::register_conditional_shutdown(signal, Exit::Failed.number().into(), Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Self { pipe: UnixStream::from_std(reader) })
    }

    /// No signals: what is written to the other end counts as one.
    #[cfg(test)]
    pub(crate) fn pretended() -> io::Result<(Self, Blocking)> {
        let (reader, writer) = Blocking::pair()?;
        reader.set_nonblocking(true)?;
        Ok((Self { pipe: UnixStream::from_std(reader) }, writer))
    }

    /// Puts the signals into the loop.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.pipe, token, Interest::READABLE)
    }

    /// Whether a signal has come since this was last asked.
    pub(crate) fn came(&mut self) -> bool {
        let mut came = false;
        let mut bytes = [0; 16];
        loop {
            match self.pipe.read(&mut bytes) {
                Ok(0) => return came,
                Ok(_) => came = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return came,
            }
        }
    }
}
