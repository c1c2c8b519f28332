//! The bot's own words against the fake's, for every venue in the registry, without the bot's driver: rules are asked
//! for and read, everything asked for is granted, every frame is understood, and the books that come of it are true.

use papermaker::market::{Instrument, InstrumentId, MarketEventKind};
use papermaker::units::{LocalTime, Nanos, Side};
use papermaker::wire::dialect::{Exchange, Options, Request};
use papermaker::wire::{Action, Protocol, Said, venues};

use super::*;
use crate::support::fake::Plan;
use crate::support::talk::words;

/// One connection of the bot's over a plain socket.
struct Spoken {
    protocol: Box<dyn Protocol>,
    client: Client,
    now: LocalTime,
}

/// An answer to a question, over whatever it has to be asked.
async fn ask(fake: &Fake, request: &Request) -> Vec<u8> {
    match request {
        Request::Get { path, .. } => {
            let (status, body) = rest(fake, path, None).await;
            assert_eq!(status, 200, "{path}: {body}");
            body.into_bytes()
        }
        Request::Post { path, body, .. } => {
            let (status, answer) = rest(fake, path, Some(body)).await;
            assert_eq!(status, 200, "{path} {body}: {answer}");
            answer.into_bytes()
        }
        Request::Ask { path, text, reply } => {
            let mut client = Client::connect(fake, path).await.expect("a path that is served");
            client.say(text).await;
            client.until(reply).await.into_bytes()
        }
    }
}

impl Spoken {
    async fn open(fake: &Fake, mut protocol: Box<dyn Protocol>, all: &mut Vec<Said>) -> Self {
        let path = protocol.ws_path();
        let client = Client::connect(fake, &path).await.unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut said = Vec::new();
        protocol.on_open(LocalTime(0), &mut said);
        let mut spoken = Self { protocol, client, now: LocalTime(0) };
        spoken.carry_out(fake, said, all).await;
        spoken
    }

    /// Takes in everything that has been told so far, and does what is wished for.
    async fn listen(&mut self, fake: &Fake, all: &mut Vec<Said>) {
        for text in self.client.drain(fake).await {
            self.now = self.now + Nanos::from_ms(1);
            let mut said = Vec::new();
            self.protocol.on_text(text.as_bytes(), self.now, &mut said);
            self.carry_out(fake, said, all).await;
        }
    }

    async fn carry_out(&mut self, fake: &Fake, said: Vec<Said>, all: &mut Vec<Said>) {
        let mut said = std::collections::VecDeque::from(said);
        while let Some(one) = said.pop_front() {
            match &one {
                Said::Do(Action::Send(text)) => {
                    let heard = fake.stats().heard.len();
                    self.client.say(text).await;
                    assert!(fake.wait(PATIENCE, |fake| fake.stats().heard.len() > heard).await, "{text}");
                }
                Said::Do(Action::Fetch { about, request, .. }) => {
                    let answer = ask(fake, request).await;
                    let mut more = Vec::new();
                    self.protocol.on_fetched(*about, Ok(&answer), self.now, &mut more);
                    said.extend(more);
                }
                Said::Do(Action::Reconnect { .. } | Action::Rotate) | Said::Market(_) | Said::Feed { .. } => {}
            }
            all.push(one);
        }
    }
}

/// The instruments of a fake, by the bot's reading of its rules.
async fn rules(exchange: &dyn Exchange, fake: &Fake) -> Vec<(InstrumentId, Instrument)> {
    let listings = fake.listings();
    let symbols: Vec<&str> = listings.iter().map(|l| l.symbol).collect();
    let mut answers = Vec::new();
    for request in exchange.rules_requests(&symbols) {
        answers.push(ask(fake, &request).await);
    }
    let listed = exchange.read_rules(&answers).unwrap_or_else(|e| panic!("{}: {e}", fake.id()));
    let rules_of = |symbol: &str| {
        let found = listed.iter().find(|l| l.symbol == symbol);
        found.unwrap_or_else(|| panic!("{symbol} in {listed:?}")).rules.clone().expect("rules that can be kept")
    };
    (0..).zip(&symbols).map(|(id, symbol)| (InstrumentId(id), rules_of(symbol))).collect()
}

