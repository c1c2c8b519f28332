//! Each venue's conversation, case by case: the numbers are those of the venue notes' test list.

mod bybit;
mod okx;
