use portcullis_cluster::{Cluster, User};

#[test]
fn clusters_run_beside_each_other_and_are_gone_when_dropped() {
    let started = std::time::Instant::now();
    let cluster = Cluster::start().unwrap();
    eprintln!("up after {:?}", started.elapsed());
    let answer = cluster.kubectl(User::Admin, &["get", "nodes"], "").unwrap();
    eprintln!("{}", answer.ok().unwrap());
}
