//! What the holders of a perpetual contract pay each other.
//!
//! A venue announces a rate and when it is due; nobody announces that it was paid. It has been when the venue's clock
//! has passed the moment, or when the venue speaks of a later one. What is paid then is the value of the position at
//! the last price heard **before**, times the last rate heard before: nothing that came later can have been used.
//! Each due moment is paid once. Rates of moments that passed while nobody listened are not known; they are not
//! guessed but counted ([`Passed::unknown`]).
//!
//! Where funding accrues all the time (Deribit), each mark settles the time since the mark before, one interval's worth
//! at most: a rate is no longer that rate after more. The position is the one held when the mark arrives.

use serde::{Deserialize, Serialize};

use crate::market::{Funding, Instrument, Mark};
use crate::units::{FundingRate, Lots, Money, Nanos, VenueTime};

/// What is known of an instrument's mark and funding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meter {
    mark: Option<Money>,
    index: Option<Money>,
    funding: Option<Funding>,
    /// The last moment that was due and is settled.
    settled: Option<VenueTime>,
    /// Up to when accruing funding is settled.
    accrued: Option<VenueTime>,
}

/// A payment that has become known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payment {
    /// From us, or to us if negative.
    pub amount: Money,
    pub rate: FundingRate,
    /// What the position was valued at.
    pub price: Money,
    /// When it was due; `None`: it accrued.
    pub due: Option<VenueTime>,
}

/// What a piece of news says has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub payment: Option<Payment>,
    /// Payments that were due and whose rate or price nobody told us.
    pub unknown: u32,
}

impl Meter {
    /// The last mark price heard.
    pub fn mark(&self) -> Option<Money> {
        self.mark
    }

    /// Until the next payment, as of the last news of it; `None` where nothing is due at a moment.
    pub fn funding_in(&self) -> Option<Nanos> {
        let due = self.funding?.due?;
        Some(Nanos(due.0 - self.accrued?.0)).filter(|left| *left > Nanos::ZERO)
    }

    /// What the next payment comes to at the rate and price in force, in settlement currency; zero where unknown. Of
    /// what accrues, that of a whole period.
    pub fn next(&self, rules: &Instrument, position: Lots) -> Money {
        let Some(funding) = self.funding.filter(|_| position != Lots::ZERO) else { return Money::ZERO };
        self.price(&funding).map_or(Money::ZERO, |price| paid(rules.worth(price, position), funding.rate))
    }

    /// Takes in what a venue says of its contract, at `now` on its clock where it has one.
    pub fn hear(&mut self, news: &Mark, now: Option<VenueTime>, rules: &Instrument, position: Lots) -> Passed {
        let passed = match self.funding {
            Some(funding) => self.settle(&funding, news, now, rules, position),
            None => Passed::default(),
        };
        self.mark = news.mark.or(self.mark);
        self.index = news.index.or(self.index);
        self.funding = news.funding.or(self.funding);
        if let Some(now) = now {
            self.accrued = Some(self.accrued.map_or(now, |before| before.max(now)));
        }
        passed
    }

    fn settle(
        &mut self,
        funding: &Funding,
        news: &Mark,
        now: Option<VenueTime>,
        rules: &Instrument,
        position: Lots,
    ) -> Passed {
        let Some(due) = funding.due else { return self.accrue(funding, now, rules, position) };
        let next = news.funding.and_then(|next| next.due.map(|at| (at, next.every)));
        let later = next.filter(|(at, _)| *at > due);
        let is_new = self.settled.is_none_or(|settled| due > settled);
        let mut passed = Passed::default();
        if is_new && (now.is_some_and(|now| now >= due) || later.is_some()) {
            self.settled = Some(due);
            match self.price(funding) {
                Some(price) => {
                    let amount = paid(rules.worth(price, position), funding.rate);
                    passed.payment = Some(Payment { amount, rate: funding.rate, price, due: Some(due) });
                }
                None => passed.unknown = 1,
            }
        }
        if let Some((at, every)) = later {
            passed.unknown += between(due, at, every.max(funding.every));
        }
        passed
    }

