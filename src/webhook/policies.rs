//! The webhook of policies themselves, and of exemptions from them.

use std::sync::Arc;

use portcullis_contract::reads::Outline;

use super::surroundings::{Surroundings, Vetted};
use crate::review::{self, Review};
use crate::server::{Call, Reply};

/// Answers a review of a policy.
pub(super) async fn answer(surroundings: Option<&dyn Surroundings>, call: Call) -> Reply {
    let Some(surroundings) = surroundings else {
        let line = "policies are read from files here: start with `serve --cluster`";
        return super::text(404, line);
    };
    let outline = Arc::new(Outline::whole(false));
    let Review { uid, request } = match super::decode(call.body, outline).await {
        Ok(review) => review,
        Err(malformed) => return super::text(400, &malformed.to_string()),
    };
    let body = match request {
        Err(problem) => review::encode_refusal(&uid, &problem),
        Ok(request) => {
            let (name, kind) = (
                request.attributes.name.clone(),
                request.attributes.kind.clone(),
            );
            let vetted = surroundings.vet(request, call.deadline).await;
            tracing::info!(
                uid,
                kind,
                name,
                ?vetted,
                "a policy or an exemption was tried out"
            );
            match vetted {
                Vetted::Good => review::encode_allowance(&uid, None),
                Vetted::Untried(why) => review::encode_allowance(&uid, Some(&why)),
                Vetted::Bad(why) => review::encode_refusal(&uid, &why),
            }
        }
    };
    Reply { status: 200, body }
}
