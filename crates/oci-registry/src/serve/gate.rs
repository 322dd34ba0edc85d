//! How many may be at work at once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A number of places.
pub(super) struct Gate {
    n_places: usize,
    taken: Mutex<usize>,
    left: Condvar,
}

/// A place that is taken until this is dropped.
pub(super) struct Place<'g>(&'g Gate);

impl Gate {
    pub(super) fn new(n_places: usize) -> Self {
        Self {
            n_places,
            taken: Mutex::new(0),
            left: Condvar::new(),
        }
    }

    /// Takes a place, waiting so long for one.
    pub(super) fn enter(&self, patience: Duration) -> Option<Place<'_>> {
        let deadline = Instant::now() + patience;
        let mut taken = self.lock();
        while *taken >= self.n_places {
            let rest = deadline.checked_duration_since(Instant::now())?;
            let waited = self.left.wait_timeout(taken, rest);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken += 1;
        Some(Place(self))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.left.notify_one();
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
}
