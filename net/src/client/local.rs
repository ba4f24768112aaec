//! Decides how programs of one device speak: the one that takes part in its conversations has a socket, and the others bring
//! it their messages.
//!
//! ```text
//! client send --> is the lock free? -- yes --> takes part itself, with a socket of its own meanwhile
//!                                   -- no ---> Hello, wish, Taken, outcome <--> the desk of the one who has it
//! ```
//!
//! - [`place`]: where the socket is; [`protocol`]: what is said over it; [`desk`]: the end of the one who takes part;
//!   [`ask`]: the other end.

pub mod ask;
pub mod desk;
pub mod place;
pub mod protocol;
