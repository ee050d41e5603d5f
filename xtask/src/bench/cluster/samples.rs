//! How long creates took.

use std::time::Duration;

use super::super::target::median;

/// What was measured in turns.
#[derive(Debug, Default)]
pub(super) struct Samples {
    turns: Vec<Vec<Duration>>,
}

impl Samples {
    /// One turn more.
    pub(super) fn add(&mut self, turn: Vec<Duration>) {
        self.turns.push(turn);
    }

    /// How many creates there are.
    pub(super) fn count(&self) -> usize {
        self.turns.iter().map(Vec::len).sum()
    }

    /// So much of all took no longer (0.5: the median), in microseconds.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        quantile(self.turns.iter().flatten(), share)
    }

    /// By how much the median of each turn is above that of the others' turn
    /// of the same round, in microseconds, from the least to the most.
    pub(super) fn above(&self, others: &Samples) -> Vec<f64> {
        let both = self.turns.iter().zip(&others.turns);
        let mut above: Vec<f64> = both
            .map(|(mine, others)| quantile(mine, 0.5) - quantile(others, 0.5))
            .collect();
        above.sort_by(f64::total_cmp);
        above
    }

    /// The median of the mean of each turn, in microseconds.
    pub(super) fn mean(&self) -> f64 {
        let mean = |turn: &Vec<Duration>| {
            let total: Duration = turn.iter().sum();
            micros(total) / turn.len().max(1) as f64
        };
        median(self.turns.iter().map(mean))
    }
}

fn quantile<'a>(durations: impl IntoIterator<Item = &'a Duration>, share: f64) -> f64 {
    let mut sorted: Vec<&Duration> = durations.into_iter().collect();
    sorted.sort_unstable();
    let index = (sorted.len() as f64 * share) as usize;
    let at = index.min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |duration| micros(**duration))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(turns: &[&[u64]]) -> Samples {
        let mut samples = Samples::default();
        for turn in turns {
            let turn = turn.iter().map(|micros| Duration::from_micros(*micros));
            samples.add(turn.collect());
        }
        samples
    }

    #[test]
    fn quantiles_are_those_of_all_turns() {
        let some = samples(&[&[5, 1, 3], &[4, 2]]);
        assert_eq!(some.count(), 5);
        assert_eq!(some.quantile(0.5).round(), 3.0);
        assert_eq!(some.quantile(0.99).round(), 5.0);
        assert_eq!(Samples::default().quantile(0.5), 0.0);
    }

    #[test]
    fn what_is_added_is_told_round_by_round() {
        let with = samples(&[&[20, 20, 90], &[14]]);
        let without = samples(&[&[11, 11, 11], &[10]]);
        let above: Vec<f64> = with.above(&without).iter().map(|one| one.round()).collect();
        assert_eq!(above, [4.0, 9.0]);
    }
}
