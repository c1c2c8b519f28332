//! Sessions to learn in and to be judged in, put together from a training's `[world]` and the configuration.
//!
//! A policy is judged by what it earns above the quotes it moves, on episodes that it never learns from: other seeds of the market, or the
//! part of the recordings that follows, with a gap between. Both live the same episodes, so differences are paired.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::spec::{TrainError, TrainSpec};
use super::world::{SessionWorld, World};
use crate::config::{Loaded, Sources, load, market};
use crate::digest::{Digest, of_state};
use crate::env::Ended;
use crate::env::session::{Chair, Episode, Ground, NoChair, Tape, Terms, Varied};
use crate::journal::{Reader, Store};
use crate::learn::apprentice::{Pupil, Squash};
use crate::metrics::Plan;
use crate::metrics::bootstrap::{Interval, interval_of_groups};
use crate::metrics::cross_validation::{Gaps, walk_forward};
use crate::run::prepare;
use crate::run::simulate::listed;
use crate::signal::observation::Scale;
use crate::strategy::mlp::Mlp;
use crate::units::Nanos;

/// Seeds that policies are judged on while they learn begin here: `evaluate` counts its own from 1, training draws from 2³² on.
const JUDGES_FROM: u64 = 1_000_001;

/// Seed of what is watched once a policy is made.
const WATCHED: u64 = 1 << 41;

/// One part of a training: where to learn, and where to be judged.
pub(super) struct Stage {
    /// Fold of a walk forward, from 1.
    pub fold: usize,
    pub terms: Arc<Terms>,
    /// What there is to judge by.
    judging: Arc<Terms>,
    episodes: Vec<Episode>,
    /// Episodes of one group follow each other on a recording; seeds of a market are one group, and know nothing of each other.
    groups: Vec<usize>,
    /// What the quotes that are moved, or GLFT's, earn in each, quote currency.
    unmoved: Vec<f64>,
    /// Where it all comes from: names and digests.
    pub data: Vec<String>,
    /// Of all that decides what is learnt, besides the training's file.
    pub digest: Digest,
    /// Recordings: nanoseconds of our clock from which on nothing was learnt from, embargo counted in.
    pub learnt_until: Option<i64>,
}

/// How good a policy is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Worth {
    /// What it earned above the quotes it moves, or GLFT's, quote currency an episode.
    pub above: Interval,
    /// The same of the worst twentieth of episodes, at least one.
    pub worst: f64,
    /// What it earned, mean an episode.
    pub pnl: f64,
}

/// What a policy saw and did, for whoever watches whether live is still what it learnt: sessions in order of time, a row per answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched {
    /// `[rows][inputs + outputs]` each: what the network saw (normalised), then what it said.
    pub runs: Vec<Vec<f32>>,
    /// Numbers in a row.
    pub columns: usize,
}

impl Stage {
    /// The stages of a training: one, or one a fold. Lives the judges' episodes once.
    pub fn all(spec: &TrainSpec, sources: &Sources, threads: usize) -> Result<Vec<Self>, TrainError> {
        let Some(world) = spec.world.session() else { return Ok(Vec::new()) };
        let mut sources = sources.clone();
        sources.sets.extend(world.set.iter().cloned());
        let said = |e: &dyn std::fmt::Display| TrainError::World(e.to_string());
        let loaded = load(&sources).map_err(|e| said(&e))?;
        let mut stages = match &spec.world {
            World::Sim(world) => vec![in_market(world, &sources, &loaded)?],
            World::Recorded(world) => on_recordings(world, &loaded)?,
            World::Exact(_) => Vec::new(),
        };
        for stage in &mut stages {
            let outputs = stage.terms.outputs;
            // Quotes are unmoved at zero, and nobody holds or flattens.
            let still = |_: &[f32], said: &mut [f32]| {
                said.fill(-1.0);
                said[..2.min(outputs)].fill(0.0);
            };
            // Depths move nothing: beside GLFT's own quotes, then.
            let mut unmoved = (*stage.judging).clone();
            unmoved.quotes = without_depths(&unmoved.quotes);
            let lived = stage.live(&Arc::new(unmoved), threads, || still).map_err(|e| said(&e))?;
            // Nothing can be told from episodes in which nobody was asked.
            let each = lived.iter().zip(stage.episodes.iter().zip(&stage.groups));
            let told = each.filter_map(|(pnl, (episode, group))| pnl.map(|pnl| (pnl, (*episode, *group))));
            (stage.unmoved, (stage.episodes, stage.groups)) = told.unzip();
            if stage.episodes.len() < 2 {
                let (asked, all) = (stage.episodes.len(), lived.len());
                return Err(said(&format!(
                    "world: in {asked} of the {all} episodes to be judged by a decision was wanted: estimators stay cold, or the \
                     book is never in step; see [signals]"
                )));
            }
        }
        Ok(stages)
    }

