//! `--output junit`: JUnit XML, a suite a file and a case an object.
//!
//! The dialect is what Jenkins, GitLab and Azure DevOps all read: of a case
//! one result (`error`, `failure` or `skipped`), then `system-out`.

mod case;
mod xml;

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{FailOn, Failure, Place, Report, Skipped, Subject};
use case::{Case, Counts, Line};
use xml::attribute;

/// The suite of policies that failed as a whole.
const POLICIES: &str = "policies";

/// The report as JUnit XML, with a line's end. Findings that `fail_on`
/// includes are failures of their object; the others stand in `system-out`.
/// What could not be judged is an error, what was passed over is skipped.
pub fn render(report: &Report, fail_on: FailOn) -> String {
    let suites = suites(report, fail_on);
    let mut body = String::new();
    let mut total = Counts::default();
    for (name, cases) in &suites {
        let counts = Counts::of(cases);
        let name = attribute(name);
        let _ = writeln!(body, "  <testsuite name=\"{name}\" {counts}>");
        for case in cases {
            case.write(&mut body, &name);
        }
        body.push_str("  </testsuite>\n");
        total.add(counts);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"portcullis\" {total}>\n{body}</testsuites>\n"
    )
}

type Suites<'r> = BTreeMap<&'r str, Vec<Case>>;

fn suites(report: &Report, fail_on: FailOn) -> Suites<'_> {
    let mut suites = Suites::new();
    let mut cases: BTreeMap<&Place, Case> = BTreeMap::new();
    for subject in &report.judged {
        cases.insert(&subject.place, case(subject));
    }
    for finding in &report.findings {
        let entry = cases
            .range_mut(whole(&finding.place)..)
            .next()
            .filter(|(place, _)| is_same(place, &finding.place));
        match entry {
            Some((_, case)) => case.find(finding, fail_on),
            // An exemption beside the policies is no manifest that is judged.
            None => {
                let subject = Subject {
                    place: finding.place.clone(),
                    object: finding.object.clone(),
                };
                let mut case = case(&subject);
                case.find(finding, fail_on);
                cases.insert(&finding.place, case);
            }
        }
    }
    let mut rest = Vec::new();
    for failure in &report.failures {
        match cases
            .range_mut(least(failure)..)
            .take_while(|(place, _)| place.file == failure.file)
            .find(|(place, _)| is_at(place, failure))
        {
            Some((_, case)) => case.errors.push(error(failure)),
            None => rest.push(failure),
        }
    }
    for (place, case) in cases {
        suites.entry(file(place)).or_default().push(case);
    }
    for failure in rest {
        let file = failure.file.as_deref().unwrap_or(POLICIES);
        suites.entry(file).or_default().push(unjudged(failure));
    }
    for skipped in &report.skipped {
        suites
            .entry(&skipped.file)
            .or_default()
            .push(passed(skipped));
    }
    suites.values_mut().for_each(|cases| tell_apart(cases));
    suites
}

/// The least place of the object that stands there.
fn whole(place: &Place) -> Place {
    Place {
        line: 0,
        column: 0,
        ..place.clone()
    }
}

/// The least place of the document that failed.
fn least(failure: &Failure) -> Place {
    Place {
        file: failure.file.clone(),
        document: failure.document.unwrap_or_default(),
        ..Place::default()
    }
}

fn is_same(one: &Place, other: &Place) -> bool {
    (&one.file, one.document, one.item) == (&other.file, other.document, other.item)
}

/// Whether a failure is of the object that stands there.
fn is_at(place: &Place, failure: &Failure) -> bool {
    failure.policy.is_some()
        && place.file == failure.file
        && Some(place.document) == failure.document
        && Some(place.line) == failure.line
        && Some(place.column) == failure.column
}

fn file(place: &Place) -> &str {
    place.file.as_deref().unwrap_or("cluster")
}

fn case(subject: &Subject) -> Case {
    let object = &subject.object;
    Case {
        name: object.path(),
        class: format!("{}/{}", object.api_version, object.kind),
        ..Case::default()
    }
}

fn unjudged(failure: &Failure) -> Case {
    let name = match (&failure.policy, failure.document, &failure.file) {
        (Some(policy), ..) => policy.clone(),
        (None, Some(document), _) => format!("document {document}"),
        (None, None, Some(_)) => "file".to_owned(),
        (None, None, None) => "check".to_owned(),
    };
    Case {
        name,
        class: "not judged".into(),
        errors: vec![error(failure)],
        ..Case::default()
    }
}

fn error(failure: &Failure) -> Line {
    let mut text = failure.text();
    if let Some(line) = failure.line {
        let _ = write!(
            text,
            " (line {line}, column {})",
            failure.column.unwrap_or(1)
        );
    }
    Line {
        kind: "not-judged".into(),
        text,
    }
}

fn passed(skipped: &Skipped) -> Case {
    Case {
        name: format!("document {}", skipped.document),
        class: "passed over".into(),
        skipped: Some(format!("{} (line {})", skipped.code, skipped.line)),
        ..Case::default()
    }
}

/// Numbers cases of one name: reports take them for one otherwise.
fn tell_apart(cases: &mut [Case]) {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    for case in cases {
        let key = (case.class.clone(), case.name.clone());
        let count = seen.entry(key).or_default();
        *count += 1;
        if *count > 1 {
            let _ = write!(case.name, " ({count})");
        }
    }
}
