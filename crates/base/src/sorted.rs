//! A map of few rows, for this project's own edges: a list in the order of its keys.
//!
//! It compiles to a fraction of a `BTreeMap`. Inserting or removing a row moves the rows after it,
//! which for up to some thousands costs less than a hash.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::{self, Vec};
use core::borrow::Borrow;
use core::ops::RangeInclusive;
use core::slice;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::encoding::message::FromJson;

/// Rows in the order of their unique keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted<K, V>(Vec<(K, V)>);

impl<K: Ord, V> Sorted<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The row of this key, or the position where it would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// The row of this key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// The row of this key.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().and_then(|at| self.0.get_mut(at)).map(|(_, value)| value)
    }

    /// The row of this key, made if it is new.
    pub fn get_or(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        match self.find(&key) {
            #[expect(clippy::indexing_slicing, reason = "the row was found there")]
            Ok(at) => &mut self.0[at].1,
            Err(at) => &mut self.0.insert_mut(at, (key, make())).1,
        }
    }

    /// Whether there is a row of this key.
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Inserts a row, replacing the one of the same key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => {
                if let Some(row) = self.0.get_mut(at) {
                    row.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// Removes a row and returns it.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// Keeps the rows for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&mut (K, V)) -> bool) {
        self.0.retain_mut(keep);
    }

    /// The rows from one key to another one, both included.
    pub fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = &(K, V)> {
        let (first, last) = keys.into_inner();
        let from = self.find(&first).unwrap_or_else(|at| at);
        self.0.iter().skip(from).take_while(move |(key, _)| *key <= last)
    }

    /// Every row, in order.
    pub fn iter(&self) -> slice::Iter<'_, (K, V)> {
        self.0.iter()
    }

    /// Every row, in order.
    pub fn iter_mut(&mut self) -> slice::IterMut<'_, (K, V)> {
        self.0.iter_mut()
    }

    /// Number of rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// The keys and values of a map, as JSON's members.
impl<K: Serialize, V: Serialize> Serialize for Sorted<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Sorted<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|rows| Self(rows.into_iter().collect()))
    }
}

impl<T: FromJson> FromJson for Sorted<String, T> {
    fn from_json(value: &Value) -> Option<Self> {
        let mut rows = Self::new();
        for (name, value) in value.as_object()? {
            rows.insert(name.clone(), T::from_json(value)?);
        }
        Some(rows)
    }
}

impl<K, V> IntoIterator for Sorted<K, V> {
    type Item = (K, V);
    type IntoIter = vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Sorts a list by rank; equal ranks keep their order. All lists share this code.
pub fn by_rank<T>(list: Vec<T>, rank: impl Fn(&T) -> (u64, u64)) -> Vec<T> {
    let mut ranks: Vec<((u64, u64), usize)> =
        list.iter().enumerate().map(|(place, item)| (rank(item), place)).collect();
    ranks.sort_unstable();
    let mut list: Vec<Option<T>> = list.into_iter().map(Some).collect();
    ranks.into_iter().filter_map(|(_, place)| list.get_mut(place)?.take()).collect()
}

/// A bounded map that keeps the recently touched entries, in two generations.
///
/// Values are boxed, because an insertion moves the entries after it.
#[derive(Clone, Debug)]
pub struct RecentMap<K, T> {
    young: Sorted<K, Box<T>>,
    old: Sorted<K, Box<T>>,
    max: usize,
}

impl<K: Ord + Clone, T> RecentMap<K, T> {
    /// Starts empty; it never holds more than `max`.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { young: Sorted::new(), old: Sorted::new(), max }
    }

    /// The value of `place`.
    #[must_use]
    pub fn get(&self, place: &K) -> Option<&T> {
        self.young.get(place).or_else(|| self.old.get(place)).map(|row| &**row)
    }

    /// The value of `place`, to change.
    pub fn get_mut(&mut self, place: &K) -> Option<&mut T> {
        self.young.get_mut(place).or_else(|| self.old.get_mut(place)).map(|row| &mut **row)
    }

    /// Inserts a value and returns the evicted keys. A key survives at least `max / 2` insertions
    /// of other keys after its own last one.
    pub fn put(&mut self, place: K, row: T) -> Vec<K> {
        self.keep(place, Box::new(row))
    }

    fn keep(&mut self, place: K, row: Box<T>) -> Vec<K> {
        self.old.remove(&place);
        self.young.insert(place, row);
        if self.young.len() < self.max / 2 {
            return Vec::new();
        }
        let young = core::mem::take(&mut self.young);
        core::mem::replace(&mut self.old, young).into_iter().map(|(place, _)| place).collect()
    }

    /// Keeps an entry alive, and makes it if it is new.
    pub fn touch(&mut self, place: K, make: impl FnOnce() -> T) {
        if !self.young.contains(&place) {
            let row = self.old.remove(&place).unwrap_or_else(|| Box::new(make()));
            self.keep(place, row);
        }
    }

    /// Removes a value and returns it.
    pub fn remove(&mut self, place: &K) -> Option<T> {
        self.young.remove(place).or_else(|| self.old.remove(place)).map(|row| *row)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        self.young.iter().chain(self.old.iter()).map(|(place, row)| (place, &**row))
    }

    /// All entries, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut T)> {
        self.young.iter_mut().chain(self.old.iter_mut()).map(|(place, row)| (&*place, &mut **row))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn rows_are_those_of_a_map() {
        let (mut sorted, mut map) = (Sorted::new(), BTreeMap::new());
        for step in 0..2_000_u64 {
            let (key, act) = (step * 7_919 % 61, step * 104_729 % 5);
            match act {
                0 => assert_eq!(sorted.remove(&key), map.remove(&key), "{step}"),
                1 => {
                    *sorted.get_or(key, || 1) += step;
                    *map.entry(key).or_insert(1) += step;
                }
                _ => {
                    sorted.insert(key, step);
                    map.insert(key, step);
                }
            }
            assert_eq!(sorted.get(&key), map.get(&key), "{step}");
            assert_eq!(sorted.contains(&key), map.contains_key(&key), "{step}");
            assert!(sorted.iter().map(|(key, value)| (key, value)).eq(map.iter()), "{step}");
        }
    }

    #[test]
    fn equals_keep_their_order() {
        let list = Vec::from([(2, 'a'), (1, 'b'), (2, 'c'), (0, 'd'), (1, 'e')]);
        let ranked = by_rank(list, |(rank, _)| (*rank, 0));
        let letters: alloc::string::String = ranked.iter().map(|(_, letter)| letter).collect();
        assert_eq!(letters, "dbeac");
    }
}
