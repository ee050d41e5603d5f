//! The cases, natively: `cargo test` needs neither wasm nor `portcullis`.

#[test]
fn every_case_is_judged_as_it_expects() {
    portcullis_sdk::cases::run::<@CRATE@::OwnerLabel>("cases");
}
