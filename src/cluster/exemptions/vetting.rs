//! An exemption that cannot work is refused when it is written.

use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::policy::PolicySet;
use crate::policy::exemption::Exemption;
use crate::review::Request;
use crate::webhook::surroundings::Vetted;

/// How long a policy that was applied together with its exemption may take to
/// come into force, before the exemption is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks at the spec of a request, until `until` at most.
pub async fn vet(
    set: &ArcSwap<PolicySet>,
    request: &Request,
    spec: &Value,
    until: Instant,
) -> Vetted {
    let exemption = match parse(request, spec) {
        Ok(exemption) => exemption,
        Err(problem) => return Vetted::Bad(problem),
    };
    if let Some(problem) = exemption.problem_of_time(Timestamp::now()) {
        return Vetted::Bad(problem.line());
    }
    let until = until.min(Instant::now() + PATIENCE);
    loop {
        let problem = exemption.problem_of_policy(&set.load());
        match problem {
            None => return Vetted::Good,
            Some(problem) if Instant::now() + PAUSE >= until => {
                return Vetted::Bad(problem.line());
            }
            Some(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn parse(request: &Request, spec: &Value) -> Result<Exemption, String> {
    let attributes = &request.attributes;
    let metadata = json!({"name": attributes.name, "namespace": attributes.namespace});
    let document = json!({"metadata": metadata, "spec": spec});
    Exemption::parse(&document).map_err(|error| error.to_string())
}
