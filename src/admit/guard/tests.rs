use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

const DEADLINE: Duration = Duration::from_millis(100);

/// A guard around a program, and how often it was suspended.
fn guard(program: impl Evaluate + 'static, at_once: usize) -> (Guard, Arc<AtomicUsize>) {
    let suspensions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&suspensions);
    let guard = Guard {
        policy: "guest".parse().expect("a name"),
        program: Arc::new(program),
        deadline: DEADLINE,
        suspension: Duration::from_millis(300),
        at_once,
        state: Mutex::default(),
        freed: Condvar::new(),
        usual: Usual::starting_at(SLOW),
        ending: Usual::starting_at(ENDING),
        on_suspension: Arc::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }),
    };
    (guard, suspensions)
}

fn evaluate(guard: &Guard, time: Duration) -> Result<Verdict, Failure> {
    guard.evaluate("{}", Instant::now() + time)
}

fn cause(guard: &Guard) -> Option<Cause> {
    evaluate(guard, DEADLINE).err().map(|failure| failure.cause)
}

/// Hits its deadline (without taking that long) while the switch is on.
fn switched() -> (Arc<AtomicBool>, Arc<AtomicUsize>, impl Evaluate + 'static) {
    let (hangs, asked) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (switch, count) = (Arc::clone(&hangs), Arc::clone(&asked));
    let program = move |_: &str, _: Instant| {
        count.fetch_add(1, Ordering::Relaxed);
        if switch.load(Ordering::Relaxed) {
            Err(Failure::guest(Cause::Deadline, "late"))
        } else {
            Ok(Verdict::default())
        }
    };
    (hangs, asked, program)
}

#[test]
fn ten_deadlines_in_a_row_suspend_and_then_one_is_enough() {
    let (hangs, asked, program) = switched();
    let (guard, suspensions) = guard(program, 1);
    for _ in 0..10 {
        assert_eq!(cause(&guard), Some(Cause::Deadline));
    }
    let suspended = evaluate(&guard, DEADLINE).expect_err("suspended");
    assert_eq!(suspended.cause, Cause::Suspended);
    assert!(
        suspended.message.contains("10 times in a row"),
        "{suspended}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 10, "it was not asked again");
    std::thread::sleep(guard.suspension);
    assert_eq!(cause(&guard), Some(Cause::Deadline));
    assert_eq!(cause(&guard), Some(Cause::Suspended));
    assert_eq!(suspensions.load(Ordering::Relaxed), 2);
    std::thread::sleep(guard.suspension);
    hangs.store(false, Ordering::Relaxed);
    assert_eq!(cause(&guard), None);
    hangs.store(true, Ordering::Relaxed);
    for _ in 0..9 {
        assert_eq!(cause(&guard), Some(Cause::Deadline));
    }
    hangs.store(false, Ordering::Relaxed);
    assert_eq!(cause(&guard), None, "a verdict ends the row");
    assert_eq!(suspensions.load(Ordering::Relaxed), 2);
}

#[test]
fn a_caller_with_little_time_has_nobody_suspended() {
    let (_, asked, program) = switched();
    let (guard, suspensions) = guard(program, 1);
    for _ in 0..30 {
        let failure = evaluate(&guard, DEADLINE / 10).expect_err("late");
        assert_eq!(failure.cause, Cause::Deadline);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 30);
    assert_eq!(suspensions.load(Ordering::Relaxed), 0);
}

#[test]
fn one_policy_does_not_take_every_thread() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let program = move |_: &str, deadline: Instant| {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(Verdict::default())
    };
    let (guard, _) = guard(program, 2);
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let started = Instant::now();
                if let Err(failure) = evaluate(&guard, Duration::from_millis(400)) {
                    assert_eq!(failure.cause, Cause::Overload, "{failure}");
                    assert!(started.elapsed() < Duration::from_millis(390));
                    refused.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert_eq!(refused.load(Ordering::SeqCst), 4);
    assert_eq!(guard.state().running, 0);
}

#[test]
fn who_waits_gets_the_place_that_is_freed() {
    let program = |_: &str, _: Instant| {
        std::thread::sleep(Duration::from_millis(5));
        Ok(Verdict::default())
    };
    let (guard, _) = guard(program, 1);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| evaluate(&guard, Duration::from_secs(10)).expect("a verdict"));
        }
    });
}

