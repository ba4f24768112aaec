//! Decides which byte of a run is damaged, if one is.

use std::fmt;
use std::str::FromStr;

/// One damaged byte: on which connection, in which direction, at which offset from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The connection, counted from 1 in the order in which they reached the relay; direct ones are counted apart, from
    /// 2^32 on.
    pub conn: u64,
    /// Whether the byte travels to the relay, or the device that listens, or else to the device that dialled.
    pub to_relay: bool,
    /// The byte, counted from 0 over the direction's whole life.
    pub offset: u64,
}

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.conn, if self.to_relay { "relay" } else { "device" }, self.offset)
    }
}

impl FromStr for Flip {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let (Some(conn), Some(to), Some(offset), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let to_relay = match to {
            "relay" => true,
            "device" => false,
            _ => return Err(()),
        };
        Ok(Self { conn: conn.parse().map_err(drop)?, to_relay, offset: offset.parse().map_err(drop)? })
    }
}
