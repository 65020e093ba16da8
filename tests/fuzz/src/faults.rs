//! Files of faults: like scenes, they hold or say where and what helps.

use mynah_engine::scene::Source;
use mynah_proof::faults::spec::FaultSpec;

use crate::accepted;
use crate::scene::text_of;

/// The text of a file, as UTF-8; what is none is cut off.
///
/// # Panics
/// When a text panics the reader, or an error has no place or remedy.
pub fn faults(data: &[u8]) {
    match FaultSpec::parse(&Source::new("fuzzed.ron", text_of(data))) {
        Err(found) => accepted::is_refused_well(&found),
        Ok(spec) => {
            assert!((0.0..=1.0).contains(&spec.heal_ratio));
            for (site, given) in &spec.sites {
                let ratios =
                    given.on.into_iter().chain(given.ratio.into_iter().flat_map(|(low, high)| [low, high]));
                assert!(ratios.into_iter().all(|ratio| (0.0..=1.0).contains(&ratio)), "{site}: {given:?}");
            }
        }
    }
}