#[tokio::test]
async fn the_bot_understands_every_house_and_its_books_are_true() {
    for exchange in venues::ALL {
        let fake = Fake::start(exchange.id(), Plan { seed: 21, ..Plan::default() }).await;
        let id = fake.id();
        let instruments = rules(*exchange, &fake).await;
        for ((_, instrument), listing) in instruments.iter().zip(fake.listings()) {
            assert_eq!(instrument.tick.size().normalize(), listing.tick.normalize(), "{}", instrument.label());
            let unit = instrument.contract.unit.size();
            assert_eq!(instrument.lot.size().normalize(), (listing.lot * unit).normalize(), "{}", instrument.label());
            assert!(instrument.status.may_quote(), "{}", instrument.label());
        }
        if let Some(question) = exchange.clock_request() {
            let answer = ask(&fake, &question).await;
            assert!(exchange.read_clock(&answer).is_some(), "{id}: {}", String::from_utf8_lossy(&answer));
        }

        let mut all = Vec::new();
        let mut connections = Vec::new();
        for protocol in exchange.connect(instruments.clone(), Options::default()) {
            connections.push(Spoken::open(&fake, protocol, &mut all).await);
        }
        for _ in 0..40 {
            fake.play(25);
            for connection in &mut connections {
                connection.listen(&fake, &mut all).await;
            }
        }
        let bad = ["gap", "resync", "protocol_error", "reconnect", "rotate", "stale", "no_data", "checksum_mismatch"];
        for (said, word) in all.iter().zip(words(&all)) {
            assert!(!bad.contains(&word.split(' ').next().unwrap_or_default()), "{id}: {said:?}");
        }

        // The books, as what was said adds up.
        let mut books = vec![papermaker::market::Book::new(); instruments.len()];
        let mut prints = vec![0; instruments.len()];
        for said in &all {
            let Said::Market(event) = said else { continue };
            let at = event.instrument.index();
            match &event.kind {
                MarketEventKind::Snapshot { seq, bids, asks, extent } => {
                    books[at].apply_snapshot(*seq, bids, asks, *extent);
                }
                MarketEventKind::Delta { seq, bids, asks } => books[at].apply_delta(*seq, bids, asks),
                MarketEventKind::Trade { .. } => prints[at] += 1,
                MarketEventKind::Bbo { .. }
                | MarketEventKind::Gap { .. }
                | MarketEventKind::Mark(_)
                | MarketEventKind::Order(_)
                | MarketEventKind::Rules(_)
                | MarketEventKind::Status(_) => {}
            }
        }
        for ((_, instrument), (book, prints)) in instruments.iter().zip(books.iter().zip(prints)) {
            // Hyperliquid's finest window.
            let (bids, asks) = fake.top(&instrument.symbol, 5);
            let unit = instrument.contract.unit.size();
            for (side, truth) in [(Side::Bid, bids), (Side::Ask, asks)] {
                let ours: Vec<_> = book.levels(side).take(5).collect();
                let ours: Vec<_> = ours
                    .iter()
                    .map(|l| (instrument.tick.value(l.price.0).normalize(), instrument.lot.value(l.qty.0).normalize()))
                    .collect();
                let truth: Vec<_> = truth.into_iter().map(|(p, q)| (p.normalize(), (q * unit).normalize())).collect();
                assert_eq!(ours, truth, "{} {side:?}", instrument.label());
            }
            let shown = fake.stats().shown.iter().filter(|(symbol, _)| *symbol == instrument.symbol).count();
            assert!(shown > 20 && prints == shown, "{}: {prints} of {shown}", instrument.label());
        }
    }
}
