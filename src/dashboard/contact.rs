//! How the verbs find the running bot: `<store>/api.json`.
//!
//! Written by the bot when its API listens, readable by its owner only (mode 0600: the token is in it), removed when
//! it ends. A bot that was killed leaves it behind; a reader tells by asking the address, not by trusting the file.

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::Account;

/// Where a running bot listens, and the key to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Always true.
    pub paper: bool,
    /// Of the API.
    pub address: SocketAddr,
    /// Bearer token for writes.
    pub token: String,
    /// Of the process.
    pub pid: u32,
    /// What it runs.
    pub session: String,
}

/// Why there is no contact.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// No bot uses this store.
    #[error("no bot is running on the store {store}")]
    NotRunning {
        /// The store asked.
        store: PathBuf,
    },
    /// One does, and cannot be asked.
    #[error(
        "a bot runs on the store {store} ({holder}) and has no local API: it was started with --no-dashboard, or has \
         not opened it yet"
    )]
    NoApi {
        /// The store asked.
        store: PathBuf,
        /// Which process.
        holder: String,
    },
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The file is there and is not one of ours.
    #[error("{path} is not a contact file: {source}")]
    NotAContact {
        /// Which.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
}

impl Contact {
    /// The file in a store.
    pub fn path(store: &Path) -> PathBuf {
        store.join("api.json")
    }

    /// Writes `<store>/api.json`, replacing one a killed bot left.
    pub fn write(&self, store: &Path) -> Result<(), ContactError> {
        let path = Self::path(store);
        let whole = store.join("api.json.new");
        let fail = |source| ContactError::Io { path: path.clone(), source };
        let text = serde_json::to_string_pretty(self).expect("a contact is plain data");
        match fs::remove_file(&whole) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e)),
            Ok(()) | Err(_) => {}
        }
        // A new file each time: the mode of an old one would stay what it was.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&whole).map_err(fail)?;
        file.write_all(text.as_bytes()).and_then(|()| fs::rename(&whole, &path)).map_err(fail)
    }

    /// What the bot on this store wrote.
    pub fn read(store: &Path) -> Result<Self, ContactError> {
        let path = Self::path(store);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|source| ContactError::NotAContact { path, source }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(match Account::holder(store) {
                Some(holder) => ContactError::NoApi { store: store.to_owned(), holder },
                None => ContactError::NotRunning { store: store.to_owned() },
            }),
            Err(source) => Err(ContactError::Io { path, source }),
        }
    }

    /// Removes the file if it is still this bot's, whatever it runs by now.
    pub fn remove(&self, store: &Path) -> Result<(), ContactError> {
        match Self::read(store) {
            Ok(found) if found.token == self.token => {
                let path = Self::path(store);
                fs::remove_file(&path).map_err(|source| ContactError::Io { path, source })
            }
            Ok(_) | Err(ContactError::NotRunning { .. } | ContactError::NoApi { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

/// The token stays out of logs.
impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contact({} at {}, pid {})", self.session, self.address, self.pid)
    }
}

/// 256 fresh bits from the operating system, in hex: the one use of randomness that must not be repeatable.
pub fn fresh_token() -> io::Result<String> {
    let mut bytes = [0u8; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn contact(session: &str) -> Contact {
        let address = "127.0.0.1:8080".parse().expect("an address");
        Contact { paper: true, address, token: format!("secret of {session}"), pid: 7, session: session.to_owned() }
    }

    #[test]
    fn only_its_owner_can_read_the_token_even_where_an_open_file_stood() {
        let store = tempfile::tempdir().expect("a folder");
        let path = Contact::path(store.path());
        fs::write(&path, "{}").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened up");
        contact("a").write(store.path()).expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(Contact::read(store.path()).expect("read"), contact("a"));
    }

    #[test]
    fn an_empty_store_says_that_nobody_runs() {
        let store = tempfile::tempdir().expect("a folder");
        assert!(matches!(Contact::read(store.path()), Err(ContactError::NotRunning { .. })));
    }

    #[test]
    fn a_bot_without_an_api_is_not_said_to_be_missing() {
        let store = tempfile::tempdir().expect("a folder");
        let account = Account::open(store.path()).expect("a fresh account");
        let said = Contact::read(store.path()).expect_err("there is no API").to_string();
        let me = format!("process {}", std::process::id());
        assert!(said.contains("a bot runs") && said.contains(&me) && said.contains("--no-dashboard"), "{said}");
        drop(account);
        assert!(matches!(Contact::read(store.path()), Err(ContactError::NotRunning { .. })));
    }

    #[test]
    fn a_bot_that_ends_does_not_remove_its_successors_contact() {
        let store = tempfile::tempdir().expect("a folder");
        contact("new").write(store.path()).expect("written");
        contact("old").remove(store.path()).expect("left alone");
        assert_eq!(Contact::read(store.path()).expect("still there").session, "new");
        contact("new").remove(store.path()).expect("removed");
        assert!(Contact::read(store.path()).is_err());
    }

    #[test]
    fn tokens_are_long_and_never_alike() {
        let (a, b) = (fresh_token().expect("bits"), fresh_token().expect("bits"));
        assert!(a.len() == 64 && a != b && !format!("{:?}", contact("s")).contains("secret"));
    }
}
