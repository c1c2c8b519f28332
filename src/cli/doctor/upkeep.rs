//! What a bot needs that runs for weeks: room, somebody to tell, a log, and whether the one that runs is well.

use super::{Check, Verdict};
use crate::cli::block_on;
use crate::config::Settings;
use crate::config::settings::ReceiverSettings;
use crate::dashboard::{Client, ClientError, ContactError};
use crate::feed::wall_clock;
use crate::journal::Store;
use crate::run::alerts::receiver::Address;
use crate::run::retention::{self, Bounds};
use crate::run::room::free_bytes;

/// Sockets, segments and clients of the page each take one.
const FILES_WANTED: u64 = 1_024;

/// All of them.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    let mut found = vec![room(settings)];
    found.extend(log(settings));
    found.extend(alerts(settings));
    found.extend(files());
    found.extend(running(settings));
    found
}

/// How much the store holds, and what of it would go.
fn room(settings: &Settings) -> Check {
    let (name, store) = ("room", Store::open(&settings.store.path));
    let bounds = Bounds::from(&settings.store);
    let found = match store.sessions() {
        Ok(found) => found,
        Err(e) => return Check::fail(name, e.to_string(), "the store must be readable"),
    };
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let held: u64 = found.iter().map(|s| s.bytes + s.index_bytes).sum();
    let going = retention::plan(&found, &bounds, free_bytes(super::nearest_existing(store.path())), wall_clock());
    let going: u64 = going.iter().map(|farewell| farewell.bytes).sum();
    let detail = format!("{:.1} MB in {} sessions, {:.1} MB of it due to go", mb(held), found.len(), mb(going));
    if bounds.keep_days == 0 && bounds.keep_bytes == 0 && bounds.free_bytes == 0 {
        let detail = format!("{:.1} MB in {} sessions, and none ever goes", mb(held), found.len());
        return Check {
            verdict: Verdict::Ok,
            ..Check::warn(name, detail, "store.keep_days, store.keep_mib or store.disk_free_keep_mib bounds it")
        };
    }
    Check::ok(name, detail)
}

/// Whether the log's file can be written.
fn log(settings: &Settings) -> Option<Check> {
    let path = settings.log.file.as_ref()?;
    let tried = std::fs::OpenOptions::new().append(true).create(true).open(path);
    Some(match tried {
        Ok(_) => Check::ok("log", format!("{} is writable", path.display())),
        Err(e) => {
            Check::fail("log", format!("log.file: {}: {e}", path.display()), "`--set log.file=PATH` logs elsewhere")
        }
    })
}

/// Whether every receiver's address is found. Nothing is sent.
fn alerts(settings: &Settings) -> Vec<Check> {
    let name = "alerts";
    let one = |(to, receiver): (&String, &ReceiverSettings)| match Address::find(to, receiver, &settings.alerts) {
        Ok(_) => Check::ok(name, format!("{to}: its address is found; `papermaker alerts test` tries it")),
        Err(e) => Check::fail(name, e.to_string(), "config/README.md tells where addresses are found"),
    };
    settings.alerts.to.iter().map(one).collect()
}

/// Whether there are files and sockets enough.
fn files() -> Option<Check> {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    let detail = format!("{most} files and sockets may be open");
    Some(match most < FILES_WANTED {
        true => Check::warn("files", detail, "`ulimit -n 4096` before it starts, LimitNOFILE= in its unit"),
        false => Check::ok("files", detail),
    })
}

/// Whether the bot on this store, if there is one, is well.
fn running(settings: &Settings) -> Option<Check> {
    let name = "bot";
    let client = match Client::of_store(&settings.store.path) {
        Ok(client) => client,
        Err(ClientError::Contact(ContactError::NotRunning { .. })) => return None,
        Err(e @ ClientError::Contact(ContactError::NoApi { .. })) => {
            return Some(Check::warn(name, e.to_string(), e.hint()));
        }
        Err(e) => return Some(Check::fail(name, e.to_string(), e.hint())),
    };
    let session = client.contact().session.clone();
    Some(match block_on(client.health()).map_err(|failure| failure.to_string()) {
        Ok(Ok(answer)) if answer["ok"] == true => Check::ok(name, format!("{session} runs and is well")),
        Ok(Ok(answer)) => {
            let why = if answer["reasons"].is_array() { &answer["reasons"] } else { &answer["error"] };
            Check::fail(
                name,
                format!("{session} is not well: {why}"),
                "config/README.md explains the codes; `papermaker status` shows more",
            )
        }
        Ok(Err(e)) => Check::warn(name, e.to_string(), e.hint()),
        Err(e) => Check::warn(name, e, "the runtime did not start"),
    })
}
