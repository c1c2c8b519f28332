//! A bot that runs for weeks ends its recording now and then, and goes on in a new one.
//!
//! One recording of weeks could not be thinned out: what is left of it would prove nothing. Several can, the oldest first. So
//! after `session.roll_s` the session is stopped as if by an operator (its orders are cancelled and confirmed, its end is
//! recorded and sealed), and the next one begins with what it held, what it was told to do and the books as they stood. The
//! connections, the page and its token stay. Until the strategy has warmed up again nothing is quoted.

use std::path::Path;

use tracing::{error, info};

use super::bracket::{self, Bracket};
use super::core::Core;
use super::prepare;
use crate::dashboard::Contact;
use crate::digest::Digest;
use crate::engine::{Command, Input, Session, SessionSpec};
use crate::feed::Heard;
use crate::journal::{JournalError, Manifest, Options, Store};
use crate::market::InstrumentId;
use crate::units::{LocalTime, Nanos};

/// How long the last cancellations may take to be confirmed.
pub const LAST_ORDERS: Nanos = Nanos::from_s(3);
/// For so long a session that has stopped waits for what it holds back from being handed over.
const WAIT_MAX: Nanos = Nanos::from_s(60);

/// When to go on in a new recording, and how.
pub struct Roller {
    store: Store,
    options: Options,
    /// The session of which all others go on.
    spec: SessionSpec,
    config_digest: Digest,
    has_bracket: bool,
    /// Zero: never.
    every: Nanos,
    due: LocalTime,
    /// The name that was asked for; else one is made of the date.
    named: Option<String>,
    profile: String,
    /// How the verbs find the bot, which says what it runs.
    contact: Option<Contact>,
    under_way: Option<Stopped>,
}

/// A session that has been stopped to go on in another.
struct Stopped {
    since: LocalTime,
    /// What operators asked for meanwhile: it is for the next session.
    asked: Vec<Heard>,
}

/// What a roller has to know.
pub struct Plan {
    /// Where recordings are.
    pub store: Store,
    /// How they are cut.
    pub options: Options,
    /// Of the first session.
    pub spec: SessionSpec,
    /// Of the configuration.
    pub config_digest: Digest,
    /// Whether shadows run beside it.
    pub has_bracket: bool,
    /// How long a recording gets; zero never ends one.
    pub every: Nanos,
    /// The name that was asked for.
    pub named: Option<String>,
    /// In names made of the date.
    pub profile: String,
    /// How the verbs find the bot.
    pub contact: Option<Contact>,
}

impl Roller {
    /// From the first session's beginning on.
    pub fn new(plan: Plan, now: LocalTime) -> Self {
        let Plan { store, options, spec, config_digest, has_bracket, every, named, profile, contact } = plan;
        let due = now + every;
        Self { store, options, spec, config_digest, has_bracket, every, due, named, profile, contact, under_way: None }
    }

    /// Whether the session has been stopped to go on in another.
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Stops the session if its time has come and everything can be handed over.
    pub fn begin(&mut self, core: &mut Core, now: LocalTime) -> Result<(), JournalError> {
        if self.every == Nanos::ZERO || now < self.due || self.is_under_way() || !core.session().can_hand_over() {
            return Ok(());
        }
        self.under_way = Some(Stopped { since: now, asked: Vec::new() });
        core.take(now, Input::Command { by: "roll".to_owned(), command: Command::Stop })
    }

    /// Keeps back what is for the next session; the end of all is not.
    pub fn keep_back(&mut self, heard: Heard) -> Option<Heard> {
        let is_for_the_next = match &heard.input {
            Input::Command { command, .. } => *command != Command::Stop,
            Input::Market(_) | Input::Feed(_) | Input::Tick | Input::Report(_) => false,
        };
        match &mut self.under_way {
            Some(stopped) if is_for_the_next => {
                stopped.asked.push(heard);
                None
            }
            Some(_) | None => Some(heard),
        }
    }

    /// Goes on once the stopped session is quiet; says what has ended.
    pub fn go_on(&mut self, core: &mut Core, now: LocalTime, is_quiet: bool) -> Result<Option<Manifest>, JournalError> {
        let Some(stopped) = self.under_way.take_if(|stopped| {
            (is_quiet || now.since(stopped.since) > LAST_ORDERS)
                && (core.session().can_hand_over() || now.since(stopped.since) > WAIT_MAX)
        }) else {
            return Ok(None);
        };
        let spec = self.spec_of(core.session());
        let name = self.name(now);
        let begun = self.prepare(&spec, &name, &core.writer().manifest().id.clone(), now);
        let (strategies, writer, bracket) = match begun {
            Ok(begun) => begun,
            Err(why) => {
                // It is stopped, and nothing can be recorded elsewhere: that is the end, told as what it is.
                error!("the recording cannot go on in {name}: {why}");
                return Err(why);
            }
        };
        core.note(format!("goes on in {name}"));
        let ended = core.roll(&spec, strategies, writer, bracket)?;
        info!("{}: ended, goes on in {name}", ended.id);
        for Heard { at, input } in stopped.asked {
            core.take(at, input)?;
        }
        self.due = now + self.every;
        if let Some(contact) = &mut self.contact {
            contact.session = name;
            // The verbs find the bot by its address; only the name they print would be old.
            if let Err(why) = contact.write(self.store.path()) {
                error!("{why}");
            }
        }
        Ok(Some(ended))
    }

    /// The first session's spec with rules and limits as they are now.
    fn spec_of(&self, session: &Session) -> SessionSpec {
        let mut spec = self.spec.clone();
        for (index, desk) in spec.desks.iter_mut().enumerate() {
            desk.rules = session.rules(InstrumentId(index as u16)).clone();
        }
        spec.risk = session.limits().clone();
        spec
    }

    fn prepare(
        &self,
        spec: &SessionSpec,
        name: &str,
        before: &str,
        now: LocalTime,
    ) -> Result<(crate::strategy::Strategies, crate::journal::Writer, Option<Bracket>), JournalError> {
        let built = "strategies that were built once are built again";
        let mut manifest = Manifest::new(name, spec.clone(), now);
        manifest.config_digest = Some(self.config_digest);
        manifest.notes.push(format!("goes on from {before}"));
        let bracket = if self.has_bracket { Bracket::new(spec).expect(built) } else { None };
        if bracket.is_some() {
            manifest.bracket = bracket::planned(spec);
        }
        let writer = self.store.create(name, manifest, self.options)?;
        Ok((prepare::strategies(spec).expect(built), writer, bracket))
    }

    /// `monday`, `monday-2`, `monday-3`; or one made of the date.
    fn name(&self, now: LocalTime) -> String {
        let base = self.named.clone().unwrap_or_else(|| session_name(now, &self.profile));
        let is_free = |name: &String| !self.store.folder(name).exists();
        let numbered = (2_u64..).map(|n| format!("{base}-{n}"));
        std::iter::once(base.clone()).chain(numbered).find(is_free).expect("numbers do not end")
    }

    /// The store's folder.
    pub fn store(&self) -> &Path {
        self.store.path()
    }
}

/// `20261121-093000-demo`: sorts by time.
pub fn session_name(now: LocalTime, profile: &str) -> String {
    let utc = jiff::Timestamp::from_nanosecond(i128::from(now.0)).expect("a clock between 1678 and 2262");
    format!("{}-{profile}", utc.strftime("%Y%m%d-%H%M%S"))
}
