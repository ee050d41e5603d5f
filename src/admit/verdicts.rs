//! Verdicts that are known already.
//!
//! Replicas of one template differ in their names and uids, which most
//! policies do not read: what such a policy is shown is the same text again,
//! and so is its verdict. A program sees nothing but its projection and its
//! settings, and has no clock, no randomness and no state, so that one verdict
//! stands for all.
//!
//! Invariants: only what a program answered is kept, never a failure; a policy
//! with the grant `values` is always asked, so that no digest of a value stays
//! in memory; a verdict before which the program looked other objects up is not
//! kept, for it hangs on them (one that looked nothing up would not have with
//! any others either); what is kept is what the program said, before the host removes
//! values from it, since those are the request's and not the projection's.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_contract::{Redaction, Verdict};

use crate::policy::{Asked, Evaluate, Failure, Policy};

/// Parts of the cache, each with a lock of its own.
const SHARDS: usize = 16;
/// What an entry takes beside the texts of its verdict: key, slot and, while
/// the table grows, its second slot.
const ENTRY_BYTES: usize = 160;
/// What a verdict takes beside its texts.
const VERDICT_BYTES: usize = 512;
/// Bytes in memory for one byte of a verdict's JSON, at most: a short member
/// becomes a node of a map.
const BYTES_PER_BYTE: usize = 8;

/// SHA-256 of who is asked and what is shown: nobody finds two of one digest.
type Key = [u8; 32];
/// None stands for the verdict that has nothing to say.
type Kept = Option<Arc<Verdict>>;

/// Verdicts by program, settings and projection, bounded in bytes.
pub struct Verdicts {
    shards: Vec<Mutex<Shard>>,
    on_lookup: Box<dyn Fn(bool) + Send + Sync>,
}

/// Two generations: what is asked for moves to the young one, and the old one
/// is dropped when the young one has half of the room.
#[derive(Default)]
struct Shard {
    young: HashMap<Key, Kept>,
    old: HashMap<Key, Kept>,
    young_bytes: usize,
    room: usize,
}

impl Verdicts {
    /// A cache of at most `bytes`, which tells `on_lookup` of every question
    /// whether it knew the answer.
    pub fn new(bytes: usize, on_lookup: impl Fn(bool) + Send + Sync + 'static) -> Verdicts {
        let shard = || Shard {
            room: bytes / SHARDS,
            ..Shard::default()
        };
        Verdicts {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            on_lookup: Box::new(on_lookup),
        }
    }

    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        &self.shards[usize::from(key[0]) % SHARDS]
    }

    fn get(&self, key: &Key) -> Option<Verdict> {
        let shard = self.shard(key);
        let kept = shard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key);
        kept.map(|kept| kept.map_or_else(Verdict::default, |verdict| (*verdict).clone()))
    }

    fn put(&self, key: Key, verdict: &Verdict) {
        let kept = (!verdict.is_empty()).then(|| Arc::new(verdict.clone()));
        let bytes = bytes_of(&kept);
        let shard = self.shard(&key);
        shard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(key, kept, bytes);
    }
}

impl Shard {
    fn get(&mut self, key: &Key) -> Option<Kept> {
        if let Some(kept) = self.young.get(key) {
            return Some(kept.clone());
        }
        let kept = self.old.remove(key)?;
        let bytes = bytes_of(&kept);
        self.put(*key, kept.clone(), bytes);
        Some(kept)
    }

    fn put(&mut self, key: Key, kept: Kept, bytes: usize) {
        let half = self.room / 2;
        if bytes > half {
            return;
        }
        if self.young_bytes + bytes > half {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(key, kept).is_none() {
            self.young_bytes += bytes;
        }
    }
}

/// What an entry takes, rather too much.
fn bytes_of(kept: &Kept) -> usize {
    let Some(verdict) = kept else {
        return ENTRY_BYTES;
    };
    // Verdicts came as JSON; one that cannot be written is not kept.
    let json = serde_json::to_vec(&**verdict).map_or(usize::MAX / 16, |json| json.len());
    ENTRY_BYTES + VERDICT_BYTES + json * BYTES_PER_BYTE
}

/// The same policy, behind the cache if its verdicts may be remembered.
#[must_use]
pub fn remember(mut policy: Policy, verdicts: &Arc<Verdicts>) -> Policy {
    if let Ok(ready) = &mut policy.program
        && let Some(identity) = ready.program.identity()
        && ready.redaction == Redaction::Blank
    {
        ready.program = Arc::new(Remembering {
            program: Arc::clone(&ready.program),
            identity,
            verdicts: Arc::clone(verdicts),
        });
    }
    policy
}

/// A program that is asked once of each projection.
struct Remembering {
    program: Arc<dyn Evaluate>,
    identity: [u8; 32],
    verdicts: Arc<Verdicts>,
}

impl Remembering {
    fn key(&self, request: &str) -> Key {
        let mut context = Context::new(&SHA256);
        // Of fixed length: no two pairs give one text.
        context.update(&self.identity);
        context.update(request.as_bytes());
        let mut key = Key::default();
        key.copy_from_slice(context.finish().as_ref());
        key
    }
}

impl Evaluate for Remembering {
    fn judge(&self, asked: Asked<'_>, deadline: Instant) -> Result<Verdict, Failure> {
        let key = self.key(asked.request);
        let known = self.verdicts.get(&key);
        (self.verdicts.on_lookup)(known.is_some());
        if let Some(verdict) = known {
            return Ok(verdict);
        }
        let looked = Cell::new(false);
        let noting = Asked {
            looked: Some(&looked),
            ..asked
        };
        let verdict = self.program.judge(noting, deadline)?;
        if !looked.get() {
            self.verdicts.put(key, &verdict);
        }
        Ok(verdict)
    }

    fn is_prompt(&self) -> bool {
        true
    }

    /// Counts what it finds, and what it can have answered: whoever gets
    /// nothing here will ask [`Evaluate::judge`], and nobody else will.
    fn at_once(&self, asked: Asked<'_>, deadline: Instant) -> Option<Result<Verdict, Failure>> {
        let key = self.key(asked.request);
        if let Some(verdict) = self.verdicts.get(&key) {
            (self.verdicts.on_lookup)(true);
            return Some(Ok(verdict));
        }
        let looked = Cell::new(false);
        let noting = Asked {
            looked: Some(&looked),
            ..asked
        };
        let result = self.program.at_once(noting, deadline)?;
        (self.verdicts.on_lookup)(false);
        if let Ok(verdict) = &result
            && !looked.get()
        {
            self.verdicts.put(key, verdict);
        }
        Some(result)
    }

    fn identity(&self) -> Option<[u8; 32]> {
        Some(self.identity)
    }
}

#[cfg(test)]
mod tests;
