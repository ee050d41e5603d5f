//! What the policy may report.

use portcullis_sdk::Codes;

/// What `image-tags` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// The image has no digest, and its tag is `latest` or missing. A node
    /// then pulls whatever was pushed last: two replicas may run different
    /// versions, a restart may bring an upgrade nobody asked for, and there is
    /// no earlier version to go back to. A missing tag means `latest`.
    #[code(error)]
    ImageLatest,
    /// The tag follows a branch or a channel and names no fixed version. Such
    /// a tag has no digit in it (`main`, `stable`, `lts`, `alpine`), has a
    /// part that moves (`16-master`, `latest-gpu2`), or holds one of the
    /// `floatingWords`.
    #[code(warning)]
    ImageFloating,
    /// The tag is a pre-release or a development build. It has a part such as
    /// `rc1`, `alpha`, `beta`, `pre`, `preview`, `snapshot`, `nightly`, `dev`
    /// or `canary`: it is not finished, often pushed again under the same
    /// name, and often removed after the release.
    #[code(warning)]
    ImagePrerelease,
    /// The tag names only a major version, as in `postgres:16` or `v2`. It
    /// moves with every minor and patch release. The setting `precision`
    /// says how much is demanded.
    #[code(info)]
    ImageMajorOnly,
    /// The tag names only two numbers, as in `redis:7.4` or `v1.31`. It moves
    /// with every patch release. The setting `precision` says how much is
    /// demanded.
    #[code(info)]
    ImageMinorOnly,
    /// The image cannot be judged, as something else fills it in first. It is
    /// empty, is Istio's `auto`, starts with `ko://`, or holds a substitution
    /// such as `${TAG}`, `$(TAG)`, `{{ .Values.tag }}` or `<version>` where it
    /// matters. That is neither a pass nor a fail: judge the rendered object.
    #[code(info)]
    ImageUnresolved,
    /// The image has no digest, and the setting `requireDigest` demands one.
    /// Any tag can be pushed again; only a digest names one image for good.
    #[code(error)]
    ImageNoDigest,
    /// The image comes from elsewhere than the setting `allowRegistries`
    /// allows. An image without a registry comes from `docker.io`.
    #[code(error)]
    ImageRegistry,
    /// The image is not a valid reference, so that no node can pull it. The
    /// API server takes it all the same, and the container then waits for
    /// ever with `InvalidImageName`.
    #[code(error)]
    ImageInvalid,
}
