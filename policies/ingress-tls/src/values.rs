//! Values of Helm charts: in a HelmRelease of Flux, in an Application of
//! Argo CD.

use portcullis_sdk::{List, Place, Reads, Report, Text};
use serde::Deserialize;
use serde_json::Value;

use crate::{Code, api};

/// Where a HelmRelease has its chart from.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Chart<'a> {
    #[serde(borrow)]
    spec: ChartSpec<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct ChartSpec<'a> {
    #[serde(borrow)]
    chart: Text<'a>,
}

/// A source of an Application.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Source<'a> {
    #[serde(borrow)]
    chart: Text<'a>,
    helm: Option<Helm<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Helm<'a> {
    #[serde(borrow)]
    values: Text<'a>,
    values_object: Value,
    parameters: List<Parameter<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Parameter<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    value: Text<'a>,
}

pub(crate) fn judge_release(
    name: &str,
    chart: Option<&Chart<'_>>,
    values: &Value,
    report: &mut Report<Code>,
) {
    let by_chart = chart.is_some_and(|chart| api::names_traefik(&chart.spec.chart));
    let of_traefik = by_chart || api::names_traefik(name);
    let mut places = Vec::new();
    api::places(values, "/spec/values", of_traefik, &mut places);
    for place in places {
        find(Place::at(place), report);
    }
}

pub(crate) fn judge_source(name: &str, source: &Source<'_>, at: &str, report: &mut Report<Code>) {
    let Some(helm) = &source.helm else {
        return;
    };
    let of_traefik = api::names_traefik(&source.chart) || api::names_traefik(name);
    let mut places = Vec::new();
    for (index, parameter) in helm.parameters.iter().enumerate() {
        if parameter.is_insecure(of_traefik) {
            places.push(format!("{at}/helm/parameters/{index}/value"));
        }
    }
    if let Some(line) = api::line(&helm.values, of_traefik) {
        let place = Place::at(format!("{at}/helm/values"));
        report.find(
            Code::TraefikApiInsecure,
            place,
            format!("remove `api.insecure` from line {line} of the values, and lead a route with a login to `api@internal`"),
            MESSAGE,
        );
    }
    let at = format!("{at}/helm/valuesObject");
    api::places(&helm.values_object, &at, of_traefik, &mut places);
    for place in places {
        find(Place::at(place), report);
    }
}

impl Parameter<'_> {
    /// `api.insecure: true`, or the flag as an argument.
    fn is_insecure(&self, of_traefik: bool) -> bool {
        let own = of_traefik && &*self.name == "api.insecure";
        let nested = self.name.ends_with(".api.insecure") && api::names_traefik(&self.name);
        api::is_set_in(&self.value)
            || (own || nested) && self.value.trim().eq_ignore_ascii_case("true")
    }
}

const MESSAGE: &str = "Traefik serves its API and dashboard on port 8080 without a password";

/// A finding at this place, in a container or in values.
pub(crate) fn find(place: Place, report: &mut Report<Code>) {
    report.find(
        Code::TraefikApiInsecure,
        place,
        "remove `api.insecure`, and reach the dashboard by a route to `api@internal` with a login",
        MESSAGE,
    );
}
