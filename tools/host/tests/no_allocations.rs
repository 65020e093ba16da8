//! What an audio thread calls allocates nothing after its first call. Alone in its program, so that nobody else's
//! allocations are counted.

use mynah_engine::scene::Format;
use mynah_host::sound::{Adapt, Duck, Fade, Level, Piece};
use mynah_systems::dsp::resampler::Quality;

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

#[test]
fn sound_is_handled_without_an_allocation() {
    let ends =
        [(16_000, 1, 48_000, 2), (48_000, 2, 44_100, 2), (44_100, 2, 16_000, 1), (48_000, 1, 47_999, 1)];
    let ends = ends.map(|(from_hz, from, to_hz, to)| {
        let (from, to) =
            (Format { rate_hz: from_hz, channels: from }, Format { rate_hz: to_hz, channels: to });
        let adapt = Adapt::new(from, to, Quality::Standard).expect("they exist");
        (adapt, Fade::new(to_hz, to.channels), Duck::new(to_hz, 60.0, 600.0), to.channels)
    });
    let mut block = vec![0.0; 2 * 4_800];
    let mut before = None;
    for (mut adapt, mut fade, mut duck, channels) in ends {
        for round in 0..60 {
            for frames in [1, 16, 128, 480, 1_024, 4_800] {
                let samples = &mut block[..frames * usize::from(channels)];
                adapt.fill(samples, |source| source.fill(0.25));
                let piece =
                    Piece { frames: frames * (round % 3) / 2, cut: round % 7 == 0, ..Piece::default() };
                fade.apply(samples, piece);
                let loud = Level::of(samples).rms_dbfs() > -40.0;
                duck.follow(loud, frames).duck(samples, channels, 0.7);
                // The first call of each may.
                before.get_or_insert_with(mynah_alloc::allocations);
            }
        }
        let count = mynah_alloc::allocations() - before.take().expect("it ran");
        assert_eq!(count, 0, "{adapt:?}");
    }
}
