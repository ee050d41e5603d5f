//! Between the WIT world's strings and an author's types.

use std::any::Any;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use portcullis_contract::{Description, INTERFACE, Verdict, pointer};
use serde_json::Value;

use crate::{Codes, Fault, Page, Policy, Reads, Report, Settings, lookups};

thread_local! {
    /// The settings that `init` took. A component has one thread; natively
    /// each test has its own.
    static SETTINGS: OnceCell<Box<dyn Any>> = const { OnceCell::new() };
}

/// The description of a policy.
pub fn description<P: Policy>() -> Description {
    let mut reads = BTreeSet::new();
    <P::Request<'static> as Reads>::reads("", &mut reads);
    let settings = schemars::schema_for!(P::Settings);
    Description {
        interface: INTERFACE.into(),
        name: <P as Page>::NAME.into(),
        version: <P as Page>::VERSION.into(),
        summary: <P as Page>::SUMMARY.into(),
        documentation: <P as Page>::DOCUMENTATION.into(),
        matches: P::matches(),
        reads,
        codes: <P::Code as Codes>::declarations(),
        mutating: P::MUTATING,
        mutating_settings: P::MUTATING_SETTINGS
            .iter()
            .map(ToString::to_string)
            .collect(),
        offline: P::OFFLINE,
        needs_values: P::NEEDS_VALUES,
        effects: P::EFFECTS.iter().map(ToString::to_string).collect(),
        lookups: P::lookups(),
        settings: serde_json::to_value(settings).unwrap_or(Value::Null),
    }
}

/// The export `describe`.
pub fn describe<P: Policy>() -> String {
    serde_json::to_string(&description::<P>()).unwrap_or_default()
}

/// The memory that `init` takes and gives back, in bytes: the host starts every
/// evaluation from the state after it, and what most requests need is there
/// then (wasm.md: growing costs 10 % of a request of 67 KB). Each policy's
/// host keeps an image as large as this.
const ROOM: usize = 64 * 1024;

/// The export `init`: a second call is ignored, as the host makes only one.
pub fn init<P: Policy>(settings: &str) -> Result<(), String> {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(ROOM)));
    let settings = read_settings::<P>(settings)
        .map_err(|faults| serde_json::to_string(&faults).unwrap_or_default())?;
    SETTINGS.with(|cell| {
        let _ = cell.set(Box::new(settings));
    });
    Ok(())
}

/// The settings, typed and valid.
pub fn read_settings<P: Policy>(settings: &str) -> Result<P::Settings, Vec<Fault>> {
    let mut json = serde_json::Deserializer::from_str(settings);
    let read: P::Settings = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        vec![Fault::new(
            place(error.path()),
            without_place(error.inner()),
        )]
    })?;
    match read.validate() {
        faults if faults.is_empty() => Ok(read),
        faults => Err(faults),
    }
}

/// The export `evaluate`.
pub fn evaluate<P: Policy>(request: &str) -> String {
    let verdict = SETTINGS.with(|cell| match cell.get().and_then(|any| any.downcast_ref()) {
        Some(settings) => judge::<P>(request, settings),
        None => judge::<P>(request, &P::Settings::default()),
    });
    if verdict.is_empty() {
        return String::new();
    }
    serde_json::to_string(&verdict).unwrap_or_default()
}

/// Judges a projected request.
pub fn judge<P: Policy>(request: &str, settings: &P::Settings) -> Verdict {
    let mut report = Report::default();
    // The plain pass is the quick one; only a failure is worth the place.
    if let Ok(request) = serde_json::from_str::<P::Request<'_>>(request) {
        P::evaluate(&request, settings, &mut report);
        return verdict(report);
    }
    let mut json = serde_json::Deserializer::from_str(request);
    match serde_path_to_error::deserialize::<_, P::Request<'_>>(&mut json) {
        Ok(request) => {
            P::evaluate(&request, settings, &mut report);
            verdict(report)
        }
        Err(error) => refused(problem(&error)),
    }
}

/// What was reported, if all that was looked up could be read.
fn verdict<C: Codes>(report: Report<C>) -> Verdict {
    lookups::take_fault().map_or_else(|| report.into_verdict(), refused)
}

fn refused(problem: String) -> Verdict {
    Verdict {
        error: Some(problem),
        ..Verdict::default()
    }
}

/// What is wrong with a document, and where; never a value of it.
pub(crate) fn problem(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = pointer::field_path(&place(error.path()));
    let problem = without_value(&without_place(error.inner()));
    format!("`{path}` {problem}")
}

fn place(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .fold(String::new(), |place, segment| match segment {
            Segment::Seq { index } => pointer::join(&place, &index.to_string()),
            Segment::Map { key } => pointer::join(&place, key),
            Segment::Enum { .. } | Segment::Unknown => place,
        })
}

/// An error's text without "at line 1 column 7": the JSON is not the file
/// that its author knows.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// serde names the value it found; a request may hold secrets, so only what
/// was expected is said.
fn without_value(text: &str) -> String {
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("should be {expected}"),
        None if text.starts_with("missing field") => text.replacen("missing", "lacks the", 1),
        None => "cannot be read".to_owned(),
    }
}
