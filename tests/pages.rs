//! The pages for people: self-contained, with the report's own figures, and without complaints in a real browser.
//!
//! The browser is Chromium or Chrome where one is found; without one these tests say so and pass.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::browser::{Browser, Scheme};
use support::markup::tags;
use support::program::simulate;

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("the folder of tests has a name in UTF-8").to_string()
}

/// The report as JSON and as a page.
fn reported(name: &str, arguments: &[&str]) -> (Value, String) {
    let path = scratch(name);
    let path_text = text_of(&path);
    let all: Vec<&str> = arguments.iter().copied().chain(["--html", &path_text]).collect();
    let report = simulate(&all);
    (report, std::fs::read_to_string(&path).expect("the page was written"))
}

/// A synthesized caller's recording in a folder of its own.
fn caller(name: &str) -> PathBuf {
    let folder = scratch(name).with_extension("input");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let wav = folder.join("pages caller <1> & \"co\".wav");
    let caller = support::callers::Callers::new(1, 8, 16_000, 12).labelled(0, 12);
    mynah_load::wav::write(&wav, caller.rate, 1, &caller.samples).expect("the recording can be written");
    wav
}

/// The page of `mynah run` about these recordings.
fn ran(name: &str, scene: &str, inputs: &[PathBuf], more: &[&str]) -> String {
    let path = scratch(name);
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    program.args(["run", scene, "--input"]).args(inputs).arg("--html").arg(&path).args(more);
    let out = program.output().expect("the program starts");
    assert!(out.status.success(), "{program:?}\n{}", String::from_utf8_lossy(&out.stderr));
    std::fs::read_to_string(&path).expect("the page was written")
}

/// The page of `mynah run` about one synthesized caller.
fn recorded(name: &str) -> String {
    ran(name, "voice_assistant", &[caller(name)], &[])
}

/// A section of a page.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let start = format!("<section id=\"{id}\">");
    let rest = page.split(&start).nth(1).unwrap_or_else(|| panic!("no section {id}"));
    rest.split("</section>").next().expect("splitting gives something")
}

