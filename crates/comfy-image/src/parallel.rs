//! Runs independent work on a few threads. Results keep the order of the input.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::Error;

/// How many threads this machine runs at a time.
pub(crate) fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Applies `work` to every item on up to `jobs` threads, and returns the first error in input order.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    jobs: NonZeroUsize,
    work: impl Fn(usize, &T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, work(index, item)));
        }
    };
    let n_threads = jobs.get().min(items.len());
    let mut results = if n_threads <= 1 {
        worker()
    } else {
        thread::scope(|scope| {
            let handles: Vec<_> = (0..n_threads).map(|_| scope.spawn(worker)).collect();
            handles.into_iter().flat_map(join).collect()
        })
    };
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Waits for a thread, and passes on its panic.
pub(crate) fn join<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    match handle.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
