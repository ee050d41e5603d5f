//! What the policy may report.

use portcullis_sdk::Codes;

/// What `ingress-tls` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// The Ingress has no `spec.tls`: what it serves, passwords and cookies
    /// too, can be read and changed on the way.
    #[code(warning)]
    IngressNoTls,
    /// The Ingress asks cert-manager for a certificate by annotation, but has
    /// no `spec.tls` that says which: none is ever made, and it is served
    /// without TLS although somebody meant otherwise.
    #[code(error)]
    IngressIssuerNoTls,
    /// A host of the Ingress is in no entry of `spec.tls`: it is served with
    /// the certificate of another name, which browsers refuse, or without TLS.
    /// A wildcard stands for one label: `*.example.org` is no name for
    /// `a.b.example.org`.
    #[code(warning)]
    IngressHostNotCovered,
    /// The Traefik IngressRoute has no `spec.tls`, and is served over plain
    /// HTTP. `tls: {}` is enough where Traefik has a default certificate.
    #[code(warning)]
    IngressrouteNoTls,
    /// The Traefik IngressRouteTCP has no `spec.tls`. Many protocols encrypt
    /// by themselves, so that this is only noted.
    #[code(info)]
    IngressrouteTcpNoTls,
    /// Traefik is told to serve its API and dashboard without a password on
    /// port 8080 (`api.insecure`). They show every route, host and middleware
    /// to each Pod that reaches the port.
    #[code(error)]
    TraefikApiInsecure,
    /// An IngressRoute leads to `api@internal`, Traefik's API and dashboard,
    /// without any middleware that could ask for a password.
    #[code(error)]
    TraefikApiOpen,
}
