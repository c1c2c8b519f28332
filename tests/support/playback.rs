//! Binance spot on loopback, played from a recording: websocket and REST on one port, faults where the script says.
//!
//! The market moves only while somebody listens, so a bot misses what a fault takes away and nothing else. The first
//! depth request gets the recorded snapshot, once the playback has reached it; later ones get the server's own
//! [`IndependentBook`] at its present position.
//!
//! In an async test: `Playback::start(script).await`. Beside the real binary, from an ordinary test:
//! `let (_runtime, playback) = Playback::beside(script);` and keep the runtime until the end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::independent::{IndependentBook, Ladder};
use super::recording::{Frame, Print, Recording};

mod http;
mod line;

/// How fast the recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// This many times as fast as it happened.
    Times(f64),
    /// As fast as the listeners take it. The first snapshot then takes no recorded time: the market waits for it.
    Max,
}

/// What goes wrong at a frame. `lost` frames after it happen at the venue but reach nobody.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The frame never comes.
    Drop,
    /// It comes twice.
    Double,
    /// The next one of its stream comes first.
    Swap,
    /// Half of its text comes.
    Half,
    /// A depth frame with a bid far above the offers, which the venue never takes back.
    Cross,
    /// A close frame with this code instead.
    Close { code: u16, lost: usize },
    /// The connection is reset without a word instead.
    Reset { lost: usize },
    /// Nothing comes for so long (by the wall clock); then the frame.
    Silence(Duration),
    /// A text frame of so many bytes first.
    Oversize(usize),
    /// The connection stays open but is dead from here on: no frames, no answers.
    HalfOpen { lost: usize },
    /// A ping with this payload first.
    Ping(Vec<u8>),
    /// The venue's notice that it will close the connection first.
    ServerShutdown,
}

/// What is played, and what goes wrong.
#[derive(Clone)]
pub struct Script {
    pub recording: Arc<Recording>,
    pub speed: Speed,
    /// By frame number.
    pub faults: Vec<(usize, Fault)>,
    /// Status and `Retry-After` seconds of the first answers to depth requests; afterwards they are served.
    pub refuse_depth: Vec<(u16, Option<u32>)>,
    /// Status of the first answers to websocket upgrades.
    pub refuse_upgrade: Vec<u16>,
    /// Every REST answer takes this long.
    pub rest_delay: Duration,
}

impl Script {
    /// Everything as recorded.
    pub fn faithful(recording: Arc<Recording>, speed: Speed) -> Self {
        Self {
            recording,
            speed,
            faults: Vec::new(),
            refuse_depth: Vec::new(),
            refuse_upgrade: Vec::new(),
            rest_delay: Duration::ZERO,
        }
    }

    /// With one more fault.
    pub fn with(mut self, frame: usize, fault: Fault) -> Self {
        self.faults.push((frame, fault));
        self
    }
}

/// What the server has seen and done so far.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Websockets accepted.
    pub connections: usize,
    /// Most of them open at one moment.
    pub open_max: usize,
    /// When each upgrade was asked for, refused ones included.
    pub upgrades: Vec<Instant>,
    /// When each depth request came and what it got.
    pub depth_requests: Vec<(Instant, u16)>,
    /// Payloads of pongs.
    pub pongs: Vec<Vec<u8>>,
    /// Text frames of clients.
    pub heard: Vec<(Instant, String)>,
    /// Prints sent to at least one listener, in order, doubled ones twice.
    pub prints: Vec<Print>,
}

/// What the player tells a connection.
#[derive(Clone)]
enum Order {
    /// From this stream (`None`: to everybody), combined and raw form.
    Text {
        stream: Option<String>,
        combined: String,
        raw: String,
    },
    Ping(Vec<u8>),
    Close(u16),
    Reset,
    HalfOpen,
}

