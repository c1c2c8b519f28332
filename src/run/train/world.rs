//! Where a training takes place: a closed-form world, or the session that trades live.

use serde::{Deserialize, Serialize};

use super::spec::ModelWorld;
use crate::env::reward::RewardSpec;
use crate::env::session::Varied;
use crate::learn::apprentice::Lessons;
use crate::signal::observation::Schema;

/// `[world]`; `kind` is `exact` (the default), `sim` or `recorded`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table", into = "toml::Table")]
pub enum World {
    /// A closed-form world, whose optimum is known.
    Exact(ModelWorld),
    /// The session in a simulated market, which reacts.
    Sim(Box<SessionWorld>),
    /// The session on recordings, with the paper exchange.
    Recorded(Box<SessionWorld>),
}

/// The session with the agent in the strategy's chair. Fills, fees, risk, quoting and signals are the configuration's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionWorld {
    /// `sim`: the market, `demo`, another of `config/sim`, or a file like them.
    pub market: Option<String>,
    /// `sim`: what is traded there, `VENUE:SYMBOL`; the configuration's first instrument without it.
    pub instrument: Option<String>,
    /// `recorded`: sessions, by name or folder, in the order of time. The first instrument of each is traded.
    #[serde(default)]
    pub sessions: Vec<String>,
    /// `recorded`: walks forward so often: of K + 1 equal parts of time, policy k learns on the first k and is judged on the
    /// next.
    #[serde(default = "one")]
    pub folds: usize,
    /// `recorded`: left out between what is learnt from and what is judged on, seconds: until a profit is known.
    #[serde(default)]
    pub purge_s: f64,
    /// `recorded`: left out besides, seconds; what estimators look back on without it.
    pub embargo_s: Option<f64>,
    /// Configuration laid over the one in force, as `--set`.
    #[serde(default)]
    pub set: Vec<String>,
    /// Length of an episode, seconds from its first question.
    pub episode_s: f64,
    /// Whether nothing that follows an episode is worth anything (`reward.terminal` is charged then); else it is only cut there.
    #[serde(default)]
    pub over: bool,
    /// Whether answers have four numbers, so that the policy may hold and flatten.
    #[serde(default)]
    pub hold_and_flatten: bool,
    /// Looks of all copies together after which mean and spread of what is seen stand.
    #[serde(default = "many_looks")]
    pub normalise_looks: u64,
    /// `sim`: seeds a policy is judged on while it learns; no other judge uses them.
    #[serde(default = "eight")]
    pub judge_seeds: usize,
    /// `sim`: how long it is judged in each, seconds.
    #[serde(default = "ten_minutes")]
    pub judge_s: f64,
    /// Whether judges' episodes differ as `vary` says, at its widest and the same for every policy; else nothing is varied there.
    #[serde(default)]
    pub judge_varied: bool,
    /// What is seen: a list of features, or the standard ones for inventories up to `inventory_orders_max`.
    pub observation: Option<Schema>,
    /// Inventory that counts as full in the standard observation, order amounts.
    #[serde(default = "ten_orders")]
    pub inventory_orders_max: f64,
    /// Keys of a policy (`strategies/README.md`): the quotes that its answers move, and how far; or between which `depths` they quote.
    pub quotes: toml::Table,
    /// How it is paid.
    #[serde(default)]
    pub reward: RewardSpec,
    /// What differs from episode to episode.
    #[serde(default)]
    pub vary: Varied,
    /// Shows the policy the quotes it moves before it learns to move them: behaviour cloning.
    pub lessons: Option<Lessons>,
}

fn one() -> usize {
    1
}

fn many_looks() -> u64 {
    20_000
}

fn eight() -> usize {
    8
}

fn ten_minutes() -> f64 {
    600.0
}

fn ten_orders() -> f64 {
    10.0
}

