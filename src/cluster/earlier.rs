//! Which earlier form of a policy goes on, here and in all replicas, where the
//! newest does not load. Nothing here talks to anyone.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::core::DynamicObject;

use super::object;
use super::status::InForce;

/// What is in force here of the policies that loaded, by name.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<String, Remembered>);

#[derive(Debug)]
struct Remembered {
    uid: Option<String>,
    record: InForce,
}

/// Which form goes on.
#[derive(Debug, PartialEq)]
pub enum Choice<'a> {
    /// The one that is in force here.
    Here,
    /// The one that is recorded in the cluster.
    Recorded(&'a InForce),
    /// None: there never was one.
    None,
}

impl Memory {
    /// What is in force here for this object; not for another of its name.
    pub fn get(&self, object: &DynamicObject) -> Option<&InForce> {
        let known = self.0.get(&object.name_any())?;
        (known.uid == object.uid()).then_some(&known.record)
    }

    /// Remembers what is in force for this object.
    pub fn set(&mut self, object: &DynamicObject, record: InForce) {
        let uid = object.uid();
        let remembered = Remembered { uid, record };
        self.0.insert(object.name_any(), remembered);
    }

    /// Forgets all but these names.
    pub fn retain(&mut self, is_known: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| is_known(name));
    }

    /// Which form goes on, where the newest does not load. What the holder of
    /// the lease has recorded for this very generation holds for all others;
    /// before it has, the newest form that is known to anyone.
    pub fn choose<'a>(
        &self,
        object: &DynamicObject,
        recorded: Option<&'a InForce>,
        observed: Option<i64>,
        is_leader: bool,
    ) -> Choice<'a> {
        let (recorded, here) = match (recorded, self.get(object)) {
            (Some(recorded), Some(here)) => (recorded, here),
            (Some(recorded), None) => return Choice::Recorded(recorded),
            (None, Some(_)) => return Choice::Here,
            (None, None) => return Choice::None,
        };
        let is_told = !is_leader && observed == Some(object::generation(object));
        let other = (recorded.generation, &recorded.digest) != (here.generation, &here.digest);
        if other && (is_told || recorded.generation > here.generation) {
            Choice::Recorded(recorded)
        } else {
            Choice::Here
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Digest;

    fn object(uid: &str, generation: i64) -> DynamicObject {
        let mut object = DynamicObject::new("tags", &object::resource());
        object.metadata.uid = Some(uid.to_owned());
        object.metadata.generation = Some(generation);
        object
    }

    fn record(generation: i64) -> InForce {
        InForce {
            generation,
            digest: Digest::of(b"code"),
            spec: serde_json::Map::new(),
        }
    }

    fn memory(generation: i64) -> Memory {
        let mut memory = Memory::default();
        memory.set(&object("a", generation), record(generation));
        memory
    }

    #[test]
    fn a_new_replica_goes_by_the_record() {
        let (one, memory) = (record(1), Memory::default());
        let choice = memory.choose(&object("a", 2), Some(&one), Some(2), true);
        assert_eq!(choice, Choice::Recorded(&one));
        assert_eq!(
            memory.choose(&object("a", 2), None, None, true),
            Choice::None
        );
    }

    #[test]
    fn all_follow_the_holder_of_the_lease_once_it_has_spoken() {
        // This replica saw generation 2, which the holder never loaded.
        let (one, memory) = (record(1), memory(2));
        let bad = object("a", 3);
        assert_eq!(
            memory.choose(&bad, Some(&one), Some(1), false),
            Choice::Here
        );
        let choice = memory.choose(&bad, Some(&one), Some(3), false);
        assert_eq!(choice, Choice::Recorded(&one));
    }

    #[test]
    fn the_holder_of_the_lease_records_the_newest() {
        let (one, three) = (record(1), record(3));
        let bad = object("a", 4);
        assert_eq!(
            memory(2).choose(&bad, Some(&one), Some(4), true),
            Choice::Here
        );
        let choice = memory(2).choose(&bad, Some(&three), Some(3), true);
        assert_eq!(choice, Choice::Recorded(&three));
    }

    #[test]
    fn another_policy_of_the_same_name_inherits_nothing() {
        let choice = memory(1).choose(&object("b", 1), None, None, true);
        assert_eq!(choice, Choice::None);
    }
}
