//! One decision, told so that a trader can check it: what was seen, what was believed, what the formula said, how its
//! prices became integers, which limits stood in the way, and what came of it.
//!
//! The session is brought back from the last checkpoint before the input, listens to it like a session of its own, and is
//! looked at before the strategy is asked and after its answer was carried out. Then it is followed until the orders of
//! the decision are over, or [`FOLLOWED`] long.
//!
//! A decision is a strategy being asked. Most change nothing, and only those that wanted something new were recorded.

use serde::Serialize;

use super::replay::{Around, ReplayError, resumed};
use crate::engine::{Output, Rehearsal, Session, Stamped};
use crate::journal::{Manifest, Reader, Store};
use crate::market::InstrumentId;
use crate::order::OrderId;
use crate::signal::book_imbalance;
use crate::strategy::{Decision, Idle, Quote, Strategies, View, Wanted, Why};
use crate::units::{LocalTime, Lots, Nanos, Side, Ticks, to_tick};

mod words;

use words::{limit_name, limit_text, output, request};

/// How long orders of a decision are followed, session time.
pub const FOLLOWED: Nanos = Nanos::from_s(60);
/// How far ahead the next decision is looked for.
const LOOKED_AHEAD: u64 = 200_000;
/// Inputs shown before and after.
const REACH: u64 = 3;
/// Levels shown of each side, besides those we stand at.
const LEVELS: usize = 3;

/// Everything there is to say of one input.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Always true.
    pub paper: bool,
    /// The recording.
    pub session: String,
    /// The input asked for.
    pub seq: u64,
    /// The checkpoint the session was brought back from; 0 is its beginning.
    pub from_checkpoint: u64,
    /// What was decided at it, per instrument; empty if no strategy was asked then.
    pub decisions: Vec<Told>,
    /// Where strategies were asked last before it and first after it.
    pub nearest: [Option<u64>; 2],
    /// It and its neighbours, with what was said to them then and now.
    pub inputs: Vec<Around>,
}

/// One decision.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Told {
    /// `VENUE:SYMBOL`.
    pub instrument: String,
    /// The strategy's name.
    pub strategy: String,
    /// When, nanoseconds since the epoch.
    pub at_ns: i64,
    /// The market.
    pub market: Market,
    /// The estimates.
    pub signals: Beliefs,
    /// What was held, and what the limits left.
    pub holding: Holding,
    /// The terms, prices in ticks.
    pub terms: Why,
    /// What was wanted, in words.
    pub wanted: String,
    /// Whether that was news: only then it was said and recorded.
    pub is_news: bool,
    /// Each wanted quote.
    pub quotes: Vec<QuoteTold>,
    /// What was sent, or refused.
    pub requests: Vec<RequestTold>,
    /// Refusals that stand on a side since an earlier decision.
    pub standing: Vec<String>,
}

/// The top, and the levels that matter. Prices and quantities are decimal text.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Market {
    /// Best bid and what is displayed there.
    pub bid: [String; 2],
    /// Best ask.
    pub ask: [String; 2],
    /// Half-way, ticks.
    pub mid_ticks: f64,
    /// The mid weighted by the opposite sizes, ticks.
    pub microprice_ticks: f64,
    /// `(bid - ask) / (bid + ask)` of the best sizes.
    pub imbalance: f64,
    /// The same of the best five levels.
    pub imbalance_5: f64,
    /// Best first; the best of each side, and where we rest or want to.
    pub levels: Vec<LevelTold>,
}

/// One level.
#[derive(Clone, Debug, Serialize)]
pub struct LevelTold {
    /// `buy` or `sell`.
    pub side: &'static str,
    /// Decimal.
    pub price: String,
    /// Displayed.
    pub qty: String,
    /// Ours that rested there, or was on its way.
    pub ours: String,
    /// Wanted there from now on.
    pub wanted: String,
}

