//! From objects of the cluster to what can be loaded: documents, programs and
//! what goes on where they do not load.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::core::DynamicObject;
use kube::{Client, ResourceExt};

use super::anchor::api::Anchor;
use super::earlier::{Choice, Memory};
use super::object;
use super::programs::{self, Missing, Programs};
use super::status::InForce;
use crate::load::taker::{Candidate, Earlier, LastGood};
use crate::pack::Pack;
use crate::policy::program::{ConfigMapRef, ProgramRef};
use crate::policy::{Digest, Failure, PolicyName, Spec};
use crate::source::{self, Found};

/// A policy on its way into force.
pub struct Gathered {
    /// As it is in the cluster.
    pub object: DynamicObject,
    /// As it can be loaded.
    pub candidate: Candidate,
    /// The record that `candidate.earlier` is made of, if it is.
    pub recorded: Option<InForce>,
    /// The API server did not tell a program that is needed.
    pub is_unknown: bool,
}

/// Gathers policies.
pub struct Gatherer {
    pack: Pack,
    /// Programs of the cluster.
    pub programs: Programs,
    /// What is in force here.
    pub memory: Memory,
}

/// The program of a policy of the cluster that is not in the cluster.
///
/// # Errors
///
/// A name that the pack does not hold; a file.
pub fn of_pack(pack: &Pack, program: &ProgramRef) -> Result<Vec<u8>, Failure> {
    use crate::policy::Cause;
    match program {
        ProgramRef::Builtin(name) => source::builtin(pack, name),
        ProgramRef::ConfigMap(place) => {
            let message = format!(
                "the ConfigMap `{}` was not read: report this",
                place.object()
            );
            Err(Failure::host(Cause::Source, message))
        }
        ProgramRef::File(path) => {
            let message = format!(
                "`{path}` is a file on disk, which a cluster does not have: put the component \
                 into a ConfigMap and name it with `configMap`"
            );
            Err(Failure::host(Cause::Source, message))
        }
    }
}

/// Policies of a profile, as they can be loaded. One goes on with nothing: a
/// policy of the cluster that had its name was another.
pub fn base(pack: &Pack, found: Vec<Found>) -> Vec<Candidate> {
    let candidate = |found: Found| Candidate {
        program: of_pack(pack, &found.resource.spec.program),
        found,
        earlier: Earlier::Nothing,
    };
    found.into_iter().map(candidate).collect()
}

/// Policies of the cluster, and those of `base` whose name none of them has.
pub fn over<'a>(
    base: &'a [Candidate],
    of_cluster: impl Iterator<Item = &'a Candidate>,
) -> Vec<&'a Candidate> {
    let mut all: Vec<&Candidate> = of_cluster.collect();
    let name = |candidate: &Candidate| candidate.found.resource.name.clone();
    let taken: BTreeSet<PolicyName> = all.iter().map(|one| name(one)).collect();
    all.extend(base.iter().filter(|one| !taken.contains(&name(one))));
    all
}

/// The program of a policy, without anything remembered.
///
/// # Errors
///
/// As for [`Programs::named`] and [`of_pack`].
pub async fn program(
    client: &Client,
    pack: &Pack,
    program: &ProgramRef,
) -> Result<Vec<u8>, Missing> {
    match program {
        ProgramRef::ConfigMap(place) => programs::fetch(client, place).await,
        here => of_pack(pack, here).map_err(Missing::Wrong),
    }
}

impl Gatherer {
    /// With programs of `pack`, and copies kept in `namespace`.
    pub fn new(client: Client, namespace: String, pack: Pack) -> Gatherer {
        Gatherer {
            pack,
            programs: Programs::new(client, namespace),
            memory: Memory::default(),
        }
    }

    /// The same, with copies that this owns.
    pub fn owned_by(self, anchor: Arc<Anchor>) -> Gatherer {
        Gatherer {
            programs: self.programs.owned_by(anchor),
            ..self
        }
    }