    fn accrue(&self, funding: &Funding, now: Option<VenueTime>, rules: &Instrument, position: Lots) -> Passed {
        let (Some(now), Some(before), Some(price)) = (now, self.accrued, self.price(funding)) else {
            return Passed::default();
        };
        let (elapsed, every) = (now.0.saturating_sub(before.0), funding.every.0);
        if elapsed <= 0 || every <= 0 {
            return Passed::default();
        }
        let whole = paid(rules.worth(price, position), funding.rate);
        let amount = whole.times(i128::from(elapsed.min(every)), i128::from(every));
        let unknown = u32::try_from((elapsed - 1) / every).unwrap_or(u32::MAX);
        Passed { payment: Some(Payment { amount, rate: funding.rate, price, due: None }), unknown }
    }

    /// What a position is valued at for a payment; the other price where the right one was never told.
    fn price(&self, funding: &Funding) -> Option<Money> {
        if funding.at_index { self.index.or(self.mark) } else { self.mark.or(self.index) }
    }
}

/// Longs pay when the rate is positive.
fn paid(worth: Money, rate: FundingRate) -> Money {
    worth.times(i128::from(rate.0), i128::from(FundingRate::PER_WHOLE))
}

/// Due moments strictly between two, if they come `every` so often. Half an interval is no moment of its own: venues
/// shorten and lengthen their intervals.
fn between(due: VenueTime, next: VenueTime, every: Nanos) -> u32 {
    if every <= Nanos::ZERO {
        return 0;
    }
    let steps = next.0.saturating_sub(due.0) / every.0;
    u32::try_from(steps - 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Contract, Kind, VenueId};
    use crate::units::Step;

    const HOUR: i64 = 3_600_000_000_000;

    fn money(text: &str) -> Money {
        Money::from_decimal(text.parse().expect("a decimal")).expect("in range")
    }

    /// Lots of 0.001 BTC, or of 10 USD.
    fn rules(kind: Kind) -> Instrument {
        let (lot, settle) = if kind == Kind::Inverse { ("10", "BTC") } else { ("0.001", "USDT") };
        let contract = Contract { kind, unit: Step::ONE, settle: settle.to_owned(), funding_every: None };
        let step = |text| Step::parse(text).expect("a step");
        Instrument::new(VenueId::BinanceUsdm, "BTCUSDT", "BTC", "USDT", step("0.1"), step(lot))
            .expect("steps")
            .with_contract(contract)
    }

    fn at(hours: i64) -> Option<VenueTime> {
        Some(VenueTime(hours * HOUR))
    }

    fn rate(text: &str) -> FundingRate {
        FundingRate::from_decimal(text.parse().expect("a decimal")).expect("in range")
    }

    /// Every eight hours, due at an hour of the venue's day.
    fn eight_hourly(text: &str, due: i64) -> Option<Funding> {
        Some(Funding { rate: rate(text), due: at(due), every: Nanos(8 * HOUR), at_index: false })
    }

    fn marked(price: &str, funding: Option<Funding>) -> Mark {
        Mark { mark: Some(money(price)), index: None, funding }
    }

    /// One long BTC hears news; amounts paid and unknown payments.
    fn hears(meter: &mut Meter, hour: Option<VenueTime>, news: Mark) -> (Option<Money>, u32) {
        let passed = meter.hear(&news, hour, &rules(Kind::Linear), Lots(1_000));
        (passed.payment.map(|p| p.amount), passed.unknown)
    }

    #[test]
    fn a_long_pays_once_at_the_last_mark_and_rate_before_it_was_due() {
        // 1 BTC at 60 000 × 0.0001 = 6; the mark and rate that tell us it is over have no part in it.
        let mut meter = Meter::default();
        assert_eq!(hears(&mut meter, at(7), marked("60000", eight_hourly("0.0001", 8))), (None, 0));
        assert_eq!(hears(&mut meter, at(8), marked("61000", eight_hourly("0.0002", 8))), (Some(money("6")), 0));
        // The venue repeats itself, then names the next moment: nothing is paid twice.
        assert_eq!(hears(&mut meter, at(9), marked("61000", None)), (None, 0));
        assert_eq!(hears(&mut meter, at(9), marked("61000", eight_hourly("-0.0002", 16))), (None, 0));
        // And 61 000 × -0.0002 = -12.2: paid to us.
        assert_eq!(hears(&mut meter, at(17), marked("62000", None)), (Some(money("-12.2")), 0));
    }

    #[test]
    fn a_venue_without_a_clock_has_been_paid_when_it_names_the_next_moment() {
        let mut meter = Meter::default();
        hears(&mut meter, None, marked("60000", eight_hourly("0.0001", 8)));
        assert_eq!(hears(&mut meter, None, marked("61000", eight_hourly("0.0001", 8))), (None, 0));
        assert_eq!(hears(&mut meter, None, marked("62000", eight_hourly("0.0001", 16))), (Some(money("6.1")), 0));
    }

    #[test]
    fn after_a_long_silence_one_payment_is_known_and_the_others_are_counted() {
        // Due at 8; back at 33 with the next at 40: 16, 24 and 32 went by unheard.
        let mut meter = Meter::default();
        hears(&mut meter, at(7), marked("60000", eight_hourly("0.0001", 8)));
        assert_eq!(hears(&mut meter, at(33), marked("50000", eight_hourly("0.0003", 40))), (Some(money("6")), 3));
        assert_eq!(hears(&mut meter, at(34), marked("50000", None)), (None, 0));
        // The same with the new moment told in a message of its own.
        let mut meter = Meter::default();
        hears(&mut meter, at(7), marked("60000", eight_hourly("0.0001", 8)));
        assert_eq!(hears(&mut meter, at(33), marked("50000", None)), (Some(money("6")), 0));
        assert_eq!(hears(&mut meter, at(33), marked("50000", eight_hourly("0.0003", 40))), (None, 3));
    }

    #[test]
    fn a_shorter_interval_is_not_a_payment_missed() {
        let hourly = Funding { every: Nanos(4 * HOUR), ..eight_hourly("0.0001", 16).expect("some") };
        let mut meter = Meter::default();
        hears(&mut meter, at(7), marked("60000", Some(Funding { due: at(8), ..hourly })));
        assert_eq!(hears(&mut meter, at(8), marked("60000", eight_hourly("0.0001", 16))), (Some(money("6")), 0));
        assert_eq!(hears(&mut meter, at(16), marked("60000", Some(Funding { due: at(20), ..hourly }))).1, 0);
    }

    #[test]
    fn without_a_price_a_payment_is_unknown() {
        let mut meter = Meter::default();
        hears(&mut meter, at(7), Mark { funding: eight_hourly("0.0001", 8), ..Mark::default() });
        assert_eq!(hears(&mut meter, at(8), marked("60000", None)), (None, 1));
    }

    #[test]
    fn the_oracle_is_paid_on_where_the_venue_says_so() {
        // Hyperliquid: 1 BTC × 59 000 × 0.0000125 = 0.7375.
        let hourly = Funding { rate: rate("0.0000125"), due: at(1), every: Nanos(HOUR), at_index: true };
        let mut meter = Meter::default();
        let news = Mark { mark: Some(money("60000")), index: Some(money("59000")), funding: Some(hourly) };
        hears(&mut meter, None, news);
        assert_eq!(hears(&mut meter, at(1), Mark::default()), (Some(money("0.7375")), 0));
    }

    #[test]
    fn what_accrues_is_settled_with_every_mark() {
        // Deribit: 20 000 USD at 50 000 are 0.4 BTC; 0.0008 for eight hours is 0.00032 BTC, and 0.00004 an hour.
        let funding = Funding { rate: rate("0.0008"), due: None, every: Nanos(8 * HOUR), at_index: false };
        let rules = rules(Kind::Inverse);
        let mut meter = Meter::default();
        let mut hear = |hour, price| {
            let passed = meter.hear(&marked(price, Some(funding)), at(hour), &rules, Lots(2_000));
            (passed.payment.map(|p| p.amount), passed.unknown)
        };
        assert_eq!(hear(0, "50000"), (None, 0));
        assert_eq!(hear(1, "40000"), (Some(money("0.00004")), 0));
        // Now at 40 000, 0.5 BTC: an hour is 0.00005. A mark of the past settles nothing.
        assert_eq!(hear(2, "50000"), (Some(money("0.00005")), 0));
        assert_eq!(hear(1, "50000"), (None, 0));
        // Twenty hours later the rate is good for eight of them: 0.00032, and two more intervals are unknown.
        assert_eq!(hear(22, "50000"), (Some(money("0.00032")), 2));
    }
}
