//! The binary: installs the TLS provider and hands over to the verbs.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: rustls is built with ring only, and asks for its provider at the first connection.
    rustls::crypto::ring::default_provider().install_default().expect("nobody else installs a TLS provider");
    papermaker::cli::main()
}
