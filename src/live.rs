//! `portcullis audit`: from what was typed to the report.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use portcullis::args;
use portcullis::args::audit::{Audit, Output};
use portcullis::cluster::audit::{Wish, audit, policies};
use portcullis::cluster::exemptions;
use portcullis::finding::{Report, human, json, sarif};
use portcullis::pack::{Pack, Profile};
use portcullis::policy::exemption::book::Book;
use portcullis::policy::{Exemption, PolicySet};
use portcullis::progress::Progress;
use portcullis::source::{self, Found};

/// Audits, prints, and gives the exit code.
pub(crate) fn run(arguments: &Audit) -> Result<u8> {
    let (set, report) = crate::wait_for(async {
        let client = crate::connect(&arguments.reach).await?;
        let (typed, home) = (&arguments.policies, &arguments.installation);
        let set = policies_in_force(&client, typed, home).await?;
        exempt(&client, &set, &arguments.namespaces).await?;
        let wish = Wish {
            own_policies: !arguments.policies.are_given(),
            namespaces: arguments.namespaces.clone(),
            fixes: arguments.fix_hints,
            requests_per_second: arguments.requests_per_second,
            page: arguments.page_size.and_then(|size| size.try_into().ok()),
            ..Wish::default()
        };
        let progress = Some(Progress::counting());
        let audited = audit(client, Arc::clone(&set), wish, progress).await?;
        anyhow::Ok((set, audited.report))
    })?;
    let code = report.exit_code(arguments.fail_on, false);
    crate::print(&rendered(arguments, &set, &report, code)?)?;
    Ok(code)
}

/// Puts the exemptions of the cluster in force, besides those of the policies'
/// files. Without the right to read them, what they forgive is told like all
/// else.
pub(crate) async fn exempt(client: &Client, set: &PolicySet, namespaces: &[String]) -> Result<()> {
    let listed = match exemptions::list(client, namespaces).await {
        Ok(listed) => listed,
        Err(kube::Error::Api(error)) => {
            anstream::eprintln!(
                "warning: PolicyExemptions could not be listed, and what they forgive is told \
                 like all else: get the right to list `policyexemptions.portcullis.dev` ({})",
                error.message
            );
            return Ok(());
        }
        Err(error) => return Err(error).context("the API server was asked what it has"),
    };
    let live = exemptions::book(&listed);
    let own = Arc::clone(&set.exemptions().load());
    let all = own.all().into_iter().chain(live.all());
    let all: Vec<Exemption> = all.map(|one| Exemption::clone(one)).collect();
    let mut book = Book::new(all, Timestamp::now);
    book.unreadable = live.unreadable;
    set.exemptions().store(book);
    Ok(())
}

fn rendered(arguments: &Audit, set: &PolicySet, report: &Report, code: u8) -> Result<String> {
    Ok(match arguments.output {
        Output::Human => human::render(report, arguments.show_audit),
        Output::Json => json::render(report)?,
        Output::Sarif => {
            let folder = std::env::current_dir().context("the working directory")?;
            let run = sarif::Run {
                policies: set,
                folder: &folder,
                exit_code: code,
            };
            sarif::render(report, run)?
        }
    })
}

/// Those that were typed, else those of the cluster, else the usual ones.
pub(crate) async fn policies_in_force(
    client: &Client,
    typed: &args::Policies,
    home: &str,
) -> Result<Arc<PolicySet>> {
    if typed.are_given() {
        return Ok(Arc::new(crate::chosen::policy_set(typed)?.1));
    }
    let engine = Arc::new(crate::chosen::engine(typed)?.with_patience());
    let excluded = crate::chosen::excluded(typed);
    let pack = crate::chosen::PACK.having_effects();
    let base = base(client, home, &pack).await?;
    let found = policies::of_cluster(client, &engine, pack, base, home, excluded).await?;
    let Some(set) = found else {
        anstream::eprintln!(
            "the cluster has no WasmPolicies: the profile starter of the pack stands in for them"
        );
        return Ok(Arc::new(crate::chosen::policy_set(typed)?.1));
    };
    if set.policies().is_empty() {
        bail!(
            "the cluster knows WasmPolicies and has none, and no installation in the namespace \
             `{home}` has a profile: apply some, or name policies with --profile or --policies"
        );
    }
    for policy in set.policies() {
        if let Some(failure) = set.stale(&policy.name) {
            let name = &policy.name;
            anstream::eprintln!("warning: policy `{name}` judges in its last good form: {failure}");
        }
    }
    Ok(set)
}

/// The policies of the profile that the installation has in force beside the
/// cluster's own. Who may not know is told so.
pub(crate) async fn base(client: &Client, home: &str, pack: &Pack) -> Result<Vec<Found>> {
    let profile = match policies::base(client, home).await {
        Ok(Some(base)) => Profile::from_str(&base.profile, false).map_err(anyhow::Error::msg)?,
        Ok(None) => return Ok(vec![]),
        Err(error) => {
            anstream::eprintln!(
                "warning: whether the installation in `{home}` has a profile in force cannot be \
                 told, and none is looked at: {error:#}"
            );
            return Ok(vec![]);
        }
    };
    Ok(source::policies(pack, profile, &[])?)
}
