//! The CA and the leaf that Portcullis makes for itself: when which of them is
//! made anew.
//!
//! ```text
//! new CA beside the old -> in every caBundle -> a while -> leaf of the new CA
//!                                     ... the old CA goes when it has expired
//! ```
//!
//! So there is no moment at which an API server that is a little behind meets
//! a leaf that it cannot check (design: reliability.md, section 4).
//!
//! Pure: times are Unix seconds and come as arguments. `contents` is what the
//! Secret holds, `api` reads and writes it.

pub mod api;
pub mod contents;
mod x509;

use std::time::Duration;

pub use x509::expiry;

/// How long things live. A CA signs until a third of its life is left, and a
/// leaf lives no longer than that third: no leaf outlives its CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of a CA.
    pub ca: Duration,
    /// Of a leaf.
    pub leaf: Duration,
    /// How long a CA is published before a leaf of it is served.
    pub propagation: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Lifetimes {
    /// A year, as operators expect of a CA that looks after itself; a month,
    /// so that a leaf is renewed often enough for a fault to show while there
    /// are ten days left to mend it; a minute for every API server to see a
    /// change (design: reliability.md, section 4).
    fn default() -> Self {
        Lifetimes {
            ca: 365 * DAY,
            leaf: 30 * DAY,
            propagation: Duration::from_secs(60),
        }
    }
}

/// When a certificate is valid, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From.
    pub from: i64,
    /// To.
    pub to: i64,
}

impl Validity {
    fn is_over(self, now: i64) -> bool {
        now >= self.to
    }

    /// When a third of `life` is left.
    fn renewal(self, life: Duration) -> i64 {
        self.to.saturating_sub(seconds(life) / 3)
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// What is known of the certificates that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The CAs that callers are told of, the newest, which signs, first.
    pub cas: Vec<Validity>,
    /// The leaf.
    pub leaf: Validity,
    /// Whether the newest CA has signed it.
    pub of_newest: bool,
    /// Whether it is for the names that callers use.
    pub names_fit: bool,
    /// Since when the newest CA is in every caBundle.
    pub published: Option<i64>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make a CA and a leaf: there is nothing that could go on.
    Begin,
    /// Make a CA, and publish it beside those that are there.
    AddCa,
    /// Write the CAs into every caBundle, and when that was.
    Publish,
    /// Make a leaf of the newest CA. `of_new_ca`: it is the first of it.
    IssueLeaf {
        /// Callers must find the CA in their bundle first.
        of_new_ca: bool,
    },
    /// Forget CAs that have expired.
    DropExpired,
    /// Nothing before that time.
    Wait {
        /// Unix seconds.
        until: i64,
    },
}

/// What to do next, given what is there.
pub fn next(now: i64, facts: Option<&Facts>, lifetimes: &Lifetimes) -> Action {
    let Some(facts) = facts else {
        return Action::Begin;
    };
    let Some(newest) = facts.cas.first() else {
        return Action::Begin;
    };
    if newest.is_over(now) {
        return Action::Begin;
    }
    if let Some(action) = leaf(now, facts, lifetimes) {
        return action;
    }
    if now >= newest.renewal(lifetimes.ca) {
        return Action::AddCa;
    }
    if facts.published.is_none() {
        return Action::Publish;
    }
    if facts.cas.iter().any(|ca| ca.is_over(now)) {
        return Action::DropExpired;
    }
    Action::Wait {
        until: wait(facts, newest, lifetimes),
    }
}

/// What the leaf needs, if anything.
fn leaf(now: i64, facts: &Facts, lifetimes: &Lifetimes) -> Option<Action> {
    let is_due = now >= facts.leaf.renewal(lifetimes.leaf);
    if facts.of_newest {
        let action = Action::IssueLeaf { of_new_ca: false };
        return (is_due || !facts.names_fit).then_some(action);
    }
    let propagated = facts
        .published
        .is_some_and(|published| now >= published.saturating_add(seconds(lifetimes.propagation)));
    let action = Action::IssueLeaf { of_new_ca: true };
    // A leaf that nobody takes any more is worse than one that some do not
    // know yet.
    (propagated || facts.leaf.is_over(now)).then_some(action)
}

fn wait(facts: &Facts, newest: &Validity, lifetimes: &Lifetimes) -> i64 {
    let leaf = match (facts.of_newest, facts.published) {
        (false, Some(published)) => published.saturating_add(seconds(lifetimes.propagation)),
        _ => facts.leaf.renewal(lifetimes.leaf),
    };
    let expiries = facts.cas.iter().map(|ca| ca.to);
    let others = [leaf, newest.renewal(lifetimes.ca)];
    expiries.chain(others).min().unwrap_or(newest.to)
}

#[cfg(test)]
mod tests;
