//! Somebody who is told of trouble, and behaves as badly as the internet does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// What comes back.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    Later(u64),
    /// Nothing, for so long; then 200.
    Slow(Duration),
    /// The connection is closed without a word.
    Hangup,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Letter {
    pub at: Instant,
    pub path: String,
    pub body: Value,
}

/// A webhook on loopback. Gives its replies in order, 200 after the last.
pub struct Mailbox {
    address: SocketAddr,
    letters: Arc<Mutex<Vec<Letter>>>,
}

impl Mailbox {
    /// On a free port. Its threads end with the test's process.
    pub fn open(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let letters = Arc::new(Mutex::new(Vec::new()));
        let (kept, replies) = (Arc::clone(&letters), replies.to_vec());
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (kept, replies) = (Arc::clone(&kept), replies.clone());
                std::thread::spawn(move || serve(socket, &kept, &replies));
            }
        });
        Self { address, letters }
    }

    /// Where it is; `path` is the secret part.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// All that came so far.
    pub fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Kind and moment of all that came so far.
    pub fn kinds(&self) -> Vec<(String, String)> {
        let word = |letter: &Letter, key: &str| letter.body[key].as_str().unwrap_or_default().to_owned();
        self.letters().iter().map(|letter| (word(letter, "kind"), word(letter, "moment"))).collect()
    }

    /// Waits for something to have come.
    #[track_caller]
    pub fn wait_for(&self, what: &str, ready: impl Fn(&[Letter]) -> bool) -> Vec<Letter> {
        let begun = Instant::now();
        loop {
            let letters = self.letters();
            if ready(&letters) {
                return letters;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "no {what} in {letters:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn serve(socket: TcpStream, kept: &Mutex<Vec<Letter>>, replies: &[Reply]) {
    let mut reader = BufReader::new(socket.try_clone().expect("a socket may be cloned"));
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body that was announced");
    let body = serde_json::from_slice(&body).expect("a body of JSON");
    let number = {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(Letter { at: Instant::now(), path, body });
        kept.len() - 1
    };
    let answer = match replies.get(number).unwrap_or(&Reply::Status(200)) {
        Reply::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"),
        Reply::Later(s) => {
            format!("HTTP/1.1 429 X\r\nretry-after: {s}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }
        Reply::Slow(wait) => {
            std::thread::sleep(*wait);
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        }
        Reply::Hangup => return,
    };
    let mut socket = socket;
    // Who has lost patience is gone.
    let _ = socket.write_all(answer.as_bytes());
}
