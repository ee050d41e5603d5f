//! What each key is, and whether the request can be taken.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Code, Denial, FRESH_SECONDS, Input, MOST_KEYS, OnUse, Operation, Outcome, Plan, SKEW_SECONDS,
    Stage,
};
use crate::config_map::{ConfigMap, Content, is_sealed, matches};
use crate::digest::Write;
use crate::field::{Field, listed};
use crate::names::DRY_RUN;
use crate::placeholder::Placeholder;
use crate::sensitive::Sensitive;

/// The keys of a ConfigMap, sorted by what is to be done with them.
#[derive(Default)]
pub(super) struct Judged {
    /// Placeholders that stay, all of them.
    pub(super) kept: BTreeMap<Field, Placeholder>,
    /// Values that may be the one that the old object's placeholder stands for.
    pub(super) compare: BTreeMap<Field, (Sensitive, Placeholder)>,
    /// Values to be moved.
    pub(super) fresh: BTreeMap<Field, Sensitive>,
    /// Values that were compared and stay what they were, with the placeholder
    /// that is put back.
    pub(super) equal: BTreeMap<Field, (Sensitive, Placeholder)>,
    /// Values that stay where they are, though they should not be there.
    pub(super) left: BTreeSet<Field>,
    /// Placeholders that only a restorer may write.
    pub(super) restored: BTreeSet<Field>,
    /// What the user is told besides.
    pub(super) warnings: Vec<String>,
}

impl Judged {
    /// Whether a Secret would be written or a value compared.
    pub(super) fn needs_permission(&self) -> bool {
        !self.compare.is_empty() || !self.fresh.is_empty()
    }

    fn size(&self) -> usize {
        self.kept.len() + self.compare.len() + self.fresh.len()
    }
}

/// Sorts the keys.
pub(super) fn judge(input: &Input<'_>) -> Result<Judged, Denial> {
    let malformed = |error: crate::Malformed| Denial::of(Code::Malformed, [], error);
    let new = ConfigMap::new(input.object).contents().map_err(malformed)?;
    let old = match input.old {
        Some(old) => ConfigMap::new(old).contents().map_err(malformed)?,
        None => BTreeMap::new(),
    };
    let exempt = input.exempt && !old.values().any(|held| !matches!(held, Content::Plain(_)));
    let mut judged = Judged::default();
    let mut forged = Vec::new();
    for (field, content) in new {
        match content {
            Content::Plain(value) => {
                judged.plain(input, exempt, (field.clone(), value), old.get(&field));
            }
            content if Some(&content) == old.get(&field) => judged.keep(field, content),
            Content::Placeholder(placeholder) if is_fresh(input, &field, &placeholder) => {
                judged.kept.insert(field, placeholder);
            }
            content @ Content::Placeholder(_) if input.restorer => {
                judged.restored.insert(field.clone());
                judged.keep(field, content);
            }
            _ => forged.push(field),
        }
    }
    if !forged.is_empty() {
        return Err(forgery(&forged));
    }
    judged.refusal(input).map_or(Ok(judged), Err)
}

impl Judged {
    fn keep(&mut self, field: Field, content: Content) {
        // What is malformed was there before, and is no placeholder.
        if let Content::Placeholder(placeholder) = content {
            self.kept.insert(field, placeholder);
        }
    }

    fn plain(
        &mut self,
        input: &Input<'_>,
        exempt: bool,
        (field, value): (Field, Sensitive),
        old: Option<&Content>,
    ) {
        match old {
            // A key once moved stays moved, whatever detection says of its new
            // value: pods read it from the Secret.
            Some(Content::Placeholder(placeholder)) if input.stage != Stage::Audit => {
                self.compare.insert(field, (value, placeholder.clone()));
            }
            _ if exempt || !input.secret.contains(&field) => {}
            _ if input.stage == Stage::Redact && !was_immutable(input) => {
                self.fresh.insert(field, value);
            }
            _ => {
                self.left.insert(field);
            }
        }
    }

    fn refusal(&mut self, input: &Input<'_>) -> Option<Denial> {
        if self.size() > MOST_KEYS {
            let what = format!(
                "{} keys of the ConfigMap are to be moved, and at most {MOST_KEYS} are moved out of \
                 one; split it",
                self.size()
            );
            return Some(Denial::of(Code::TooManyKeys, [], what));
        }
        if input.terminating && !self.fresh.is_empty() {
            return Some(terminating(input, self.fresh.keys()));
        }
        if input.throttled && !self.compare.is_empty() {
            let what = "too many values were tried for this key; try again in an hour";
            return Some(Denial::of(Code::Throttled, self.compare.keys(), what));
        }
        self.used(input)
    }

