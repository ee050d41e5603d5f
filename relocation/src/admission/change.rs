//! The patch, the staged Secret, and the search for what is left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::judge::{Judged, write};
use super::{Code, Denial, Input, MOST_BYTES, Move, Operation, Outcome, Plan, Stage};
use crate::config_map::{ConfigMap, Content, NEVER, named, written};
use crate::digest::{Issue, Owner, Place};
use crate::field::{Field, escaped, listed};
use crate::names::{DRY_RUN, Half, advised, serving};
use crate::placeholder::Placeholder;
use crate::secret::Manifest;
use crate::sensitive::Sensitive;
use crate::{copies, marks, scan};

/// The object as it becomes, and the patch that makes it so.
struct Draft {
    object: Value,
    ops: Vec<Value>,
}

/// The verdict, once all values are sorted.
pub(super) fn plan(input: &Input<'_>, judged: Judged, mismatches: BTreeSet<Field>) -> Plan {
    let outcome = changed(input, judged).unwrap_or_else(Outcome::Deny);
    Plan {
        outcome,
        mismatches,
    }
}

fn changed(input: &Input<'_>, judged: Judged) -> Result<Outcome, Denial> {
    let new = sealed(input, &judged.fresh)?;
    fits(input, &judged)?;
    let mut texts: BTreeMap<Field, String> = BTreeMap::new();
    let equal = judged.equal.iter().map(|(field, (_, old))| (field, old));
    for (field, placeholder) in judged.kept.iter().chain(equal).chain(&new) {
        let text = written(field.half, placeholder.to_string().as_bytes());
        texts.insert(field.clone(), text);
    }
    let mut draft = Draft::new(input.object);
    draft.fields(&texts);
    let values: Vec<&Sensitive> = judged
        .fresh
        .values()
        .chain(judged.equal.values().map(|(value, _)| value))
        .collect();
    draft.copies(&texts, !values.is_empty())?;
    draft.label(input, &texts);
    remains(&draft.object, &values)?;
    Ok(outcome(input, judged, draft))
}

fn outcome(input: &Input<'_>, judged: Judged, draft: Draft) -> Outcome {
    let warnings = warnings(input, &judged);
    if draft.ops.is_empty() {
        return Outcome::Admit { warnings };
    }
    let moved: BTreeSet<Field> = judged.fresh.keys().cloned().collect();
    let carried = judged.kept.keys().chain(judged.equal.keys());
    let carried = carried.cloned().collect();
    let staged = match judged.fresh.is_empty() || input.dry_run {
        true => None,
        false => Some(staged(input, judged.fresh)),
    };
    Outcome::Move(Box::new(Move {
        staged,
        patch: Value::Array(draft.ops),
        warnings,
        moved,
        carried,
    }))
}

fn staged(input: &Input<'_>, fresh: BTreeMap<Field, Sensitive>) -> Manifest {
    let told = match owner(input) {
        Some(Owner::Named(name) | Owner::Generated(name)) => name,
        None => "",
    };
    // No key is in both halves: the API server sees to that.
    let data = fresh.into_iter().map(|(field, value)| (field.key, value));
    Manifest::staged(input.namespace, input.staged, told, data.collect())
}

/// New placeholders. On a dry run they name no Secret and bear no time, so that
/// two dry runs say the same.
fn sealed(
    input: &Input<'_>,
    fresh: &BTreeMap<Field, Sensitive>,
) -> Result<BTreeMap<Field, Placeholder>, Denial> {
    let Some(owner) = owner(input) else {
        let what = "the ConfigMap has neither name nor generateName";
        return Err(Denial::of(Code::Malformed, [], what));
    };
    let (secret, at) = match input.dry_run {
        true => (DRY_RUN, 0),
        false => (input.staged, input.now),
    };
    let write = write(input);
    let seal = |(field, value): (&Field, &Sensitive)| {
        let place = Place {
            namespace: input.namespace,
            owner,
            field,
            staged: secret,
        };
        let placeholder = Placeholder {
            secret: secret.to_owned(),
            digest: input
                .keyring
                .digest(&place, value.expose(), Issue { at, write }),
        };
        (field.clone(), placeholder)
    };
    Ok(fresh.iter().map(seal).collect())
}

/// Whose placeholders are issued here: the name, or on a create without one what
/// the name will begin with.
fn owner<'a>(input: &Input<'a>) -> Option<Owner<'a>> {
    let object = ConfigMap::new(input.object);
    match (named(input.name).or_else(|| object.name()), input.operation) {
        (Some(name), _) => Some(Owner::Named(name)),
        (None, Operation::Create) => object.generate_name().map(Owner::Generated),
        (None, Operation::Update) => None,
    }
}

/// Whether what the ConfigMap would natively hold fits into one, and so into a
/// Secret too. What was moved before counts as its size rounded up.
fn fits(input: &Input<'_>, judged: &Judged) -> Result<(), Denial> {
    if judged.fresh.is_empty() {
        return Ok(());
    }
    let contents = ConfigMap::new(input.object).contents();
    let plain = contents.unwrap_or_default();
    let plain = plain.values().map(|content| match content {
        Content::Plain(value) => value.expose().len(),
        _ => 0,
    });
    let moved = judged.kept.values().map(|kept| kept.digest.size());
    if plain.chain(moved).sum::<usize>() <= MOST_BYTES {
        return Ok(());
    }
    let what = "with the values moved before, more than a ConfigMap or Secret holds (1 MiB); \
                split the ConfigMap";
    Err(Denial::of(Code::TooLarge, judged.fresh.keys(), what))
}

