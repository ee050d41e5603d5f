//! The 24 recorded AdmissionReviews, answered under each profile.

use serde_json::Value;

use crate::support::{root, run, stdout};

#[test]
fn every_recorded_review_is_answered_as_before() {
    let folder = root().join("tests/data/reviews");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("reviews")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 24);
    for file in files {
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name")
            .to_owned();
        let review: Value =
            serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
        for profile in ["observe", "starter", "strict"] {
            let file = file.to_str().expect("UTF-8");
            let output = run(&["review", "--profile", profile, file]);
            assert!(output.status.success(), "{name}");
            let answer: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
            assert_eq!(
                answer["response"]["uid"], review["request"]["uid"],
                "{name}"
            );
            assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
            assert!(answer["response"].get("patch").is_none(), "{name}");
            insta::assert_json_snapshot!(format!("{name}-{profile}"), answer);
        }
    }
}
