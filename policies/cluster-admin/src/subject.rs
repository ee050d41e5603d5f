//! Who is bound.

use portcullis_sdk::{Reads, Text};
use serde::Deserialize;

use crate::Settings;

/// A subject of a binding.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Subject<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    namespace: Text<'a>,
    name: Text<'a>,
}

/// What a subject is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// More than anybody can count.
    Everyone,
    /// Someone who is not to have it.
    Refused,
    /// Nobody whom this policy speaks of.
    Passed,
}

/// The beginning of a ServiceAccount's user name.
const ACCOUNT: &str = "system:serviceaccount:";
/// The group of all ServiceAccounts; with `:NAMESPACE`, of those of one.
const ACCOUNTS: &str = "system:serviceaccounts";

/// Whether a user or group of this name is everybody in the cluster.
pub(crate) fn is_all(name: &str) -> bool {
    let names = [
        "system:anonymous",
        "system:authenticated",
        "system:unauthenticated",
        ACCOUNTS,
    ];
    names.contains(&name)
}

impl Subject<'_> {
    pub(crate) fn who(&self, settings: &Settings) -> Who {
        let user = self.user();
        let of_group = self.kind.starts_with("Group") && user.starts_with(ACCOUNTS);
        if is_all(&user) || of_group {
            return Who::Everyone;
        }
        let is_judged = settings.people || user.starts_with(ACCOUNT);
        if is_judged && !settings.allow.iter().any(|entry| covers(entry, &user)) {
            return Who::Refused;
        }
        Who::Passed
    }

    /// As a message names it.
    pub(crate) fn shown(&self) -> String {
        let name = portcullis_sdk::shown(&self.name);
        match (&*self.kind, &*self.namespace) {
            ("ServiceAccount", namespace) if !namespace.is_empty() => {
                let namespace = portcullis_sdk::shown(namespace);
                format!("ServiceAccount `{namespace}/{name}`")
            }
            ("ServiceAccount", _) => format!("ServiceAccount `{name}`"),
            ("Group", _) => format!("group `{name}`"),
            _ => format!("user `{name}`"),
        }
    }

    /// Who is meant, where it is everybody.
    pub(crate) fn crowd(&self) -> String {
        match (&*self.name, self.name.strip_prefix(ACCOUNTS)) {
            ("system:authenticated", _) => "whoever can log in, every Pod too".into(),
            (_, Some(rest)) if rest.len() > 1 => {
                format!(
                    "every Pod of the namespace `{}`",
                    portcullis_sdk::shown(&rest[1..])
                )
            }
            (_, Some(_)) => "every Pod of the cluster".into(),
            _ => "whoever reaches the API server".into(),
        }
    }

    /// The name that the API server knows it by.
    fn user(&self) -> String {
        match &*self.kind {
            "ServiceAccount" => format!("{ACCOUNT}{}:{}", self.namespace, self.name),
            _ => self.name.to_string(),
        }
    }
}

/// Whether an entry of `allow` names this user or group, or all
/// ServiceAccounts of its namespace.
fn covers(entry: &str, user: &str) -> bool {
    let namespace = entry
        .strip_prefix(ACCOUNTS)
        .and_then(|rest| rest.strip_prefix(':'));
    let account = user.strip_prefix(ACCOUNT);
    let of_namespace = match (namespace, account.and_then(|rest| rest.split_once(':'))) {
        (Some(namespace), Some((found, _))) => namespace == found,
        _ => false,
    };
    entry == user || of_namespace
}
