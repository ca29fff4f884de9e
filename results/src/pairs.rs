//! List of pairs for a JSON object, in its order: fio's percentiles, bins and options.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};
use core::marker::PhantomData;
use core::ops::Deref;
use core::str::FromStr;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Keys, as text in JSON, and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, V> FromIterator<(K, V)> for Pairs<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<K, V> Deref for Pairs<K, V> {
    type Target = [(K, V)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K, V> Pairs<K, V> {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> Pairs<String, V> {
    /// Returns the value of a key, if the key is there.
    pub fn value(&self, key: &str) -> Option<&V> {
        self.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl<K: Display, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, value)| (key.to_string(), value)))
    }
}

impl<'de, K: FromStr, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

/// Most pairs that are read: a histogram has 2,240 bins, fio's 1,856, and nothing else has more.
const PAIRS_MAX: usize = 2304;

struct PairsVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K: FromStr, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<K, V> {
    type Value = Pairs<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of at most {PAIRS_MAX} members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, V>()? {
            let key = name.parse();
            let key = key.map_err(|_| A::Error::custom(format_args!("bad key {name:?}")))?;
            if pairs.len() == PAIRS_MAX {
                return Err(A::Error::invalid_length(PAIRS_MAX + 1, &self));
            }
            pairs.push((key, value));
        }
        pairs.shrink_to_fit();
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn an_object_has_an_end() {
        let read = |count: usize| {
            let members: Vec<String> = (0..count).map(|key| format!("\"{key}\":1")).collect();
            serde_json::from_str::<Pairs<u64, u64>>(&format!("{{{}}}", members.join(",")))
        };
        assert_eq!(read(PAIRS_MAX).map(|pairs| pairs.len()).ok(), Some(PAIRS_MAX));
        let error = read(PAIRS_MAX + 1).expect_err("too many").to_string();
        let expected = "invalid length 2305, expected an object of at most 2304 members";
        assert!(error.starts_with(expected), "{error}");
    }
}
