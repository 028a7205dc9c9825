//! The pictures of the tray: four forms, drawn so that they are told apart without their colours.

use tauri::image::Image;

use crate::tray_view::Shape;

/// Points on each side.
const SIDE: u32 = 32;
/// So many samples a point on each axis: round edges without steps.
const SAMPLES: u32 = 4;

/// The picture of a form.
pub fn picture(shape: Shape) -> Image<'static> {
    let mut points = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            points.extend(point(shape, x, y));
        }
    }
    Image::new_owned(points, SIDE, SIDE)
}

/// One point, as red, green, blue and how much it covers.
fn point(shape: Shape, x: u32, y: u32) -> [u8; 4] {
    let [red, green, blue] = colour(shape);
    let (mut ink, mut mark) = (0, 0);
    for row in 0..SAMPLES {
        for column in 0..SAMPLES {
            let at = |point: u32, sample: u32| {
                let inside = (f64::from(sample) + 0.5) / f64::from(SAMPLES);
                (f64::from(point) + inside) / f64::from(SIDE) * 2.0 - 1.0
            };
            let (x, y) = (at(x, column), at(y, row));
            ink += u32::from(is_inside(shape, x, y));
            mark += u32::from(is_marked(shape, x, y));
        }
    }
    let all = SAMPLES * SAMPLES;
    // Marks are white on the form.
    let mixed = |tone: u8| {
        let mixed = (u32::from(tone) * (all - mark) + 255 * mark) / all;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    [mixed(red), mixed(green), mixed(blue), u8::try_from(ink * 255 / all).unwrap_or(u8::MAX)]
}

fn colour(shape: Shape) -> [u8; 3] {
    match shape {
        Shape::Ready => [0x2d, 0xa4, 0x4e],
        Shape::Syncing => [0x3b, 0x82, 0xf6],
        Shape::Attention => [0xd9, 0x8e, 0x04],
        Shape::Failed => [0xd1, 0x2f, 0x2f],
    }
}

/// Whether a place, from -1 to 1 on both axes, belongs to the form.
fn is_inside(shape: Shape, x: f64, y: f64) -> bool {
    let radius = x.hypot(y);
    match shape {
        Shape::Ready => radius < 0.8,
        // Open at the upper right.
        Shape::Syncing => (0.5..0.85).contains(&radius) && !(x > 0.0 && y < 0.0),
        Shape::Attention => y < 0.8 && y > -0.85 && x.abs() < (y + 0.85) * 0.58,
        Shape::Failed => x.abs() < 0.85 && y.abs() < 0.85 && x.abs() + y.abs() < 1.2,
    }
}

/// Whether a place belongs to the mark on the form: a stroke for attention, a cross for what failed.
fn is_marked(shape: Shape, x: f64, y: f64) -> bool {
    match shape {
        Shape::Ready | Shape::Syncing => false,
        Shape::Attention => x.abs() < 0.1 && ((-0.3..0.35).contains(&y) || (0.48..0.68).contains(&y)),
        Shape::Failed => (x - y).abs() < 0.2 && x.abs() < 0.42 || (x + y).abs() < 0.2 && x.abs() < 0.42,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_differ_without_their_colours() {
        let forms = [Shape::Ready, Shape::Syncing, Shape::Attention, Shape::Failed];
        let covers: Vec<Vec<u8>> =
            forms.iter().map(|form| picture(*form).rgba().iter().skip(3).step_by(4).copied().collect()).collect();
        for (one, cover) in covers.iter().enumerate() {
            assert_eq!(cover.len(), (SIDE * SIDE) as usize);
            let filled = cover.iter().filter(|alpha| **alpha > 200).count();
            assert!((150..900).contains(&filled), "{:?} covers {filled} points", forms[one]);
            for (other, with) in covers.iter().enumerate().skip(one + 1) {
                let differing = cover.iter().zip(with).filter(|(a, b)| a.abs_diff(**b) > 128).count();
                assert!(differing > 60, "{:?} and {:?} differ in {differing} points", forms[one], forms[other]);
            }
        }
    }
}
