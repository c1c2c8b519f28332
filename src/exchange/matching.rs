//! A matching engine with price-time priority.