    /// In how many episodes a policy is judged.
    pub fn judges(&self) -> usize {
        self.episodes.len()
    }

    /// What a policy earns in every judge's episode; `None` where nothing was asked.
    ///
    /// * `judging` — the terms it is judged on
    /// * `answer` — makes one who answers: numbers as they are seen, not normalised
    fn live<A: FnMut(&[f32], &mut [f32])>(
        &self,
        judging: &Arc<Terms>,
        threads: usize,
        answer: impl Fn() -> A + Sync,
    ) -> Result<Vec<Option<f64>>, NoChair> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(episode) = self.episodes.get(n) else { return Ok::<_, NoChair>(done) };
                done.push((n, self.earn(judging, *episode, &mut answer())?));
            }
        };
        let parts = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
            let mut parts = vec![work()];
            parts.extend(others.into_iter().map(|other| other.join().expect("a session does not panic")));
            parts
        });
        let mut all = Vec::new();
        for part in parts {
            all.extend(part?);
        }
        all.sort_unstable_by_key(|(n, _)| *n);
        Ok(all.into_iter().map(|(_, pnl)| pnl).collect())
    }

    fn earn(
        &self,
        judging: &Arc<Terms>,
        episode: Episode,
        answer: &mut impl FnMut(&[f32], &mut [f32]),
    ) -> Result<Option<f64>, NoChair> {
        let mut chair = Chair::new(judging, 0, 0)?;
        let (mut row, mut said) = (vec![0.0; self.terms.schema.features().len()], vec![0.0; self.terms.outputs]);
        match chair.begin_in(episode, &mut row) {
            Err(NoChair::Silent(_)) => return Ok(None),
            begun => begun?,
        }
        let mut pnl = 0.0;
        loop {
            answer(&row, &mut said);
            let stepped = chair.step_only(&said, &mut row);
            pnl += stepped.reward.profit;
            if stepped.ended != Ended::No {
                return Ok(Some(pnl));
            }
        }
    }

    /// How good a policy is in the judges' episodes.
    pub fn judge(&self, pupil: &Pupil, scale: &Scale, threads: usize) -> Result<Worth, String> {
        let network = pupil.network().map_err(|e| e.to_string())?;
        let earned =
            self.live(&self.judging, threads, || player(&network, pupil.squash, scale)).map_err(|e| e.to_string())?;
        // Whether it is asked does not depend on what it would say.
        let earned: Vec<f64> = earned.into_iter().flatten().collect();
        let above: Vec<f64> = earned.iter().zip(&self.unmoved).map(|(own, its)| own - its).collect();
        let mean = |xs: &[f64]| Some(xs.iter().sum::<f64>() / xs.len() as f64);
        let mut sorted = above.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let worst = mean(&sorted[..sorted.len().div_ceil(20)]).unwrap_or_default();
        // Seeds know nothing of each other: blocks of one. What follows on a recording does: blocks as long as it takes.
        let block = self.learnt_until.is_none().then_some(1.0);
        let plan = Plan { resamples: 2_000, block, ..Plan::default() };
        let each = self.groups.chunk_by(|a, b| a == b).scan(0, |from, group| {
            *from += group.len();
            Some(&above[*from - group.len()..*from])
        });
        let above = interval_of_groups(&each.collect::<Vec<_>>(), &plan, mean).ok_or("nothing to judge by")?;
        Ok(Worth { above, worst, pnl: mean(&earned).unwrap_or_default() })
    }

    /// What a policy sees and does in `runs` stretches of `rows` answers each, in episodes like those it learnt in.
    pub fn watch(&self, pupil: &Pupil, scale: &Scale, runs: usize, rows: usize) -> Result<Watched, String> {
        let network = pupil.network().map_err(|e| e.to_string())?;
        let (inputs, outputs) = (network.inputs(), network.outputs());
        let mut watched = Watched { runs: Vec::new(), columns: inputs + outputs };
        for run in 0..runs {
            // When its ranges, if it has any, were open.
            let mut chair = Chair::new(&self.terms, WATCHED, run).map_err(|e| e.to_string())?.after(1 << 62);
            let (mut row, mut last, mut said) = (vec![0.0; inputs], vec![0.0; inputs], vec![0.0; outputs]);
            chair.begin(&mut row).map_err(|e| e.to_string())?;
            let mut answer = player(&network, pupil.squash, scale);
            let mut seen = Vec::with_capacity(rows * watched.columns);
            for _ in 0..rows {
                answer(&row, &mut said);
                let at = seen.len();
                seen.extend_from_slice(&row);
                scale.apply(&mut seen[at..]);
                seen.extend_from_slice(&said);
                chair.step(&said, &mut row, &mut last);
            }
            watched.runs.push(seen);
        }
        Ok(watched)
    }
}

