use super::*;

const HOUR: i64 = 3600;

/// The Secret, the API servers' bundle and the served leaf, over time.
struct World {
    now: i64,
    facts: Option<Facts>,
    done: Vec<Action>,
}

impl World {
    fn step(&mut self, lifetimes: &Lifetimes) -> Action {
        let action = next(self.now, self.facts.as_ref(), lifetimes);
        let new = |life| Validity {
            from: self.now,
            to: self.now + seconds(life),
        };
        let ca = new(lifetimes.ca);
        let leaf = new(lifetimes.leaf);
        let before = self.facts.clone();
        self.facts = match (action, before) {
            (Action::Begin, _) => Some(Facts {
                cas: vec![ca],
                leaf,
                of_newest: true,
                names_fit: true,
                published: None,
            }),
            (Action::AddCa, Some(facts)) => Some(Facts {
                cas: [vec![ca], facts.cas].concat(),
                of_newest: false,
                published: None,
                ..facts
            }),
            (Action::Publish, Some(facts)) => Some(Facts {
                published: Some(self.now),
                ..facts
            }),
            (Action::IssueLeaf { .. }, Some(facts)) => Some(Facts {
                leaf,
                of_newest: true,
                names_fit: true,
                ..facts
            }),
            (Action::DropExpired, Some(mut facts)) => {
                facts.cas.retain(|ca| ca.to > self.now);
                Some(facts)
            }
            (_, facts) => facts,
        };
        self.done.push(action);
        action
    }

    /// Does what is to be done until `end`, looking every `tick`.
    fn run(
        &mut self,
        end: i64,
        tick: i64,
        lifetimes: &Lifetimes,
        mut check: impl FnMut(&Facts, i64),
    ) {
        while self.now < end {
            while !matches!(self.step(lifetimes), Action::Wait { .. }) {}
            check(self.facts.as_ref().expect("facts"), self.now);
            self.now += tick;
        }
    }
}

fn world() -> World {
    World {
        now: 1_000_000,
        facts: None,
        done: vec![],
    }
}

fn count(world: &World, wanted: Action) -> usize {
    world
        .done
        .iter()
        .filter(|action| **action == wanted)
        .count()
}

#[test]
fn ten_years_pass_without_a_moment_that_a_caller_could_not_check() {
    let lifetimes = Lifetimes::default();
    let mut world = world();
    let end = world.now + 3650 * 24 * HOUR;
    world.run(end, HOUR, &lifetimes, |facts, now| {
        assert!(
            facts.leaf.to > now + 9 * 24 * HOUR,
            "ten days are left to mend"
        );
        assert!(facts.leaf.to <= facts.cas[0].to || !facts.of_newest);
        assert!(facts.cas.len() <= 2 && facts.cas.iter().all(|ca| ca.to > now));
        if !facts.of_newest {
            assert!(facts.cas.len() == 2 && facts.leaf.to <= facts.cas[1].to);
        }
    });
    assert_eq!(count(&world, Action::Begin), 1);
    assert_eq!(count(&world, Action::AddCa), 14, "every 243 days");
    assert_eq!(
        count(&world, Action::AddCa),
        count(&world, Action::IssueLeaf { of_new_ca: true })
    );
    assert_eq!(count(&world, Action::Publish), 15);
    assert!(count(&world, Action::IssueLeaf { of_new_ca: false }) > 160);
}

#[test]
fn a_new_ca_is_published_for_a_while_before_a_leaf_of_it_is_served() {
    let lifetimes = Lifetimes::default();
    let mut world = world();
    let (mut published, mut served) = (None, None);
    let end = world.now + 244 * 24 * HOUR;
    world.run(
        end,
        1,
        &Lifetimes {
            ca: Duration::from_secs(900),
            leaf: Duration::from_secs(300),
            ..lifetimes
        },
        |facts, now| {
            if served.is_none() && facts.cas.len() == 2 {
                published = published.or(facts.published);
                served = facts.of_newest.then_some(now);
            }
        },
    );
    assert_eq!(served.expect("served") - published.expect("published"), 60);
}

/// A CA and a leaf that were made at the time 0.
fn fresh(lifetimes: &Lifetimes) -> (Validity, Validity) {
    let lives = |life| Validity {
        from: 0,
        to: seconds(life),
    };
    (lives(lifetimes.ca), lives(lifetimes.leaf))
}

#[test]
fn what_was_written_last_is_taken_up_where_it_was_left() {
    let lifetimes = Lifetimes::default();
    let (fresh, leaf) = fresh(&lifetimes);
    let facts = Facts {
        cas: vec![fresh, fresh],
        leaf,
        of_newest: false,
        names_fit: true,
        published: None,
    };
    let now = 100;
    assert_eq!(next(now, Some(&facts), &lifetimes), Action::Publish);
    let published = Facts {
        published: Some(now),
        ..facts.clone()
    };
    assert_eq!(
        next(now, Some(&published), &lifetimes),
        Action::Wait { until: 160 }
    );
    assert_eq!(
        next(160, Some(&published), &lifetimes),
        Action::IssueLeaf { of_new_ca: true }
    );
    let late = leaf.to;
    let action = next(late, Some(&facts), &lifetimes);
    assert_eq!(
        action,
        Action::IssueLeaf { of_new_ca: true },
        "an expired leaf helps nobody"
    );
}

#[test]
fn other_names_need_another_leaf_at_once() {
    let lifetimes = Lifetimes::default();
    let (ca, leaf) = fresh(&lifetimes);
    let facts = Facts {
        cas: vec![ca],
        leaf,
        of_newest: true,
        names_fit: false,
        published: Some(0),
    };
    assert_eq!(
        next(1, Some(&facts), &lifetimes),
        Action::IssueLeaf { of_new_ca: false }
    );
}

#[test]
fn after_a_long_absence_everything_begins_anew() {
    let lifetimes = Lifetimes::default();
    let mut world = world();
    world.step(&lifetimes);
    world.now += seconds(lifetimes.ca);
    assert_eq!(world.step(&lifetimes), Action::Begin);
    let none = Facts {
        cas: vec![],
        ..world.facts.clone().expect("facts")
    };
    assert_eq!(next(world.now, Some(&none), &lifetimes), Action::Begin);
}

#[test]
fn short_lives_too_leave_callers_the_time_that_was_promised() {
    let seconds = Duration::from_secs;
    let lifetimes = Lifetimes {
        ca: seconds(54),
        leaf: seconds(18),
        propagation: seconds(3),
    };
    let mut world = world();
    for _ in 0..3_000 {
        let before = world.facts.clone();
        let action = world.step(&lifetimes);
        if action == (Action::IssueLeaf { of_new_ca: true }) {
            let published = before.expect("facts").published.expect("published");
            assert!(world.now >= published + 3, "{}", world.now);
        }
        if matches!(action, Action::Wait { .. }) {
            world.now += 1;
        }
    }
    assert!(count(&world, Action::IssueLeaf { of_new_ca: true }) > 30);
}
