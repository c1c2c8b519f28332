//! Every recording of a venue we speak with, over real sockets to the bot's own driver.

use std::time::Duration;

use papermaker::feed::Settings;
use papermaker::market::{FeedEventKind, InstrumentId, MarketEventKind, VenueId};
use papermaker::units::{Nanos, Side};
use papermaker::wire::depth_sync::SyncLimits;
use papermaker::wire::dialect::Options;
use rust_decimal::Decimal;
use tokio::time::{sleep, timeout};

use super::captures::{RECORDED, Recorded};
use crate::support::captures::rebuilt::Rebuilt;
use crate::support::ears::{Bot, Ears, PATIENCE, top, venue_lot};
use crate::support::fake::{Fake, Fault, Kind, Plan};
use crate::support::independent::Ladder;
use crate::support::{data_dir, full_size};

/// Points at which books are compared on the way, at least; and the most frames in between: a bot that waits for a
/// snapshot over REST holds back 3,000 messages.
const STOPS: usize = 6;
const STRIDE: usize = 2_000;

/// How far ahead the frame is looked for at which a hole must show.
const SIGHT: usize = 500;

/// A recording that a bot listens to.
struct Hall {
    recorded: &'static Recorded,
    fake: Fake,
    bot: Bot,
    /// Prints of each instrument that nobody has heard, by the order of the listings.
    unheard: Vec<usize>,
    /// Books that were known when the bot came, and their numbers where they have any.
    began: Vec<Option<Option<u64>>>,
}

impl Hall {
    /// Everything that is recorded is asked for. A snapshot over REST is there before the first question.
    async fn open(recorded: &'static Recorded, options: Options) -> Option<Self> {
        let capture = recorded.open()?;
        let fake = Fake::replay(recorded.venue, &capture, recorded.window(), Plan::default()).await;
        let begin = |fake: &Fake| {
            let known =
                |fake: &Fake| fake.listings().iter().all(|l| fake.rebuilt().unwrap().top(l.symbol, 1).is_some());
            while recorded.begins_over_rest() && !known(fake) {
                assert!(fake.left() > 0, "{}: a snapshot is missing", recorded.name());
                fake.play(1);
            }
        };
        let bot = Bot::listen_after(&fake, options, Settings::default(), begin).await;
        let asked = |fake: &Fake| {
            let kinds = [Kind::Book, Kind::Trade];
            fake.listings().iter().all(|l| kinds.iter().all(|kind| fake.is_asked_for(*kind, l.symbol)))
        };
        assert!(fake.wait(PATIENCE, asked).await, "{}: {:?}", recorded.name(), fake.stats().subscribed);
        let rebuilt = fake.rebuilt().expect("a recording is played");
        let unheard = fake.listings().iter().map(|l| rebuilt.tape(l.symbol).len()).collect();
        let began = fake.listings().iter().map(|l| rebuilt.books.get(l.symbol).map(|book| book.last)).collect();
        Some(Self { recorded, fake, bot, unheard, began })
    }

    /// Plays so many frames, stopping now and then for the books to be compared.
    async fn play(&self, frames: usize, stops: usize) {
        let stride = frames.div_ceil(stops).min(STRIDE);
        for at in (0..frames).step_by(stride.max(1)) {
            self.fake.play(stride.min(frames - at));
            self.bot.hears_all(&self.fake).await;
            self.agree().await;
        }
    }

