//! Whether two samples of times can be told apart.

/// Above this, the two are told apart: dudect's limit ("Dude, is my code constant time?", <https://eprint.iacr.org/2016/1123>).
pub const LIMIT: f64 = 4.5;

/// How far apart two samples are.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Of the medians, in nanoseconds.
    pub medians: i64,
    /// Welch's t without the slowest tenth of both together, as dudect crops: what slows a machine down slows down a few
    /// requests very much.
    pub t: f64,
    /// Mann and Whitney's U as a number of standard deviations: it asks nothing but which of two times is longer.
    pub z: f64,
}

impl Difference {
    /// Of the second sample from the first, in nanoseconds.
    pub fn of(first: &[u64], second: &[u64]) -> Self {
        let medians = median(second).cast_signed() - median(first).cast_signed();
        Self { medians, t: welch(first, second), z: mann_whitney(first, second) }
    }

    /// Whether both say so. (One of them alone is in doubt: the table shows it.)
    pub const fn is_noticed(&self) -> bool {
        self.t.abs() > LIMIT && self.z.abs() > LIMIT
    }

    /// Whether none of them says so.
    pub const fn is_hidden(&self) -> bool {
        self.t.abs() <= LIMIT && self.z.abs() <= LIMIT
    }
}

fn median(times: &[u64]) -> u64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

fn welch(first: &[u64], second: &[u64]) -> f64 {
    let mut both = [first, second].concat();
    both.sort_unstable();
    let limit = both[(both.len() - 1) * 9 / 10];
    let moments = |times: &[u64]| {
        let kept = || times.iter().filter(|time| **time <= limit).map(|time| *time as f64);
        let count = kept().count() as f64;
        let mean = kept().sum::<f64>() / count;
        let variance = kept().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((first, of_first), (second, of_second)) = (moments(first), moments(second));
    (second - first) / (of_first + of_second).sqrt()
}

fn mann_whitney(first: &[u64], second: &[u64]) -> f64 {
    let mut both: Vec<(u64, bool)> = first.iter().map(|time| (*time, false)).collect();
    both.extend(second.iter().map(|time| (*time, true)));
    both.sort_unstable();
    // Equal times share the middle of their ranks.
    let mut rank_sum = 0.0;
    let mut from = 0;
    for group in both.chunk_by(|one, other| one.0 == other.0) {
        let rank = from as f64 + (group.len() as f64 + 1.0) / 2.0;
        rank_sum += rank * group.iter().filter(|(_, is_second)| *is_second).count() as f64;
        from += group.len();
    }
    let (first, second) = (first.len() as f64, second.len() as f64);
    let u = rank_sum - second * (second + 1.0) / 2.0;
    (u - first * second / 2.0) / (first * second * (first + second + 1.0) / 12.0).sqrt()
}
