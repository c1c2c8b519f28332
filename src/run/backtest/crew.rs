//! Jobs that know nothing of each other, over as many threads as are wanted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Does jobs `0..count` on up to `threads` threads; results in the order of the jobs, whoever did which.
///
/// After a failure no new job is begun. The failure told is that of the lowest job: jobs are handed out in order, so that one
/// was begun before any later one could fail.
pub fn in_parallel<T: Send, E: Send>(
    threads: usize,
    count: usize,
    job: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Mutex::new(Vec::with_capacity(count));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                break;
            }
            let result = job(n);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            done.lock().expect("a job that panics ends the program").push((n, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().expect("all threads are back");
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_and_in_its_place() {
        for threads in [1, 2, 7, 50] {
            let counts: Vec<AtomicUsize> = (0..20).map(|_| AtomicUsize::new(0)).collect();
            let job = |n: usize| -> Result<usize, ()> {
                counts[n].fetch_add(1, Ordering::Relaxed);
                Ok(n * n)
            };
            assert_eq!(in_parallel(threads, 20, job), Ok((0..20).map(|n| n * n).collect()));
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "{threads} threads");
        }
        assert_eq!(in_parallel(3, 0, |_| -> Result<(), ()> { Ok(()) }), Ok(Vec::new()));
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_told() {
        for threads in [1, 2, 7] {
            let found = in_parallel(threads, 40, |n| if n % 10 == 5 { Err(n) } else { Ok(n) });
            assert_eq!(found, Err(5), "{threads} threads");
        }
    }
}
