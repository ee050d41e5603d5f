//! Credentials among the literals of containers.
//!
//! The page of the policy is [`EnvSecrets`]. `container` knows where literals
//! are, `portcullis_secrets` which of them are secrets.

use portcullis_sdk::contract::MatchConstraints;
use portcullis_sdk::pod::{Containers, Pod};
use portcullis_sdk::{Page, Place, Policy, Reads, Report, Text, shown};
use portcullis_secrets::{At, Detector, Found};
use serde::Deserialize;

mod code;
mod container;
mod settings;

pub use code::Code;
use container::{Container, Handler, Variable};
pub use settings::{Pattern, Settings, Sureness};

/// ## What it does
///
/// Looks for credentials that stand in the clear in a pod template: in the
/// values of environment variables, in `command` and `args`, and in the
/// commands and headers of probes and lifecycle hooks. It knows them by the
/// name that they stand under (`DB_PASSWORD`, `--token`), by their looks
/// (tokens, private keys, URLs with user name and password), and inside of
/// scripts and files that are passed as one value.
///
/// It names the place and the kind of secret, never the value.
///
/// ## Why is this bad?
///
/// Who may read a Deployment is not who may read a Secret: in many clusters
/// everybody who can log in reads all workloads. The value is in git, in
/// backups, in the log of what was applied, in `kubectl describe`, and, as an
/// argument, in the list of processes of the node.
///
/// ## What it does not judge
///
/// - References: `valueFrom`, `$(NAME)`, `${NAME}`, `{{ … }}`, names and paths
///   of files that hold the secret (`*_FILE`, `*_PATH`).
/// - Names of Secrets, URLs without a password, numbers, durations, switches.
/// - Variables whose name is on the list `exemptNames`.
/// - What a Secret or a ConfigMap holds: that is `configmap-secrets`'.
///
/// A name alone proves nothing, and neither does a value: `env-secret` is
/// sure, `env-secret-likely` may be wrong, `env-secret-possible` is worth a
/// look.
///
/// ## Examples
///
/// Warned of:
///
/// ```yaml
/// containers:
///   - name: db
///     env: [{name: POSTGRES_PASSWORD, value: Tr0ub4dor-and-3}]
///     args: [--admin-token=6f9d1c5e8a7b4d2f]
/// ```
///
/// Use instead:
///
/// ```yaml
/// containers:
///   - name: db
///     env:
///       - name: POSTGRES_PASSWORD
///         valueFrom: {secretKeyRef: {name: db, key: POSTGRES_PASSWORD}}
///       - name: ADMIN_TOKEN
///         valueFrom: {secretKeyRef: {name: db, key: ADMIN_TOKEN}}
///     args: [--admin-token=$(ADMIN_TOKEN)]
/// ```
///
/// `portcullis check --fix-hints` writes both for what it finds.
#[derive(Debug, Page)]
pub struct EnvSecrets;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow)]
    pod: Option<Pod<'a, Spec<'a>>>,
}

/// What is read of a pod's spec.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub struct Spec<'a> {
    #[serde(borrow, flatten)]
    containers: Containers<Container<'a>>,
}

impl Policy for EnvSecrets {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    fn matches() -> MatchConstraints {
        MatchConstraints::workloads()
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let (Some(Pod { path, spec }), Some(detector)) = (&request.pod, settings.detector()) else {
            return;
        };
        for (_, at, container) in spec.containers.iter(path) {
            let mut judging = Judging {
                detector,
                container: &container.name,
                report: &mut *report,
            };
            judging.env(&at, &container.env, settings);
            judging.commands(&at, container);
            for (place, handler) in container.handlers() {
                judging.handler(&format!("{at}/{place}"), handler);
            }
        }
    }
}

const FROM_SECRET: &str = "take it from a Secret: `valueFrom.secretKeyRef`";
const BY_ENV: &str =
    "take it from a Secret by way of an environment variable, and write `$(NAME)` here";
