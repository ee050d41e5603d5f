//! What is required and not there.

use std::collections::BTreeMap;

use portcullis_sdk::Report;
use portcullis_sdk::quantity::Quantity;

use crate::Code;
use crate::limit_ranges::Ranges;
use crate::place::Placed;
use crate::request::{Resources, Side};
use crate::settings::{Field, Settings, amount};

/// Finds what a container lacks: one finding, that names all of it.
pub(crate) fn find(
    container: &Placed<'_>,
    ranges: &Ranges,
    settings: &Settings,
    report: &mut Report<Code>,
) {
    let is_missing = |field: &&Field| !has(container, **field) && !ranges.give(**field);
    let missing: Vec<Field> = settings
        .required
        .iter()
        .filter(is_missing)
        .copied()
        .collect();
    if missing.is_empty() {
        return;
    }
    let name = |field: &Field| {
        let (side, resource) = field.place();
        format!("`{}.{resource}`", side.member())
    };
    let names = listed(&missing.iter().map(name).collect::<Vec<_>>());
    report.find(
        Code::ResourcesMissing,
        container.place(),
        format!(
            "add `resources: {}`, or amounts that fit",
            example(container, &missing, settings)
        ),
        format!(
            "{names} {} missing",
            if missing.len() == 1 { "is" } else { "are" }
        ),
    );
}

fn has(container: &Placed<'_>, field: Field) -> bool {
    let (side, resource) = field.place();
    let named = |resources: Option<&Resources<'_>>| {
        resources.is_some_and(|resources| {
            resources.get(side, resource).is_some()
                || (side == Side::Requests && resources.names(resource))
        })
    };
    named(container.resources) || named(container.pod)
}

/// What to write, in YAML of one line: `{requests: {cpu: 100m}}`.
fn example(container: &Placed<'_>, missing: &[Field], settings: &Settings) -> String {
    let mut sides: BTreeMap<Side, Vec<String>> = BTreeMap::new();
    for field in missing {
        let (side, resource) = field.place();
        let text = sample(container, *field, settings);
        sides
            .entry(side)
            .or_default()
            .push(format!("{resource}: {text}"));
    }
    let side = |(side, fields): (&Side, &Vec<String>)| {
        format!("{}: {{{}}}", side.member(), fields.join(", "))
    };
    // Requests first, as people write them.
    let sides: Vec<String> = sides.iter().rev().map(side).collect();
    format!("{{{}}}", sides.join(", "))
}

/// An amount that this policy would take: within the bounds of the settings,
/// and a limit not below its request nor, where that is bounded, above it.
fn sample(container: &Placed<'_>, field: Field, settings: &Settings) -> String {
    let (request, limit) = match field {
        Field::RequestsCpu | Field::LimitsCpu => ("100m", "1"),
        Field::RequestsMemory | Field::LimitsMemory => ("128Mi", "256Mi"),
    };
    let (side, resource) = field.place();
    let bounded = |text: &str| {
        let bound = |amounts| amount(amounts, resource);
        match (bound(&settings.min), bound(&settings.max)) {
            (Some((min, least)), _) if read(text) < least => min.text().to_owned(),
            (_, Some((max, most))) if read(text) > most => max.text().to_owned(),
            _ => text.to_owned(),
        }
    };
    let written = container.get(Side::Requests, resource);
    let written = written.map(|request| request.text().trim());
    let written = written.filter(|text| read(text) > Quantity::ZERO);
    let request = written.map_or_else(|| bounded(request), str::to_owned);
    let limit = bounded(limit);
    let is_bounded = settings.limit_request_ratio.contains_key(resource);
    if side == Side::Requests || is_bounded || read(&request) > read(&limit) {
        request
    } else {
        limit
    }
}

fn read(text: &str) -> Quantity {
    text.parse().unwrap_or_default()
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}