impl Watched {
    /// As a table: the run and its row, then a column per feature and per number of an answer.
    pub fn to_csv(&self, features: &[crate::signal::observation::Feature]) -> String {
        let quoted = features.iter().map(|feature| format!("\"{feature}\""));
        let answers = (features.len()..self.columns).map(|n| format!("answer {}", n - features.len()));
        let head: Vec<String> = quoted.chain(answers).collect();
        let mut text = format!("run,row,{}\n", head.join(","));
        for (run, rows) in self.runs.iter().enumerate() {
            for (n, row) in rows.chunks_exact(self.columns).enumerate() {
                let numbers: Vec<String> = row.iter().map(ToString::to_string).collect();
                text.push_str(&format!("{run},{n},{}\n", numbers.join(",")));
            }
        }
        text
    }
}

/// A policy as it plays live: normalised, asked, squashed if that is its way; what is cut is cut by whoever acts.
fn player<'a>(network: &'a Mlp, squash: Squash, scale: &'a Scale) -> impl FnMut(&[f32], &mut [f32]) + use<'a> {
    let (mut work, mut row) = (vec![0.0; network.work_len()], vec![0.0; network.inputs()]);
    move |seen, said| {
        row.copy_from_slice(seen);
        scale.apply(&mut row);
        network.forward(&row, &mut work, said);
        if squash == Squash::Tanh {
            said.iter_mut().for_each(|x| *x = squash.apply(*x));
        }
    }
}

fn seconds(s: f64) -> Nanos {
    Nanos((s * 1e9) as i64)
}

fn wrong(e: impl std::fmt::Display) -> TrainError {
    TrainError::World(e.to_string())
}

fn terms(world: &SessionWorld, session: crate::engine::SessionSpec, ground: Ground) -> Result<Terms, TrainError> {
    Ok(Terms {
        session,
        ground,
        quotes: toml::to_string(&world.quotes).map_err(wrong)?,
        schema: world.schema().map_err(wrong)?,
        outputs: world.outputs(),
        reward: world.reward,
        episode: seconds(world.episode_s),
        is_over: world.over,
        varied: world.vary.clone(),
    })
}

/// Terms to judge by: nothing varied unless that is asked for, and no reward but profit.
fn judging(world: &SessionWorld, terms: &Terms, episode: Nanos, ground: Ground) -> Terms {
    let varied = if world.judge_varied { terms.varied.clone() } else { Varied::default() };
    Terms { ground, episode, varied, ..terms.clone() }
}

/// Keys of a policy whose answers of zero are GLFT's quotes.
fn without_depths(quotes: &str) -> String {
    let mut table: toml::Table = quotes.parse().expect("the chair has read it");
    table.remove("depths");
    toml::to_string(&table).expect("plain numbers and names")
}

/// Whatever a strategy is called in the chair's spec: a place for the agent.
const CHAIR: &str = "";

fn in_market(world: &SessionWorld, sources: &Sources, loaded: &Loaded) -> Result<Stage, TrainError> {
    let name = world.market.as_deref().unwrap_or_default();
    let sim = market::read(sources.dir.as_deref(), name).map_err(wrong)?;
    let settings = &loaded.settings;
    let first = world.instrument.clone().or_else(|| settings.session.instruments.first().cloned());
    let label = first.ok_or_else(|| wrong("world.instrument: nothing is configured to be traded"))?;
    let rules = listed(&sim, &[label]).map_err(wrong)?;
    let mut session = prepare::session_spec(loaded, rules, Some(CHAIR)).map_err(wrong)?;
    session.desks.truncate(1);
    let tick_every = Nanos::from_ms(i64::from(settings.session.tick_ms));
    let data = format!("simulated market {name} {}", of_state(&toml::to_string(&sim).map_err(wrong)?));
    let ground = Ground::Market { market: sim, tick_every };
    let digest = of_state(&(&session, &data, tick_every));
    let terms = terms(world, session, ground.clone())?;
    let judging = judging(world, &terms, seconds(world.judge_s), ground);
    let episodes: Vec<_> = (0..world.judge_seeds as u64).map(|n| Episode::Seed(JUDGES_FROM + n)).collect();
    let groups = vec![0; episodes.len()];
    let (terms, judging) = (Arc::new(terms), Arc::new(judging));
    let (unmoved, data) = (Vec::new(), vec![data]);
    Ok(Stage { fold: 1, terms, judging, episodes, groups, unmoved, data, digest, learnt_until: None })
}

