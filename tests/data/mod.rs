//! Recordings by others, played through real sockets.

mod binance_faults;
mod binance_spot;
mod captures;
mod venues;
