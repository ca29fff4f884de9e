//! Things that happen in a session.

use anyhow::Error;
use results::Origin;

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A program was started, with these words.
    Call(String),
    /// The domain was created, paused; its number.
    Created(u32),
    /// The guest of a fleet is there, paused, and waits to be let go.
    Prepared,
    /// The guest runs.
    Started,
    /// The guest waits at the barrier to start this stage, from 1.
    Ready(u32),
    /// Progress of the job, in the guest's words.
    Status(String),
    /// A remark for the user.
    Note(String),
    /// The guest's result. The domain is about to be destroyed.
    Result {
        /// The guest's own words.
        text: String,
        /// Origin of the result, as far as it is known.
        origin: Box<Origin>,
    },
    /// The session is over.
    End {
        /// Error that ended it before or after its result.
        error: Option<Error>,
        /// Reason to think that the domain is still there.
        left: Option<Error>,
        /// The domain's number, if it is there because it was to stay.
        kept: Option<u32>,
        /// Flag: no other guest would fare better, as `xl` cannot be used, or not for this name.
        is_hopeless: bool,
    },
}
