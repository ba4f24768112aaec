//! Decides what SIGINT and SIGTERM do: the first asks for an end in good order, the second ends at once.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::exit::{Exit, Failure};

/// Both signals, as the loop sees them.
#[derive(Debug)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
    seen: bool,
    pipe: mio::net::UnixStream,
}

impl Interrupt {
    /// Takes the signals over; they wake the loop under `token`.
    pub fn install(registry: &Registry, token: Token) -> Result<Self, Failure> {
        Self::try_install(registry, token)
            .map_err(|error| Failure::failed(format_args!("signals can't be taken over ({error}): try again")))
    }

    fn try_install(registry: &Registry, token: Token) -> std::io::Result<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and raises it, the second finds it up.
            flag::register_conditional_shutdown(signal, Exit::Failed.number().into(), raised.clone())?;
            flag::register(signal, raised.clone())?;
            low_level::pipe::register(signal, write.try_clone()?)?;
        }
        let mut pipe = mio::net::UnixStream::from_std(read);
        registry.register(&mut pipe, token, Interest::READABLE)?;
        Ok(Self { raised, seen: false, pipe })
    }

    /// Whether an end was asked for; true once.
    pub fn take(&mut self) -> bool {
        let mut bytes = [0; 16];
        while self.pipe.read(&mut bytes).is_ok_and(|n| n > 0) {}
        let first = !self.seen && self.raised.load(Ordering::SeqCst);
        self.seen |= first;
        first
    }
}
