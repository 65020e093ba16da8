//! The legend: the meaning of a lane's colours and patterns.

use mynah_engine::scene::Hearing;

use crate::picture::plot::key;

/// The legend of lanes of a scene with these gates.
pub fn legend(gates: &[Hearing]) -> String {
    let gated = [
        (r#"<path class="probability" d="M0 12L8 11L14 2L26 3"/>"#, "probability of speech"),
        (r#"<line class="threshold" x1="0" y1="7" x2="26" y2="7"/>"#, "opens at"),
        (r#"<line class="release" x1="0" y1="7" x2="26" y2="7"/>"#, "pauses below"),
        (r#"<rect class="speculative" x="1" y="2" width="24" height="10"/>"#, "forwarded, not yet decided"),
        (r#"<rect class="confirmed" y="2" width="26" height="10"/>"#, "confirmed speech"),
        (r#"<rect class="cancelled" x="1" y="2" width="24" height="10"/>"#, "cancelled: was no speech"),
        (r#"<line class="end" x1="13" y1="0" x2="13" y2="14"/>"#, "end of speech that held"),
        (r#"<path class="retracted" d="M8 2L18 12M18 2L8 12"/>"#, "end of speech taken back"),
    ];
    let input = (
        r#"<path class="wave" d="M0 7L5 2L10 6L16 1L21 5L26 7L21 9L16 13L10 8L5 12Z"/>"#,
        "waveform of the input",
    );
    let output = (
        r#"<rect class="answer" width="26" height="14"/><path class="sound" d="M3 7L8 3L14 6L20 2L24 7L20 12L14 8L8 11Z"/>"#,
        "output; answers are tinted, the number is that of their turn",
    );
    let gated = gated.into_iter().filter(|_| !gates.is_empty());
    key([input].into_iter().chain(gated).chain([output]))
}
