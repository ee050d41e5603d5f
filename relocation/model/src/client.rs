//! Clients, the API server's loop around admission, and admission itself.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_relocation::admission::{
    Input, OnUse, Operation, Outcome, Stage, Step, plan, verify,
};
use portcullis_relocation::names::{Half, serving, staged};
use portcullis_relocation::{Field, Manifest};
use serde_json::{Value, json};

use crate::shared::Shared;
use crate::state::{Action, KEY, NAME, NAMESPACE, State, USER, value};
use crate::{Safeguard, World};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `kubectl apply` of a manifest with this value.
    Apply(u8),
    /// Get, then put with this value, on the condition that nothing has changed.
    Put(u8),
    /// Get, then put what was got, on no condition; a create if it is gone.
    Copy,
    /// A change of a label.
    Label,
    /// The key is taken out.
    Remove,
    /// The ConfigMap is deleted.
    Delete,
    /// `kubectl apply --dry-run=server` with this value.
    DryRun(u8),
}

/// How far a client is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    done: usize,
    /// How many staged Secrets were written for it.
    staged: u64,
    phase: Phase,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
enum Phase {
    #[default]
    Idle,
    /// Has read this, which meant that.
    Got(Option<Shared<Value>>, Option<u8>),
    /// Admitted, and about to be stored.
    Admitted(Shared<Write>),
    /// Stored, and the Secret is still to be written.
    Late(Shared<Manifest>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Write {
    old: Option<Shared<Value>>,
    object: Value,
    meant: Meant,
    late: Option<Manifest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Meant {
    Key(Option<u8>),
    AsItWas,
}

impl Client {
    /// The operation is over, one way or another.
    pub(crate) fn over(&mut self) {
        self.done += 1;
        self.phase = Phase::Idle;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.phase, Phase::Admitted(_) | Phase::Late(_))
    }
}

impl World {
    pub(crate) fn client_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, client) in state.clients.iter().enumerate() {
            match &client.phase {
                Phase::Idle if client.done >= self.scripts[index].len() => {}
                Phase::Idle | Phase::Got(..) => actions.push(Action::Ask(index)),
                Phase::Admitted(_) => {
                    actions.extend([Action::Commit(index), Action::Fail(index)]);
                }
                Phase::Late(_) => {
                    actions.extend([Action::WriteLate(index), Action::Fail(index)]);
                }
            }
        }
        if state.hours > 0 && !state.clients.iter().any(Client::is_writing) {
            actions.push(Action::Hour);
        }
    }

    /// Reads, or sends the write and has it admitted.
    pub(crate) fn ask(&self, state: &mut State, index: usize) {
        let op = self.scripts[index][state.clients[index].done];
        let phase = state.clients[index].phase.clone();
        let object = match (op, phase) {
            (Op::Put(_) | Op::Copy, Phase::Idle) => {
                let got = Phase::Got(state.config_map.clone(), state.meant());
                state.clients[index].phase = got;
                return;
            }
            (Op::Delete, _) => {
                if state.config_map.take().is_some() {
                    state.history.push(None);
                }
                return state.clients[index].over();
            }
            (_, phase) => sent(op, state.config_map.as_deref(), phase),
        };
        let Some((object, meant)) = object else {
            return state.clients[index].over();
        };
        let is_dry = matches!(op, Op::DryRun(_));
        let Some((object, secret)) = self.admitted(state, index, object, is_dry) else {
            return state.clients[index].over();
        };
        let mut late = None;
        if let Some(secret) = secret {
            if is_dry {
                state.broken = Some("a dry run wrote");
            }
            state.clients[index].staged += 1;
            match self.has(Safeguard::SecretFirst) {
                true => state.put(&secret),
                false => late = Some(secret),
            }
        }
        if is_dry {
            return state.clients[index].over();
        }
        state.clients[index].phase = Phase::Admitted(Shared::from(Write {
            old: state.config_map.clone(),
            object,
            meant,
            late,
        }));
    }

