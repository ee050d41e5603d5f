//! Lists of grants, each of one resource with its group.

use portcullis_contract::lookups::qualified;

use super::Error;

/// What the types cannot say of such a list: `spec.LIST`, of pairs of group and
/// resource. `example` is a resource as it is written there.
///
/// # Errors
///
/// The first entry that is no resource, or that was there before.
pub(in crate::policy) fn validate<'g>(
    grants: impl IntoIterator<Item = (&'g str, &'g str)>,
    list: &str,
    example: &str,
) -> Result<(), Error> {
    let mut known = Vec::new();
    for (index, grant) in grants.into_iter().enumerate() {
        let (group, resource) = grant;
        let problem = if resource.is_empty() || resource.contains(['*', '/', '.']) {
            format!(
                "`{resource}` is no resource: write one plural, such as `{example}`, and its group \
                 as `apiGroup`"
            )
        } else if known.contains(&grant) {
            let name = qualified(group, resource);
            format!("`{name}` is granted twice: remove one of them")
        } else {
            known.push(grant);
            continue;
        };
        return Err(Error {
            pointer: format!("/spec/{list}/{index}/resource"),
            problem,
        });
    }
    Ok(())
}