/// Estimates, and on how many samples they rest.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Beliefs {
    /// σ, ticks per √second.
    pub sigma: Option<f64>,
    /// Grid returns seen, and needed.
    pub sigma_samples: [u32; 2],
    /// A, per second.
    pub a: Option<f64>,
    /// k, per tick.
    pub k: Option<f64>,
    /// Aggressive orders in the window, and needed.
    pub intensity_samples: [u32; 2],
}

/// Where we stood.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Holding {
    /// Signed.
    pub position: String,
    /// What could still be bought, counting nothing that rests.
    pub room_to_buy: String,
    /// What could still be sold.
    pub room_to_sell: String,
    /// Our orders.
    pub orders: Vec<OrderTold>,
}

/// One order of ours as it was before the decision.
#[derive(Clone, Debug, Serialize)]
pub struct OrderTold {
    /// Ours.
    pub id: u64,
    /// In words: side, quantity, price, state.
    pub order: String,
    /// Milliseconds since it was sent.
    pub age_ms: f64,
    /// What was ahead of it when it joined.
    pub joined_behind: Option<String>,
    /// What the queue model believes ahead of it now.
    pub queue_ahead: Option<String>,
}

/// How a price became an integer.
#[derive(Clone, Debug, Serialize)]
pub struct QuoteTold {
    /// `buy` or `sell`.
    pub side: &'static str,
    /// Decimal.
    pub price: String,
    /// Decimal.
    pub qty: String,
    /// The way there, a step each.
    pub steps: Vec<String>,
}

/// A request, what the gate held it against, and what came back.
#[derive(Clone, Debug, Serialize)]
pub struct RequestTold {
    /// In words.
    pub request: String,
    /// The gate's no, with code and by how much; `None`: it was sent.
    pub refused: Option<String>,
    /// Limits it was held against.
    pub limits: Vec<LimitTold>,
    /// What the venue said of it, in the order of hearing.
    pub came_back: Vec<CameBack>,
    #[serde(skip)]
    order: Option<OrderId>,
}

/// One limit.
#[derive(Clone, Debug, Serialize)]
pub struct LimitTold {
    /// Its name in `config/risk.toml`.
    pub limit: String,
    /// What the request would come to.
    pub value: String,
    /// At most.
    pub max: String,
    /// `value / max`.
    pub share: Option<f64>,
}

/// The venue's word on a request.
#[derive(Clone, Debug, Serialize)]
pub struct CameBack {
    /// Input we heard it with.
    pub seq: u64,
    /// Milliseconds from sending to when it happened at the venue.
    pub happened_ms: f64,
    /// Milliseconds from sending until we heard.
    pub heard_ms: f64,
    /// What.
    pub said: String,
}

/// The input `seq` of a recording named, or in this folder.
pub fn explain(store: &Store, named: &str, seq: u64) -> Result<Explanation, ReplayError> {
    let (store, id) = store.of_session(named)?;
    store.recover(&id)?;
    let mut reader = store.reader(&id)?;
    let manifest = reader.manifest().clone();
    let mut told = Explanation {
        paper: true,
        session: id,
        seq,
        from_checkpoint: 0,
        decisions: Vec::new(),
        nearest: [None; 2],
        inputs: Vec::new(),
    };
    let mut last = 0;
    let mut from = seq.saturating_sub(REACH + 1);
    told.from_checkpoint = walk(&mut reader, &manifest, from, |walked, session, input, recorded| {
        last = input.seq;
        let sent_at = session.now();
        let asked = match walked {
            Walked::Asked(decisions) if input.seq == seq => {
                told.decisions = decisions;
                true
            }
            Walked::Asked(decisions) => !decisions.is_empty(),
            Walked::Said(said) => {
                if input.seq.abs_diff(seq) <= REACH {
                    let words = |all: &[Output]| all.iter().map(|one| output(session, one)).collect();
                    told.inputs.push(Around {
                        seq: input.seq,
                        input: words::input(session, input),
                        recorded: words(recorded),
                        replayed: words(said),
                    });
                }
                if input.seq >= seq {
                    follow(&mut told.decisions, session, input, said);
                }
                false
            }
        };
        if asked && input.seq != seq {
            let side = usize::from(input.seq > seq);
            if side == 0 || told.nearest[1].is_none() {
                told.nearest[side] = Some(input.seq);
            }
        }
        let began = told.decisions.first().map(|decision| LocalTime(decision.at_ns));
        let open = told.decisions.iter().flat_map(|d| &d.requests).any(|r| r.order.is_some());
        let follows = began.is_some_and(|began| open && sent_at.since(began) <= FOLLOWED);
        let looks = told.nearest[1].is_none() && input.seq < seq.saturating_add(LOOKED_AHEAD);
        input.seq < seq.saturating_add(REACH) || looks || follows
    })?;
    if last < seq || seq == 0 {
        // Input 0 is noticed at once, far from the end.
        return Err(ReplayError::NoInput { session: told.session, seq, last: last.max(manifest.counts.inputs) });
    }
    // The last time a strategy was asked may be before the checkpoint.
    let mut to = told.from_checkpoint;
    while told.nearest[0].is_none() && to > 0 {
        from = to - 1;
        let end = to;
        to = walk(&mut reader, &manifest, from, |walked, _, input, _| {
            if let Walked::Asked(decisions) = walked
                && !decisions.is_empty()
            {
                told.nearest[0] = Some(input.seq);
            }
            input.seq < end
        })?;
    }
    Ok(told)
}

