//! Plots on one HTML page that needs nothing else, for light and dark.
//!
//! `axis` maps values to places, `svg` draws, a `figure` has plots and a legend of `label`s, and
//! `page` is what is around the figures; an `image` is a plot in a file of its own. `costs` draws
//! what several programs have, costs by owner, `load` latency against load, `ratios` of two
//! systems, and `steady` a rate over time; `outline` thins long lines.

#![forbid(unsafe_code)]

pub mod axis;
pub mod costs;
pub mod figure;
pub mod image;
pub mod label;
pub mod load;
pub mod outline;
pub mod page;
pub mod ratios;
pub mod steady;
pub mod svg;
