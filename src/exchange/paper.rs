//! The paper venue on market data.