const BY_SHELL: &str =
    "take it from a Secret by way of an environment variable, and have a shell read that";
const NO_HEADER: &str = "probe a path that needs no credentials";

/// The literals of one container, as they are judged.
struct Judging<'a> {
    detector: &'a Detector,
    container: &'a str,
    report: &'a mut Report<Code>,
}

impl Judging<'_> {
    fn env(&mut self, at: &str, env: &[Variable<'_>], settings: &Settings) {
        for (index, Variable { name, value }) in env.iter().enumerate() {
            if value.is_empty() || settings.exempts(name) {
                continue;
            }
            // Of several lines: a whole file, passed as one value.
            let found = match value.trim().contains('\n') {
                true => self.detector.entry(name, value),
                false => self.detector.literal(name, value).into_iter().collect(),
            };
            for found in found {
                let place = self.place(format!("{at}/env/{index}/value"), found.at, value);
                let message = format!("`{}` holds {}", shown(name), what(&found));
                let code = Code::of_env(found.confidence);
                self.report.find(code, place, FROM_SECRET, message);
            }
        }
    }

    /// What kubelet runs is `command` and `args`, one after the other.
    fn commands(&mut self, at: &str, container: &Container<'_>) {
        let words = container.command.iter().chain(container.args.iter());
        let first_of_args = container.command.len();
        for (index, text, found) in self.words(words) {
            let place = match index.checked_sub(first_of_args) {
                Some(index) => format!("{at}/args/{index}"),
                None => format!("{at}/command/{index}"),
            };
            let place = self.place(place, found.at, text);
            self.command(place, BY_ENV, "the command", &found);
        }
    }

    fn handler(&mut self, at: &str, handler: &Handler<'_>) {
        if let Some(exec) = &handler.exec {
            for (index, text, found) in self.words(exec.command.iter()) {
                let place = format!("{at}/exec/command/{index}");
                let place = self.place(place, found.at, text);
                self.command(place, BY_SHELL, "the command", &found);
            }
        }
        let headers = handler.http_get.iter().flat_map(|get| &*get.http_headers);
        for (index, Variable { name, value }) in headers.enumerate() {
            if let Some(found) = self.detector.literal(name, value) {
                let place = format!("{at}/httpGet/httpHeaders/{index}/value");
                let place = self.place(place, found.at, value);
                let header = format!("the header `{}`", shown(name));
                self.command(place, NO_HEADER, &header, &found);
            }
        }
    }

    /// The secrets in the words of a command: the index of each, and its word.
    fn words<'w>(&self, words: impl Iterator<Item = &'w Text<'w>>) -> Vec<(usize, &'w str, Found)> {
        let words: Vec<&str> = words.map(|word| &**word).collect();
        let found = match words.is_empty() {
            true => vec![],
            false => self.detector.words(&words),
        };
        let of_word = |(index, found)| (index, words.get(index).copied(), found);
        let found = found.into_iter().map(of_word);
        let known = found.filter_map(|(index, text, found)| Some((index, text?, found)));
        known.collect()
    }

    fn command(&mut self, place: Place, remedy: &str, subject: &str, found: &Found) {
        let message = format!("{subject} holds {}", what(found));
        let code = Code::of_command(found.confidence);
        self.report.find(code, place, remedy, message);
    }

    /// Inside of the text, if it has several lines.
    fn place(&self, pointer: String, at: Option<At>, text: &str) -> Place {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut place = Place::at(pointer);
        if let Some(At { line, column }) = at.filter(|_| text.trim_end().contains('\n')) {
            place = place.within(count(line), count(column));
        }
        match self.container {
            "" => place,
            name => place.in_container(name),
        }
    }
}

/// The kind of secret, and its name inside the text: "a password (`db.password`)".
fn what(found: &Found) -> String {
    match &found.name {
        Some(name) => format!("{} (`{}`)", found.kind.title(), shown(name)),
        None => found.kind.title().into_owned(),
    }
}

portcullis_sdk::export!(EnvSecrets);
