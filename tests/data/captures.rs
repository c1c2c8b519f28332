//! Which recordings are played, and what is in them by their readers' count (`tests/fake/captures.rs`).

use papermaker::market::VenueId;
use papermaker::units::Nanos;
use papermaker::wire::dialect::Options;
use papermaker::wire::liveness::Patience;

use crate::support::captures::{Capture, What};
use crate::support::full_size;

/// A recording that a dialect of ours understands.
pub struct Recorded {
    pub venue: VenueId,
    /// One after the other; or REST answers first, and the socket's file.
    pub files: &'static [&'static str],
    /// Of several in the file.
    pub connection: Option<&'static str>,
    /// Levels a side that were subscribed to.
    pub depth: u32,
    /// Frames that are played unless the full size is asked for.
    pub beginning: usize,
    /// Whole books, changes, checksums and prints in all of it, as rebuilt without the bot.
    pub whole: [usize; 4],
    /// Prints of the past at its beginning, which are no news.
    pub past: usize,
}

const WHOLE: usize = usize::MAX;

/// The channel of that time is now for customers of weight. Futures with a date and options, which we do not trade,
/// pass for spot: their books are the same.
const OKX_OF_TODAY: [(&str, &str); 5] = [
    ("books-l2-tbt", "books"),
    ("BTC-USD-220527", "FUTURE-USD"),
    ("BTC-USD-210924-42000-P", "PUT-USD"),
    ("BTC-USD-210924-66000-C", "CALL-USD"),
    ("TRX-USDT-210924", "FUTURE-USDT"),
];

