//! Latency against load, of the saved curves.

use plots::figure::Figure;
use plots::load;

use super::distinct::labels;
use super::load::Data;
use super::names::{WHO_MAX, file_names};
use crate::curve::picture::shown;

/// Returns the figure, if there are curves.
pub fn figure(data: &Data) -> Option<Figure> {
    let files = file_names(&data.files);
    let is_one =
        data.curves.iter().all(|(file, _)| Some(file) == data.curves.first().map(|c| &c.0));
    let name = |(file, curve): &(usize, crate::curve::points::Curve)| {
        let of_file = files.get(*file).filter(|_| !is_one);
        let of_file = of_file.map_or_else(String::new, |file| format!(", {file}"));
        format!("{}, {}{of_file}", curve.job, curve.direction)
    };
    let names: Vec<String> = data.curves.iter().map(name).collect();
    let named = labels(&names, WHO_MAX).into_iter().zip(&data.curves);
    let curves: Vec<load::Curve> = named.map(|(name, (_, curve))| shown(&name, curve)).collect();
    load::figure(&curves)
}