fn remains(object: &Value, values: &[&Sensitive]) -> Result<(), Denial> {
    let found = scan::remains(object, values.iter().copied());
    if found.is_empty() {
        return Ok(());
    }
    let what = format!(
        "a value to be moved to a Secret is also at {}; take it out there",
        found.join(", ")
    );
    Err(Denial::of(Code::ValueRemains, [], what))
}

impl Draft {
    fn new(object: &Value) -> Self {
        Self {
            object: object.clone(),
            ops: Vec::new(),
        }
    }

    fn fields(&mut self, texts: &BTreeMap<Field, String>) {
        for (field, text) in texts {
            let held = &mut self.object[field.half.member()][&field.key];
            if held.as_str() != Some(text) {
                *held = Value::String(text.clone());
                self.set(&field.pointer(), text.clone());
            }
        }
    }

    /// `strict` is whether values are moved: a copy that cannot be read is then
    /// refused.
    fn copies(&mut self, texts: &BTreeMap<Field, String>, strict: bool) -> Result<(), Denial> {
        let annotations = self.object["metadata"]["annotations"].as_object();
        let annotations = annotations.cloned().unwrap_or_default();
        for (name, text) in &annotations {
            let Some(text) = text.as_str() else { continue };
            match copies::rewritten(name, text, texts) {
                Ok(None) => {}
                Ok(Some(text)) => {
                    self.object["metadata"]["annotations"][name] = text.clone().into();
                    let pointer = format!("/metadata/annotations/{}", escaped(name));
                    self.set(&pointer, text);
                }
                Err(copies::Unreadable) if strict => return Err(unreadable(name)),
                Err(copies::Unreadable) => {}
            }
        }
        Ok(())
    }

    /// Whatever the user wrote there, [`marks::MOVED`] says what it has to.
    fn label(&mut self, input: &Input<'_>, texts: &BTreeMap<Field, String>) {
        let old = input.old.map(ConfigMap::new);
        let draft = ConfigMap::new(&self.object);
        let epochs = Half::ALL
            .map(|half| ConfigMap::next_epoch(old.as_ref(), half, &draft.placeholders(half)));
        // Once values are put back, the mark goes too.
        let none = texts.is_empty() && input.stage == Stage::Audit;
        let wanted = match epochs.iter().all(|epoch| epoch == NEVER) || none {
            true => None,
            false => Some(epochs.join("_")),
        };
        let labels = &self.object["metadata"]["labels"];
        let pointer = format!("/metadata/labels/{}", escaped(marks::MOVED));
        match wanted {
            Some(wanted) if labels[marks::MOVED] == *wanted => {}
            Some(wanted) if labels.is_object() => self.set(&pointer, wanted),
            Some(wanted) => self.ops.push(json!({
                "op": "add", "path": "/metadata/labels", "value": {(marks::MOVED): wanted},
            })),
            None if labels.get(marks::MOVED).is_some() && !input.exempt => {
                self.ops.push(json!({"op": "remove", "path": pointer}));
            }
            None => {}
        }
    }

    /// `add` of a member that exists replaces it (RFC 6902, 4.1).
    fn set(&mut self, pointer: &str, value: String) {
        self.ops
            .push(json!({"op": "add", "path": pointer, "value": value}));
    }
}

fn unreadable(annotation: &str) -> Denial {
    let what = format!(
        "annotation {annotation} is a copy of the ConfigMap that cannot be read and may hold the \
         values to be moved; remove it, or exempt the ConfigMap from relocation"
    );
    Denial::of(Code::UnreadableCopy, [], what)
}

fn warnings(input: &Input<'_>, judged: &Judged) -> Vec<String> {
    let mut warnings = judged.warnings.clone();
    let name = input.name.unwrap_or("NAME");
    for half in Half::ALL {
        let of_half = |field: &&Field| field.half == half;
        let fields: Vec<_> = judged
            .fresh
            .keys()
            .chain(judged.equal.keys())
            .filter(of_half)
            .collect();
        if !fields.is_empty() {
            let secret = serving(name, half);
            let all = listed(fields);
            let moved = match input.dry_run {
                true => "would be moved",
                false => "moved",
            };
            let own = advised(name);
            warnings.push(format!(
                "{all}: {moved} to Secret {secret}; instead, write it in a Secret such as {own} and \
                 name that in pods: `portcullis check --fix-hints FILE` shows both"
            ));
        }
    }
    if !judged.restored.is_empty() {
        let all = listed(&judged.restored);
        warnings.push(format!(
            "{all}: restored as written; see that its Secret exists"
        ));
    }
    if !judged.left.is_empty() {
        let all = listed(&judged.left);
        let why = match input.stage {
            Stage::Audit => "stays at stage Audit",
            Stage::Prepare => "stays until the pods that use it are replaced",
            Stage::Redact => "stays, since the ConfigMap is immutable",
        };
        let next = format!(
            "`portcullis secrets plan {}` says what is next",
            input.namespace
        );
        warnings.push(format!("{all}: secret, and {why}; {next}"));
    }
    warnings
}
