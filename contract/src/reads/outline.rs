//! What several sets of reads look at of an object: the rest of it need not
//! be built in memory.
//!
//! Guarantee: a set of reads projects an object that was built by an outline
//! of it to the same text as the whole object.

use super::grammar::Step;
use super::node::Node;
use super::{Reads, WHOLE_OBJECTS};
use crate::pod::template_paths;

/// Members that are there whoever reads: the host tells kinds, owners and
/// labels by them, and what must not be repeated in a message.
const ALWAYS: [&str; 6] = [
    "apiVersion",
    "kind",
    "metadata",
    "data",
    "stringData",
    "binaryData",
];
/// See [`Reads::parse`]; an outline that is larger has everything.
const MAX_MERGED: usize = 10_000;

/// What is looked at of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    object: Node,
    managed_fields: bool,
}

/// What is looked at of one value in an object.
#[derive(Debug, Clone, Copy)]
pub struct Look<'o>(&'o Node);

impl Outline {
    /// Of what these sets read of an object, an old object or their pods.
    pub fn of<'r>(sets: impl IntoIterator<Item = &'r Reads>) -> Outline {
        let mut object = Node::default();
        for name in ALWAYS {
            object.insert(&[Step::Field(name.to_owned())]);
        }
        let (mut managed_fields, mut left) = (false, MAX_MERGED);
        for reads in sets {
            managed_fields |= reads_managed_fields(reads);
            let added = add(&mut object, reads, &mut left);
            if added.and_then(|()| object.simplify(&mut left)).is_err() {
                return Outline::whole(true);
            }
        }
        Outline {
            object,
            managed_fields,
        }
    }

    /// Of everything, with or without `metadata.managedFields`.
    pub fn whole(managed_fields: bool) -> Outline {
        let mut object = Node::default();
        object.insert(&[]);
        Outline {
            object,
            managed_fields,
        }
    }

    /// Of everything, but for `metadata.managedFields` where this has none.
    #[must_use]
    pub fn with_everything(&self) -> Outline {
        Outline::whole(self.managed_fields)
    }

    /// Whether `metadata.managedFields` is looked at.
    pub fn has_managed_fields(&self) -> bool {
        self.managed_fields
    }

    /// Whether there is nothing but `metadata.managedFields` that it leaves out.
    pub fn is_whole(&self) -> bool {
        self.object.whole
    }

    /// What is looked at of an object.
    pub fn object(&self) -> Look<'_> {
        Look(&self.object)
    }
}

impl<'o> Look<'o> {
    /// Everything, from here on.
    pub fn is_whole(self) -> bool {
        self.0.whole
    }

    /// Of a member of a map; None for nothing, not even whether it is there.
    pub fn member(self, name: &str) -> Option<Look<'o>> {
        if self.0.whole {
            return Some(self);
        }
        let node = self.0.fields.get(name).or(self.0.any.as_deref());
        node.map(Look)
    }

    /// Of each element of a list; None for nothing but that it is a list.
    pub fn element(self) -> Option<Look<'o>> {
        if self.0.whole {
            return Some(self);
        }
        self.0.each.as_deref().map(Look)
    }
}

fn reads_managed_fields(reads: &Reads) -> bool {
    let is_read = |member| reads.touches(&[member, "metadata", "managedFields"]);
    WHOLE_OBJECTS.into_iter().any(is_read)
}

/// Adds what a set reads of objects.
fn add(object: &mut Node, reads: &Reads, left: &mut usize) -> Result<(), String> {
    for (member, node) in &reads.members {
        match member.as_str() {
            "object" | "oldObject" => object.merge(node, left)?,
            "pod" | "oldPod" => {
                for path in template_paths() {
                    let template = path.split('/').skip(1).fold(&mut *object, |node, step| {
                        node.fields.entry(step.to_owned()).or_default()
                    });
                    template.merge(node, left)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
