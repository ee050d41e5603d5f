//! What is read, as a tree.

use std::collections::BTreeMap;

use super::grammar::Step;

/// What is read at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    /// Everything from here on.
    pub(super) whole: bool,
    /// Named members of a map.
    pub(super) fields: BTreeMap<String, Node>,
    /// Every member of a map.
    pub(super) any: Option<Box<Node>>,
    /// Every element of a list.
    pub(super) each: Option<Box<Node>>,
}

impl Node {
    pub(super) fn touches(&self, path: &[&str]) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return true;
        };
        let below = self.fields.get(*name).or(self.any.as_deref());
        self.whole || below.is_some_and(|node| node.touches(rest))
    }

    pub(super) fn insert(&mut self, steps: &[Step]) {
        let Some((step, rest)) = steps.split_first() else {
            self.whole = true;
            return;
        };
        let next = match step {
            Step::Field(name) => self.fields.entry(name.clone()).or_default(),
            Step::Any => &mut **self.any.get_or_insert_default(),
            Step::Each => &mut **self.each.get_or_insert_default(),
        };
        next.insert(rest);
    }

    /// Drops what a whole read makes superfluous, and merges `.*` into the
    /// named members beside it, so that writing looks at one node per member.
    pub(super) fn simplify(&mut self, left: &mut usize) -> Result<(), String> {
        if self.whole {
            *self = Node {
                whole: true,
                ..Node::default()
            };
            return Ok(());
        }
        if let Some(any) = &self.any {
            for node in self.fields.values_mut() {
                node.merge(any, left)?;
            }
        }
        let below = self.fields.values_mut();
        let below = below.chain(self.any.as_deref_mut());
        for node in below.chain(self.each.as_deref_mut()) {
            node.simplify(left)?;
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Node, left: &mut usize) -> Result<(), String> {
        *left = left.checked_sub(1).ok_or(
            "too many reads with `.*` overlap reads of named members: declare fewer, or read more at once",
        )?;
        self.whole |= other.whole;
        for (name, node) in &other.fields {
            let own = self.fields.entry(name.clone()).or_default();
            own.merge(node, left)?;
        }
        if let Some(any) = &other.any {
            self.any.get_or_insert_default().merge(any, left)?;
        }
        if let Some(each) = &other.each {
            self.each.get_or_insert_default().merge(each, left)?;
        }
        Ok(())
    }
}