struct Shared {
    script: Script,
    stats: Mutex<Stats>,
    book: Mutex<IndependentBook>,
    /// Frames that have happened.
    position: watch::Sender<usize>,
    /// Depth requests served.
    served: watch::Sender<usize>,
    listeners: Mutex<Vec<mpsc::Sender<Order>>>,
    /// Counts up with each new listener.
    arrivals: watch::Sender<usize>,
    open: AtomicUsize,
    refuse_depth: Mutex<VecDeque<(u16, Option<u32>)>>,
    refuse_upgrade: Mutex<VecDeque<u16>>,
}

/// A running server; dropping it ends it.
pub struct Playback {
    port: u16,
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test task panicked with this lock")
}

impl Playback {
    /// Listens on a free loopback port.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let shared = Arc::new(Shared {
            refuse_depth: Mutex::new(script.refuse_depth.iter().copied().collect()),
            refuse_upgrade: Mutex::new(script.refuse_upgrade.iter().copied().collect()),
            script,
            stats: Mutex::default(),
            book: Mutex::default(),
            position: watch::Sender::new(0),
            served: watch::Sender::new(0),
            listeners: Mutex::default(),
            arrivals: watch::Sender::new(0),
            open: AtomicUsize::new(0),
        });
        let accepting = shared.clone();
        let accept = tokio::spawn(async move {
            // Connections end with the server.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("loopback accepts");
                connections.spawn(http::serve(stream, accepting.clone()));
            }
        });
        let play = tokio::spawn(play(shared.clone()));
        Self { port, shared, tasks: vec![accept.abort_handle(), play.abort_handle()] }
    }

    /// The same on threads of its own, for tests that start the real binary.
    pub fn beside(script: Script) -> (Runtime, Self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime for the server");
        let playback = runtime.block_on(Self::start(script));
        (runtime, playback)
    }

    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn stats(&self) -> Stats {
        locked(&self.shared.stats).clone()
    }

    /// Websockets open at this moment.
    pub fn open_sockets(&self) -> usize {
        self.shared.open.load(SeqCst)
    }

    /// Frames that have happened.
    pub fn position(&self) -> usize {
        *self.shared.position.borrow()
    }

    /// Whether the whole recording has been played.
    pub fn finished(&self) -> bool {
        self.position() == self.shared.script.recording.frames.len()
    }

    /// The true book at this position: its update id and the best `depth` levels of each side.
    pub fn top(&self, depth: usize) -> (Option<u64>, (Ladder, Ladder)) {
        let book = locked(&self.shared.book);
        (book.last_id(), book.top(depth))
    }

    /// Waits until `ready` or the time is up; says whether it became ready.
    pub async fn wait(&self, within: Duration, mut ready: impl FnMut(&Self) -> bool) -> bool {
        let looking = async {
            while !ready(self) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(within, looking).await.is_ok()
    }
}

