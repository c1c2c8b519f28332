//! Each venue's conversation, case by case: the numbers are those of the venue notes' test list.

mod binance_futures;
mod bybit;
mod deribit;
mod hyperliquid;
mod okx;
