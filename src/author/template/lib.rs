//! Who owns a workload is written on it. The page of the policy is
//! [`OwnerLabel`].

use portcullis_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// ## What it does
///
/// Checks that Deployments, StatefulSets, DaemonSets and CronJobs carry a
/// label that names their owner: `owner`, or another of your choice. If you
/// list the owners there are, it also checks that the value is one of them.
///
/// ## Why is this bad?
///
/// When a workload breaks at night, somebody has to find out whom to call.
///
/// ## Examples
///
/// Denied:
///
/// ```yaml
/// metadata: {name: web}
/// ```
///
/// Use instead:
///
/// ```yaml
/// metadata: {name: web, labels: {owner: team-shop}}
/// ```
#[derive(Debug, Page)]
pub struct OwnerLabel;

/// What is read of a request: the host sends these fields and no others.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Debug, Reads, Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

/// `labels` may be missing or null.
#[derive(Debug, Reads, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    labels: Option<BTreeMap<Text<'a>, Text<'a>>>,
}

/// The settings; all of them may be left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Owners {
    /// The label that names the owner.
    label: String,
    /// The owners there are; empty allows any.
    known: Vec<String>,
}

impl Default for Owners {
    fn default() -> Self {
        Owners {
            label: "owner".into(),
            known: Vec::new(),
        }
    }
}

impl Settings for Owners {
    fn validate(&self) -> Vec<Fault> {
        if self.label.is_empty() {
            return vec![Fault::new(
                "/label",
                "is empty: write a label such as `owner`",
            )];
        }
        Vec::new()
    }
}

/// What the policy may report.
#[derive(Debug, Codes)]
pub enum Code {
    /// The workload does not say whose it is.
    #[code(error)]
    OwnerMissing,
    /// The workload names an owner whom the setting `known` does not list.
    #[code(warning)]
    OwnerUnknown,
}

impl Policy for OwnerLabel {
    type Request<'a> = Request<'a>;
    type Settings = Owners;
    type Code = Code;

    fn matches() -> MatchConstraints {
        let rule = |group: &str, resources: &[&str]| Rule {
            api_groups: vec![group.into()],
            api_versions: vec!["*".into()],
            resources: resources.iter().map(ToString::to_string).collect(),
            operations: vec![Operation::Create, Operation::Update],
            ..Rule::default()
        };
        MatchConstraints {
            resource_rules: vec![
                rule("apps", &["deployments", "statefulsets", "daemonsets"]),
                rule("batch", &["cronjobs"]),
            ],
            ..MatchConstraints::default()
        }
    }

    fn evaluate(request: &Request<'_>, settings: &Owners, report: &mut Report<Code>) {
        let label = &settings.label;
        let labels = request.object.metadata.labels.as_ref();
        let owner = labels.and_then(|labels| {
            let mut labels = labels.iter();
            labels.find_map(|(key, value)| (**key == **label).then_some(&**value))
        });
        match owner {
            None | Some("") => report.find(
                Code::OwnerMissing,
                Place::at("/metadata/labels"),
                format!("add the label `{label}`, as in `{label}: team-shop`"),
                "nobody is named as owner",
            ),
            Some(owner) if !settings.knows(owner) => report.find(
                Code::OwnerUnknown,
                Place::at(pointer::join("/metadata/labels", label)),
                format!("name one of `{}`", settings.known.join("`, `")),
                format!("nobody knows the owner `{owner}`"),
            ),
            Some(_) => {}
        }
    }
}

impl Owners {
    fn knows(&self, owner: &str) -> bool {
        self.known.is_empty() || self.known.iter().any(|known| known == owner)
    }
}

portcullis_sdk::export!(OwnerLabel);