/// Plays the recording once.
async fn play(shared: Arc<Shared>) {
    let recording = shared.script.recording.clone();
    let (mut begun, mut lost, mut swapped) = (None, 0usize, None::<&Frame>);
    for (k, frame) in recording.frames.iter().enumerate() {
        listened(&shared).await;
        if recording.snapshot.as_ref().is_some_and(|(at, _)| *at == k) {
            take_snapshot(&shared).await;
        }
        if let Speed::Times(times) = shared.script.speed {
            let (instant, ns) = *begun.get_or_insert((Instant::now(), frame.recv_ns));
            sleep_until(instant + Duration::from_nanos((frame.recv_ns - ns).max(0) as u64).div_f64(times)).await;
        }
        // It happens at the venue first; what reaches a listener is another matter.
        if frame.is_depth() {
            locked(&shared.book).diff(frame.data());
        }
        shared.position.send_replace(k + 1);
        if lost > 0 {
            lost -= 1;
            continue;
        }
        let mut copies = 1;
        let mut text = None;
        for (_, fault) in shared.script.faults.iter().filter(|(at, _)| *at == k) {
            match fault {
                Fault::Drop => copies = 0,
                Fault::Double => copies = 2,
                Fault::Swap => {
                    swapped = Some(frame);
                    copies = 0;
                }
                Fault::Half => text = Some(frame.text[..frame.text.len() / 2].to_owned()),
                Fault::Cross => {
                    text = Some(frame.text.replace("\"b\":[", "\"b\":[[\"999999.00000000\",\"1.00000000\"],"))
                }
                Fault::Close { code, lost: n } => {
                    end(&shared, Order::Close(*code)).await;
                    (copies, lost) = (0, *n);
                }
                Fault::Reset { lost: n } => {
                    end(&shared, Order::Reset).await;
                    (copies, lost) = (0, *n);
                }
                Fault::HalfOpen { lost: n } => {
                    end(&shared, Order::HalfOpen).await;
                    (copies, lost) = (0, *n);
                }
                Fault::Silence(time) => {
                    sleep(*time).await;
                    listened(&shared).await;
                }
                Fault::Oversize(bytes) => {
                    let junk = "x".repeat(*bytes);
                    tell(&shared, Order::Text { stream: None, combined: junk.clone(), raw: junk }).await;
                    listened(&shared).await;
                }
                Fault::Ping(payload) => tell(&shared, Order::Ping(payload.clone())).await,
                Fault::ServerShutdown => {
                    let raw = "{\"e\":\"serverShutdown\",\"E\":1723161255000}".to_owned();
                    let combined = format!("{{\"stream\":\"!serverShutdown\",\"data\":{raw}}}");
                    tell(&shared, Order::Text { stream: None, combined, raw }).await;
                }
            }
        }
        match text {
            Some(broken) => {
                let stream = Some(frame.stream().to_owned());
                tell(&shared, Order::Text { stream, combined: broken.clone(), raw: broken }).await;
            }
            None => {
                for _ in 0..copies {
                    show(&shared, frame).await;
                }
            }
        }
        if copies > 0
            && let Some(late) = swapped.take_if(|late: &mut &Frame| late.stream() == frame.stream())
        {
            show(&shared, late).await;
        }
    }
}

/// Waits until somebody listens: without an audience the market stands still.
async fn listened(shared: &Shared) {
    let mut arrivals = shared.arrivals.subscribe();
    loop {
        {
            let mut listeners = locked(&shared.listeners);
            listeners.retain(|l| !l.is_closed());
            if !listeners.is_empty() {
                return;
            }
        }
        arrivals.changed().await.expect("the server outlives its player");
    }
}

/// The moment of the recorded snapshot. As fast as possible means that the market waits for it to be fetched.
async fn take_snapshot(shared: &Shared) {
    let body = &shared.script.recording.snapshot.as_ref().expect("checked by the caller").1;
    locked(&shared.book).snapshot(body);
    // Whoever waits for the snapshot wakes up by this.
    shared.position.send_modify(|_| {});
    if shared.script.speed == Speed::Max {
        let mut served = shared.served.subscribe();
        served.wait_for(|&n| n > 0).await.expect("the server outlives its player");
    }
}

async fn show(shared: &Shared, frame: &Frame) {
    if let Some(print) = frame.print() {
        locked(&shared.stats).prints.push(print);
    }
    let (combined, raw) = (frame.text.clone(), frame.data().to_owned());
    tell(shared, Order::Text { stream: Some(frame.stream().to_owned()), combined, raw }).await;
}

/// To every listener, waiting for slow ones.
async fn tell(shared: &Shared, order: Order) {
    let listeners = locked(&shared.listeners).clone();
    for listener in listeners {
        // A listener that left is noticed by `listened`.
        let _ = listener.send(order.clone()).await;
    }
}

/// The last order to every listener there is.
async fn end(shared: &Shared, order: Order) {
    let listeners = std::mem::take(&mut *locked(&shared.listeners));
    for listener in listeners {
        let _ = listener.send(order.clone()).await;
    }
}
