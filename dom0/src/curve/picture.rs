//! Picture of curves: what of them is plotted, and in which form.

use std::path::{Path, PathBuf};

use plots::image;
use plots::label::Label;
use plots::load;
use plots::page::page;

use super::points::{Curve, Point};
use crate::date;

/// Reads the name of a file to draw to.
///
/// # Errors
/// One that does not say in which form.
pub fn parse_place(text: &str) -> Result<PathBuf, String> {
    match form(Path::new(text)) {
        Some(_) => Ok(text.into()),
        None => Err("name a file that ends in .html or .svg".to_owned()),
    }
}

/// Forms of a picture.
enum Form {
    Page,
    Image,
}

fn form(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()? {
        "html" => Some(Form::Page),
        "svg" => Some(Form::Image),
        _ => None,
    }
}

/// Draws curves for a file of this name.
pub fn draw(curves: &[Curve], place: &Path) -> String {
    let named: Vec<(Label, &Curve)> = curves.iter().map(|curve| (name(curve), curve)).collect();
    let shown: Vec<load::Curve> = named.iter().map(|(name, curve)| shown(name, curve)).collect();
    match form(place) {
        Some(Form::Image) => image::image(&load::plots(&shown)),
        _ => {
            let made = format!("Made {} UTC.", date::ctime(date::now()));
            let figures: Vec<_> = load::figure(&shown).into_iter().collect();
            page(&[], &figures, &made)
        }
    }
}

/// Returns a curve's own name.
fn name(curve: &Curve) -> Label {
    Label::of(&format!("{}, {}", curve.job, curve.direction))
}

/// Returns a curve as it is plotted, under this name.
pub fn shown(name: &Label, curve: &Curve) -> load::Curve {
    let point = |point: &Point| load::Point {
        percent: point.percent,
        latency_ns: point.latency_ns,
        kept_up: point.kept_up,
    };
    load::Curve {
        name: name.clone(),
        points: curve.points.iter().map(point).collect(),
        knee: curve.knee().and_then(|knee| knee.percent()),
    }
}
