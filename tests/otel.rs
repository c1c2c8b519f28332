//! What a collector hears of a bot that was built with the feature `otel`, and what a bot hears of one that is not there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Path and body of every POST, in the order they came.
type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that takes everything.
fn collector() -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let hears = Arc::clone(&hears);
            std::thread::spawn(move || while take(&socket, &hears).is_some() {});
        }
    });
    (at, heard)
}

/// One request of a connection, if another comes.
fn take(mut socket: &TcpStream, heard: &Heard) -> Option<()> {
    let mut from = BufReader::new(socket);
    let mut line = || {
        let mut line = String::new();
        from.read_line(&mut line).ok().filter(|bytes| *bytes > 0).map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let path = first.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let mut length = 0;
    loop {
        let header = line()?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    heard.lock().expect("whole").push((path, body));
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").ok()
}

/// `papermaker run` for two seconds, with these variables; and how long it took.
#[expect(clippy::disallowed_methods, reason = "how long a program holds up who started it is a matter of real time")]
fn run(here: &Path, variables: &[(&str, &str)]) -> (Output, Duration) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papermaker"));
    command.current_dir(here).args(["run", "--for", "2s", "--session", "told", "--no-dashboard"]);
    command.args(["--set", "store.path=store"]).envs(variables.iter().copied());
    let begun = Instant::now();
    (command.output().expect("it runs"), begun.elapsed())
}

/// Whether protobuf holds this text; text stands in it as it is.
fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_collector_hears_spans_and_lines_under_the_name_it_was_told() {
    let here = tempfile::tempdir().expect("a folder");
    let (at, heard) = collector();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*format!("http://{at}")), ("OTEL_SERVICE_NAME", "desk-of-anna")];
    let (ran, _) = run(here.path(), &variables);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    assert!(!said.contains("BatchSpanProcessor") && !said.contains("BatchLogProcessor"), "{said}");
    let heard = heard.lock().expect("whole");
    let of = |path: &str| -> Vec<u8> {
        let bodies = heard.iter().filter(|(to, _)| to == path).map(|(_, body)| body.clone());
        bodies.collect::<Vec<_>>().concat()
    };
    let (spans, lines) = (of("/v1/traces"), of("/v1/logs"));
    for (body, parts) in [
        (&spans, &["desk-of-anna", "papermaker.paper", "run", "recording", "connect", "ask", "inputs"][..]),
        (&lines, &["desk-of-anna", "PAPER trading binance-spot:BTCUSDT", "ended, seal "]),
    ] {
        for part in parts {
            assert!(holds(body, part), "{part:?} was not heard in {} bytes; stderr:\n{said}", body.len());
        }
    }
    // Only our own words: not what the library says of sending them.
    assert!(!holds(&lines, "hyper") && !holds(&lines, "reqwest"));
}

#[test]
fn a_collector_that_does_not_answer_holds_up_nobody_and_is_complained_of() {
    let here = tempfile::tempdir().expect("a folder");
    // It listens and never accepts.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let (ran, took) = run(here.path(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{said}");
    // Two seconds of trading, twice two of patience at the end, and a slow machine.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(said.contains("did not reach the collector"), "{said}");
}

#[test]
fn without_a_collector_nothing_is_sent_and_a_wrong_address_is_refused() {
    let here = tempfile::tempdir().expect("a folder");
    let (at, heard) = collector();
    let url = format!("http://{at}");
    let (ran, _) = run(here.path(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_SDK_DISABLED", "true")]);
    assert_eq!((ran.status.code(), heard.lock().expect("whole").len()), (Some(0), 0));
    let (ran, _) = run(here.path(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "no address")]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{said}");
}
