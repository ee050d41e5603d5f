//! Lists of repositories, as operators write them in settings.

use super::reference::{self, Reference};

/// Whether an entry of a list of repositories is the image's repository or a
/// beginning of it, whole components at a time. An entry that names a registry
/// (`ghcr.io/org`, `registry:5000`) is taken literally, one without is read as an
/// image is: `nginx` means `docker.io/library/nginx`.
pub fn covers(entry: &str, image: &Reference<'_>) -> bool {
    let mut components = image.components();
    let mut is_next = |component: &str| components.next() == Some(component);
    if has_registry(entry) {
        return entry.split('/').all(is_next);
    }
    Reference::split(entry).components().all(&mut is_next)
}

/// Whether an entry says which registry it means. A registry may stand alone,
/// unlike in an image: `ghcr.io`, `registry:5000`.
fn has_registry(entry: &str) -> bool {
    match entry.split_once('/') {
        Some((first, _)) => reference::is_registry(first),
        None => entry == "localhost" || entry.contains(['.', ':']),
    }
}

/// What is wrong with an entry of a list of repositories, and what to write
/// instead; None if it is one that [`covers`] can match.
pub fn entry_fault(entry: &str) -> Option<String> {
    let bare = entry
        .split_once("://")
        .map_or(entry, |(_, bare)| bare)
        .trim_end_matches(['/', '*']);
    let name = Reference::split(bare).name;
    if has_registry(entry) && reference::is_domain(entry) {
        return None;
    }
    Some(if bare.is_empty() {
        "an entry names nothing: remove it, or write a registry such as `ghcr.io`".into()
    } else if entry.contains("://") {
        format!("`{entry}` is a URL: write `{bare}`, without the scheme")
    } else if bare != entry {
        format!(
            "`{entry}` has a `*` or a `/` at its end: write `{bare}`, which covers what is below"
        )
    } else if name != entry {
        format!("`{entry}` holds a tag or a digest: write `{name}`, as an entry covers all of them")
    } else if reference::is_name(entry) {
        return None;
    } else {
        format!(
            "`{entry}` is no registry and no repository: write it as `ghcr.io` or `ghcr.io/my-org`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers_image(entry: &str, image: &str) -> bool {
        assert_eq!(entry_fault(entry), None, "{entry}");
        covers(entry, &Reference::parse(image).expect("a reference"))
    }

    #[test]
    fn entries_end_at_the_borders_of_components() {
        for (entry, image) in [
            ("docker.io", "nginx"),
            ("docker.io", "index.docker.io/grafana/loki"),
            ("docker.io/library", "nginx:1"),
            ("docker.io/library/nginx", "nginx"),
            ("nginx", "docker.io/library/nginx:1"),
            ("library/nginx", "nginx"),
            ("grafana/loki", "grafana/loki:3"),
            ("docker.io/grafana", "grafana/loki"),
            ("ghcr.io", "ghcr.io/org/app"),
            ("ghcr.io/org", "ghcr.io/org/app/part"),
            ("registry:5000", "registry:5000/app"),
            ("localhost", "localhost/app"),
            ("[::1]:5000", "[::1]:5000/app"),
        ] {
            assert!(covers_image(entry, image), "{entry} covers {image}");
        }
        for (entry, image) in [
            ("ghcr.io/org", "ghcr.io/organisation/app"),
            ("ghcr.io/org/app", "ghcr.io/org"),
            ("ghcr.io", "ghcr.io.evil.example/app"),
            ("ghcr.io", "evil.example/ghcr.io/app"),
            ("ghcr.io", "GHCR.io/app"),
            ("registry", "registry:5000/app"),
            ("registry:5000", "registry:50000/app"),
            ("registry.lan", "registry.lan:5000/app"),
            ("nginx", "nginx/app"),
            ("docker.io/nginx", "nginx"),
            ("grafana", "grafana/loki"),
            ("nginx", "evil.example/library/nginx"),
            ("docker.io", "docker.io.evil.example/a"),
            ("grafana/loki", "grafana/loki-canary"),
            ("localhost", "localhost:5000/app"),
        ] {
            assert!(
                !covers_image(entry, image),
                "{entry} does not cover {image}"
            );
        }
    }

    #[test]
    fn entries_that_could_never_match_are_refused_with_a_remedy() {
        for (entry, remedy) in [
            ("", "remove it"),
            ("/", "remove it"),
            ("*", "remove it"),
            ("https://ghcr.io", "write `ghcr.io`, without the scheme"),
            ("https://ghcr.io/", "write `ghcr.io`, without the scheme"),
            ("ghcr.io/", "write `ghcr.io`"),
            ("ghcr.io/org/*", "write `ghcr.io/org`"),
            ("*.example.com", "is no registry"),
            ("nginx:1.27", "write `nginx`"),
            ("ghcr.io/org/app:v1", "write `ghcr.io/org/app`"),
            ("ghcr.io/app@sha256:0", "write `ghcr.io/app`"),
            ("ghcr.io/Org", "is no registry and no repository"),
            ("ghcr.io /org", "is no registry and no repository"),
        ] {
            let fault = entry_fault(entry).expect("a fault");
            assert!(fault.contains(remedy), "{entry}: {fault}");
        }
    }
}