/// What is seen on the way: first who was asked, then what was said.
enum Walked<'a> {
    Asked(Vec<Told>),
    Said(&'a [Output]),
}

/// Replays from the last checkpoint at or before `from` until `each` has seen enough; says which checkpoint that was.
fn walk(
    reader: &mut Reader,
    manifest: &Manifest,
    from: u64,
    mut each: impl FnMut(Walked<'_>, &Session, &Stamped, &[Output]) -> bool,
) -> Result<u64, ReplayError> {
    let (mut session, mut strategies) = resumed(reader, manifest, from)?;
    let began = session.seq();
    let (mut input, mut recorded, mut said) = (Reader::blank(), Vec::new(), Vec::new());
    while reader.next_step(&mut input, &mut recorded)? {
        said.clear();
        let asked = step(&mut session, &mut strategies, &input, &mut said);
        let goes_on = each(Walked::Asked(asked), &session, &input, &recorded);
        if !each(Walked::Said(&said), &session, &input, &recorded) || !goes_on {
            break;
        }
    }
    Ok(began)
}

/// [`Session::step`], with a look at every decision.
fn step(session: &mut Session, strategies: &mut Strategies, input: &Stamped, said: &mut Vec<Output>) -> Vec<Told> {
    session.take_in(input, said);
    let mut all = Vec::new();
    while let Some(id) = session.decision_due() {
        let strategy = strategies[id.index()].as_mut().expect("only an instrument with a strategy has a decision due");
        let view = session.view(id);
        let decision = strategy.decide(&view);
        let mut told = tell(&view, session, &decision);
        told.strategy = strategy.name().to_owned();
        session.note_drift(id, &mut **strategy, said);
        let before = session.clone();
        let already = said.len();
        session.carry_out(decision, said);
        told.is_news = said[already..].iter().any(|output| matches!(output, Output::Decided { .. }));
        told.requests = judged(&before, id, &said[already..]);
        let standing = session.standing_refusals(id).into_iter().zip(Side::BOTH);
        let words = |(code, side): (Option<crate::risk::RefusalCode>, Side)| {
            code.map(|code| format!("{} refused by {} since it was first said", side.word(), code.word()))
        };
        told.standing = standing.filter_map(words).collect();
        all.push(told);
    }
    all
}

fn tell(view: &View<'_>, session: &Session, decision: &Decision) -> Told {
    let (rules, top, signals) = (view.rules, view.top, view.signals);
    let quotes: &[Quote] = match &decision.wanted {
        Wanted::Quotes(quotes) => quotes,
        Wanted::Keep | Wanted::Nothing(_) | Wanted::Flatten => &[],
    };
    let fit = signals.intensity().ok();
    let qty = |lots| rules.qty_text(lots);
    let level = |level: crate::market::Level| [rules.price_text(level.price), qty(level.qty)];
    let order = |order: &crate::order::Order| OrderTold {
        id: order.id.0,
        order: format!(
            "{} {} @ {}, {}",
            order.side.word(),
            qty(order.remaining),
            rules.price_text(order.price),
            state(order)
        ),
        age_ms: ms(view.now.since(order.sent)),
        joined_behind: order.joined_behind.map(qty),
        queue_ahead: session.venue(view.instrument).queue_ahead(order.id).map(qty),
    };
    Told {
        instrument: rules.label(),
        at_ns: view.now.0,
        market: Market {
            bid: level(top.bid),
            ask: level(top.ask),
            mid_ticks: top.mid(),
            microprice_ticks: top.microprice(),
            imbalance: top.imbalance(),
            imbalance_5: book_imbalance(view.book, 5),
            levels: levels(view, quotes),
        },
        signals: Beliefs {
            sigma: signals.volatility().ready(),
            sigma_samples: signals.volatility_samples().into(),
            a: fit.map(|fit| fit.a),
            k: fit.map(|fit| fit.k),
            intensity_samples: signals.intensity_samples().into(),
        },
        holding: Holding {
            position: qty(view.position),
            room_to_buy: qty(view.room_to_buy),
            room_to_sell: qty(view.room_to_sell),
            orders: view.orders.iter().map(order).collect(),
        },
        terms: decision.why,
        wanted: wanted(&decision.wanted),
        quotes: quotes.iter().enumerate().map(|(n, _)| how(view, &decision.why, quotes, n)).collect(),
        ..Told::default()
    }
}

fn state(order: &crate::order::Order) -> &'static str {
    use crate::order::OrderState;
    match order.state {
        OrderState::Pending => "not heard of yet",
        OrderState::Working => "resting",
        OrderState::Leaving => "on its way out",
        OrderState::Filled => "filled",
        OrderState::Gone => "gone",
    }
}

