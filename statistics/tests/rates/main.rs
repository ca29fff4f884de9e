//! Error rates of all rules, by simulation with fixed seeds. `-- --nocapture` prints them.

mod draws;
mod noise;
mod pairs;
mod samples;
mod steady;

/// Fails unless a rate, in per cent, is within its bar; prints it.
fn bar(what: &str, percent: f64, least: f64, most: f64) {
    println!("{what}: {percent:.2} % ({least} .. {most})");
    assert!((least..=most).contains(&percent), "{what}: {percent} %, not {least} .. {most}");
}

/// Returns how many of the draws that hold, in per cent.
fn percent(draws: u32, mut holds: impl FnMut() -> bool) -> f64 {
    let count = (0..draws).filter(|_| holds()).count();
    100.0 * count as f64 / f64::from(draws)
}
