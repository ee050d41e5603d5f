//! What users may do, as the API server's own authorizer says.

use std::time::Instant;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};
use portcullis_contract::Permission;
use serde_json::Value;

use crate::cluster::told::one_line;
use crate::review::Request;

/// Whether the user of this request may do this, in this namespace or, without
/// one, in the cluster. Asked anew each time: such
/// requests are rare, and a right that was just taken away is gone.
///
/// # Errors
///
/// Why nobody knows, one line.
pub async fn may(
    client: &Client,
    request: &Request,
    permission: &Permission,
    namespace: Option<&str>,
    until: Instant,
) -> Result<bool, String> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review = review(request, permission, namespace);
    let options = PostParams::default();
    let asked = reviews.create(&options, &review);
    match tokio::time::timeout_at(until.into(), asked).await {
        Ok(Ok(answer)) => Ok(answer.status.is_some_and(|status| status.allowed)),
        Ok(Err(error)) => Err(one_line(&error)),
        Err(_) => Err("the API server took too long".to_owned()),
    }
}

fn review(
    request: &Request,
    permission: &Permission,
    namespace: Option<&str>,
) -> SubjectAccessReview {
    let user = request.admission.get("userInfo").unwrap_or(&Value::Null);
    // What the API server sent of the user is what it takes.
    let extra = serde_json::from_value(user["extra"].clone()).unwrap_or_default();
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(request.attributes.username.clone()),
            groups: Some(request.attributes.groups.clone()),
            uid: user["uid"].as_str().map(str::to_owned),
            extra,
            resource_attributes: Some(ResourceAttributes {
                namespace: namespace.map(str::to_owned),
                verb: Some(permission.verb.clone()),
                group: Some(permission.api_group.clone()),
                resource: Some(permission.resource.clone()),
                name: permission.name.clone(),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}
