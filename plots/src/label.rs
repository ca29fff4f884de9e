//! A name on the page.

/// A name on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Name that fits.
    pub short: String,
    /// Whole name.
    pub full: String,
}

impl Label {
    /// A name that fits as it is.
    pub fn of(text: &str) -> Self {
        Self { short: text.to_owned(), full: text.to_owned() }
    }
}