/// All of them.
pub const RECORDED: &[Recorded] = &[
    Recorded {
        venue: VenueId::BinanceSpot,
        files: &[
            "binance-spot/hftbacktest_spot_btcusdt_20240808.gz",
            "binance-spot/hftbacktest_spot_btcusdt_20240809.gz",
        ],
        connection: None,
        depth: 1_000,
        beginning: 6_000,
        whole: [1, 6_498, 0, 19_904],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceSpot,
        files: &["binance-spot/cryptofeed-v3_BINANCE.jsonl.zst"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [4, 177, 0, 2],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceSpot,
        files: &[
            "binance-spot/cryptofeed-history_BINANCE.http.0.0__34cc28de.txt.gz",
            "binance-spot/cryptofeed-history_BINANCE.ws.1.0__128297da.txt.gz",
        ],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [10, 614, 0, 24],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceSpot,
        files: &["binance-spot/cryptofeed-history_BINANCE-b38f7c.0__2df3a1e7.txt.gz"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [10, 4_709, 0, 1_240],
        past: 0,
    },
    // Its American sister speaks the same words.
    Recorded {
        venue: VenueId::BinanceSpot,
        files: &["binance-us/cryptofeed-v3_BINANCE_US.jsonl.zst"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [4, 336, 0, 11],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceSpot,
        files: &[
            "binance-us/cryptofeed-history_BINANCE_US.http.0.0__07a2882a.txt.gz",
            "binance-us/cryptofeed-history_BINANCE_US.ws.1.0__d3395acb.txt.gz",
        ],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [4, 361, 0, 3],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceSpot,
        files: &[
            "binance-us/cryptofeed-history_BINANCE_US.http.2.0__9ca9431d.txt.gz",
            "binance-us/cryptofeed-history_BINANCE_US.ws.3.0__4658ab80.txt.gz",
        ],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [10, 807, 0, 18],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceUsdm,
        files: &["binance-usdm/hftbacktest_usdm_btcusdt_20240808.gz"],
        connection: None,
        depth: 1_000,
        beginning: 6_000,
        whole: [1, 6_557, 0, 21_313],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceUsdm,
        files: &[
            "binance-usdm/hftbacktest-history_usdm_btcusdt_20240718.gz",
            "binance-usdm/hftbacktest-history_usdm_btcusdt_20240719.gz",
        ],
        connection: None,
        depth: 1_000,
        beginning: 6_000,
        whole: [1, 9_028, 0, 10_701],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceUsdm,
        files: &["binance-usdm/cryptofeed-v3_BINANCE_FUTURES.jsonl.zst"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [4, 764, 0, 91],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceUsdm,
        files: &[
            "binance-usdm/cryptofeed-history_BINANCE_FUTURES.http.4.0__fb5a540a.txt.gz",
            "binance-usdm/cryptofeed-history_BINANCE_FUTURES.ws.5.0__eb87833e.txt.gz",
        ],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [4, 1_016, 0, 185],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceCoinm,
        files: &[
            "binance-coinm/hftbacktest_cm_btcusd_perp_20240808.gz",
            "binance-coinm/hftbacktest_cm_btcusd_perp_20240809.gz",
        ],
        connection: None,
        depth: 1_000,
        beginning: 6_000,
        whole: [1, 44_820, 0, 5_235],
        past: 0,
    },
    Recorded {
        venue: VenueId::BinanceCoinm,
        files: &["binance-coinm/cryptofeed-v3_BINANCE_DELIVERY.jsonl.zst"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [10, 2_047, 0, 51],
        past: 0,
    },
    Recorded {
        venue: VenueId::BybitLinear,
        files: &["bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst"],
        connection: Some("BYBIT.ws.2"),
        depth: 200,
        beginning: WHOLE,
        whole: [2, 792, 0, 139],
        past: 0,
    },
    Recorded {
        venue: VenueId::BybitSpot,
        files: &["bybit/cryptofeed-v3_BYBIT_BTC-DOGE.jsonl.zst"],
        connection: Some("BYBIT.ws.3"),
        depth: 200,
        beginning: WHOLE,
        whole: [1, 299, 0, 11],
        past: 0,
    },
    Recorded {
        venue: VenueId::Okx,
        files: &["okx/cryptofeed-v3_OKX.jsonl.zst"],
        connection: Some("OKX.ws.1"),
        depth: 400,
        beginning: WHOLE,
        whole: [3, 287, 290, 74],
        past: 0,
    },
    Recorded {
        venue: VenueId::Okx,
        files: &["okx/cryptofeed-history_OKEX.ws.1.0__88c5acf9.txt.gz"],
        connection: None,
        depth: 400,
        beginning: WHOLE,
        whole: [10, 1_494, 1_504, 36],
        past: 0,
    },
    Recorded {
        venue: VenueId::Okx,
        files: &["okx/cryptofeed-history_OKEX.ws.2.0__1a0a2096.txt.gz"],
        connection: None,
        depth: 400,
        beginning: WHOLE,
        whole: [10, 1_436, 1_446, 36],
        past: 0,
    },
    Recorded {
        venue: VenueId::Okx,
        files: &["okx/cryptofeed-history_OKEX.ws.3.0__62cd3f73.txt.gz"],
        connection: None,
        depth: 400,
        beginning: WHOLE,
        whole: [10, 1_412, 1_422, 36],
        past: 0,
    },
    Recorded {
        venue: VenueId::Coinbase,
        files: &["coinbase/cryptofeed-v3_COINBASE.jsonl.zst"],
        connection: Some("COINBASE.ws.2"),
        depth: 1_000,
        beginning: WHOLE,
        whole: [2, 773, 0, 79],
        past: 0,
    },
    Recorded {
        venue: VenueId::Kraken,
        files: &["kraken-spot/cryptofeed-v3_KRAKEN.jsonl.zst"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [10, 4_269, 4_269, 10],
        past: 0,
    },
    Recorded {
        venue: VenueId::Deribit,
        files: &["deribit/cryptofeed-v3_DERIBIT.jsonl.zst"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [10, 36, 0, 0],
        past: 0,
    },
    Recorded {
        venue: VenueId::Deribit,
        files: &["deribit/cryptofeed-history_DERIBIT.ws.30.0__4f5c3752.txt.gz"],
        connection: None,
        depth: 1_000,
        beginning: WHOLE,
        whole: [10, 46, 0, 0],
        past: 0,
    },
    Recorded {
        venue: VenueId::Hyperliquid,
        files: &["hyperliquid/hftbacktest_hyperliquid_btcusd_20250126.gz"],
        connection: None,
        depth: 20,
        beginning: WHOLE,
        whole: [46, 0, 0, 64],
        past: 30,
    },
];

impl Recorded {
    /// The recording as it is played, as far as it is; `None`, loudly, without the folder.
    pub fn open(&self) -> Option<Capture> {
        let mut capture = Capture::open_all(self.files)?;
        if let Some(connection) = self.connection {
            capture = capture.on(connection);
        }
        // Where a snapshot names its instrument it may come before the frames that are older than it.
        capture.items.sort_by_key(|item| !matches!(&item.what, What::Http { url, .. } if !url.is_empty()));
        for item in &mut capture.items {
            if let (VenueId::Okx, What::Received(text)) = (self.venue, &mut item.what) {
                for (then, now) in OKX_OF_TODAY {
                    *text = text.replace(then, now);
                }
            }
        }
        if self.is_cut() {
            capture.items.truncate(self.beginning);
        }
        Some(capture)
    }

    /// Whether only its beginning is played.
    pub fn is_cut(&self) -> bool {
        self.beginning != WHOLE && !full_size()
    }

    /// Whether its first books came over REST.
    pub fn begins_over_rest(&self) -> bool {
        matches!(self.venue, VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm)
    }

    /// Levels a side beyond which a client has to cut.
    pub fn window(&self) -> usize {
        match self.venue {
            VenueId::BybitSpot | VenueId::BybitLinear | VenueId::Okx | VenueId::Kraken => self.depth as usize,
            _ => usize::MAX,
        }
    }

    /// Levels a side that the bot and the independent book must have in common: all, where the venue sends all; of
    /// Binance's only what a snapshot of a thousand levels says for sure.
    pub fn compared(&self) -> usize {
        if self.begins_over_rest() { 20 } else { self.window() }
    }

    /// How the bot listens to it. Marks and best prices are not in every recording, and their silence is no fault.
    pub fn options(&self) -> Options {
        let patient = Patience { first_data: Nanos::from_s(3_600), ..Patience::ENDLESS };
        Options { depth: self.depth, depth_patience: patient, bbo_patience: patient, ..Options::default() }
    }

    /// Its name in a failure.
    pub fn name(&self) -> String {
        format!("{} {} {}", self.venue, self.files[0], self.connection.unwrap_or_default())
    }
}
