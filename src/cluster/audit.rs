//! The audit of a live cluster: what the policies match is listed, page by
//! page and at a pace, and each object is judged as the webhook would judge
//! its CREATE.
//!
//! No more than one page is held at a time, and one object of it as a tree.
//! What cannot be listed is a failure, and never left out in silence.

pub mod kinds;
pub mod lists;
pub mod others;
pub mod owners;
pub mod page;
pub mod policies;
pub mod world;

mod judging;
mod lacking;
pub(super) mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use portcullis_contract::MatchConstraints;

use crate::check::policy_failures;
use crate::cluster::namespaces::Metadata;
use crate::finding::exempting::{self, View};
use crate::finding::{Failure, Finding, Identity, Place, Report};
use crate::fix;
use crate::policy::effect::hanging::Lacking;
use crate::policy::{Action, PolicySet};
use crate::progress::Progress;
use judging::Part;
use kinds::{Kind, Selection};
use lists::{Lists, Problem};
use owners::Found;
use walk::Walk;
use world::World;

/// Lookups of owners in turn: Pod, ReplicaSet, and whatever owns that.
const STEPS: usize = 3;

/// What is audited, and how.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// These namespaces; none means the whole cluster.
    pub namespaces: Vec<String>,
    /// The API server is asked this often at most.
    pub requests_per_second: u32,
    /// How many objects a page has, if that is not to be found out.
    pub page: Option<usize>,
    /// Only what these constraints match, as if they were a policy's: what a
    /// registration is narrowed to.
    pub within: Option<MatchConstraints>,
    /// Whether the policies are those of the cluster, which its exemptions were
    /// written for.
    pub own_policies: bool,
    /// Whether what to write instead of a secret is told.
    pub fixes: bool,
    /// Since when policies are in force: what they deny and was created later
    /// has slipped in.
    pub since: BTreeMap<String, Timestamp>,
}

/// What came of an audit.
#[derive(Debug)]
pub struct Audited {
    /// What was found.
    pub report: Report,
    /// The objects of findings, by their fingerprint.
    pub uids: HashMap<String, String>,
    /// What would have been denied, had anybody been asked.
    pub slipped_in: Vec<SlippedIn>,
    /// Whether the cluster has the kinds of OpenReports.
    pub knows_reports: bool,
}

/// An object that was created while a policy that denies it was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlippedIn {
    /// The policy.
    pub policy: String,
    /// What it found.
    pub code: String,
    /// The object.
    pub object: Identity,
    /// When it was created, RFC 3339.
    pub created: String,
}

/// Judges everything that the policies of `set` match. `progress` is told of
/// each object, if it is given.
///
/// # Errors
///
/// The API server does not tell what it has; a namespace that does not exist.
/// What cannot be listed is in the report.
pub async fn audit(
    client: Client,
    set: Arc<PolicySet>,
    wish: Wish,
    progress: Option<Progress>,
) -> Result<Audited> {
    let lists = Lists::new(client, wish.requests_per_second, wish.page);
    let wish = Arc::new(wish);
    let mut walk = Walk::new(lists, set, Arc::clone(&wish), progress.map(Arc::new));
    let groups = walk.lists.groups().await;
    let groups =
        groups.map_err(|problem| anyhow!("the API server was asked what it has: {problem}"))?;
    let mut selection = kinds::select(&walk.set, &groups);
    let knows_reports = kinds::has(&groups, "openreports.io", "v1alpha1", "reports");
    let served = kinds::served(&groups);
    drop(groups);
    if !wish.namespaces.is_empty() {
        selection.kinds.retain(|kind| kind.namespaced);
    }
    walk.world = Arc::new(world(&mut walk.lists, &wish.namespaces).await?);
    let others = others::gather(&mut walk.lists, &walk.set, &wish.namespaces).await;
    walk.others = Arc::new(others);
    let audited = Auditing::new(walk, selection, served)
        .run(&wish.namespaces, wish.own_policies)
        .await?;
    Ok(Audited {
        knows_reports,
        ..audited
    })
}

/// The namespaces and their labels: those that are asked for, or all. Where
/// they may not be read, findings that hang on labels say so.
async fn world(lists: &mut Lists, names: &[String]) -> Result<World> {
    let mut world = World::default();
    for name in names {
        match lists
            .get::<Metadata>(&format!("/api/v1/namespaces/{}", lists::escaped(name)))
            .await
        {
            Ok(namespace) => world.learn(&namespace),
            Err(Problem::NotFound) => {
                bail!("there is no namespace `{name}`: see `kubectl get namespaces`")
            }
            Err(Problem::Forbidden(_)) => {}
            Err(problem) => bail!("the namespace `{name}` was asked for: {problem}"),
        }
    }
    if names.is_empty() {
        let listed = walk::namespaces(lists, &mut |namespace| world.learn(&namespace)).await;
        match listed {
            Ok(()) | Err(Problem::Forbidden(_)) => {}
            Err(problem) => bail!("the namespaces were asked for: {problem}"),
        }
    }
    Ok(world)
}

