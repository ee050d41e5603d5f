//! The case files, natively. The host runs the same files through wasm.

#[test]
fn every_case_is_judged_as_it_expects() {
    portcullis_sdk::cases::run::<default_network_policy::DefaultNetworkPolicy>("cases");
}
