//! Where the rectangles of the treemap are, for a wide page and for a tall one.
//!
//! Each is given relative to the one around it, in ten-thousandths of its sides, so that the
//! script only has to multiply.

use serde::Serialize;

use crate::treemap::{Frame, Rect, squarify};
use crate::{Contents, Layer, Part};

/// A page on a screen.
const WIDE: Frame = Frame {
    width: 1000.0,
    height: 560.0,
};
/// A page on a phone.
const TALL: Frame = Frame {
    width: 360.0,
    height: 480.0,
};
/// Sides are cut into so many parts.
const PARTS: f64 = 10_000.0;

/// Left edge, upper edge, width, height.
type Place = [u32; 4];

#[derive(Serialize)]
pub(super) struct Layouts {
    wide: Layout,
    tall: Layout,
}

#[derive(Serialize)]
struct Layout {
    /// Height for each width.
    ratio: f64,
    layers: Vec<LayerLayout>,
}

#[derive(Serialize)]
struct LayerLayout {
    at: Place,
    parts: Vec<PartLayout>,
}

#[derive(Serialize)]
struct PartLayout {
    at: Place,
    /// The files in order, and then what is not named.
    files: Vec<Place>,
}

impl Layouts {
    pub(super) fn of(contents: &Contents) -> Self {
        Self {
            wide: Layout::of(contents, WIDE),
            tall: Layout::of(contents, TALL),
        }
    }
}

impl Layout {
    fn of(contents: &Contents, frame: Frame) -> Self {
        let sizes: Vec<u64> = contents
            .layers
            .iter()
            .map(|layer| layer.parts_bytes)
            .collect();
        let rects = sorted(&sizes, frame);
        let layers = contents.layers.iter().zip(&rects);
        Self {
            ratio: frame.height / frame.width,
            layers: layers
                .map(|(layer, rect)| LayerLayout {
                    at: place(rect, frame),
                    parts: parts(layer, rect, frame),
                })
                .collect(),
        }
    }
}

fn parts(layer: &Layer, rect: &Rect, frame: Frame) -> Vec<PartLayout> {
    let sizes: Vec<u64> = layer.parts.iter().map(|part| part.size_bytes).collect();
    // In the shape in which people see it first.
    let inner = Frame {
        width: rect.width.max(1.0),
        height: rect.height.max(1.0),
    };
    let rects = sorted(&sizes, inner);
    let parts = layer.parts.iter().zip(&rects);
    let of = |(part, rect): (&Part, &Rect)| PartLayout {
        at: place(rect, inner),
        files: files(part, frame),
    };
    parts.map(of).collect()
}

fn files(part: &Part, frame: Frame) -> Vec<Place> {
    let mut sizes: Vec<u64> = part.files.iter().map(|file| file.size_bytes).collect();
    if part.n_other_files > 0 {
        sizes.push(part.other_bytes);
    }
    let rects = sorted(&sizes, frame);
    rects.iter().map(|rect| place(rect, frame)).collect()
}

/// Rectangles in the order of the sizes, laid out with the largest first.
fn sorted(sizes: &[u64], frame: Frame) -> Vec<Rect> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(sizes[*place]));
    let by_size: Vec<u64> = order.iter().map(|place| sizes[*place]).collect();
    let mut placed: Vec<(usize, Rect)> = order.into_iter().zip(squarify(&by_size, frame)).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, rect)| rect).collect()
}

fn place(rect: &Rect, frame: Frame) -> Place {
    let edge = |at: f64, side: f64| (at / side * PARTS).round().clamp(0.0, PARTS) as u32;
    // Both edges are rounded, so that neighbours meet.
    let (left, top) = (edge(rect.x, frame.width), edge(rect.y, frame.height));
    let right = edge(rect.x + rect.width, frame.width);
    let bottom = edge(rect.y + rect.height, frame.height);
    [left, top, right - left, bottom - top]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_in_the_order_of_sizes() {
        let rects = sorted(&[1, 0, 8, 1], WIDE);
        let areas: Vec<f64> = rects.iter().map(|rect| rect.area().round()).collect();
        assert_eq!(areas, [56_000.0, 0.0, 448_000.0, 56_000.0]);
    }

    #[test]
    fn ok_neighbours_meet() {
        let rects = squarify(&[3, 3, 3], WIDE);
        let places: Vec<Place> = rects.iter().map(|rect| place(rect, WIDE)).collect();
        let covered: u64 = places
            .iter()
            .map(|at| u64::from(at[2]) * u64::from(at[3]))
            .sum();
        assert_eq!(covered, 100_000_000);
    }
}