    /// Waits until every book that the market has moved is the independent one; panics if that never is.
    async fn agree(&self) {
        let mut doubt = None;
        let truth = self.fake.rebuilt().expect("a recording is played");
        let agreeing = async {
            loop {
                doubt = self.bot.look(|ears| self.doubt(ears, &truth));
                if doubt.is_none() {
                    break;
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(PATIENCE, agreeing).await.is_err() {
            panic!("{} {doubt:?}: {:#?}", self.recorded.name(), self.bot.ears().feed);
        }
    }

    /// The first book that is not the independent one, if any.
    fn doubt(&self, ears: &Ears, truth: &Rebuilt) -> Option<String> {
        let depth = self.recorded.compared();
        for (id, rules) in self.ids().zip(&self.bot.instruments) {
            let Some(theirs) = truth.top(&rules.symbol, depth) else { continue };
            let Some(book) = ears.books.get(&id) else {
                // A snapshot over REST is believed when the stream has come up to it.
                if truth.books.get(&rules.symbol).map(|book| book.last) != self.began[id.index()] {
                    return Some(format!("{} is not known", rules.symbol));
                }
                continue;
            };
            let ours = top(book, &ears.rules[&id], depth);
            let differs = |ours: &Ladder, theirs: &Ladder| {
                let pair = ours.iter().zip(theirs).find(|(a, b)| a != b);
                pair.map(|(a, b)| format!("{} has {a:?}, not {b:?}", rules.symbol))
            };
            let longer = || format!("{} has {} and {} levels", rules.symbol, ours.0.len(), ours.1.len());
            if ours != theirs {
                return differs(&ours.0, &theirs.0).or_else(|| differs(&ours.1, &theirs.1)).or_else(|| Some(longer()));
            }
        }
        None
    }

    /// What would not be said of an unbroken recording.
    fn trouble(&self) -> Vec<FeedEventKind> {
        let is_trouble = |kind: &FeedEventKind| match kind {
            // Marks and rules were not recorded everywhere.
            FeedEventKind::Connected
            | FeedEventKind::Live
            | FeedEventKind::Stale { .. }
            | FeedEventKind::NoData { .. } => false,
            // Kraken's first protocol had no ids of prints: their times stand for them.
            FeedEventKind::ProtocolError { detail } => !detail.starts_with("trade ids jumped"),
            FeedEventKind::Disconnected { .. }
            | FeedEventKind::Resync { .. }
            | FeedEventKind::ChecksumMismatch { .. }
            | FeedEventKind::RateLimited { .. }
            | FeedEventKind::ShutdownAnnounced
            | FeedEventKind::Refused { .. } => true,
        };
        self.bot
            .look(|ears| ears.feed.iter().map(|(_, _, kind)| kind).filter(|kind| is_trouble(kind)).cloned().collect())
    }

    /// Prints of an instrument as the bot told them.
    fn told(&self, id: InstrumentId) -> Vec<(Decimal, Decimal, bool)> {
        let rules = &self.bot.instruments[id.index()];
        let lot = venue_lot(rules);
        let ears = self.bot.ears();
        let ours = ears.trades.iter().filter(|event| event.instrument == id);
        ours.map(|event| match event.kind {
            MarketEventKind::Trade { taker, price, qty, .. } => {
                (rules.tick.value(price.0).normalize(), lot.value(qty.0).normalize(), taker == Side::Bid)
            }
            ref other => panic!("{other:?} among the prints"),
        })
        .collect()
    }

    /// Prints of an instrument as they were recorded since the bot listens.
    fn printed(&self, id: InstrumentId) -> Vec<(Decimal, Decimal, bool)> {
        let rebuilt = self.fake.rebuilt().expect("a recording is played");
        let tape = rebuilt.tape(&self.bot.instruments[id.index()].symbol);
        let news = tape.iter().skip(self.unheard[id.index()] + self.recorded.past);
        news.map(|p| (p.price.normalize(), p.qty.normalize(), p.taker_buys)).collect()
    }

    /// Books in doubt when a message is lost: its own, or all that the connection has so far.
    fn gaps_of_one_loss(&self) -> usize {
        if self.recorded.venue == VenueId::Coinbase { self.bot.instruments.len() } else { 1 }
    }

    fn ids(&self) -> impl Iterator<Item = InstrumentId> {
        (0..self.bot.instruments.len()).map(|i| InstrumentId(i as u16))
    }
}

/// From the first frame to the last.
async fn hear_all(recorded: &'static Recorded) {
    let Some(hall) = Hall::open(recorded, recorded.options()).await else { return };
    hall.play(hall.fake.left(), STOPS).await;
    let (name, ears) = (recorded.name(), hall.bot.ears());
    assert_eq!((ears.gaps, hall.trouble()), (0, vec![]), "{name}");
    assert_eq!(ears.books.len(), hall.bot.instruments.len(), "{name}");
    let counts = hall.fake.rebuilt().expect("a recording is played").counts;
    assert_eq!((counts.gaps, counts.wrong_checksums), (0, 0), "{name}");
    let found = [counts.snapshots, counts.changes, counts.checksums, counts.prints];
    if !recorded.is_cut() {
        assert_eq!(found, recorded.whole, "{name}");
    }
    if !recorded.begins_over_rest() {
        // The bot's own count. One book of Hyperliquid's came twice.
        let twice = usize::from(recorded.venue == VenueId::Hyperliquid);
        assert_eq!([ears.wholes + twice, ears.changes], found[..2], "{name}");
    }
    let mut prints = 0;
    for id in hall.ids() {
        // Prints may come on a connection of their own.
        let all = hall.printed(id).len();
        hall.fake.wait(PATIENCE, |_| hall.told(id).len() >= all).await;
        let told = hall.told(id);
        assert_eq!(told, hall.printed(id), "{name} {}", hall.bot.instruments[id.index()].symbol);
        prints += told.len();
    }
    assert_eq!(prints + hall.unheard.iter().sum::<usize>() + recorded.past, counts.prints, "{name}");
    hall.bot.stop().await;
}

/// From this place on the first book message whose loss must show, and how many frames later it does: so says the
/// independent book. `None`: nothing in the protocol can tell.
fn telling_loss(hall: &Hall, from: usize) -> Option<(usize, usize)> {
    let coming = hall.fake.coming(usize::MAX);
    let is_heard = |(kind, symbol, _): &(Kind, String, String)| hall.fake.is_asked_for(*kind, symbol);
    let mut before = hall.fake.rebuilt().expect("a recording is played");
    coming[..from.min(coming.len())].iter().for_each(|(_, _, text)| before.hear(text));
    let began = |symbol: &str| hall.bot.instruments.iter().position(|r| r.symbol == symbol).map(|i| hall.began[i]);
    for (lost, (kind, symbol, text)) in coming.iter().enumerate().skip(from) {
        let mut without = before.clone();
        before.hear(text);
        // A book that begins over REST has to be in step first.
        let moved = Some(without.books.get(symbol).map(|book| book.last)) != began(symbol);
        if *kind != Kind::Book || hall.recorded.begins_over_rest() && !moved {
            continue;
        }
        let mut after = coming.iter().skip(lost + 1).take(SIGHT);
        let shows = if hall.recorded.venue == VenueId::Coinbase {
            // Every message on the connection has a number.
            after.position(is_heard)
        } else {
            let doubts = |rebuilt: &Rebuilt| rebuilt.counts.gaps + rebuilt.counts.wrong_checksums;
            let so_far = doubts(&without);
            after.position(|(_, _, text)| {
                without.hear(text);
                doubts(&without) > so_far
            })
        };
        if let Some(later) = shows {
            return Some((lost, later));
        }
    }
    None
}

/// One book message is lost, so far into the recording: in quarters.
async fn lose_one(recorded: &'static Recorded, quarters: usize) {
    let Some(hall) = Hall::open(recorded, recorded.options()).await else { return };
    let (fake, name) = (&hall.fake, recorded.name());
    let Some((lost, later)) = telling_loss(&hall, fake.left() * quarters / 4) else {
        assert_eq!(recorded.venue, VenueId::Hyperliquid, "{name}: a loss must show somewhere");
        // Every message is a whole book: the next one is right.
        hall.play(fake.left() / 2, 1).await;
        fake.inject(Fault::Drop.now());
        hall.bot.market_until(fake, "the loss", |_| fake.pending() == 0).await;
        fake.play(fake.left());
        hall.bot.hears_all(fake).await;
        hall.agree().await;
        assert_eq!((hall.bot.look(|ears| ears.gaps), hall.trouble()), (0, vec![]), "{name}");
        return hall.bot.stop().await;
    };
    hall.play(lost, 1).await;
    fake.inject(Fault::Drop.now());
    fake.play(1 + later);
    assert_eq!(fake.pending(), 0, "{name}");
    hall.bot.hears_all(fake).await;
    assert_eq!((hall.bot.look(|ears| ears.gaps), hall.trouble()), (0, vec![]), "{name}: nothing can be known yet");
    fake.play(1);
    let noticed = |_: &Fake| !hall.trouble().is_empty();
    assert!(fake.wait(PATIENCE, noticed).await, "{name}: frame {lost} is lost and frame {} tells", lost + 1 + later);
    hall.agree().await;
    hall.play(fake.left(), 1).await;
    let troubles = hall.trouble();
    let sums = troubles.iter().filter(|kind| matches!(kind, FeedEventKind::ChecksumMismatch { .. })).count();
    let summed = matches!(recorded.venue, VenueId::Kraken | VenueId::Okx);
    assert_eq!(
        (hall.bot.look(|ears| ears.gaps), sums),
        (hall.gaps_of_one_loss(), usize::from(summed)),
        "{name}: {troubles:?}"
    );
    hall.bot.stop().await;
}

/// Every so many checksums one is wrong, and each is noticed at its own frame.
async fn corrupt(recorded: &'static Recorded, every: usize) -> usize {
    let sync = SyncLimits { resyncs_per_minute: usize::MAX, refetch_delay: Nanos::from_ms(1), ..SyncLimits::default() };
    let Some(hall) = Hall::open(recorded, Options { sync, ..recorded.options() }).await else { return 0 };
    let (fake, name) = (&hall.fake, recorded.name());
    let coming = fake.coming(usize::MAX);
    let summed = coming.iter().enumerate().filter(|(_, (_, _, text))| text.contains("\"checksum\":"));
    let (mut played, mut corrupted) = (0, 0);
    for (at, (_, symbol, _)) in summed.skip(every / 2).step_by(every) {
        fake.play(at - played);
        hall.bot.hears_all(fake).await;
        let is_mismatch = |kind: &FeedEventKind| matches!(kind, FeedEventKind::ChecksumMismatch { .. });
        let told = |hall: &Hall| hall.bot.look(|ears| ears.told(is_mismatch));
        assert_eq!(told(&hall), corrupted, "{name}: the others are right");
        fake.inject(Fault::WrongChecksum.now());
        fake.play(1);
        (played, corrupted) = (at + 1, corrupted + 1);
        assert!(fake.wait(PATIENCE, |_| told(&hall) == corrupted).await, "{name}: frame {at} of {symbol}");
        hall.agree().await;
    }
    hall.play(fake.left(), 1).await;
    // Marks were not recorded: in a long run their silence costs a connection, but no sum.
    let told = hall.bot.look(|ears| ears.told(|kind| matches!(kind, FeedEventKind::ChecksumMismatch { .. })));
    assert_eq!(told, corrupted, "{name}");
    hall.bot.stop().await;
    corrupted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recording_is_heard_without_a_hole_and_ends_in_the_book_rebuilt_independently() {
    for recorded in RECORDED {
        hear_all(recorded).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_lost_frame_is_noticed_at_the_first_frame_that_can_tell() {
    let quarters = if full_size() { &[0, 1, 2, 3][..] } else { &[1] };
    for recorded in RECORDED {
        for quarters in quarters {
            lose_one(recorded, *quarters).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_checksum_is_noticed_at_its_own_frame_wherever_it_is() {
    let every = if full_size() { 20 } else { 500 };
    for recorded in RECORDED.iter().filter(|recorded| recorded.whole[2] > 0) {
        let corrupted = corrupt(recorded, every).await;
        let expected = (recorded.whole[2] - every / 2).div_ceil(every);
        assert!(corrupted == expected || corrupted == 0 && data_dir().is_none(), "{}: {corrupted}", recorded.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_69334_levels_is_one_message() {
    let recorded = RECORDED.iter().find(|recorded| recorded.venue == VenueId::Coinbase).expect("it is in the list");
    let Some(hall) = Hall::open(recorded, recorded.options()).await else { return };
    let mut levels = Vec::new();
    while levels.len() < 2 {
        hall.fake.play(1);
        hall.agree().await;
        let ears = hall.bot.ears();
        if ears.wholes > levels.len() {
            let newest = &ears.books[&InstrumentId(levels.len() as u16)];
            levels.push(newest.depth(Side::Bid) + newest.depth(Side::Ask));
        }
    }
    assert_eq!(levels, [46_000, 23_334]);
    hall.bot.stop().await;
}
