//! The rules of an instrument that a recording does not bring along: what its name and its venue's custom say.
//!
//! Steps come from the numbers ([`super::survey`]); what a contract is worth does not show in them. Where the venue has
//! one custom it is followed; where each contract has a size of its own (OKX's swaps and futures) it is not guessed, and
//! options are not traded here at all. A market known from files only is taken for spot: a unit is a unit.

use super::{Format, Wish};
use crate::market::{Contract, Instrument, Kind, VenueId};
use crate::units::Step;
use crate::wire::binance_futures::{self, Market};

/// Errors if the name says that it is something we cannot price.
pub fn instrument(wish: &Wish, tick: Step, lot: Step) -> Result<Instrument, String> {
    let symbol = wish.symbol.as_str();
    let text = |error: crate::units::NotOnStep| error.to_string();
    let (base, quote) = assets(wish);
    if let Some(market) = Market::of(wish.venue) {
        return binance_futures::presumed(market, symbol, (base, quote), tick, lot).map_err(text);
    }
    let (kind, quote, settle) = match wish.venue {
        VenueId::BinanceSpot
        | VenueId::BinanceUsdm
        | VenueId::BinanceCoinm
        | VenueId::BybitSpot
        | VenueId::Coinbase
        | VenueId::Kraken
        | VenueId::Imported => (Kind::Spot, quote, quote),
        VenueId::BybitLinear => (Kind::Linear, quote, quote),
        VenueId::Hyperliquid if symbol.contains('/') => (Kind::Spot, quote, quote),
        VenueId::Hyperliquid => (Kind::Linear, "USDC", "USDC"),
        VenueId::Okx if symbol.matches('-').count() == 1 => (Kind::Spot, quote, quote),
        VenueId::Okx => {
            return Err(format!(
                "what a contract of {symbol} is worth is only in the venue's rules, and the recording does not hold them"
            ));
        }
        VenueId::Deribit => match symbol.split_once("-PERPETUAL").map(|(coin, rest)| (coin.split_once('_'), rest)) {
            Some((None, "")) => (Kind::Inverse, "USD", base),
            Some((Some((_, quote)), "")) => (Kind::Linear, quote, quote),
            _ => {
                return Err(format!(
                    "{symbol} is no perpetual, and what else it is worth is only in the venue's rules, which the recording \
                     does not hold"
                ));
            }
        },
    };
    let instrument = Instrument::new(wish.venue, symbol, base, quote, tick, lot).map_err(text)?;
    let contract = Contract { kind, unit: Step::ONE, settle: settle.to_owned(), funding_every: None };
    Ok(instrument.with_contract(contract))
}

/// Base and quote of a symbol: at its `-`, `/` or `_`, else by the quote assets Binance has; all of it is the base where
/// nothing fits. What a future has behind its pair (`BTCUSD_PERP`) is neither. LOBSTER's stocks are paid in dollars.
pub fn assets(wish: &Wish) -> (&str, &str) {
    const QUOTES: [&str; 23] = [
        "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "BIDR", "IDRT", "DAI", "EUR", "TRY", "BRL", "GBP", "AUD",
        "RUB", "UAH", "JPY", "MXN", "ZAR", "BTC", "ETH", "BNB", "USD",
    ];
    let symbol = wish.symbol.as_str();
    if wish.format == Format::Lobster {
        return (symbol, "USD");
    }
    let is_binance = matches!(wish.venue, VenueId::BinanceSpot | VenueId::BinanceUsdm | VenueId::BinanceCoinm);
    if !is_binance && let Some((base, rest)) = symbol.split_once(['-', '/', '_']) {
        let quote = rest.split(['-', '_']).next().unwrap_or(rest);
        return (base, if quote == "PERPETUAL" { "USD" } else { quote });
    }
    let symbol = symbol.split_once('_').map_or(symbol, |(pair, _)| pair);
    // TrueUSD is Binance's; elsewhere XBTUSD is paid in dollars.
    let quotes = QUOTES.iter().filter(|quote| is_binance || **quote != "TUSD");
    let split = { quotes }.find_map(|quote| symbol.strip_suffix(quote).filter(|base| !base.is_empty()));
    split.map_or((symbol, ""), |base| (base, &symbol[base.len()..]))
}

/// A recording's symbol in our spelling: Kraken's bitcoin and dogecoin have the names of its first protocol.
pub fn named(venue: VenueId, symbol: &str) -> String {
    let asset = |name: &str| match name {
        "XBT" => "BTC".to_owned(),
        "XDG" => "DOGE".to_owned(),
        other => other.to_owned(),
    };
    match venue {
        VenueId::Kraken => symbol.split('/').map(asset).collect::<Vec<_>>().join("/"),
        _ => symbol.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    fn wish(venue: VenueId, symbol: &str) -> Wish {
        Wish {
            files: vec![],
            format: Format::Cryptofeed,
            venue,
            symbol: symbol.to_owned(),
            tick: None,
            lot: None,
            tick_every: Nanos::from_ms(50),
        }
    }

    #[test]
    fn a_symbol_is_split_at_its_sign_or_at_its_quote_asset() {
        let split = |venue, symbol: &str| {
            let wish = wish(venue, symbol);
            let (base, quote) = assets(&wish);
            format!("{base} {quote}")
        };
        for (symbol, found) in [
            ("BTCUSDT", "BTC USDT"),
            ("RENBTCETH", "RENBTC ETH"),
            ("WHATEVER", "WHATEVER "),
            ("BTCUSD_PERP", "BTC USD"),
            ("ETHUSDT_210625", "ETH USDT"),
        ] {
            assert_eq!(split(VenueId::BinanceSpot, symbol), found);
        }
        assert_eq!(split(VenueId::Okx, "UNI-USD-SWAP"), "UNI USD");
        assert_eq!(split(VenueId::Kraken, "ADA/BTC"), "ADA BTC");
        assert_eq!(split(VenueId::Deribit, "BTC-PERPETUAL"), "BTC USD");
        assert_eq!(split(VenueId::Deribit, "SOL_USDC-PERPETUAL"), "SOL USDC");
        assert_eq!(split(VenueId::Imported, "XBTUSD"), "XBT USD");
    }

    #[test]
    fn what_a_contract_is_worth_follows_custom_or_is_refused() {
        let step = |text| Step::parse(text).unwrap();
        let found = |venue, symbol: &str| {
            let made = instrument(&wish(venue, symbol), step("0.5"), step("10"));
            made.map(|i| format!("{:?} in {}", i.contract.kind, i.contract.settle))
        };
        for (venue, symbol, kind) in [
            (VenueId::Deribit, "BTC-PERPETUAL", "Inverse in BTC"),
            (VenueId::Deribit, "SOL_USDC-PERPETUAL", "Linear in USDC"),
            (VenueId::BybitLinear, "BTCUSDT", "Linear in USDT"),
            (VenueId::Hyperliquid, "BTC", "Linear in USDC"),
            (VenueId::Okx, "BTC-USDT", "Spot in USDT"),
            (VenueId::BinanceCoinm, "BTCUSD_PERP", "Inverse in BTC"),
        ] {
            assert_eq!(found(venue, symbol).unwrap(), kind, "{symbol}");
        }
        assert!(found(VenueId::Okx, "BTC-USDT-SWAP").unwrap_err().contains("only in the venue's rules"));
        assert!(found(VenueId::Deribit, "BTC-24SEP21-8000-P").unwrap_err().contains("is no perpetual"));
    }
}
