use super::*;

/// A Lease in a cluster, and replicas whose wall clocks differ.
struct World {
    lease: Option<LeaseSpec>,
    start: Instant,
}

impl World {
    fn new() -> World {
        World {
            lease: None,
            start: Instant::now(),
        }
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    /// One try of a replica whose clock is `skew` seconds off. What it writes
    /// arrives.
    fn attempt(&mut self, election: &mut Election, seconds: f64, skew: i64) -> Step {
        let now = self.at(seconds);
        let wall = Timestamp::from_second(1_700_000_000 + skew + seconds as i64).expect("a time");
        let step = election.step(self.lease.as_ref(), now, wall);
        if let Step::Create(spec) | Step::Replace(spec) = &step {
            self.lease = Some(spec.clone());
            election.written(spec.clone(), now);
        }
        step
    }
}

fn replica(name: &str) -> Election {
    Election::new(name, Timing::default())
}

#[test]
fn the_first_takes_it_and_keeps_it_while_it_renews() {
    let (mut world, mut one, mut other) = (World::new(), replica("a"), replica("b"));
    for turn in 0..60 {
        let now = f64::from(turn) * 2.0;
        world.attempt(&mut one, now, 0);
        assert_eq!(
            world.attempt(&mut other, now + 0.5, 7200),
            Step::Wait,
            "{now}"
        );
        assert!(one.leads(world.at(now)) && !other.leads(world.at(now)));
    }
    let lease = world.lease.expect("a lease");
    assert_eq!(lease.lease_transitions, Some(0));
    assert_eq!(lease.lease_duration_seconds, Some(15));
    assert!(lease.acquire_time < lease.renew_time);
}

#[test]
fn whatever_clocks_say_a_lease_is_taken_after_its_duration_and_no_sooner() {
    for skew in [-86_400, -20, 0, 20, 86_400] {
        let (mut world, mut one, mut other) = (World::new(), replica("a"), replica("b"));
        world.attempt(&mut one, 0.0, 0);
        let mut taken = None;
        for turn in 1..40 {
            let now = f64::from(turn);
            if world.attempt(&mut other, now, skew) != Step::Wait {
                taken = Some(now);
                break;
            }
        }
        // Seen first at second 1.
        assert_eq!(taken, Some(16.0), "{skew}");
        assert!(other.leads(world.at(16.0)));
        assert!(!one.leads(world.at(10.0)), "gave up long before");
        assert_eq!(world.lease.expect("a lease").lease_transitions, Some(1));
    }
}

#[test]
fn who_cannot_renew_stops_before_another_may_start() {
    let (mut world, mut one) = (World::new(), replica("a"));
    world.attempt(&mut one, 0.0, 0);
    assert!(one.leads(world.at(9.9)));
    assert!(!one.leads(world.at(10.0)));
}

#[test]
fn who_finds_another_holder_stops_at_once() {
    let (mut world, mut one) = (World::new(), replica("a"));
    world.attempt(&mut one, 0.0, 0);
    world.lease = world.lease.map(|lease| LeaseSpec {
        holder_identity: Some("b".into()),
        ..lease
    });
    assert_eq!(world.attempt(&mut one, 1.0, 0), Step::Wait);
    assert!(!one.leads(world.at(1.0)));
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let (mut world, mut one, mut other) = (World::new(), replica("a"), replica("b"));
    world.attempt(&mut one, 0.0, 0);
    assert_eq!(world.attempt(&mut other, 1.0, 0), Step::Wait);
    assert_eq!(other.release(world.at(1.0), Timestamp::UNIX_EPOCH), None);
    world.lease = one.release(world.at(2.0), Timestamp::UNIX_EPOCH);
    assert!(world.lease.is_some() && !one.leads(world.at(2.0)));
    assert!(matches!(
        world.attempt(&mut other, 2.1, 0),
        Step::Replace(_)
    ));
    assert!(other.leads(world.at(2.1)));
}

#[test]
fn a_write_that_did_not_arrive_is_no_lease() {
    let mut one = replica("a");
    let now = Instant::now();
    assert!(matches!(
        one.step(None, now, Timestamp::UNIX_EPOCH),
        Step::Create(_)
    ));
    assert!(!one.leads(now));
}

#[test]
fn a_lease_that_somebody_blanked_is_nobodys() {
    let (mut world, mut one) = (World::new(), replica("a"));
    world.lease = Some(LeaseSpec::default());
    assert!(matches!(world.attempt(&mut one, 0.0, 0), Step::Replace(_)));
}
