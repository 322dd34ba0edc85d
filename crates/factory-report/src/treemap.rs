//! Squarified treemaps (Bruls, Huizing, van Wijk: "Squarified Treemaps", 2000): rectangles whose
//! areas are in proportion to sizes, and which are as close to squares as a simple rule gets them.

/// A rectangle; x grows to the right, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// What a treemap fills: only its proportions matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Rect {
    /// Its area.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    fn shorter_side(&self) -> f64 {
        self.width.min(self.height)
    }
}

/// A rectangle of the frame for each size, in their order. Sizes are laid out as they come: the
/// largest first gives the best shapes. What has no size gets an empty rectangle.
pub fn squarify(sizes: &[u64], frame: Frame) -> Vec<Rect> {
    let sum: f64 = sizes.iter().map(|size| *size as f64).sum();
    let mut free = Rect {
        x: 0.0,
        y: 0.0,
        width: frame.width,
        height: frame.height,
    };
    let scale = if sum > 0.0 { free.area() / sum } else { 0.0 };
    let areas: Vec<f64> = sizes.iter().map(|size| *size as f64 * scale).collect();
    let mut rects = Vec::with_capacity(areas.len());
    let mut rest = areas.as_slice();
    while !rest.is_empty() {
        let n = row_length(rest, free.shorter_side());
        let (row, after) = rest.split_at(n);
        free = place(row, free, after.iter().all(|area| *area == 0.0), &mut rects);
        rest = after;
    }
    rects
}

/// How many of the next areas stand side by side: as many as make the worst shape better.
fn row_length(areas: &[f64], side: f64) -> usize {
    let mut worst = f64::INFINITY;
    let (mut sum, mut least, mut most) = (0.0, f64::INFINITY, 0.0_f64);
    for (n, area) in areas.iter().enumerate() {
        sum += area;
        least = least.min(*area);
        most = most.max(*area);
        let (thickness, all) = (side * side, sum * sum);
        let now = f64::max(thickness * most / all, all / (thickness * least));
        if n > 0 && now.partial_cmp(&worst).is_none_or(|order| order.is_gt()) {
            return n;
        }
        worst = now;
    }
    areas.len()
}

/// Puts a row along the shorter side; returns what is free then.
fn place(row: &[f64], free: Rect, is_last: bool, rects: &mut Vec<Rect>) -> Rect {
    let sum: f64 = row.iter().sum();
    let side = free.shorter_side();
    let is_upright = free.width >= free.height;
    let depth = if is_upright { free.width } else { free.height };
    let thickness = match (is_last, side > 0.0) {
        // The rest, whatever rounding made of it.
        (true, _) if sum > 0.0 => depth,
        (_, true) => (sum / side).min(depth),
        (_, false) => 0.0,
    };
    let mut at = 0.0;
    for area in row {
        let length = if sum > 0.0 { side * area / sum } else { 0.0 };
        // Rounding may not lead beyond the frame.
        let length = length.min(side - at).max(0.0);
        rects.push(if is_upright {
            Rect {
                x: free.x,
                y: free.y + at,
                width: thickness,
                height: length,
            }
        } else {
            Rect {
                x: free.x + at,
                y: free.y,
                width: length,
                height: thickness,
            }
        });
        at += length;
    }
    if is_upright {
        Rect {
            x: free.x + thickness,
            width: free.width - thickness,
            ..free
        }
    } else {
        Rect {
            y: free.y + thickness,
            height: free.height - thickness,
            ..free
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: Frame = Frame {
        width: 1000.0,
        height: 600.0,
    };

    #[test]
    fn ok_the_example_of_the_paper() {
        let frame = Frame {
            width: 6.0,
            height: 4.0,
        };
        let rects = squarify(&[6, 6, 4, 3, 2, 2, 1], frame);
        let first = Rect {
            x: 0.0,
            y: 0.0,
            width: 3.0,
            height: 2.0,
        };
        assert_eq!(rects[0], first);
        assert_eq!(rects[1], Rect { y: 2.0, ..first });
        for (rect, area) in rects.iter().zip([6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0]) {
            assert!((rect.area() - area).abs() < 1e-9, "{rect:?}");
        }
    }

    #[test]
    fn ok_nothing_and_zeros() {
        assert_eq!(squarify(&[], FRAME), []);
        let rects = squarify(&[0, 0], FRAME);
        assert!(rects.iter().all(|rect| rect.area() == 0.0), "{rects:?}");
        let rects = squarify(&[5, 0, 0], FRAME);
        assert_eq!(rects[0].area(), 600_000.0);
    }

    proptest! {
        /// Areas in proportion, inside the frame, none over another: a partition.
        #[test]
        fn ok_a_partition(
            mut sizes in proptest::collection::vec(
                prop_oneof![0_u64..5, 1_u64..1000, 1_u64..4_000_000_000], 1..60),
            width in 10.0..2000.0_f64,
            height in 10.0..2000.0_f64,
            is_sorted in any::<bool>(),
        ) {
            if is_sorted {
                sizes.sort_by(|one, other| other.cmp(one));
            }
            let rects = squarify(&sizes, Frame { width, height });
            prop_assert_eq!(rects.len(), sizes.len());
            let sum: f64 = sizes.iter().map(|size| *size as f64).sum();
            let slack = 1e-6 * width.max(height);
            for (rect, size) in rects.iter().zip(&sizes) {
                prop_assert!(rect.x >= -slack && rect.y >= -slack, "{:?}", rect);
                prop_assert!(rect.x + rect.width <= width + slack, "{:?}", rect);
                prop_assert!(rect.y + rect.height <= height + slack, "{:?}", rect);
                if sum > 0.0 {
                    let area = *size as f64 / sum * width * height;
                    prop_assert!((rect.area() - area).abs() <= 1e-6 * width * height, "{:?} {}", rect, area);
                }
            }
            for (place, one) in rects.iter().enumerate() {
                for other in &rects[place + 1..] {
                    let wide = (one.x + one.width).min(other.x + other.width) - one.x.max(other.x);
                    let high = (one.y + one.height).min(other.y + other.height) - one.y.max(other.y);
                    prop_assert!(wide <= slack || high <= slack, "{:?} {:?}", one, other);
                }
            }
        }
    }
}