/// An audit on its way.
struct Auditing {
    walk: Walk,
    kinds: Vec<Kind>,
    found: Found,
    report: Report,
    slipped_in: Vec<SlippedIn>,
    uses: Vec<fix::Use>,
    lacking: Vec<(Finding, String, Lacking)>,
    /// What the API server has.
    served: BTreeSet<(String, String)>,
    objects: usize,
}

impl Auditing {
    fn new(walk: Walk, selection: Selection, served: BTreeSet<(String, String)>) -> Auditing {
        let mut failures = policy_failures(&walk.set);
        failures.extend(selection.failures);
        Auditing {
            kinds: selection.kinds,
            found: Found::default(),
            report: Report {
                failures,
                passed_over: selection.passed_over,
                ..Report::default()
            },
            slipped_in: vec![],
            uses: vec![],
            lacking: vec![],
            served,
            objects: 0,
            walk,
        }
    }

    /// The exemptions that the policies go by, with what is wrong with them.
    fn settle_exemptions(
        report: &mut Report,
        set: &PolicySet,
        (namespaces, knows_policies): (&[String], bool),
    ) -> Vec<(String, String)> {
        let view = View {
            namespaces,
            knows_policies,
            unused: (Action::Warn, "in the cluster"),
        };
        exempting::settle(report, set, view, |_, _| Place::default())
    }

    async fn run(mut self, namespaces: &[String], knows_policies: bool) -> Result<Audited> {
        for kind in std::mem::take(&mut self.kinds) {
            let kind = Arc::new(kind);
            for place in kind.places(namespaces) {
                self.list(&kind, place).await?;
            }
        }
        self.look_up_owners().await;
        self.settle_lacking().await;
        let mut report = self.report;
        let (findings, mut uids) = self.found.finish();
        report.findings = findings;
        report.complete_fixes(&self.uses);
        let view = (namespaces, knows_policies);
        uids.extend(Self::settle_exemptions(&mut report, &self.walk.set, view));
        report.changes.sort_by(|one, other| {
            let key = |object: &'_ Identity| {
                let Identity {
                    namespace,
                    kind,
                    name,
                    ..
                } = object.clone();
                (namespace, kind, name)
            };
            key(&one.object).cmp(&key(&other.object))
        });
        report.finish(self.objects);
        Ok(Audited {
            report,
            uids,
            slipped_in: self.slipped_in,
            knows_reports: false,
        })
    }

    async fn list(&mut self, kind: &Arc<Kind>, namespace: Option<&str>) -> Result<()> {
        let (part, listed) = self.walk.all(kind, namespace).await?;
        match listed {
            Ok(()) => self.report.lists += 1,
            Err(problem) => {
                let failure = unlisted(kind, namespace, part.objects, &problem);
                self.report.failures.push(failure);
            }
        }
        self.take(part, &kind.resource());
        Ok(())
    }

    fn take(&mut self, part: Part, resource: &str) {
        self.objects += part.objects;
        for one in part.passed_over(resource) {
            let same = |known: &&mut crate::finding::PassedOver| {
                (&known.resource, &known.code) == (&one.resource, &one.code)
            };
            match self.report.passed_over.iter_mut().find(same) {
                Some(known) => known.objects += one.objects,
                None => self.report.passed_over.push(one),
            }
        }
        self.report.failures.extend(part.failures());
        self.report.changes.extend(part.changes);
        self.slipped_in.extend(part.slipped_in);
        self.uses.extend(part.uses);
        self.lacking.extend(part.lacking);
        self.found.merge(part.found);
    }

    /// What is found unless something in the cluster makes up for it. Who may not
    /// list what could is told so, and of nothing that hangs on it.
    async fn settle_lacking(&mut self) {
        let lacking = std::mem::take(&mut self.lacking);
        let (found, failures) = lacking::settle(&mut self.walk.lists, lacking, &self.served).await;
        self.report.failures.extend(failures);
        for (finding, uid) in found {
            self.found.add(finding, &uid, None);
        }
    }

    /// Where policies judge Pods but not what makes them, that is asked for.
    /// Who may not read it is told of the nearest owner.
    async fn look_up_owners(&mut self) {
        for _ in 0..STEPS {
            let unknown = self.found.unknown();
            if unknown.is_empty() {
                return;
            }
            for (owner, namespace) in unknown {
                let above = self.walk.owner_of(&owner, namespace.as_deref()).await;
                self.found.know(&owner.uid, above);
            }
        }
    }
}

fn unlisted(kind: &Kind, namespace: Option<&str>, judged: usize, problem: &Problem) -> Failure {
    let resource = kind.resource();
    let place = namespace.map_or(String::new(), |name| format!(" in the namespace `{name}`"));
    let judged = match judged {
        0 => "none was judged".to_owned(),
        judged => format!("{judged} were judged, and not the others"),
    };
    let remedy = match problem {
        Problem::Forbidden(_) if namespace.is_none() => {
            ": grant the right to list it, or give --namespace where you have it"
        }
        Problem::Forbidden(_) => ": grant the right to list it",
        Problem::NotFound => ": run the audit again, or mend what serves it",
        Problem::Expired(_) => ": run the audit again, with more --requests-per-second",
        Problem::Other(_) => ": run the audit again",
    };
    Failure {
        cause: format!("`{resource}` could not be listed{place}, {judged}{remedy}: {problem}"),
        ..Failure::default()
    }
}
