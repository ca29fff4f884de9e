//! Plots on one HTML page that needs nothing else, for light and dark.
//!
//! `axis` maps values to places, `svg` draws, a `figure` has plots and a legend of `label`s, and
//! `page` is what is around the figures. `costs` draws what several programs have: costs by owner.

#![forbid(unsafe_code)]

pub mod axis;
pub mod costs;
pub mod figure;
pub mod label;
pub mod page;
pub mod svg;
