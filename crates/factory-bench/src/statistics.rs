//! Least, middle and most of a few runs.

/// Three runs have no distribution worth a deviation: these three numbers say all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The middle one; between the two middle ones where their number is even.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of some values; `None` without any.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[half]
        } else {
            f64::midpoint(sorted[half - 1], sorted[half])
        };
        Some(Self {
            least,
            median,
            most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_spreads() {
        let spread = |values: &[f64]| {
            let spread = Spread::of(values.iter().copied()).unwrap();
            (spread.least, spread.median, spread.most)
        };
        assert_eq!(spread(&[3.0]), (3.0, 3.0, 3.0));
        assert_eq!(spread(&[9.0, 1.0, 2.0]), (1.0, 2.0, 9.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), (1.0, 3.0, 9.0));
        assert_eq!(Spread::of([]), None);
    }
}
