//! Panics, told in one line, and only those that mean something.

use std::panic::set_hook;
use std::sync::Once;

/// Tells of panics with a message only. loom and shuttle end tasks by panics without one, which
/// shuttle's own hook would tell of.
pub fn tell_of_messages() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        // It sets its hook once.
        shuttle::check_random(|| (), 1);
        set_hook(Box::new(|info| {
            if info.payload_as_str().is_some() {
                eprintln!("{info}");
            }
        }));
    });
}