fn on_recordings(world: &SessionWorld, loaded: &Loaded) -> Result<Vec<Stage>, TrainError> {
    let store = Store::open(&loaded.settings.store.path);
    let (mut tapes, mut data, mut rules, mut ended) = (Vec::new(), Vec::new(), None, None);
    for named in &world.sessions {
        let (store, id) = store.of_session(named).map_err(wrong)?;
        let mut reader = store.reader(&id).map_err(wrong)?;
        let manifest = reader.manifest().clone();
        let instruments: Vec<_> = manifest.spec.desks.iter().map(|desk| desk.rules.clone()).collect();
        let same = rules.get_or_insert_with(|| instruments.clone());
        if *same != instruments {
            let what = format!("world.sessions: {named} has other instruments or rules than {}", world.sessions[0]);
            return Err(wrong(what));
        }
        let (mut inputs, mut input) = (Vec::new(), Reader::blank());
        while reader.next_input(&mut input).map_err(wrong)? {
            inputs.push(input.clone());
        }
        let tape = Tape::new(inputs);
        let (from, to) = tape.span().ok_or_else(|| wrong(format!("world.sessions: {named} is empty")))?;
        if let Some((before, end)) = ended.replace((named, to)).filter(|(_, end)| *end >= from) {
            return Err(wrong(format!(
                "world.sessions: {named} begins {:.3} s before {before} ends; name them in the order of time, and none twice",
                end.since(from).seconds()
            )));
        }
        tapes.push(tape);
        let digest = manifest.output_digest.unwrap_or_else(|| of_state(&manifest.spec));
        data.push(format!("session {id} {digest}"));
    }
    let rules = rules.ok_or_else(|| wrong("world.sessions names none"))?;
    let session = prepare::session_spec(loaded, rules, Some(CHAIR)).map_err(wrong)?;
    let episode = seconds(world.episode_s);
    let mut windows = Vec::new();
    for (n, tape) in tapes.iter().enumerate() {
        windows.extend(tape.windows(episode, &session).into_iter().map(|window| (n, window)));
    }
    let signals = &loaded.settings.signals;
    let looks_back = signals.intensity_window_s.max(5.0 * signals.volatility_half_life_s);
    let in_windows = |s: f64| (s / world.episode_s).ceil() as usize;
    let gaps = Gaps { purge: in_windows(world.purge_s), embargo: in_windows(world.embargo_s.unwrap_or(looks_back)) };
    let splits = walk_forward(windows.len(), world.folds, gaps);
    let one = |(fold, split): (usize, crate::metrics::cross_validation::Split)| {
        let of = |ranges: &[std::ops::Range<usize>]| {
            ranges.iter().flat_map(|range| windows[range.clone()].to_vec()).collect::<Vec<_>>()
        };
        let (learnt, judged) = (of(&split.train), of(&split.test));
        if learnt.is_empty() || judged.len() < 2 {
            return Err(wrong(format!(
                "world: {} episodes of {} s leave fold {} with {} to learn from and {} to be judged by; take shorter episodes, \
                 fewer folds or a shorter embargo_s",
                windows.len(),
                world.episode_s,
                fold + 1,
                learnt.len(),
                judged.len()
            )));
        }
        let learnt_until = judged.first().map(|(_, window)| window.from.0);
        let episodes = (0..judged.len()).map(Episode::Window).collect();
        let groups = judged.iter().map(|(tape, _)| *tape).collect();
        let digest = of_state(&(&session, &data, fold));
        let terms = terms(world, session.clone(), Ground::Tapes { tapes: tapes.clone(), windows: learnt })?;
        let judging = judging(world, &terms, episode, Ground::Tapes { tapes: tapes.clone(), windows: judged });
        let (terms, judging) = (Arc::new(terms), Arc::new(judging));
        let (unmoved, data) = (Vec::new(), data.clone());
        Ok(Stage { fold: fold + 1, terms, judging, episodes, groups, unmoved, data, digest, learnt_until })
    };
    splits.into_iter().enumerate().map(one).collect()
}
