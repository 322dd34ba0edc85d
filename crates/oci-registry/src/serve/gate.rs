//! How many may be at work at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A number of places; who came first gets the next one.
pub(super) struct Gate {
    n_places: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    n_taken: usize,
    /// Those who wait, the first one first.
    waiting: VecDeque<u64>,
    next: u64,
}

/// A place that is taken until this is dropped.
pub(super) struct Place<'g>(&'g Gate);

impl Gate {
    pub(super) fn new(n_places: usize) -> Self {
        Self {
            n_places,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Takes a place, waiting so long for one.
    pub(super) fn enter(&self, patience: Duration) -> Option<Place<'_>> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.push_back(ticket);
        while state.n_taken >= self.n_places || state.waiting.front() != Some(&ticket) {
            let Some(rest) = deadline.checked_duration_since(Instant::now()) else {
                state.waiting.retain(|waiting| *waiting != ticket);
                // It may have been the first.
                self.changed.notify_all();
                return None;
            };
            let waited = self.changed.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting.pop_front();
        state.n_taken += 1;
        self.changed.notify_all();
        Some(Place(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().n_taken -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_a_place_that_is_left_is_free() {
        let gate = Gate::new(1);
        let place = gate.enter(Duration::ZERO).unwrap();
        assert!(gate.enter(Duration::from_millis(5)).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.enter(Duration::from_secs(30)).is_some());
            drop(place);
            assert!(waiting.join().unwrap());
        });
        assert!(gate.enter(Duration::ZERO).is_some());
    }

    #[test]
    fn ok_who_came_first_is_next() {
        let gate = Gate::new(1);
        let order = Mutex::new(Vec::new());
        let place = gate.enter(Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            for number in 0..5 {
                let (gate, order) = (&gate, &order);
                scope.spawn(move || {
                    let _place = gate.enter(Duration::from_secs(30)).unwrap();
                    order.lock().unwrap().push(number);
                });
                while gate.lock().waiting.len() <= number {
                    std::thread::yield_now();
                }
            }
            drop(place);
        });
        assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4]);
    }
}
