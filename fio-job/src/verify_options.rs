//! Options that make up the check of a job's data, until all of them are known.

use crate::keyword::Rw;
use crate::verify::{Backlog, Headers, Method, Verify, VerifyWord};
use crate::verify_pattern::VerifyPattern;

/// Options `verify=` and its companions.
#[derive(Clone, Default)]
pub(crate) struct VerifyOptions {
    pub(crate) word: Option<VerifyWord>,
    pub(crate) pattern: Option<VerifyPattern>,
    pub(crate) interval_bytes: Option<u32>,
    pub(crate) offset_bytes: u32,
    pub(crate) backlog_writes: u64,
    pub(crate) backlog_batch: u64,
    pub(crate) fatal: bool,
    pub(crate) not_after_write: bool,
    pub(crate) only: bool,
}

impl VerifyOptions {
    /// Returns the word, which a pattern alone implies, as in fio; `None` if nothing is checked.
    fn word(&self) -> Option<VerifyWord> {
        let implied = self.pattern.as_ref().map(|_| VerifyWord::Pattern);
        self.word.or(implied).filter(|word| *word != VerifyWord::Off)
    }

    /// Returns whether data is checked.
    pub(crate) fn checks(&self) -> bool {
        self.word().is_some()
    }

    /// Returns the check of a job whose writes are multiples of `bs_bytes`.
    pub(crate) fn verify(&self, bs_bytes: u32) -> Option<Verify> {
        let method = match self.word()? {
            VerifyWord::Off => return None,
            VerifyWord::Null => Method::Null,
            VerifyWord::Pattern => Method::Pattern(self.pattern.clone()?),
            VerifyWord::Checksum(checksum) => Method::Headers(Headers {
                checksum,
                interval_bytes: self.interval_bytes(bs_bytes),
                offset_bytes: self.offset_bytes,
                pattern: self.pattern.clone(),
            }),
        };
        let batch = if self.backlog_batch == 0 { self.backlog_writes } else { self.backlog_batch };
        let backlog = Backlog { writes: self.backlog_writes, batch };
        Some(Verify {
            method,
            after_write: !self.not_after_write,
            fatal: self.fatal,
            backlog: Some(backlog).filter(|backlog| backlog.writes != 0),
        })
    }

    /// Returns the kind of I/O of a job that was asked for `rw`: with `verify_only`, it reads what
    /// it would write.
    pub(crate) fn kind(&self, rw: Rw) -> Rw {
        match rw {
            Rw::Write if self.only => Rw::Read,
            Rw::RandWrite if self.only => Rw::RandRead,
            _ => rw,
        }
    }

    /// Returns the bytes from one header to the next: as in fio, those of a block, or what divides
    /// all of them, unless that takes a whole number of intervals.
    fn interval_bytes(&self, bs_bytes: u32) -> u32 {
        let divides = |interval: &u32| bs_bytes.is_multiple_of(*interval);
        self.interval_bytes.filter(divides).unwrap_or(bs_bytes)
    }

    /// Returns whether each rule about them is broken in a job of kind `rw`, and a way to fix it.
    pub(crate) fn rules(&self, rw: Rw, bs_bytes: u32) -> [(bool, &'static str); 5] {
        let offset = u64::from(self.offset_bytes);
        let head = match self.word() {
            Some(VerifyWord::Checksum(checksum)) => Some(checksum.header_bytes() as u64),
            _ => None,
        };
        let interval = u64::from(self.interval_bytes(bs_bytes));
        let fits =
            |head: u64| offset == 0 || (head..=interval.saturating_sub(head)).contains(&offset);
        [
            (
                self.word() == Some(VerifyWord::Pattern) && self.pattern.is_none(),
                "verify=pattern needs verify_pattern=, for example verify_pattern=%o",
            ),
            (
                head.is_some_and(|head| !fits(head)),
                "verify_offset= must leave room for a header before and behind it, which takes 40 to \
                 168 bytes of verify_interval=; use, for example, 256",
            ),
            (
                self.backlog_batch != 0 && self.backlog_batch < self.backlog_writes,
                "verify_backlog_batch= below verify_backlog= leaves ever more blocks unchecked; raise \
                 it, or leave it out",
            ),
            (
                self.only && !self.checks(),
                "verify_only needs verify=, which says how; add the verify= of the job that wrote",
            ),
            (
                self.only && rw.reads() && rw.writes(),
                "verify_only needs a job that only writes; use rw=write or rw=randwrite",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn an_interval_divides_all_sizes_of_writes() {
        for (sizes, expected) in [
            ("bssplit=4k/50:8k/50", 4096),
            ("bs=8k,4k", 4096),
            ("bs=4k,8k", 8192),
            ("bsrange=4k-10k", 2048),
            ("bsrange=4k-10k verify_interval=4k", 2048),
            ("bsrange=4k-8k verify_interval=1k", 1024),
            ("bsrange=4k-8k verify_interval=8k", 4096),
            ("bs=4k ba=512", 4096),
        ] {
            let line = format!("rw=randrw filename=xvda verify=md5 {sizes}");
            let job = crate::parse(&line).expect(&line).remove(0);
            let Some(Method::Headers(headers)) = job.verify.map(|verify| verify.method) else {
                panic!("{line}")
            };
            assert_eq!(headers.interval_bytes, expected, "{line}");
        }
    }
}
