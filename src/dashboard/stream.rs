//! The stream: ten pictures a second, to a thousand pages, as one text.
//!
//! A picture becomes text once, whoever listens: everybody is handed the same bytes. A page that reads slowly is not waited
//! for; when it can take more it gets the newest picture, and the numbers of events and fills tell it that some are missing
//! (`GET /api/history?since=` has them). So what a page costs is bounded whatever it does: a place in the list, and what the
//! system keeps for its socket.
//!
//! Each picture's id is the `seq` of its last input. Who comes back with `Last-Event-ID` (as browsers do by themselves) or
//! `?since=` gets the pictures after it, as far back as [`KEPT`] goes, and otherwise the newest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::history::History;
use super::status::StatusSnapshot;

/// Shortest time between two pictures on the stream: ten a second.
const PICTURE_EVERY: Duration = Duration::from_millis(100);
/// A stream that has nothing to say says so this often, so that both ends know the other is there.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// Pictures kept for those who come back: about ten seconds.
const KEPT: usize = 100;
/// Most streams at once.
pub(super) const STREAMS_MAX: usize = 2_048;

/// One picture as it goes out.
#[derive(Clone, Debug)]
struct Frame {
    /// Counts pictures.
    n: u64,
    seq: u64,
    text: Bytes,
}

/// What the server knows of the past.
#[derive(Debug, Default)]
struct Kept {
    frames: VecDeque<Frame>,
    history: History,
}

/// The pictures as text, and the past.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    kept: Arc<Mutex<Kept>>,
    newest: watch::Receiver<Option<Frame>>,
    open: Arc<AtomicUsize>,
}

impl Frames {
    /// Follows `pictures` until their source is gone or `stop` is true.
    pub fn follow(mut pictures: watch::Receiver<Arc<StatusSnapshot>>, mut stop: watch::Receiver<bool>) -> Self {
        let (show, newest) = watch::channel(None);
        let frames = Self { kept: Arc::default(), newest, open: Arc::default() };
        let kept = Arc::clone(&frames.kept);
        let mut clock = tokio::time::interval(PICTURE_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::spawn(async move {
            let (mut n, mut events, mut fills) = (0, 0, 0);
            pictures.mark_changed();
            loop {
                clock.tick().await;
                tokio::select! {
                    changed = pictures.changed() => if changed.is_err() { return },
                    _ = stop.wait_for(|stop| *stop) => return,
                }
                let picture = Arc::clone(&pictures.borrow_and_update());
                n += 1;
                let frame = Frame { n, seq: picture.seq, text: text(&picture, &mut events, &mut fills) };
                let mut kept = lock(&kept);
                kept.history.see(&picture);
                if kept.frames.len() == KEPT {
                    kept.frames.pop_front();
                }
                kept.frames.push_back(frame.clone());
                drop(kept);
                show.send_replace(Some(frame));
            }
        });
        frames
    }

    /// What came after input `since`, as JSON text.
    pub fn past(&self, since: u64) -> String {
        serde_json::to_string(&lock(&self.kept).history.past(since)).expect("the past is plain data")
    }

    /// Opens a stream; `since` is the last input its reader has seen.
    pub fn open(&self, since: Option<u64>) -> Response {
        let Some(place) = Place::take(&self.open) else {
            let why = format!("{STREAMS_MAX} streams are open, and that is the most there may be");
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], why).into_response();
        };
        let kept = lock(&self.kept);
        let missed: VecDeque<Frame> = match since {
            Some(since) => kept.frames.iter().filter(|frame| frame.seq > since).cloned().collect(),
            None => kept.frames.back().cloned().into_iter().collect(),
        };
        let seen = kept.frames.back().map_or(0, |frame| frame.n);
        drop(kept);
        let reader = Reader { missed, seen, newest: self.newest.clone(), _place: place };
        let body = Body::from_stream(stream::unfold(reader, |mut reader| async move {
            let text = reader.next().await?;
            Some((Ok::<_, std::convert::Infallible>(text), reader))
        }));
        ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // Nobody who holds it can panic half-way through a change.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One event of the stream: the picture, with only the events and fills that no picture before it had.
fn text(picture: &StatusSnapshot, events: &mut u64, fills: &mut u64) -> Bytes {
    let mut shown = picture.clone();
    shown.events.retain(|event| event.n > *events);
    shown.last_fills.retain(|fill| fill.n > *fills);
    *events = picture.events.last().map_or(*events, |event| event.n);
    *fills = picture.last_fills.last().map_or(*fills, |fill| fill.n);
    let mut text = format!("id: {}\ndata: ", picture.seq).into_bytes();
    serde_json::to_writer(&mut text, &shown).expect("a picture is plain data");
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// One page's view of the stream.
struct Reader {
    missed: VecDeque<Frame>,
    seen: u64,
    newest: watch::Receiver<Option<Frame>>,
    _place: Place,
}

impl Reader {
    /// `None`: the bot has ended.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.missed.pop_front() {
            return Some(frame.text);
        }
        loop {
            let waiting = self.newest.wait_for(|frame| frame.as_ref().is_some_and(|frame| frame.n > self.seen));
            match tokio::time::timeout(ALIVE_EVERY, waiting).await {
                Ok(Ok(frame)) => {
                    let frame = frame.as_ref()?;
                    self.seen = frame.n;
                    return Some(frame.text.clone());
                }
                Ok(Err(_)) => return None,
                Err(_) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }
}

/// One of the streams that may be open; given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let more = |open: usize| (open < STREAMS_MAX).then_some(open + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(Arc::clone(open)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::testing::a_snapshot;
    use super::*;

    #[test]
    fn an_event_goes_out_once_whatever_pictures_repeat() {
        let picture = a_snapshot();
        let (mut events, mut fills) = (0, 0);
        let first = text(&picture, &mut events, &mut fills);
        let again = text(&picture, &mut events, &mut fills);
        let has = |text: &Bytes, what: &str| std::str::from_utf8(text).expect("text").contains(what);
        assert!(has(&first, "pause, by anna") && has(&first, r#""order":77"#) && has(&first, "id: 48213\ndata: {"));
        assert!(!has(&again, "pause, by anna") && !has(&again, r#""order":77"#));
    }

    #[test]
    fn there_are_so_many_places_and_one_that_is_left_is_free_again() {
        let open = Arc::default();
        let taken: Vec<_> = (0..STREAMS_MAX).map_while(|_| Place::take(&open)).collect();
        assert_eq!((taken.len(), Place::take(&open).is_none()), (STREAMS_MAX, true));
        drop(taken);
        assert!(Place::take(&open).is_some());
    }
}
