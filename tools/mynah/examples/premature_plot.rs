//! Draws how early an assistant answers against how often it answers too early, over `min_silence_ms`.
//!
//! Runs `voice_assistant` once for each `min_silence_ms` and both release policies, prints the figures as a Markdown
//! table and writes the picture to the file named on the command line:
//! `cargo run --release --example premature_plot -- docs/latency-premature.svg`.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::fmt::Write as _;
use std::sync::Arc;

use mynah_engine::scene::Override;
use mynah_load::load::schedule::Phase;
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Observer, Options, RunClock, Simulation};

const SESSIONS: u32 = 100;
const SECONDS: u64 = 60;
const MIN_SILENCE_MS: [u32; 8] = [64, 96, 128, 192, 256, 384, 512, 768];
const RELEASES: [&str; 2] = ["OnConfirm", "Immediately"];

/// What one run came to.
struct Point {
    min_silence_ms: u32,
    p50_ms: f64,
    p99_ms: f64,
    premature: f64,
    answers: u64,
}

struct Nobody;

impl Observer for Nobody {}

fn measure(release: &str, min_silence_ms: u32) -> Result<Point, String> {
    let set = [format!("gate.min_silence_ms={min_silence_ms}"), format!("session.output.release={release}")];
    let mut overrides = Vec::new();
    for one in &set {
        overrides.push(Override::parse(one).map_err(|error| error.to_string())?);
    }
    let script = Arc::new(CallerScript::default());
    let (plan, _) = scenes::compile("voice_assistant", &overrides, None, Some(script.clone()))
        .map_err(|failure| failure.message)?;
    let options = Options {
        sessions: SESSIONS,
        duration_us: SECONDS * 1_000_000,
        seed: 1,
        clock: RunClock::Virtual,
        threads: 2,
        shards: None,
        recordings: None,
        phase: Phase::Staggered,
        set: set.to_vec(),
        linked: None,
    };
    let report = Simulation::new(plan, &script, options, &mut Nobody)?.run(&mut Nobody);
    let response = report.latency_ms.speech_end_to_response.ok_or("no answer came")?;
    Ok(Point {
        min_silence_ms,
        p50_ms: response.quantiles.p50,
        p99_ms: response.quantiles.p99,
        premature: report.turns.premature_ratio,
        answers: response.quantiles.count,
    })
}

/// Picture and plot frame, in SVG units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 364.0;
/// Ends of the axes: share of premature answers, milliseconds.
const SHARE_MAX: f64 = 0.5;
const MS_MAX: f64 = 1_000.0;

/// Colours that hold on light and dark pages.
const STYLE: &str = "<style>
text { font: 12px system-ui, sans-serif; fill: #444 }
.title { font-size: 14px; font-weight: 600 }
.grid { stroke: #8883; stroke-width: 1 }
.OnConfirm { stroke: #1f77b4; fill: #1f77b4 }
.Immediately { stroke: #d9600f; fill: #d9600f }
polyline { fill: none !important; stroke-width: 2 }
.p99 { stroke-dasharray: 5 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #ccc }
  .OnConfirm { stroke: #6fb7f0; fill: #6fb7f0 }
  .Immediately { stroke: #ff9d57; fill: #ff9d57 }
}
</style>";

fn x(premature: f64) -> f64 {
    LEFT + premature.min(SHARE_MAX) / SHARE_MAX * (RIGHT - LEFT)
}

fn y(ms: f64) -> f64 {
    BOTTOM - ms.min(MS_MAX) / MS_MAX * (BOTTOM - TOP)
}

fn axes(svg: &mut String) -> std::fmt::Result {
    for tenth in 0..=5 {
        let (at, percent) = (x(f64::from(tenth) / 10.0), tenth * 10);
        writeln!(svg, "<line class=\"grid\" x1=\"{at:.0}\" x2=\"{at:.0}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>")?;
        writeln!(
            svg,
            "<text x=\"{at:.0}\" y=\"{}\" text-anchor=\"middle\">{percent} %</text>",
            BOTTOM + 18.0
        )?;
    }
    for step in 0..=5 {
        let ms = f64::from(step) * 200.0;
        let at = y(ms);
        writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.0}\" y2=\"{at:.0}\"/>")?;
        writeln!(svg, "<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{ms} ms</text>", LEFT - 6.0, at + 4.0)?;
    }
    writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">answered while the caller was still speaking</text>",
        (LEFT + RIGHT) / 2.0,
        HEIGHT - 14.0
    )?;
    writeln!(
        svg,
        "<text class=\"title\" x=\"{LEFT}\" y=\"20\">Speech end to response, P50 and (dashed) P99, by \
         min_silence_ms</text>"
    )
}

fn curve(svg: &mut String, release: &str, legend_y: f64, points: &[Point]) -> std::fmt::Result {
    for (class, value) in [("p50", (|p| p.p50_ms) as fn(&Point) -> f64), ("p99", |p| p.p99_ms)] {
        let line: Vec<String> =
            points.iter().map(|p| format!("{:.1},{:.1}", x(p.premature), y(value(p)))).collect();
        writeln!(svg, "<polyline class=\"{release} {class}\" points=\"{}\"/>", line.join(" "))?;
    }
    for point in points {
        let (at_x, at_y) = (x(point.premature), y(point.p50_ms));
        writeln!(svg, "<circle class=\"{release}\" cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"3.5\"/>")?;
        if release == RELEASES[0] {
            let below = at_y + 16.0;
            writeln!(svg, "<text x=\"{at_x:.1}\" y=\"{below:.1}\">{}</text>", point.min_silence_ms)?;
        }
    }
    let from = RIGHT - 170.0;
    writeln!(
        svg,
        "<polyline class=\"{release}\" points=\"{from},{legend_y} {},{legend_y}\"/>\
         <text x=\"{}\" y=\"{}\">release: {release}</text>",
        from + 26.0,
        from + 34.0,
        legend_y + 4.0
    )
}

fn picture(curves: &[(&str, Vec<Point>)]) -> Result<String, std::fmt::Error> {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Latency against premature answers\">\n{STYLE}\n"
    );
    axes(&mut svg)?;
    for (index, (release, points)) in curves.iter().enumerate() {
        curve(&mut svg, release, 60.0 + 20.0 * index as f64, points)?;
    }
    svg += "</svg>\n";
    Ok(svg)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("expected the path of the picture, like premature.svg")?;
    println!("| release | min_silence_ms | response P50 ms | P99 ms | premature | answers in P50, P99 |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut curves = Vec::new();
    for release in RELEASES {
        let mut points = Vec::new();
        for min_silence_ms in MIN_SILENCE_MS {
            let point = measure(release, min_silence_ms)?;
            let Point { p50_ms, p99_ms, premature, answers, .. } = point;
            let share = premature * 100.0;
            println!(
                "| {release} | {min_silence_ms} | {p50_ms:.0} | {p99_ms:.0} | {share:.1} % | {answers} |"
            );
            points.push(point);
        }
        curves.push((release, points));
    }
    mynah_files::outputs::write(path.as_ref(), picture(&curves)?.as_bytes())?;
    Ok(())
}
