//! The maker as a bot of hftbacktest's, over its array in memory.

use hftbacktest::backtest::assettype::LinearAsset;
use hftbacktest::backtest::data::Data;
use hftbacktest::backtest::models::{
    CommonFees, ConstantLatency, PowerProbQueueFunc3, ProbQueueModel, QueueModel, RiskAdverseQueueModel,
    TradingValueFeeModel,
};
use hftbacktest::backtest::{Backtest, BacktestError, DataSource, ExchangeKind, L2AssetBuilder};
use hftbacktest::depth::{INVALID_MAX, INVALID_MIN, L2MarketDepth, MarketDepth, ROIVectorMarketDepth};
use hftbacktest::types::{Bot, ElapseResult, Event, OrdType, Order, Side as TheirSide, Status, TimeInForce};
use papermaker::units::{Nanos, Side};

use super::{DECIDE_EVERY, ENTRY_US, Fill, Maker, Market, Queue, RESPONSE_US, ROI_TICKS, Ran};

/// Runs it with their fastest depth; the array is not copied.
pub fn theirs(market: &Market, rows: &Data<Event>, maker: &Maker, exchange: ExchangeKind) -> Ran {
    let (tick, lot) = (market.rules.tick.to_f64(), market.rules.lot.to_f64());
    let low = (market.begins_at() - ROI_TICKS / 2) as f64 * tick;
    let high = (market.begins_at() + ROI_TICKS / 2 - 1) as f64 * tick;
    with_depth(rows, maker, exchange, move || ROIVectorMarketDepth::new(tick, lot, low, high))
}

fn with_depth<D: MarketDepth + L2MarketDepth + 'static>(
    rows: &Data<Event>,
    maker: &Maker,
    exchange: ExchangeKind,
    depth: impl Fn() -> D + 'static,
) -> Ran {
    match maker.queue {
        Queue::RiskAverse => run(rows, maker, exchange, depth, RiskAdverseQueueModel::new()),
        Queue::Power3 => run(rows, maker, exchange, depth, ProbQueueModel::new(PowerProbQueueFunc3::new(3.0))),
    }
}

fn run<D: MarketDepth + L2MarketDepth + 'static, Q: QueueModel<D> + 'static>(
    rows: &Data<Event>,
    maker: &Maker,
    exchange: ExchangeKind,
    depth: impl Fn() -> D + 'static,
    queue: Q,
) -> Ran {
    let ns = |us| Nanos::from_us(i64::from(us)).0;
    let asset = L2AssetBuilder::new()
        .data(vec![DataSource::Data(rows.clone())])
        .latency_model(ConstantLatency::new(ns(ENTRY_US), ns(RESPONSE_US)))
        .asset_type(LinearAsset::new(1.0))
        .fee_model(TradingValueFeeModel::new(CommonFees::new(0.0, 0.0)))
        .queue_model(queue)
        .exchange(exchange)
        .depth(depth)
        .build()
        .expect("complete");
    let mut bot = Trader { hbt: Backtest::builder().add_asset(asset).build().expect("complete"), next_id: 1 };
    let mut ran = Ran::default();
    while bot.hbt.elapse(DECIDE_EVERY.0).expect("whole") == ElapseResult::Ok {
        bot.note_fills(&mut ran);
        bot.decide(maker, &mut ran).expect("a request that may be made");
    }
    bot.note_fills(&mut ran);
    ran.fills.sort_unstable();
    ran.position = bot.position();
    ran
}

struct Trader<D> {
    hbt: Backtest<D>,
    next_id: u64,
}

impl<D: MarketDepth> Trader<D> {
    fn position(&self) -> i64 {
        (self.hbt.position(0) / self.hbt.depth(0).lot_size()).round() as i64
    }

    /// Orders that have traded out since the last look, which then are forgotten.
    fn note_fills(&mut self, ran: &mut Ran) {
        let lot = self.hbt.depth(0).lot_size();
        for order in self.hbt.orders(0).values().filter(|order| order.status == Status::Filled) {
            ran.fills.push(Fill {
                at: order.exch_timestamp,
                side: ours(order.side),
                price: order.exec_price_tick,
                qty: (order.exec_qty / lot).round() as i64,
            });
        }
        self.hbt.clear_inactive_orders(Some(0));
    }

    /// As our engine brings orders to what is wanted: a side's orders and prices are paired best first, a pair that
    /// agrees is left alone, one that does not is moved, and what has a request on its way is not touched.
    fn decide(&mut self, maker: &Maker, ran: &mut Ran) -> Result<(), BacktestError> {
        let (bid, ask) = (self.hbt.depth(0).best_bid_tick(), self.hbt.depth(0).best_ask_tick());
        if bid == INVALID_MIN || ask == INVALID_MAX {
            return Ok(());
        }
        let (tick, lot, position) = (self.hbt.depth(0).tick_size(), self.hbt.depth(0).lot_size(), self.position());
        for side in Side::BOTH {
            let mut resting: Vec<(i64, u64, bool)> =
                self.hbt.orders(0).values().filter_map(|o| staying(o, side)).collect();
            resting.sort_unstable_by_key(|&(price, id, _)| (-price * side.sign(), id));
            for rank in 0..maker.levels {
                let wanted = maker.price(side, rank, bid, ask, position);
                match resting.get(rank as usize) {
                    Some((_, _, true)) => {}
                    Some((price, _, _)) if *price == wanted => {}
                    Some((_, id, _)) => {
                        ran.moved += 1;
                        self.hbt.modify(0, *id, wanted as f64 * tick, lot, false)?;
                    }
                    None => {
                        ran.placed += 1;
                        let (id, price) = (self.next_id, wanted as f64 * tick);
                        self.next_id += 1;
                        let (gtx, limit) = (TimeInForce::GTX, OrdType::Limit);
                        match side {
                            Side::Bid => self.hbt.submit_buy_order(0, id, price, lot, gtx, limit, false)?,
                            Side::Ask => self.hbt.submit_sell_order(0, id, price, lot, gtx, limit, false)?,
                        };
                    }
                }
            }
        }
        Ok(())
    }
}

/// Price, id and whether a request is on its way, of an order of this side that may rest.
fn staying(order: &Order, side: Side) -> Option<(i64, u64, bool)> {
    (ours(order.side) == side && order.req != Status::Canceled).then_some((
        order.price_tick,
        order.order_id,
        order.req != Status::None,
    ))
}

fn ours(side: TheirSide) -> Side {
    match side {
        TheirSide::Buy => Side::Bid,
        TheirSide::Sell => Side::Ask,
        TheirSide::None | TheirSide::Unsupported => panic!("our orders have a side"),
    }
}