#[test]
fn a_program_that_panics_gives_its_place_back() {
    let (guard, _) = guard(|_: &str, _: Instant| panic!("expected by this test"), 1);
    for _ in 0..3 {
        let evaluate = std::panic::AssertUnwindSafe(|| evaluate(&guard, DEADLINE));
        assert!(std::panic::catch_unwind(evaluate).is_err());
    }
    assert_eq!(guard.state().running, 0);
}

#[test]
fn at_least_one_evaluation_runs_and_one_core_is_left() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    assert_eq!((at_once(0), at_once(1), at_once(2)), (1, 1, 1));
    assert_eq!(at_once(1_000), (cores - 1).max(1));
}

/// Answers after a time.
fn taking(time: Duration) -> impl Evaluate {
    move |_: &str, _: Instant| {
        std::thread::sleep(time);
        Ok(Verdict::default())
    }
}

/// Asks until it has proved quick: what a busy machine delays is forgotten.
fn until_prompt(guard: &Guard) {
    let mut asked = 0;
    while asked < 100 || !guard.is_prompt() {
        assert_eq!(cause(guard), None);
        asked += 1;
        assert!(asked < 100_000, "it is never quick");
    }
}

fn promptly(guard: &Guard, request: &str, left: Duration) -> Option<Result<Verdict, Failure>> {
    guard.at_once(Asked::alone(request), Instant::now() + left)
}

#[test]
fn who_proved_quick_is_asked_at_once_if_there_is_time_and_little_to_read() {
    let (guard, _) = guard(|_: &str, _: Instant| Ok(Verdict::default()), 1);
    let left = Duration::from_secs(1);
    assert_eq!(promptly(&guard, "{}", left), None, "nobody knows it yet");
    until_prompt(&guard);
    assert_eq!(promptly(&guard, "{}", left), Some(Ok(Verdict::default())));
    assert_eq!(promptly(&guard, "{}", Duration::ZERO), None);
    assert_eq!(promptly(&guard, &" ".repeat(SHORT + 1), left), None);
}

#[test]
fn who_is_slow_is_not_asked_at_once() {
    let (guard, _) = guard(taking(Duration::from_millis(1)), 1);
    (0..50).for_each(|_| assert_eq!(cause(&guard), None));
    assert!(!guard.is_prompt());
    assert_eq!(promptly(&guard, "{}", Duration::from_secs(1)), None);
}

#[test]
fn what_came_to_the_end_of_its_leash_is_nobody_s_answer_and_does_not_happen_again_soon() {
    let (hangs, asked, program) = switched();
    let (guard, suspensions) = guard(program, 1);
    hangs.store(false, Ordering::Relaxed);
    until_prompt(&guard);
    let before = asked.load(Ordering::Relaxed);
    hangs.store(true, Ordering::Relaxed);
    let leash = Duration::from_millis(2);
    for _ in 0..20 {
        assert_eq!(promptly(&guard, "{}", leash), None);
    }
    let since = asked.load(Ordering::Relaxed) - before;
    assert_eq!(since, 1, "it was asked again");
    assert_eq!(suspensions.load(Ordering::Relaxed), 0);
}

#[test]
fn nobody_waits_for_what_hangs_but_everybody_for_what_a_busy_machine_delays() {
    let slow = || guard(taking(Duration::from_millis(60)), 1).0;
    let behind = |guard: &Guard| {
        std::thread::scope(|scope| {
            let first = scope.spawn(|| evaluate(guard, Duration::from_secs(1)));
            while guard.state().running == 0 {
                std::thread::yield_now();
            }
            let second = evaluate(guard, Duration::from_secs(1));
            first.join().expect("no panic").expect("a verdict");
            second
        })
    };
    behind(&slow()).expect("it waited");
    let suspect = slow();
    let hit = Err(Failure::guest(Cause::Deadline, "late"));
    suspect.note(&hit, DEADLINE, DEADLINE);
    let failure = behind(&suspect).expect_err("it did not wait");
    assert_eq!(failure.cause, Cause::Overload);
}