    /// The policy, its program, and what it goes on with if that does not
    /// load.
    pub async fn gather(&mut self, object: &DynamicObject, is_leader: bool) -> Option<Gathered> {
        let (found, whole) = object::read(object)?;
        let program = match (whole, &found.resource.spec.program) {
            (Err(failure), _) => Err(Missing::Wrong(failure)),
            (Ok(()), ProgramRef::ConfigMap(place)) => self.programs.named(place).await,
            (Ok(()), here) => of_pack(&self.pack, here).map_err(Missing::Wrong),
        };
        let mut gathered = Gathered {
            object: object.clone(),
            is_unknown: matches!(program, Err(Missing::Unknown(_))),
            candidate: Candidate {
                found,
                program: program.map_err(Missing::failure),
                earlier: Earlier::InForce,
            },
            recorded: None,
        };
        self.gather_earlier(&mut gathered, is_leader).await;
        Some(gathered)
    }

    async fn gather_earlier(&mut self, gathered: &mut Gathered, is_leader: bool) {
        let status = object::status(&gathered.object);
        let (recorded, observed) = (status.in_force.as_ref(), status.observed_generation);
        let choice = self
            .memory
            .choose(&gathered.object, recorded, observed, is_leader);
        let record = match choice {
            Choice::Here => return,
            Choice::None => {
                gathered.candidate.earlier = Earlier::Nothing;
                return;
            }
            Choice::Recorded(record) => record.clone(),
        };
        if self.memory.get(&gathered.object).is_none() {
            gathered.candidate.earlier = Earlier::Nothing;
        }
        let is_same = record.generation == object::generation(&gathered.object);
        if is_same && gathered.candidate.program.is_ok() {
            return;
        }
        match self.last_good(&gathered.object, &record).await {
            Ok(last_good) => {
                gathered.candidate.earlier = Earlier::Known(Box::new(last_good));
                gathered.recorded = Some(record);
            }
            Err(Missing::Unknown(_)) => gathered.is_unknown = true,
            Err(Missing::Wrong(failure)) => {
                let policy = gathered.object.name_any();
                tracing::warn!(policy, %failure, "an earlier form of a policy cannot be had");
            }
        }
    }

    async fn last_good(
        &mut self,
        object: &DynamicObject,
        record: &InForce,
    ) -> Result<LastGood, Missing> {
        let spec = serde_json::Value::Object(record.spec.clone());
        let parsed = object::parse(&object.name_any(), &spec).map_err(Missing::Wrong)?;
        let program = match &parsed.spec.program {
            ProgramRef::ConfigMap(_) => self.programs.kept(&record.digest).await?,
            here => of_pack(&self.pack, here).map_err(Missing::Wrong)?,
        };
        Ok(LastGood {
            spec: parsed.spec,
            program,
        })
    }

    /// The record of a policy that loaded as it is written.
    pub fn record(&self, gathered: &Gathered) -> Option<InForce> {
        let object = &gathered.object;
        let generation = object::generation(object);
        // What a generation names does not change: programs of ConfigMaps are
        // named with their digest.
        let known = self.memory.get(object);
        if let Some(known) = known.filter(|known| known.generation == generation) {
            return Some(known.clone());
        }
        let program = gathered.candidate.program.as_ref().ok()?;
        Some(InForce {
            generation,
            digest: Digest::of(program),
            spec: object::spec_members(object),
        })
    }

    /// The record of the earlier form `spec` that a policy goes on in.
    pub fn in_force(&self, gathered: &Gathered, spec: &Spec) -> Option<InForce> {
        if let Earlier::Known(last_good) = &gathered.candidate.earlier
            && last_good.spec == *spec
        {
            return gathered.recorded.clone();
        }
        self.memory.get(&gathered.object).cloned()
    }

    /// Forgets the programs that no policy names; the digests of the others.
    pub fn forget<'a>(
        &mut self,
        objects: impl Iterator<Item = &'a DynamicObject>,
    ) -> BTreeSet<Digest> {
        let (mut places, mut digests) = (BTreeSet::<ConfigMapRef>::new(), BTreeSet::new());
        for object in objects {
            let read = object::read(object).map(|(found, _)| found.resource.spec.program);
            if let Some(ProgramRef::ConfigMap(place)) = read {
                digests.insert(place.digest.clone());
                places.insert(place);
            }
            digests.extend(object::status(object).in_force.map(|record| record.digest));
            digests.extend(self.memory.get(object).map(|record| record.digest.clone()));
        }
        self.programs.retain(&places, &digests);
        digests
    }
}