fn wanted(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Quotes(quotes) => format!("{} quotes", quotes.len()),
        Wanted::Keep => "what rests now".to_owned(),
        Wanted::Flatten => "nothing, and the position brought to zero".to_owned(),
        Wanted::Nothing(Idle::WarmingUp { what, have, need }) => {
            format!("nothing: {what:?} has {have} of {need} samples").to_lowercase()
        }
        Wanted::Nothing(Idle::NoFiniteQuote) => {
            "nothing: the formula has no finite quote for these estimates".to_owned()
        }
        Wanted::Nothing(Idle::AfterFill) => "nothing: waiting after a fill".to_owned(),
    }
}

/// The best levels of each side, and every level at which we rest or want to, best first.
fn levels(view: &View<'_>, quotes: &[Quote]) -> Vec<LevelTold> {
    let mut all = Vec::new();
    for side in Side::BOTH {
        let best = view.book.levels(side).take(LEVELS).map(|level| level.price);
        let ours = view.orders.iter().filter(|o| o.side == side).map(|o| o.price);
        let wanted = quotes.iter().filter(|q| q.side == side).map(|q| q.price);
        let mut prices: Vec<Ticks> = best.chain(ours).chain(wanted).collect();
        prices.sort_by_key(|price| -side.sign() * price.0);
        prices.dedup();
        for price in prices {
            let qty = |lots: Lots| view.rules.qty_text(lots);
            let ours = view.orders.iter().filter(|o| (o.side, o.price) == (side, price)).map(|o| o.remaining).sum();
            let wanted = quotes.iter().filter(|q| (q.side, q.price) == (side, price)).map(|q| q.qty).sum();
            all.push(LevelTold {
                side: side.word(),
                price: view.rules.price_text(price),
                qty: qty(view.book.qty_at(side, price)),
                ours: qty(ours),
                wanted: qty(wanted),
            });
        }
    }
    all
}

