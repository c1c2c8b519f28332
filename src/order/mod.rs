//! Ids, requests, reports, and the legal life of an order.

pub mod lifecycle;
pub mod report;
pub mod request;

pub use lifecycle::{Order, OrderState};
pub use report::{Fill, FillWhy, Liquidity, RejectReason, Report, ReportKind};
pub use request::{OrderId, OrderKind, Request};
