//! Text that messages can quote.

use crate::error::JobError;

/// Refuses text that is not one line of printable ASCII, because messages of one line quote values,
/// and a `"` that is not closed.
pub(crate) fn check_text(text: &str) -> Result<(), JobError> {
    let printable = |c: char| c.is_ascii_graphic() || c == ' ';
    if let Some(character) = text.chars().find(|&c| !printable(c)) {
        return Err(JobError::Character(character));
    }
    if text.matches('"').count().is_multiple_of(2) { Ok(()) } else { Err(JobError::OpenQuote) }
}
