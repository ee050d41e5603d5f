//! Exemptions in a report: what each forgives, and which are findings
//! themselves, since they have ended or do nothing.

use std::collections::{BTreeMap, HashSet};

use portcullis_contract::Level;
use serde::Serialize;

use super::{Finding, Identity, Place, Report, fingerprint};
use crate::policy::exemption::book::{Book, Unreadable};
use crate::policy::exemption::standing::{self, POLICY, Problem};
use crate::policy::exemption::{self, Exemption};
use crate::policy::{PolicySet, action::Action, spec};

/// By what a finding is forgiven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exempted {
    /// The name of the PolicyExemption, in the namespace of the object.
    pub name: String,
    /// Until when, as it was written.
    pub expires: String,
    /// Why, as it was written.
    pub reason: String,
}

impl From<&Exemption> for Exempted {
    fn from(by: &Exemption) -> Self {
        Exempted {
            name: by.name.clone(),
            expires: by.spec.expires.to_string(),
            reason: by.spec.reason.clone(),
        }
    }
}

/// A PolicyExemption, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exempting {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The policy.
    pub policy: String,
    /// The codes that it forgives.
    pub codes: Vec<String>,
    /// Until when, as it was written.
    pub expires: String,
    /// Why, as it was written.
    pub reason: String,
    /// Whether anything is forgiven by it.
    pub in_force: bool,
    /// How many findings of this report it forgives.
    pub findings: usize,
    /// And of how many objects.
    pub objects: usize,
    /// The codes of what is wrong with it.
    pub problems: Vec<&'static str>,
    /// The first thing that is wrong, in one line.
    #[serde(skip)]
    pub problem: Option<String>,
}

/// What an audit has looked at, and so may say of exemptions.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Only exemptions of these namespaces are told of; of all, if none is
    /// named.
    pub namespaces: &'a [String],
    /// Whether the policies are those that exemptions were written for.
    pub knows_policies: bool,
    /// What an exemption that nothing needs leads to, and what was looked at
    /// for that: `in the cluster`.
    pub unused: (Action, &'a str),
}

/// Lists the exemptions of the policies' book, and adds what is wrong with
/// them to the findings. Gives the uid of each exemption that a finding is
/// about, by the finding's fingerprint. Call it before [`Report::finish`],
/// with all else in the report: what could not be judged may need an
/// exemption, so that none is called unused then.
pub fn settle(
    report: &mut Report,
    set: &PolicySet,
    view: View<'_>,
    place: impl Fn(&Exemption, &str) -> Place,
) -> Vec<(String, String)> {
    let book = set.exemptions().load();
    let is_seen =
        |namespace: &String| view.namespaces.is_empty() || view.namespaces.contains(namespace);
    let used = uses(&report.findings);
    let is_whole = report.failures.is_empty();
    let mut uids = vec![];
    let mut tell = |report: &mut Report, finding: Finding, uid: Option<&String>| {
        uids.extend(uid.map(|uid| (finding.fingerprint.clone(), uid.clone())));
        report.findings.push(finding);
    };
    for one in book.all().into_iter().filter(|one| is_seen(&one.namespace)) {
        let (findings, objects) = used.get(&one.path()).copied().unwrap_or_default();
        let problems = problems(one, set, &book, view, findings == 0 && is_whole);
        report.exemptions.push(Exempting {
            findings,
            objects,
            problems: problems.iter().map(|problem| problem.code).collect(),
            problem: problems.first().map(Problem::line),
            ..listed(one, set, &book)
        });
        for problem in problems {
            let action = action(&problem, view);
            let place = place(one, problem.path);
            let finding = finding(&problem, identity(&one.namespace, &one.name), place, action);
            tell(report, finding, one.uid.as_ref());
        }
    }
    for one in book.unreadable.iter().filter(|one| is_seen(&one.namespace)) {
        tell(report, unreadable(one), one.uid.as_ref());
    }
    uids
}

fn problems(
    one: &Exemption,
    set: &PolicySet,
    book: &Book,
    view: View<'_>,
    is_unused: bool,
) -> Vec<Problem> {
    let mut problems = match view.knows_policies {
        true => one.problems(set, book.now()),
        false => one.problem_of_time(book.now()).into_iter().collect(),
    };
    if is_unused && problems.is_empty() && view.knows_policies {
        problems.push(Problem::unused(one, view.unused.1));
    }
    problems
}

fn action(problem: &Problem, view: View<'_>) -> Action {
    match problem.code {
        standing::UNUSED => view.unused.0,
        _ => Action::Warn,
    }
}

fn listed(one: &Exemption, set: &PolicySet, book: &Book) -> Exempting {
    Exempting {
        namespace: one.namespace.clone(),
        name: one.name.clone(),
        policy: one.spec.policy.clone(),
        codes: one.spec.codes.iter().cloned().collect(),
        expires: one.spec.expires.to_string(),
        reason: one.spec.reason.clone(),
        in_force: one.is_in_force(set, book.now()),
        findings: 0,
        objects: 0,
        problems: vec![],
        problem: None,
    }
}

/// How many findings and how many objects each exemption has forgiven, by its
/// namespace and name.
fn uses(findings: &[Finding]) -> BTreeMap<String, (usize, usize)> {
    let mut used: BTreeMap<String, (usize, HashSet<&Identity>)> = BTreeMap::new();
    for finding in findings {
        let Some(by) = &finding.exemption else {
            continue;
        };
        // In a file no namespace is the namespace `default`.
        let namespace = finding.object.namespace.as_deref().unwrap_or("default");
        let entry = used.entry(format!("{namespace}/{}", by.name)).or_default();
        entry.0 += 1;
        entry.1.insert(&finding.object);
    }
    let count = |(path, (findings, objects)): (String, (usize, HashSet<_>))| {
        (path, (findings, objects.len()))
    };
    used.into_iter().map(count).collect()
}

fn identity(namespace: &str, name: &str) -> Identity {
    Identity {
        api_version: spec::API_VERSION.to_owned(),
        kind: exemption::KIND.to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

fn finding(problem: &Problem, object: Identity, place: Place, action: Action) -> Finding {
    Finding {
        policy: POLICY.to_owned(),
        code: problem.code.to_owned(),
        level: match action {
            Action::Deny => Level::Error,
            Action::Warn => Level::Warning,
            Action::Audit => Level::Info,
        },
        action,
        message: problem.message.clone(),
        remedy: problem.remedy.clone(),
        place,
        fingerprint: fingerprint(POLICY, problem.code, &object, None),
        object,
        path: problem.path.to_owned(),
        container: None,
        within: None,
        fix: None,
        has_fix: false,
        creates: None,
        exemption: None,
        excerpt: None,
    }
}

/// The definition of the kind refuses such a document, so it is denied.
fn unreadable(one: &Unreadable) -> Finding {
    let problem = Problem {
        code: standing::UNREADABLE,
        path: "",
        message: one.error.problem.clone(),
        remedy: "mend it".to_owned(),
    };
    let object = identity(&one.namespace, &one.name);
    let place = one.origin.as_ref().map_or(Place::default(), Place::from);
    Finding {
        path: one.error.pointer.clone(),
        ..finding(&problem, object, place, Action::Deny)
    }
}

impl From<&exemption::Origin> for Place {
    fn from(origin: &exemption::Origin) -> Place {
        let (line, column) = origin.position;
        Place {
            file: Some(origin.file.clone()),
            document: origin.document,
            item: origin.item,
            line,
            column,
        }
    }
}
