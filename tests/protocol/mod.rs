//! Each venue's conversation, case by case: the numbers are those of the venue notes' test list.

mod coinbase;
mod coinbase_recording;
mod kraken;
mod kraken_recording;
