//! vCPUs that a job may run on (fio's `cpus_allowed`, `cpumask`, `cpus_allowed_policy`).

use alloc::vec::Vec;
use core::fmt;

/// vCPUs that a job may run on, as ranges of their numbers, in order and apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuSet(Vec<(u16, u16)>);

/// Way in which jobs share the vCPUs that they may run on (`cpus_allowed_policy=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuPolicy {
    /// Each job may run on any of them.
    #[default]
    Shared,
    /// Each job gets one of them, in turn.
    Split,
}

impl CpuPolicy {
    pub(crate) const NAMES: [(&str, Self); 2] = [("shared", Self::Shared), ("split", Self::Split)];
}

impl fmt::Display for CpuPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize].0)
    }
}

impl CpuSet {
    /// Returns the numbers and ranges of a list such as `0-3,6`; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let ranges = text.split(',').map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let [first, last] = [first, last].map(number);
            Some((first?, last?)).filter(|(first, last)| first <= last)
        });
        let mut ranges = ranges.collect::<Option<Vec<_>>>()?;
        ranges.sort_unstable();
        Some(Self::merged(ranges.into_iter()))
    }

    /// Joins ranges, in order of their first numbers, that leave nothing between them.
    fn merged(ranges: impl Iterator<Item = (u16, u16)>) -> Self {
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// Returns the vCPUs whose bits are set in a mask; `None` if there are none.
    pub(crate) fn of_mask(mask: u64) -> Option<Self> {
        let bits = (0..u64::BITS as u16).filter(|bit| mask >> bit & 1 == 1);
        (mask != 0).then(|| Self::merged(bits.map(|bit| (bit, bit))))
    }

    /// Returns whether a vCPU is among them.
    pub fn contains(&self, vcpu: u32) -> bool {
        self.0.iter().any(|&(first, last)| (first.into()..=last.into()).contains(&vcpu))
    }
}

/// Returns a number without a sign.
fn number(text: &str) -> Option<u16> {
    let text = text.trim_ascii();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_list_has_numbers_and_ranges() {
        for (text, members, printed) in [
            ("0", &[0][..], "0"),
            ("0-3,6", &[0, 1, 2, 3, 6], "0-3,6"),
            ("2, 1 - 1", &[1, 2], "1-2"),
            ("5,1-3,2,7-7,3-4,5", &[1, 2, 3, 4, 5, 7], "1-5,7"),
            ("65535,65534-65535", &[65534, 65535], "65534-65535"),
            ("65535", &[65535], "65535"),
        ] {
            let set = CpuSet::parse(text).expect(text);
            let found = (0..=65536).filter(|&vcpu| set.contains(vcpu));
            assert!(found.eq(members.iter().copied()), "{text}");
            assert_eq!(set.to_string(), printed);
        }
        for text in ["", ",", "0,", "-1", "3-1", "1-", "+1", "65536", "a", "0-2-4"] {
            assert_eq!(CpuSet::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_mask_is_a_list_of_its_bits() {
        let list = |mask| CpuSet::of_mask(mask).map(|set| set.to_string());
        assert_eq!(list(0), None);
        assert_eq!(list(0b1011).as_deref(), Some("0-1,3"));
        assert_eq!(list(u64::MAX).as_deref(), Some("0-63"));
    }
}
