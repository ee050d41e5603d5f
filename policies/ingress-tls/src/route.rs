//! Traefik's IngressRoutes.

use portcullis_sdk::contract::PatchOperation;
use portcullis_sdk::{List, Place, Reads, Report, Text, shown};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Code, Settings};

/// A route of an IngressRoute.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Route<'a> {
    #[serde(borrow)]
    services: List<Named<'a>>,
    middlewares: List<Named<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

/// The entry point of Traefik's own port, which its chart does not expose.
const INTERNAL: &str = "traefik";

pub(crate) fn judge(
    entry_points: &[Text<'_>],
    routes: &[Route<'_>],
    tls: Option<&Value>,
    settings: &Settings,
    report: &mut Report<Code>,
) {
    open_api(entry_points, routes, report);
    let only = |listed: &[String]| {
        let is_listed = |point: &Text<'_>| listed.iter().any(|name| *name == **point);
        !entry_points.is_empty() && entry_points.iter().all(is_listed)
    };
    let redirects = only(&settings.redirect_entry_points) && routes.iter().all(Route::redirects);
    if tls.is_some() || redirects || only(&settings.tls_entry_points) {
        return;
    }
    if settings.add_tls {
        report.change(PatchOperation::Add {
            path: "/spec/tls".into(),
            value: json!({}),
        });
        return;
    }
    let points: Vec<String> = entry_points.iter().map(|point| shown(point)).collect();
    let points = match points.as_slice() {
        [] => "every entry point".to_owned(),
        points => format!("`{}`", points.join("`, `")),
    };
    report.find(
        Code::IngressrouteNoTls,
        Place::at("/spec/tls"),
        "add `tls: {}` to `spec`, or `tls: {secretName: NAME}`",
        format!("without `tls` the route is plain HTTP on {points}"),
    );
}

pub(crate) fn judge_tcp(tls: Option<&Value>, report: &mut Report<Code>) {
    if tls.is_none() {
        report.find(
            Code::IngressrouteTcpNoTls,
            Place::at("/spec/tls"),
            "add `tls: {}`, or `tls: {passthrough: true}`, unless the protocol encrypts by itself",
            "without `tls` Traefik passes on what comes, encrypted or not",
        );
    }
}

fn open_api(entry_points: &[Text<'_>], routes: &[Route<'_>], report: &mut Report<Code>) {
    if matches!(entry_points, [point] if **point == *INTERNAL) {
        return;
    }
    for (index, route) in routes.iter().enumerate() {
        let mut services = route.services.iter();
        let service = services.position(|service| &*service.name == "api@internal");
        let Some(service) = service.filter(|_| route.middlewares.is_empty()) else {
            continue;
        };
        report.find(
            Code::TraefikApiOpen,
            Place::at(format!("/spec/routes/{index}/services/{service}")),
            "add a Middleware of type `basicAuth`, `digestAuth` or `forwardAuth` to `middlewares`",
            "whoever reaches this route sees Traefik's API, with every host behind it",
        );
    }
}

impl Route<'_> {
    fn redirects(&self) -> bool {
        let mut middlewares = self.middlewares.iter();
        middlewares.any(|middleware| middleware.name.contains("redirect"))
    }
}
