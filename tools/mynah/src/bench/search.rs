//! The search for the largest count that holds: a pure function of what its probes answer.

/// Distance between what held and what did not at which the search is over.
const PRECISION: f64 = 0.05;
/// How much more to try after a point that held.
const GROWTH: f64 = 1.5;

/// Where the search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The largest count that held; 0: none.
    pub held: u32,
    /// The smallest count that did not; `None`: the most that may be tried held.
    pub failed: Option<u32>,
}

/// Looks for the largest count from 1 to `most` that holds, first at `guess`, then growing until one fails, then between
/// the two until they are within 5 %. Tries at most `points` counts.
///
/// # Errors
/// The first error of a probe.
pub fn largest<E>(
    guess: u32,
    most: u32,
    points: u32,
    mut holds: impl FnMut(u32) -> Result<bool, E>,
) -> Result<Found, E> {
    let mut found = Found { held: 0, failed: None };
    let mut next = guess.clamp(1, most.max(1));
    for _ in 0..points {
        if holds(next)? {
            found.held = next;
        } else {
            found.failed = Some(next);
        }
        next = match found {
            Found { held, failed: None } if held >= most => break,
            Found { held, failed: None } => ((f64::from(held) * GROWTH) as u32).max(held + 1).min(most),
            Found { held, failed: Some(failed) } => {
                let near = (f64::from(held) * PRECISION) as u32;
                if failed - held <= near.max(1) {
                    break;
                }
                held + (failed - held) / 2
            }
        };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn search(capacity: u32, guess: u32, most: u32) -> (Found, Vec<u32>) {
        let mut tried = Vec::new();
        let found = largest(guess, most, 40, |count| {
            tried.push(count);
            Ok::<_, Infallible>(count <= capacity)
        });
        (found.unwrap_or_else(|never| match never {}), tried)
    }

    #[test]
    fn the_ends_are_found() {
        let cases = [
            // Capacity, guess, most: what is found.
            (0, 100, 20_000, Found { held: 0, failed: Some(1) }),
            (1, 100, 20_000, Found { held: 1, failed: Some(2) }),
            (7, 0, 4, Found { held: 4, failed: None }),
            (20_000, 900, 20_000, Found { held: 20_000, failed: None }),
        ];
        for (capacity, guess, most, want) in cases {
            assert_eq!(search(capacity, guess, most).0, want, "{capacity} {guess} {most}");
        }
    }

    #[test]
    fn a_guess_that_is_half_right_takes_few_points() {
        let (found, tried) = search(1_700, 1_000, 20_000);
        assert!(tried.len() <= 8, "{tried:?}");
        assert!(found.held <= 1_700 && found.held >= 1_620, "{found:?}");
    }

    #[test]
    fn no_more_points_are_tried_than_allowed() {
        let mut tried = 0;
        let found = largest(1, 20_000, 3, |_| {
            tried += 1;
            Ok::<_, Infallible>(true)
        });
        assert_eq!((tried, found), (3, Ok(Found { held: 3, failed: None })));
    }

    proptest! {
        #[test]
        fn the_capacity_is_within_five_percent(capacity in 0..30_000u32, guess in 0..30_000u32, most in 1..20_001u32) {
            let (found, tried) = search(capacity, guess, most);
            prop_assert!(tried.iter().all(|count| (1..=most).contains(count)), "{tried:?}");
            let truth = capacity.min(most);
            prop_assert!(found.held <= truth);
            match found.failed {
                None => prop_assert_eq!(found.held, most),
                Some(failed) => {
                    prop_assert!(failed > truth);
                    prop_assert!(f64::from(failed - found.held) <= (0.05 * f64::from(found.held)).max(1.0));
                }
            }
        }
    }
}
