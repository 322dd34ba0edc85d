//! A pool of threads over a slice; results come back to the calling thread as they finish.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use anyhow::Result;

/// Runs `work` on each item with at most `n_threads` at once, and `on_done` in this thread
/// for each result, in order of completion. No new item starts once `on_done` fails.
///
/// # Errors
/// The first error of `on_done`.
pub fn for_each<'items, I: Sync, T: Send>(
    items: &'items [I],
    n_threads: usize,
    work: impl Fn(&I) -> Result<T> + Sync,
    mut on_done: impl FnMut(&'items I, Result<T>) -> Result<()>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..n_threads.min(items.len()) {
            let sender = sender.clone();
            let (next, stop, work) = (&next, &stop, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(item) = items.get(index) else { break };
                    // The receiver is gone only after an error of `on_done`.
                    if sender.send((index, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, result) in &receiver {
            if let Err(error) = on_done(&items[index], result) {
                stop.store(true, Ordering::SeqCst);
                return Err(error);
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_every_item_once() {
        let items: Vec<u32> = (0..100).collect();
        let mut sum = 0;
        for_each(
            &items,
            4,
            |item| Ok(item * 2),
            |_, result| {
                sum += result?;
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(sum, 9900);
    }

    #[test]
    fn err_stops_early() {
        let items: Vec<u32> = (0..10_000).collect();
        let started = AtomicUsize::new(0);
        let result = for_each(
            &items,
            2,
            |_| {
                started.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(1));
                Ok(())
            },
            |_, _| anyhow::bail!("enough"),
        );
        assert!(result.is_err());
        assert!(started.load(Ordering::SeqCst) < 5_000);
    }
}