/// Text without tags; tags part words.
fn read(markup: &str) -> String {
    let parts = markup.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

const TALK: [&str; 5] = ["voice_assistant", "--sessions", "4", "--duration", "16s"];

#[test]
fn every_figure_on_the_page_is_the_reports_own() {
    let cases: [(&str, &[&str], usize); 4] = [
        ("talk.html", &TALK, 120),
        ("batches.html", &["batched_tts", "--sessions", "4", "--duration", "12s"], 90),
        ("overflow.html", &["overflow", "--sessions", "4", "--duration", "8s"], 60),
        ("remote.html", &["remote_consumer", "--sessions", "2", "--duration", "10s"], 60),
    ];
    for (name, arguments, least) in cases {
        let (report, page) = reported(name, arguments);
        let mut compared = 0;
        for tag in tags(&page).filter(|tag| tag.name == "data") {
            let (place, value) = (tag.value("data-report"), tag.value("value"));
            let key = |at: &Value, key: &str| match key.parse::<usize>() {
                Ok(index) => at[index].clone(),
                Err(_) => at[key].clone(),
            };
            let want = place.split('.').fold(report.clone(), |at, part| key(&at, part));
            let want = want.as_f64().unwrap_or_else(|| panic!("{name}: the report has no number at {place}"));
            assert_eq!(value.parse::<f64>().ok(), Some(want), "{name}: {place}");
            compared += 1;
        }
        assert!(compared >= least, "{name}: only {compared} figures");
    }
}

#[test]
fn the_page_has_what_was_asked_for() {
    let (_, page) = reported("sections.html", &TALK);
    let sections: Vec<String> =
        tags(&page).filter(|tag| tag.name == "section").map(|tag| tag.value("id").to_string()).collect();
    assert_eq!(
        sections,
        [
            "verdict",
            "latency",
            "session",
            "stages",
            "speculation",
            "queues",
            "batches",
            "losses",
            "nodes",
            "machine"
        ]
    );
    // What is simulated is called so, and the followed caller's lane shows everything the gate does.
    for part in ["callers' audio, simulated", "services, simulated", "services, real", "timing modelled"] {
        assert!(page.contains(part), "the page lacks `{part}`");
    }
    let lane = section(&page, "session");
    for class in ["wave", "probability", "threshold", "speculative", "confirmed", "end", "answer", "sound"] {
        assert!(lane.contains(&format!("class=\"{class}\"")), "the lane lacks {class}");
    }
    // Words that do not fit on one line go on on the next one.
    assert!(lane.contains("class=\"said\"") && !lane.contains('…'), "{}", read(lane));
    // Whoever cannot see a drawing is told what it shows.
    let drawings = tags(&page).filter(|tag| tag.name == "svg" && tag.has("role")).count();
    assert!(drawings >= 12, "{drawings} drawings");
    assert_eq!(drawings, page.matches("<desc>").count());
}

#[test]
fn pages_fetch_nothing_and_run_nothing() {
    let pages = [("report", reported("alone.html", &TALK).1), ("recording", recorded("alone_run.html"))];
    for (name, page) in pages {
        // Sound is inside; links lead to places on the page.
        let sounds: Vec<String> =
            tags(&page).filter(|tag| tag.has("src")).map(|tag| tag.value("src").to_string()).collect();
        let bare = sounds.into_iter().fold(page, |page, sound| {
            assert!(sound.starts_with("data:audio/wav;base64,"), "{name}: {}", &sound[..sound.len().min(80)]);
            page.replace(&format!(" src=\"{sound}\""), "")
        });
        let bare = bare.replace(" href=\"#", " to=\"");
        assert!(bare.len() < 400_000, "{name}: {} bytes", bare.len());
        for foreign in
            ["http:", "https:", "//", "@import", "<script", "javascript:", " src=", " href=", "<link"]
        {
            assert!(!bare.contains(foreign), "{name}: `{foreign}`");
        }
        let urls = bare.split("url(").skip(1).filter(|rest| !rest.starts_with('#')).count();
        assert_eq!(urls, 0, "{name}");
        assert!(tags(&bare).all(|tag| !tag.attributes().any(|name| name.starts_with("on"))), "{name}");
    }
}

/// What a run in virtual time says, without what is measured on the wall clock.
fn repeatable(page: &str) -> &str {
    page.split("<section id=\"machine\">").next().expect("splitting gives something")
}

#[test]
fn a_repeated_run_gives_the_same_page_whatever_the_threads() {
    let one = reported("one.html", &[&TALK[..], &["--threads", "1"]].concat()).1;
    let two = reported("two.html", &[&TALK[..], &["--threads", "2"]].concat()).1;
    assert_ne!(one.len(), repeatable(&one).len());
    assert!(repeatable(&one) == repeatable(&two), "the pages differ");
}

#[test]
fn a_page_changes_neither_the_report_nor_the_events() {
    let [with, without] = ["with.jsonl", "without.jsonl"].map(|name| text_of(&scratch(name)));
    let plain = simulate(&[&TALK[..], &["--events", &without]].concat());
    let (watched, _) = reported("watched.html", &[&TALK[..], &["--events", &with]].concat());
    for place in ["event_hash", "scene_hash", "latency_ms", "segments", "turns", "frames", "verdict"] {
        assert_eq!(plain[place], watched[place], "{place}");
    }
    let [with, without] = [with, without].map(|path| std::fs::read(path).expect("the log was written"));
    assert!(with == without, "the event logs differ");
}

#[test]
fn a_path_that_cannot_be_written_is_known_before_the_run() {
    let path = text_of(&scratch("no such folder").join("page.html"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    // An hour of a thousand callers: nobody would wait for that.
    program.args(["simulate", "--sessions", "1000", "--duration", "1h", "--html", &path]);
    let out = program.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{errors}");
    assert!(errors.contains(&path) && errors.contains("check the path"), "{errors}");
}

/// The colours and the width in which a page is looked at.
type View = (Scheme, u32);

/// Pages, each with its views.
fn looked_at() -> Vec<(&'static str, String, Vec<View>)> {
    let everywhere = || {
        let widths = [390, 1_280, 1_600];
        [Scheme::Light, Scheme::Dark]
            .into_iter()
            .flat_map(|scheme| widths.map(|width| (scheme, width)))
            .collect()
    };
    let light = || vec![(Scheme::Light, 390), (Scheme::Light, 1_280)];
    let inputs = [caller("first.html"), caller("second.html")];
    vec![
        ("report", reported("opened.html", &TALK).1, everywhere()),
        ("recording", recorded("opened_run.html"), everywhere()),
        // Nines, decades and batches of many sizes; two recordings beside each other.
        (
            "overflow",
            reported("opened_overflow.html", &["overflow", "--sessions", "4", "--duration", "8s"]).1,
            light(),
        ),
        (
            "batches",
            reported("opened_batches.html", &["batched_tts", "--sessions", "8", "--duration", "12s"]).1,
            light(),
        ),
        ("recordings", ran("opened_runs.html", "barge_in", &inputs, &[]), light()),
    ]
}

#[test]
fn a_browser_opens_the_pages_without_complaint_in_light_and_dark_at_any_width() {
    let Some(browser) = Browser::find() else { return };
    let mut wrong = Vec::new();
    for (name, page, views) in looked_at() {
        let mut papers = Vec::new();
        for (scheme, width) in views {
            let opened = browser.open(&scratch("probed.html"), &page, scheme, width);
            let place = format!("{name} {scheme:?} {width}");
            assert_eq!(opened.window_width, f64::from(width), "{place}");
            assert!(opened.contrast_ink >= 12.0, "{place}: {}", opened.contrast_ink);
            assert!(opened.contrast_quiet >= 5.5, "{place}: {}", opened.contrast_quiet);
            if opened.content_width > opened.window_width {
                wrong.push(format!("{place}: {} pixels wide", opened.content_width));
            }
            let lists = [
                ("complaint", &opened.complaints),
                ("outside", &opened.outside),
                ("on each other", &opened.overlapping),
                ("cut", &opened.cut),
            ];
            for (what, found) in lists {
                wrong.extend(found.iter().take(4).map(|one| format!("{place}: {what}: {one}")));
            }
            papers.push((scheme, opened.paper));
        }
        let of =
            |wanted: Scheme| papers.iter().filter(move |(s, _)| *s == wanted).map(|(_, paper)| paper.clone());
        let (light, dark): (Vec<_>, Vec<_>) = (of(Scheme::Light).collect(), of(Scheme::Dark).collect());
        assert!(light.iter().all(|paper| *paper == light[0] && !dark.contains(paper)), "{name}: {papers:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_browsers_complaint_is_heard() {
    let Some(browser) = Browser::find() else { return };
    let broken = "<!doctype html><body><p><script>console.error('a complaint'); nowhere();</script></body>";
    let opened = browser.open(&scratch("broken.html"), broken, Scheme::Light, 800);
    assert_eq!(opened.complaints.len(), 2, "{:?}", opened.complaints);
}

#[test]
fn a_browser_measures_what_leaves_the_window_and_what_collides() {
    let Some(browser) = Browser::find() else { return };
    let broken = "<!doctype html><body><section><p>words</p></section><div class='plot' style='position:relative'>\
                  <span style='position:absolute'>10 ms</span><span style='position:absolute;left:9px'>100 ms</span></div>\
                  <div class='table' style='margin-top:40px;overflow-x:auto'><table><tr><td style='min-width:900px'>1</td></tr>\
                  </table></div><p style='margin-left:380px'>beyond</p></body>";
    let opened = browser.open(&scratch("broken.html"), broken, Scheme::Light, 390);
    assert_eq!(opened.overlapping, ["10 ms | 100 ms"]);
    assert_eq!(opened.outside, ["beyond"]);
    assert_eq!(opened.cut.len(), 1, "{:?}", opened.cut);
    assert!(opened.content_width > 390.0, "{opened:?}");
}

/// A figure of the report by its place, as the page has it.
fn figure(page: &str, place: &str) -> f64 {
    let found = tags(page).find(|tag| tag.name == "data" && tag.value("data-report") == place);
    let found = found.unwrap_or_else(|| panic!("the page has no {place}"));
    found.value("value").parse().expect("a number")
}

#[test]
fn the_page_says_what_the_terminal_says_and_in_its_words() {
    let path = scratch("words.html");
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    program
        .args(["simulate", "voice_assistant", "--sessions", "12", "--duration", "20s", "--html"])
        .arg(&path);
    let out = program.output().expect("the program starts");
    let terminal = String::from_utf8_lossy(&out.stdout).into_owned();
    let page = std::fs::read_to_string(&path).expect("the page was written");
    let latency = read(section(&page, "latency"));
    // "  utterances: 36: 20 answered, 16 too early (premature), 0 not at all (0 missed by the gate)"
    let line = terminal.lines().find(|line| line.contains("utterances: ")).expect("the table has it");
    let numbers: Vec<&str> =
        line.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).collect();
    let [utterances, answered, premature, _, missed] = numbers[..] else { panic!("five numbers: {line}") };
    let words =
        [("utterances", utterances), ("answered", answered), ("premature", premature), ("missed", missed)];
    for (word, count) in words {
        assert_eq!(figure(&page, &format!("turns.{word}")).to_string(), count, "{line}");
        assert!(latency.contains(&format!("{word} {count}")), "{word} {count}: {latency}");
    }
    assert!(figure(&page, "turns.premature") > 0.0, "nothing was premature: the words are not tried");
    // "    gate                           49 %     98.3 ..."
    let mut lines = terminal.lines().skip_while(|line| !line.contains("of the response, ms")).skip(1);
    let stages: Vec<(&str, &str)> = lines
        .by_ref()
        .take_while(|line| line.starts_with("    "))
        .filter_map(|line| Some((line.split_whitespace().next()?, line.split_whitespace().nth(1)?)))
        .collect();
    assert!(stages.len() >= 5, "{terminal}");
    let shown = section(&page, "stages");
    for (stage, share) in stages {
        let row = shown.split("<tr>").find(|row| row.contains(&format!(">{stage}<")));
        let row = row.unwrap_or_else(|| panic!("no {stage} in {}", read(shown)));
        let value = tags(row).find(|tag| tag.has("data-report")).expect("a share").value("value").to_string();
        let percent = value.parse::<f64>().expect("a number") * 100.0;
        assert_eq!(format!("{percent:.0}"), share, "{stage}");
    }
    assert!(!read(shown).contains("gate VadGate"), "the gate is said to take no time");
}

#[test]
fn what_only_this_program_calls_so_is_explained_where_it_is_first_met() {
    let (report, page) = reported("explained.html", &TALK);
    let first = page.split("<section id=\"latency\">").next().expect("splitting gives something");
    for (word, meaning) in [
        ("shards", "groups of callers"),
        ("event hash", "the same happened"),
        ("premature ratio", "while they still went on"),
        ("tick", "the step"),
    ] {
        let behind = first.split(&format!(">{word}<")).nth(1).unwrap_or_else(|| panic!("no {word}"));
        let next = behind.split("<dt>").next().and_then(|rest| rest.split("<tr>").next());
        assert!(next.is_some_and(|next| next.contains(meaning)), "{word}: {next:?}");
    }
    let recording = recorded("explained_run.html");
    assert!(read(&recording).contains("retracted: the speaker went on"));
    let bytes = report["cost"]["bytes_per_session"].as_f64().expect("a number");
    let memory = read(section(&page, "machine"));
    let unit = if bytes.abs() >= 999_500.0 { " MB" } else { " kB" };
    let figure = memory.split("memory per session ").nth(1).expect("it is there");
    assert!(figure.split_whitespace().take(2).collect::<Vec<_>>().join(" ").ends_with(unit), "{figure}");
}

#[test]
fn lost_and_withheld_are_told_apart() {
    for (name, arguments) in
        [("lost_talk.html", &TALK[..]), ("lost.html", &["overflow", "--sessions", "4", "--duration", "8s"])]
    {
        let (report, page) = reported(name, arguments);
        let losses = read(section(&page, "losses"));
        let lost: u64 = report["frames"]["dropped"]
            .as_object()
            .expect("reasons")
            .values()
            .filter_map(Value::as_u64)
            .sum();
        let lost = lost + report["frames"]["refused"].as_u64().expect("a count");
        let counted = |what: &str| -> u64 {
            let rest =
                losses.split(&format!("{what}: ")).nth(1).unwrap_or_else(|| panic!("no {what}: {losses}"));
            let digits: String =
                rest.chars().take_while(|c| c.is_ascii_digit() || *c == '\u{202F}').collect();
            digits.replace('\u{202F}', "").parse().expect("a count")
        };
        assert_eq!(counted("Lost"), lost, "{losses}");
        assert!(!losses.contains("Nothing was lost"), "{losses}");
        assert_eq!(counted("Withheld") == 0, losses.contains("Nothing had to be kept back"), "{losses}");
    }
}

#[test]
fn queues_in_which_nothing_waited_are_rows_and_not_charts() {
    for (name, arguments) in [
        ("queues.html", &TALK[..]),
        ("queues_over.html", &["overflow", "--sessions", "4", "--duration", "8s"]),
    ] {
        let (report, page) = reported(name, arguments);
        let queues = section(&page, "queues");
        let rows = report["nodes"].as_array().expect("nodes");
        assert!(
            rows.iter().any(|node| node["queue"]["depth_max"].as_u64() > Some(1)),
            "{name}: nothing waited"
        );
        for node in rows {
            let (id, depth) = (node["id"].as_str().expect("an id"), node["queue"]["depth_max"].as_u64());
            let drawn = queues.contains(&format!("<title>deepest queue at {id}</title>"));
            assert_eq!(drawn, depth > Some(1), "{name}: {id} {depth:?}");
            assert!(read(queues).contains(id), "{name}: {id} is not shown");
        }
    }
}
