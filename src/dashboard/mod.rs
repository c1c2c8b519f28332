//! The local API and page.
