//! Which calls a fault befalls.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use super::call::Call;
use super::fault::Fault;

/// A fault and the calls that it befalls: all, unless narrowed.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    account: Option<String>,
    verb: Option<String>,
    resource: Option<String>,
    name: Option<String>,
    calls: RangeInclusive<u64>,
}

impl Rule {
    /// The fault, on every call.
    pub fn new(fault: Fault) -> Rule {
        Rule {
            fault,
            account: None,
            verb: None,
            resource: None,
            name: None,
            calls: 1..=u64::MAX,
        }
    }

    /// Only calls of this account, `system:serviceaccount:NAMESPACE:NAME`.
    #[must_use]
    pub fn account(mut self, account: &str) -> Rule {
        self.account = Some(account.to_owned());
        self
    }

    /// Only calls of this verb, as RBAC names it.
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Rule {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Only calls on this resource: `pods`, `pods/status`.
    #[must_use]
    pub fn resource(mut self, resource: &str) -> Rule {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Only calls on the object of this name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Rule {
        self.name = Some(name.to_owned());
        self
    }

    /// Only these of the calls that all else is true of, counted from 1 and
    /// from the moment of injection.
    #[must_use]
    pub fn calls(mut self, calls: RangeInclusive<u64>) -> Rule {
        self.calls = calls;
        self
    }

    fn is_for(&self, call: &Call) -> bool {
        let fits = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        fits(&self.account, &call.access.account)
            && fits(&self.verb, &call.access.verb)
            && fits(&self.resource, &call.access.resource)
            && fits(&self.name, &call.name)
    }
}

/// A rule in force, and what came of it.
#[derive(Debug)]
pub(super) struct Active {
    rule: Rule,
    seen: AtomicU64,
    hits: AtomicU64,
}

impl Active {
    pub(super) fn new(rule: Rule) -> Active {
        Active {
            rule,
            seen: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        }
    }

    /// Counts the call if the rule is for it, and says what befalls it.
    pub(super) fn befalls(&self, call: &Call) -> Option<Fault> {
        if !self.rule.is_for(call) {
            return None;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if !self.rule.calls.contains(&number) {
            return None;
        }
        self.hits.fetch_add(1, Ordering::SeqCst);
        Some(self.rule.fault)
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Access;
    use super::*;

    fn call(verb: &str, resource: &str, name: &str) -> Call {
        Call {
            access: Access {
                account: "a".into(),
                verb: verb.into(),
                group: String::new(),
                resource: resource.into(),
            },
            namespace: String::new(),
            name: name.into(),
        }
    }

    #[test]
    fn a_rule_is_for_the_calls_that_it_names_and_counts_only_those() {
        let rule = Rule::new(Fault::Conflict)
            .account("a")
            .verb("update")
            .resource("pods/status")
            .name("p")
            .calls(2..=3);
        let active = Active::new(rule);
        let wanted = call("update", "pods/status", "p");
        let befallen: Vec<bool> = (0..4).map(|_| active.befalls(&wanted).is_some()).collect();
        assert_eq!(befallen, [false, true, true, false]);
        for other in [
            call("get", "pods/status", "p"),
            call("update", "pods", "p"),
            call("update", "pods/status", "q"),
        ] {
            assert_eq!(active.befalls(&other), None, "{other:?}");
        }
        assert_eq!(active.hits(), 2);
    }
}
