//! Each venue's conversation, case by case: the numbers are those of the venue notes' test list.

mod binance_futures;
mod bybit;
mod coinbase;
mod coinbase_recording;
mod deribit;
mod hyperliquid;
mod kraken;
mod kraken_recording;
mod okx;
mod table;
