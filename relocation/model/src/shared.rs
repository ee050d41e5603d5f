//! What makes exploring quick: parts of a state that many states share, and
//! results that many steps share.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

/// A part of a state, hashed once.
#[derive(Debug, Clone)]
pub(crate) struct Shared<T>(Arc<(u64, T)>);

impl<T: Hash> From<T> for Shared<T> {
    fn from(part: T) -> Self {
        Self(Arc::new((fingerprint(&part), part)))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.0 == other.0.0 && self.0.1 == other.0.1
    }
}

impl<T: Eq> Eq for Shared<T> {}

/// By fingerprint: an order like any other.
impl<T: Eq> Ord for Shared<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.0.cmp(&other.0.0)
    }
}

impl<T: Eq> PartialOrd for Shared<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.0.hash(state);
    }
}

/// Results of a pure function by its inputs.
pub(crate) struct Memo<V>(Mutex<HashMap<u64, V>>);

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<V: Clone> Memo<V> {
    /// The result for this input, made if it is new.
    pub(crate) fn get(&self, input: &impl Hash, make: impl FnOnce() -> V) -> V {
        let key = fingerprint(input);
        let known = |memo: &Self| memo.0.lock().ok()?.get(&key).cloned();
        if let Some(known) = known(self) {
            return known;
        }
        let made = make();
        if let Ok(mut all) = self.0.lock() {
            all.insert(key, made.clone());
        }
        made
    }
}

fn fingerprint(part: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
}
