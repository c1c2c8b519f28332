//! Layered TOML to checked values.
