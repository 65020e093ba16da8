//! Medians of figures that are measured in turns.

/// The median; of an even count the greater of the two in the middle. 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Processor time of this thread for one `call`, nanoseconds: the median over `rounds` rounds of at least `round_us` of
/// processor time each, and at least one call.
pub fn cpu_ns(rounds: usize, round_us: u64, mut call: impl FnMut()) -> f64 {
    let round = |_| {
        let (began, mut calls) = (cpu_time::ThreadTime::now(), 0u32);
        loop {
            call();
            calls += 1;
            let spent = began.elapsed();
            if spent.as_micros() as u64 >= round_us {
                return spent.as_nanos() as f64 / f64::from(calls);
            }
        }
    };
    median((0..rounds).map(round).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_in_the_middle() {
        for (values, want) in
            [(vec![], 0.0), (vec![3.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0], 4.0)]
        {
            assert_eq!(median(values), want);
        }
    }

    #[test]
    fn every_round_calls_at_least_once() {
        let mut calls = 0;
        assert!(cpu_ns(3, 0, || calls += 1) >= 0.0);
        assert_eq!(calls, 3);
    }
}