    /// Stores, unless the ConfigMap has changed: then the condition fails, or all
    /// begins again with what is there now.
    pub(crate) fn commit(&self, state: &mut State, index: usize) {
        let Phase::Admitted(write) = state.clients[index].phase.clone() else {
            return;
        };
        let (old, mut object) = (&write.old, write.object.clone());
        let condition = &object["metadata"]["resourceVersion"];
        let live = state.config_map.clone();
        if condition.is_string() && Some(condition) != version(live.as_deref()) {
            return state.clients[index].over();
        }
        if version(old.as_deref()) != version(live.as_deref()) {
            state.clients[index].phase = Phase::Idle;
            return;
        }
        let at = state.next_version();
        let uid = state.uid().map_or(at.clone(), str::to_owned);
        object["metadata"]["uid"] = uid.into();
        object["metadata"]["resourceVersion"] = at.into();
        if !self.has(Safeguard::Quorum) {
            state.cached = live;
        }
        state.config_map = Some(object.into());
        let meant = match write.meant {
            Meant::Key(meant) => meant,
            Meant::AsItWas => state.meant(),
        };
        if meant != state.meant() {
            state.history.push(meant);
        }
        state.clients[index].over();
        if let Some(secret) = write.late.clone() {
            state.clients[index].phase = Phase::Late(secret.into());
        }
    }

    pub(crate) fn write_late(&self, state: &mut State, index: usize) {
        if let Phase::Late(secret) = std::mem::take(&mut state.clients[index].phase) {
            state.put(&secret);
        }
    }

    /// What the webhook's two halves make of it, by the program's own functions.
    fn admitted(
        &self,
        state: &mut State,
        index: usize,
        object: Value,
        dry_run: bool,
    ) -> Option<(Value, Option<Manifest>)> {
        let staged = match self.has(Safeguard::FreshNames) {
            true => staged(0x10 * (index as u64 + 1) + state.clients[index].staged),
            false => staged(1),
        };
        let now = match self.has(Safeguard::Freshness) {
            true => state.clock,
            false => 1_000_000,
        };
        let old = state.config_map.as_deref();
        let input = (old, &object, &staged, now, index, dry_run);
        let admitted = self.admissions.get(&input, || {
            let asked = Asked {
                world: self,
                old: match self.has(Safeguard::Version) {
                    true => old.cloned(),
                    false => old.cloned().map(without_version),
                },
                dry_run: dry_run && self.has(Safeguard::DryRun),
                secret: BTreeSet::from([Field::text(KEY)]),
                uses: BTreeMap::new(),
                staged: staged.clone(),
                now,
            };
            asked.admitted(index, &object)
        })?;
        state.broken = state.broken.or(admitted.broken);
        if let Some(secret) = admitted
            .secret
            .as_ref()
            .filter(|_| !self.has(Safeguard::StagedOnly))
        {
            write_live(state, secret);
        }
        Some((admitted.object, admitted.secret))
    }
}

/// What becomes of a request that is not refused.
#[derive(Clone)]
pub(crate) struct Admitted {
    object: Value,
    secret: Option<Manifest>,
    broken: Option<&'static str>,
}

/// All that a verdict rests on, but the object.
struct Asked<'w> {
    world: &'w World,
    old: Option<Value>,
    dry_run: bool,
    secret: BTreeSet<Field>,
    uses: BTreeMap<Field, Vec<String>>,
    staged: String,
    now: u32,
}