/// The steps from the formula's price to the `n`th quote's.
fn how(view: &View<'_>, why: &Why, quotes: &[Quote], n: usize) -> QuoteTold {
    let (quote, rules) = (quotes[n], view.rules);
    let (side, sign) = (quote.side, quote.side.sign());
    let text = |price| rules.price_text(price);
    let mut steps = Vec::new();
    let rank = quotes[..n].iter().filter(|q| q.side == side).count();
    if rank == 0 {
        let distance = if side == Side::Bid { why.bid_distance } else { why.ask_distance };
        let asked = why.reservation - sign as f64 * distance;
        let minus = if side == Side::Bid { "-" } else { "+" };
        steps.push(format!("reservation {:.4} {minus} {distance:.4} = {asked:.4} ticks", why.reservation));
        let mut price = to_tick(asked, side);
        let way = if side == Side::Bid { "down" } else { "up" };
        steps.push(format!("rounded {way}, away from the mid: {} ticks, {}", price.0, text(price)));
        let limit = Ticks(view.top.price(side.opposite()).0 - sign);
        if side.is_better(price, limit) {
            price = limit;
            let best = text(view.top.price(side.opposite()));
            steps.push(format!(
                "it would cross the best {}, {best}: one tick before that, {}",
                side.opposite().word(),
                text(price)
            ));
        }
        let snapped = rules.snap(side, price);
        if snapped != price {
            steps.push(format!("the venue's price steps allow {}", text(snapped)));
        }
        if snapped != quote.price {
            steps.push(format!("the strategy made it {}", text(quote.price)));
        }
    } else {
        let first = quotes.iter().find(|q| q.side == side).expect("a further level has a first");
        let behind = (first.price - quote.price).abs().0;
        steps.push(format!("level {}: {behind} ticks behind the first", rank + 1));
    }
    let room = if side == Side::Bid { view.room_to_buy } else { view.room_to_sell };
    let before: Lots = quotes[..n].iter().filter(|q| q.side == side).map(|q| q.qty).sum();
    if before + quote.qty == room {
        steps.push("as much as the position limit leaves room for".to_owned());
    }
    QuoteTold { side: side.word(), price: text(quote.price), qty: rules.qty_text(quote.qty), steps }
}

/// The requests among these outputs, each held against the limits again.
fn judged(before: &Session, id: InstrumentId, said: &[Output]) -> Vec<RequestTold> {
    let mut rehearsal = Rehearsal::new(before, id);
    let rules = before.rules(id);
    let mut all = Vec::new();
    for one in said {
        let (asked, refused) = match one {
            Output::Sent(asked) => (asked, None),
            Output::Refused { request, refusal } => (request, Some(refusal)),
            _ => continue,
        };
        let (weighed, _) = rehearsal.judge(asked);
        let limit = |w: &crate::risk::Weighed| LimitTold {
            limit: limit_name(w.code, rules),
            value: limit_text(w.code, w.value, rules),
            max: limit_text(w.code, w.limit, rules),
            share: (w.limit > 0).then(|| w.value as f64 / w.limit as f64),
        };
        all.push(RequestTold {
            request: request(rules, asked),
            refused: refused.map(|refusal| {
                let over = limit_text(refusal.code, refusal.value - refusal.limit, rules);
                if refusal.limit == refusal.value { refusal.to_string() } else { format!("{refusal}, {over} too much") }
            }),
            limits: weighed.iter().map(limit).collect(),
            came_back: Vec::new(),
            order: refused.is_none().then(|| asked.id()),
        });
    }
    all
}

/// Hears what comes back to the requests of these decisions.
fn follow(decisions: &mut [Told], session: &Session, input: &Stamped, said: &[Output]) {
    for told in decisions {
        let sent = LocalTime(told.at_ns);
        for one in said {
            let Output::Heard(report) = one else { continue };
            for request in told.requests.iter_mut().filter(|r| r.order == Some(report.id)) {
                request.came_back.push(CameBack {
                    seq: input.seq,
                    happened_ms: ms(report.happened.since(sent)),
                    heard_ms: ms(session.now().since(sent)),
                    said: words::report(session.rules(report.instrument), &report.kind),
                });
                if words::is_over(&report.kind) {
                    request.order = None;
                }
            }
        }
    }
}

fn ms(time: Nanos) -> f64 {
    time.0 as f64 / 1e6
}
