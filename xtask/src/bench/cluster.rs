//! `cargo xtask bench --cluster`: what Portcullis adds to the creation of a
//! pod, beside the same control plane without it and beside
//! ValidatingAdmissionPolicies that say the same.
//!
//! One control plane; each row is a namespace of it, in which one thing is in
//! the way. Rows take turns, in another order each round, so that whatever
//! else the machine does befalls all of them. Pods are really created, with
//! another name each, and deleted after the turn; nothing schedules them.

use std::path::Path;

use anyhow::Result;
use portcullis_cluster::{Cluster, User};
use serde_json::{Value, json};

use super::options::Options;
use super::process::{self, cpu_seconds};
use connection::Access;
use pod::Manifest;
use row::{Place, Row, WAYS, Way};
use samples::Samples;
use turn::Clients;

mod calls;
mod connection;
mod pod;
mod row;
mod samples;
mod table;
mod turn;

pub(super) use table::render;

/// What `starter` may add with one client (issue 6, section 4).
const GOAL_P50_MICROS: f64 = 1_500.0;
const GOAL_P99_MICROS: f64 = 5_000.0;

/// The turns of a row.
#[derive(Default)]
struct Lane {
    /// One client: nobody waits for another.
    calm: Samples,
    /// Several at once.
    busy: Samples,
    /// CPU of who is called, of all turns, in seconds.
    cpu: f64,
}

impl Lane {
    fn samples(&self, is_busy: bool) -> &Samples {
        match is_busy {
            true => &self.busy,
            false => &self.calm,
        }
    }
}

/// Starts everything, measures, and gives the report.
pub(super) fn measure(options: &Options, portcullis: &Path) -> Result<Value> {
    let machine = process::machine()?;
    let cluster = Cluster::start()?;
    let home = cluster.namespace()?;
    let place = Place {
        cluster: &cluster,
        home: &home,
        portcullis,
    };
    let rows = WAYS.map(|way| place.row(way));
    let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
    let calls = rows.iter().map(|row| calls::of_a_create(&cluster, row));
    let calls = calls.collect::<Result<Vec<f64>>>()?;
    let lanes = turns(options, &cluster, &rows)?;
    let version = cluster
        .kubectl(User::Admin, &["get", "--raw", "/version"], "")?
        .ok()?;
    let version: Value = serde_json::from_str(&version)?;
    Ok(json!({
        "schema": 1, "machine": machine, "loadAfter": process::load(),
        "kubernetes": version["gitVersion"], "podBytes": Manifest::careful().numbered(0).len(),
        "seconds": options.round.as_secs_f64(), "rounds": options.rounds,
        "clients": options.connections,
        "rows": figures(&rows, &lanes, &calls), "goal": goal(&rows, &lanes),
    }))
}

fn turns(options: &Options, cluster: &Cluster, rows: &[Row<'_>]) -> Result<Vec<Lane>> {
    let access = Access::of(&cluster.kubeconfig(User::Dev))?;
    let mut one = Clients::connect(&access, 1)?;
    let mut several = Clients::connect(&access, options.connections)?;
    let mut lanes: Vec<Lane> = rows.iter().map(|_| Lane::default()).collect();
    for round in 0..options.rounds {
        for at in 0..rows.len() {
            let at = (at + round) % rows.len();
            let (row, lane) = (&rows[at], &mut lanes[at]);
            let server = row.server.as_ref().map(crate::server::Server::id);
            let cpu = || server.map_or(Ok(0.0), cpu_seconds);
            let before = cpu()?;
            let name = row.namespace.name();
            lane.calm.add(one.turn(name, options.round)?);
            lane.busy.add(several.turn(name, options.round)?);
            lane.cpu += cpu()? - before;
        }
    }
    Ok(lanes)
}

/// A row of the table for one client, and one for several.
fn figures(rows: &[Row<'_>], lanes: &[Lane], calls: &[f64]) -> Vec<Value> {
    let mut figures = Vec::new();
    for is_busy in [false, true] {
        let samples = |lane| Lane::samples(lane, is_busy);
        let base = lanes.first().map(samples);
        let cel = rows.iter().position(|row| row.way == Way::Cel);
        let cel = cel.and_then(|at| lanes.get(at)).map(samples);
        for ((row, lane), calls) in rows.iter().zip(lanes).zip(calls) {
            let all = lane.calm.count() + lane.busy.count();
            let mut one = figure(samples(lane), base, cel);
            one["name"] = row.way.name().into();
            one["busy"] = is_busy.into();
            one["callsPerCreate"] = (*calls).into();
            one["webhookCpuMicros"] = row
                .server
                .as_ref()
                .map(|_| lane.cpu * 1e6 / all.max(1) as f64)
                .into();
            figures.push(one);
        }
    }
    figures
}

fn figure(samples: &Samples, base: Option<&Samples>, cel: Option<&Samples>) -> Value {
    let (p50, p99) = (samples.quantile(0.5), samples.quantile(0.99));
    let less = |other: Option<&Samples>, share| {
        samples.quantile(share) - other.map_or(0.0, |other| other.quantile(share))
    };
    let by_round = base.map(|base| samples.above(base)).unwrap_or_default();
    json!({
        "creates": samples.count(), "meanMicros": samples.mean(),
        "p50Micros": p50, "p99Micros": p99,
        "addedP50Micros": less(base, 0.5), "addedP99Micros": less(base, 0.99),
        "addedP50MicrosByRound": by_round,
        "p50ToCel": cel.map(|cel| p50 / cel.quantile(0.5)),
    })
}

/// What `starter` adds with one client, and whether that is little enough.
fn goal(rows: &[Row<'_>], lanes: &[Lane]) -> Value {
    let starter = rows
        .iter()
        .position(|row| row.way == Way::Profile("starter"));
    let added = |share| {
        let calm = |at: usize| lanes.get(at).map(|lane| lane.calm.quantile(share));
        Some(calm(starter?)? - calm(0)?)
    };
    let (p50, p99) = (added(0.5), added(0.99));
    let met = p50.is_some_and(|p50| p50 <= GOAL_P50_MICROS)
        && p99.is_some_and(|p99| p99 <= GOAL_P99_MICROS);
    json!({
        "addedP50Micros": p50, "mostAddedP50Micros": GOAL_P50_MICROS,
        "addedP99Micros": p99, "mostAddedP99Micros": GOAL_P99_MICROS, "met": met,
    })
}