impl Asked<'_> {
    fn input<'a>(&'a self, replica: usize, object: &'a Value) -> Input<'a> {
        Input {
            operation: match self.old {
                Some(_) => Operation::Update,
                None => Operation::Create,
            },
            dry_run: self.dry_run,
            user: USER,
            namespace: NAMESPACE,
            name: Some(NAME),
            object,
            old: self.old.as_ref(),
            secret: &self.secret,
            stage: Stage::Redact,
            uses: &self.uses,
            on_use: OnUse::Deny,
            lost: const { &BTreeSet::new() },
            restorer: !self.world.has(Safeguard::NoForgery),
            exempt: false,
            terminating: false,
            throttled: false,
            keyring: self.world.ring(replica),
            staged: &self.staged,
            now: self.now,
        }
    }

    /// Other webhooks have looked; another replica is asked again, then the
    /// validating half.
    fn admitted(&self, index: usize, object: &Value) -> Option<Admitted> {
        let (object, secret) = self.planned(index, object)?;
        let mut broken = None;
        if self.world.has(Safeguard::Copies) {
            match self.planned(index + 1, &object) {
                Some((again, None)) if again == object => {}
                _ => broken = Some("asked again, admission says something else"),
            }
            if verify(&self.input(index, &object)).is_err() {
                broken = Some("the validating half refuses what was made");
            }
        }
        Some(Admitted {
            object,
            secret,
            broken,
        })
    }

    /// The object as it becomes, and the Secret to write; nothing if it is refused.
    fn planned(&self, replica: usize, object: &Value) -> Option<(Value, Option<Manifest>)> {
        let plan = match plan(self.input(replica, object)) {
            Step::Done(plan) => plan,
            Step::Ask(pending) => pending.answered(true),
        };
        let moved = match plan.outcome {
            Outcome::Deny(_) => return None,
            Outcome::Admit { .. } => return Some((object.clone(), None)),
            Outcome::Move(moved) => moved,
        };
        let copies = self.world.has(Safeguard::Copies);
        let mut ops = moved.patch;
        if let Some(ops) = ops.as_array_mut().filter(|_| !copies) {
            ops.retain(|op| !op["path"].to_string().contains("annotations"));
        }
        let mut patched = object.clone();
        let patch: json_patch::Patch = serde_json::from_value(ops).expect("a JSON Patch");
        json_patch::patch(&mut patched, &patch).expect("it applies");
        Some((patched, moved.staged))
    }
}

/// What a client sends, given what is there.
fn sent(op: Op, live: Option<&Value>, phase: Phase) -> Option<(Value, Meant)> {
    let there = || live.cloned().unwrap_or_else(|| manifest(0));
    Some(match (op, phase) {
        (Op::Apply(number) | Op::DryRun(number), _) => {
            let mut object = without_version(there());
            object["data"][KEY] = value(number).into();
            let applied = manifest(number).to_string();
            object["metadata"]["annotations"] = json!({LAST_APPLIED: applied});
            (object, Meant::Key(Some(number)))
        }
        (Op::Put(number), Phase::Got(got, _)) => {
            let mut object = got.map_or_else(|| manifest(number), |got| (*got).clone());
            object["data"][KEY] = value(number).into();
            (object, Meant::Key(Some(number)))
        }
        (Op::Copy, Phase::Got(got, meant)) => {
            let mut object = without_version((*got?).clone());
            if live.is_none() {
                object["metadata"]["uid"] = Value::Null;
            }
            (object, Meant::Key(meant))
        }
        (Op::Label, _) => {
            let mut object = without_version(live?.clone());
            object["metadata"]["labels"]["team"] = "a".into();
            (object, Meant::AsItWas)
        }
        (Op::Remove, _) => {
            let mut object = without_version(live?.clone());
            object["data"].as_object_mut()?.remove(KEY);
            (object, Meant::Key(None))
        }
        _ => return None,
    })
}

fn manifest(number: u8) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {KEY: value(number), "user": "app"},
    })
}

/// On no condition.
fn without_version(mut object: Value) -> Value {
    object["metadata"]["resourceVersion"] = Value::Null;
    object
}

fn version(object: Option<&Value>) -> Option<&Value> {
    object.map(|object| &object["metadata"]["resourceVersion"])
}

/// What must not be done: the Secret that pods read is written at admission.
fn write_live(state: &mut State, secret: &Manifest) {
    let name = serving(NAME, Half::Text);
    if let Some(stored) = state.secrets.get_mut(&name) {
        let mut held = (*stored.held).clone();
        held.data = secret.data.clone();
        stored.held = held.into();
    }
}
