//! What a gateway notes of one of its doors (mailbox, outgoing mail, advisories): whether it works, and its last error.
//!
//! Security: an error in words may name a server, a folder or a repository. It lies in the store sealed, like everything there
//! that is not a number, an id or a fixed word.

use super::secret::Plaintext;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether a door works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorState {
    /// Nothing was tried yet.
    #[default]
    NeverTried,
    Working,
    Failing,
}

/// The last error at a door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// In words for an admin, as it is logged: no secret, nobody's address.
    pub what: String,
    pub at: Timestamp,
}

/// What was found at one door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorNote {
    /// `mailbox`, `spool`, `outgoing` or `advisories`.
    pub door: String,
    /// The machine of the gateway that found it.
    pub machine: String,
    pub state: DoorState,
    /// Since when it has been in this state.
    pub since: Timestamp,
    pub last_success: Option<Timestamp>,
    pub last_error: Option<LastError>,
    /// When this was written down.
    pub at: Timestamp,
}

impl DoorNote {
    /// For the vault.
    pub fn to_plaintext(&self) -> Plaintext {
        Plaintext::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Taken back from what the vault unsealed; nothing where it is of another version's form.
    pub fn from_plaintext(plain: &Plaintext) -> Option<Self> {
        serde_json::from_slice(plain.expose()).ok()
    }
}
