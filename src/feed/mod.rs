//! Sockets and REST.
