//! What can be said in a conversation.
//!
//! What is about another message names it by its number. Whose that is, and whether it may be changed by who says so, is looked at
//! where history is kept: whoever wrote a message edits it and takes it back, with any of their devices, and nobody else.

use serde::{Deserialize, Serialize};

use super::contract::NotSent;
use crate::id::MessageId;
use crate::limits::{REACTION_BYTES_MAX, TEXT_BYTES_MAX};

/// See the module. Later kinds come at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Saying {
    /// A text of 1 byte to [`TEXT_BYTES_MAX`].
    Text(String),
    /// A text that answers another message.
    Reply {
        /// Which.
        to: MessageId,
        /// What.
        text: String,
    },
    /// Another message says this instead.
    Edit {
        /// Which.
        of: MessageId,
        /// What.
        text: String,
    },
    /// Another message is taken back.
    Redact {
        /// Which.
        of: MessageId,
    },
    /// A sign at another message.
    React {
        /// Which.
        to: MessageId,
        /// What: a word or an emoji of 1 to [`REACTION_BYTES_MAX`] bytes.
        with: String,
        /// Whether it is put there, or taken away again.
        on: bool,
    },
}

impl From<String> for Saying {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Saying {
    /// What of it is text, if any is.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Reply { text, .. } | Self::Edit { text, .. } => Some(text),
            Self::Redact { .. } | Self::React { .. } => None,
        }
    }

    /// The message that it is about, if it is about one.
    pub fn about(&self) -> Option<MessageId> {
        match self {
            Self::Text(_) => None,
            Self::Reply { to: id, .. }
            | Self::Edit { of: id, .. }
            | Self::Redact { of: id }
            | Self::React { to: id, .. } => Some(*id),
        }
    }

    /// Whether it is of a size that is sent.
    pub fn fits(&self) -> Result<(), NotSent> {
        match self {
            Self::Text(text) | Self::Reply { text, .. } | Self::Edit { text, .. } => {
                if (1..=TEXT_BYTES_MAX).contains(&text.len()) { Ok(()) } else { Err(NotSent::Length) }
            }
            Self::Redact { .. } => Ok(()),
            Self::React { with, .. } => {
                if (1..=REACTION_BYTES_MAX).contains(&with.len()) {
                    Ok(())
                } else {
                    Err(NotSent::Reaction)
                }
            }
        }
    }
}