impl SessionWorld {
    fn check(&self, is_recorded: bool) -> Result<(), String> {
        let positive = [
            ("episode_s", self.episode_s),
            ("judge_s", self.judge_s),
            ("inventory_orders_max", self.inventory_orders_max),
        ];
        if let Some((key, found)) = positive.into_iter().find(|(_, x)| !(x.is_finite() && *x > 0.0 && *x <= 1e7)) {
            return Err(format!("world.{key} = {found}; it must be above 0"));
        }
        let gaps = [("purge_s", self.purge_s), ("embargo_s", self.embargo_s.unwrap_or(0.0))];
        if let Some((key, found)) = gaps.into_iter().find(|(_, s)| !(0.0..=1e7).contains(s)) {
            return Err(format!("world.{key} = {found}; it must be 0 to 10000000"));
        }
        if !(1..=1_000).contains(&self.folds) || !(2..=100_000).contains(&self.judge_seeds) {
            return Err("world: folds is 1 to 1000, judge_seeds 2 to 100000".to_owned());
        }
        if let Some(Lessons { learning_rate, .. }) = self.lessons
            && !(learning_rate > 0.0 && learning_rate <= 1.0)
        {
            return Err(format!("world.lessons.learning_rate = {learning_rate}; it must be above 0, at most 1"));
        }
        let said = |what: &str| Err(format!("world: {what}"));
        if self.lessons.is_some() && self.quotes.contains_key("depths") {
            return said("lessons show the quotes that answers move; with quotes.depths they move none");
        }
        match is_recorded {
            true if self.sessions.is_empty() => said("kind = \"recorded\" needs sessions = [\"NAME\", …]"),
            true if self.market.is_some() || self.instrument.is_some() => {
                said("market and instrument belong to kind = \"sim\"")
            }
            true if self.vary.changes_market() => {
                said("a recording does not react: of vary only fees, latency, observation_noise and queue can be")
            }
            false if !self.vary.queue.is_empty() => {
                said("vary.queue belongs to kind = \"recorded\": in a simulated market we stand in line")
            }
            false if self.market.is_none() => said("kind = \"sim\" needs market = \"demo\", another name or a file"),
            false if !self.sessions.is_empty() => said("sessions belong to kind = \"recorded\""),
            false if self.folds > 1 => {
                said("folds belong to kind = \"recorded\": a simulated market has new seeds instead")
            }
            true | false => self.vary.check(),
        }
    }

    /// What is seen.
    pub fn schema(&self) -> Result<Schema, String> {
        match &self.observation {
            Some(schema) => Ok(schema.clone()),
            None => Schema::standard(self.inventory_orders_max).map_err(|e| e.to_string()),
        }
    }

    /// Numbers in an answer.
    pub fn outputs(&self) -> usize {
        if self.hold_and_flatten { 4 } else { 2 }
    }
}

impl World {
    /// The session, if that is the world.
    pub fn session(&self) -> Option<&SessionWorld> {
        match self {
            World::Exact(_) => None,
            World::Sim(world) | World::Recorded(world) => Some(world),
        }
    }

    /// The closed-form world, if it is one.
    pub fn exact(&self) -> Option<&ModelWorld> {
        match self {
            World::Exact(world) => Some(world),
            World::Sim(_) | World::Recorded(_) => None,
        }
    }

    /// Errors if something in it cannot be.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            World::Exact(world) => world.seat().check().map_err(|e| e.to_string()),
            World::Sim(world) => world.check(false),
            World::Recorded(world) => world.check(true),
        }
    }
}

impl TryFrom<toml::Table> for World {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        let kind = table.remove("kind");
        let kind = kind.as_ref().map_or(Some("exact"), toml::Value::as_str).unwrap_or_default();
        let said = |e: toml::de::Error| format!("world: {}", e.message());
        match kind {
            "exact" => table.try_into().map(World::Exact).map_err(said),
            "sim" => table.try_into().map(|world| World::Sim(Box::new(world))).map_err(said),
            "recorded" => table.try_into().map(|world| World::Recorded(Box::new(world))).map_err(said),
            _ => Err("world.kind is one of exact, sim, recorded".to_owned()),
        }
    }
}

impl From<World> for toml::Table {
    fn from(world: World) -> Self {
        let (kind, table) = match &world {
            World::Exact(world) => (None, toml::Table::try_from(world)),
            World::Sim(world) => (Some("sim"), toml::Table::try_from(world)),
            World::Recorded(world) => (Some("recorded"), toml::Table::try_from(world)),
        };
        let mut table = table.expect("plain numbers and names");
        if let Some(kind) = kind {
            table.insert("kind".to_owned(), kind.into());
        }
        table
    }
}