    fn used(&mut self, input: &Input<'_>) -> Option<Denial> {
        let used: Vec<_> = input
            .uses
            .iter()
            .filter(|(field, _)| self.fresh.contains_key(field))
            .collect();
        let (field, pods) = used.first()?;
        let name = input.name.unwrap_or_default();
        let pods = told(pods);
        if input.on_use == OnUse::Warn {
            let all = listed(used.iter().map(|(field, _)| *field));
            self.warnings.push(format!(
                "{all}: pods read it from the ConfigMap until replaced: {pods}"
            ));
            return None;
        }
        let what = match input.operation {
            Operation::Create => format!(
                "pods that were there before the namespace was enrolled, or the key was secret, read \
                 it from the ConfigMap ({pods}); replace these pods, and apply again"
            ),
            Operation::Update => format!(
                "running pods read it from the ConfigMap ({pods}); run `portcullis secrets prepare \
                 {} {name} --key {}`, replace these pods, and apply again",
                input.namespace, field.key
            ),
        };
        let fields = used.iter().map(|(field, _)| *field);
        Some(Denial::of(Code::InUse, fields, what))
    }
}

/// Compares what may be unchanged: what is goes to `equal`, what is not to
/// `fresh`.
pub(super) fn compared(
    input: &Input<'_>,
    mut judged: Judged,
) -> Result<(Judged, BTreeSet<Field>), Plan> {
    let old = input.old.unwrap_or(input.object);
    let owners = ConfigMap::new(old).owners(input.name);
    let may_renew = !was_immutable(input) && !input.terminating;
    let mut mismatches = BTreeSet::new();
    for (field, (value, placeholder)) in std::mem::take(&mut judged.compare) {
        let both = (&placeholder, &value);
        let is_equal = matches(input.keyring, input.namespace, &owners, &field, both);
        if !is_equal {
            mismatches.insert(field.clone());
        }
        if is_equal && !(may_renew && input.lost.contains(&field)) {
            judged.equal.insert(field, (value, placeholder));
        } else {
            judged.fresh.insert(field, value);
        }
    }
    let denial = match mismatches.is_empty() {
        true => None,
        false if was_immutable(input) => {
            let what = "the ConfigMap is immutable, and the value is another than the one moved; \
                        delete and create the ConfigMap";
            Some(Denial::of(Code::Immutable, &mismatches, what))
        }
        false => input.terminating.then(|| terminating(input, &mismatches)),
    };
    match denial {
        None => Ok((judged, mismatches)),
        Some(denial) => Err(Plan {
            outcome: Outcome::Deny(denial),
            mismatches,
        }),
    }
}

/// Whether the placeholder was issued for this ConfigMap and key in this very
/// request: the API server asks again after other webhooks. An older one, however
/// genuine, may stand for a value that is gone. On a create there is no old object
/// that the seal is bound to: time and user tell, so that nobody has a value served
/// that was moved for somebody else.
pub(super) fn is_fresh(input: &Input<'_>, field: &Field, placeholder: &Placeholder) -> bool {
    let issued = placeholder.digest.issued();
    let timely = match placeholder.secret == DRY_RUN {
        true => input.dry_run,
        false => {
            issued <= input.now.saturating_add(SKEW_SECONDS)
                && input.now <= issued.saturating_add(FRESH_SECONDS)
        }
    };
    let owners = ConfigMap::new(input.object).owners(input.name);
    let sealed = (placeholder, write(input));
    timely && is_sealed(input.keyring, input.namespace, &owners, field, sealed)
}

/// The request, as it is the next time that the API server asks.
pub(super) fn write<'a>(input: &Input<'a>) -> Write<'a> {
    let old = input.old.map(ConfigMap::new);
    let over = old.and_then(|old| old.resource_version());
    Write {
        over: over.unwrap_or_default(),
        by: input.user,
    }
}

fn forgery(fields: &[Field]) -> Denial {
    let what = "a placeholder that was not issued for this ConfigMap and key, or is not the \
                present one; write the value in its stead, or leave what the ConfigMap holds";
    Denial::of(Code::ForgedPlaceholder, fields, what)
}

/// Data of what was immutable is never changed: the API server would refuse it.
pub(super) fn was_immutable(input: &Input<'_>) -> bool {
    input
        .old
        .is_some_and(|old| ConfigMap::new(old).is_immutable())
}

fn terminating<'f>(input: &Input<'_>, fields: impl IntoIterator<Item = &'f Field>) -> Denial {
    let what = format!(
        "namespace {} is being deleted and takes no new Secret for the value",
        input.namespace
    );
    Denial::of(Code::NamespaceTerminating, fields, what)
}

fn told(pods: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = pods.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match pods.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
