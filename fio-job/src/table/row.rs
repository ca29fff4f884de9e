//! Row of an option in the table, and the values that several options share.

use crate::builder::JobBuilder;
use crate::error::JobError;
use crate::limits::{BLOCK_BYTES_MAX, BS_BYTES_MAX, IODEPTH_MAX, RUNTIME_NS_MAX, SECTOR_BYTES};
use crate::number::US_PER_SECOND;
use crate::option_doc::Initial;
use crate::option_doc::Values::{self, OneOf, Text};
use crate::option_doc::{Numbers, Unit};
use crate::value::Value;
use crate::verify::HEADER_BYTES;

/// Function that applies an option's value to a job.
pub(super) type Set = fn(&mut JobBuilder, Value<'_>) -> Result<(), JobError>;

/// Option as the guest needs it.
#[derive(Clone, Copy)]
pub(crate) struct OptionSpec {
    /// fio's names.
    pub(crate) names: &'static [&'static str],
    /// Word for the value.
    pub(crate) value: &'static str,
    /// Line of help.
    pub(crate) help: &'static str,
    /// Default; empty if there is none.
    pub(crate) default: &'static str,
    /// Words for values, if it takes no others.
    pub(crate) words: &'static [&'static str],
    /// Effect.
    pub(crate) set: Set,
}

/// Option with all that documentation says of it.
pub(super) struct Row {
    /// Part that the guest needs.
    pub(super) spec: OptionSpec,
    /// Default.
    pub(super) default: Initial,
    /// Values that it takes.
    pub(super) values: Values,
    /// Differences from fio, in one line; empty if there are none.
    pub(super) unlike_fio: &'static str,
}

/// Returns the row of an option: its names, the word for its value, a line of help, its effect, its
/// default, its values and its differences from fio.
pub(super) const fn row(
    names: &'static [&'static str],
    value: &'static str,
    help: &'static str,
    set: Set,
    default: Initial,
    values: Values,
    unlike_fio: &'static str,
) -> Row {
    let words: &[&str] = match values {
        OneOf(words) => words,
        _ => &[],
    };
    let spec = OptionSpec { names, value, help, default: default.text(), words, set };
    Row { spec, default, values, unlike_fio }
}

/// Returns the values from `least` to `greatest`.
pub(super) const fn numbers(unit: Unit, least: u64, greatest: u64) -> Values {
    Values::Numbers(Numbers::new(unit, least, greatest))
}

/// Returns the words of a list of keywords.
pub(super) const fn words<T: Copy, const COUNT: usize>(
    keywords: &[(&'static str, T); COUNT],
) -> [&'static str; COUNT] {
    let mut words = [""; COUNT];
    let mut index = 0;
    while index < COUNT {
        words[index] = keywords[index].0;
        index += 1;
    }
    words
}

/// Sizes of a block.
pub(super) const BLOCK: Values = Values::Numbers(Numbers {
    unit: Unit::Bytes,
    least: SECTOR_BYTES as u64,
    greatest: BLOCK_BYTES_MAX as u64,
    step: SECTOR_BYTES as u64,
});
/// Places of a header, which may not overlap what takes its own place.
pub(super) const HEADER_OFFSET: Values =
    numbers(Unit::Bytes, HEADER_BYTES as u64, BS_BYTES_MAX as u64);
/// Shares in whole per cent.
pub(super) const PERCENT: Values = numbers(Unit::Count, 0, 100);
/// Sizes of a batch.
pub(super) const BATCH: Values = numbers(Unit::Count, 0, IODEPTH_MAX as u64);
/// Numbers without a limit.
pub(super) const COUNT: Values = numbers(Unit::Count, 0, u64::MAX);
/// Times that may be 0.
pub(super) const DELAY: Values = numbers(Unit::Seconds, 0, RUNTIME_NS_MAX / 1_000);
/// Whole seconds, at least one.
pub(super) const SECONDS: Numbers = Numbers {
    unit: Unit::Seconds,
    least: US_PER_SECOND,
    greatest: RUNTIME_NS_MAX / 1_000,
    step: US_PER_SECOND,
};
/// Amounts that may be 0.
pub(super) const AMOUNT: Values = numbers(Unit::BytesOrPercent, 0, u64::MAX);
/// Sizes in whole sectors, or none.
pub(super) const ZERO_OR_SECTORS: Values = Values::Numbers(Numbers {
    unit: Unit::Bytes,
    least: 0,
    greatest: u64::MAX - (SECTOR_BYTES as u64 - 1),
    step: SECTOR_BYTES as u64,
});
/// Patterns of data.
pub(super) const PATTERN: Values = Text {
    form: "numbers, 0x.. (hexadecimal), \"text\" and %o (the block's offset) in any order, up to 512 bytes",
    example: "0xdeadbeef",
};
/// Beginnings of the names of logs.
pub(super) const PREFIX: Values = Text {
    form: "letters, digits, -, _ and ., which is not the first; alone it is the job's name",
    example: "fast",
};
