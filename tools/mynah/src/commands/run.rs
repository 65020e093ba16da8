//! `mynah run`: sends real recordings through a scene, and shows the results.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mynah_engine::base::NAME_BYTES_MAX;
use mynah_engine::scene::{Format, Source};
use mynah_engine::service::TimeMode;
use mynah_engine::{Engine, Event, OutAudio, Record, ScenePlan};

use crate::args::Run;
use crate::commands::files;
use crate::progress::Progress;
use crate::recorded::labels::Labels;
use crate::recorded::page::{Recorded, page};
use crate::recorded::summary::{self, Row, Sessions};
use mynah_files::failure::{Exit, Failure};
use mynah_files::outputs::{Output, is_dash};
use mynah_files::terminal;
use mynah_files::text;
use mynah_host::clock::Epoch;
use mynah_load::wav::{self, Loaded, Recording, WavError, WavFault};
use mynah_pages::picture::lane;
use mynah_pages::picture::session::Picture;
use mynah_sim::events::TraceWriter;
use mynah_sim::events::header::{ContentOf, Header, Inputs, RecordingInput, RunInputs};
use mynah_sim::events::log::EventLog;
use mynah_sim::interrupt;
use mynah_sim::recognition;
use mynah_sim::report::Interruption;
use mynah_sim::run::drive::{Pace, drive};
use mynah_sim::run::feed::Feed;
use mynah_sim::run::mixing;
use mynah_sim::run::sessions;
use mynah_sim::run::track::{Placement, Released, Track};
use mynah_sim::scenes::{self, SHIPPED};
use mynah_sim::simulate::{Observer, Observers, RunClock};

/// Feeds the recordings, writes the files asked for, prints the table.
///
/// # Errors
/// An invalid scene; recordings, formats or files that cannot be used.
pub fn run(args: &Run) -> Result<Exit, Failure> {
    interrupt::listen()?;
    let (recordings, hashes) = read_all(args)?;
    let first = sessions::format_of(&recordings[0]);
    let source = scenes::find(&args.scene)?;
    let (plan, traced) = compile(args, &source, first)?;
    mixing::warn(&plan, &args.input, &recordings);
    let labels = Labels::read(args, &plan)?;
    let names = names(&args.input);
    let outputs = args.output.as_ref().map_or(Vec::new(), |folder| outputs(folder, &args.input));
    files::of_run(args, &plan, &labels.files, &outputs)?;
    let mut html = args.html.as_deref().map(Output::create).transpose()?;
    args.output.as_deref().map_or(Ok(()), make_folder)?;
    let mut engine = Engine::try_new(Arc::clone(&plan), sessions::config(names.len(), args.seed, time(args)))
        .map_err(Failure::unable)?;
    let arrival = (args.chunk, args.seed);
    let mut feeds = sessions::open(&engine, (&names, &args.input), recordings, arrival)?;
    let mut events = args
        .events
        .as_deref()
        .map(|path| log(args, path, &source, &plan, (&names, &hashes)))
        .transpose()?
        // For a trace or a page alone: the log is the same without those.
        .map(|log| if traced { log } else { log.without_probabilities() });
    let mut trace =
        args.vad_trace.as_deref().map(|path| TraceWriter::create(path, names.clone())).transpose()?;
    let mut progress = Progress::new();
    let mut recorder = Recorder {
        tracks: feeds.iter().map(|feed| track(args, &plan, feed.handle.input())).collect(),
        pictures: feeds.iter().map(|_| Picture::default()).collect(),
        end_us: 0,
        interrupted: None,
    };
    let pace = if args.wall { Pace::Wall(Epoch::start()) } else { Pace::Virtual };
    interrupt::run_begins();
    let mut observers: Vec<&mut dyn Observer> = vec![&mut recorder, &mut progress];
    observers.extend(trace.as_mut().map(|trace| trace as &mut dyn Observer));
    observers.extend(events.as_mut().map(|events| events as &mut dyn Observer));
    drive(&mut engine, &mut feeds, pace, &mut Observers(observers))?;
    progress.clear();
    let Recorder { tracks, pictures, interrupted, .. } = recorder;
    events.map_or(Ok(()), |events| events.finish(None))?;
    trace.map_or(Ok(()), TraceWriter::finish)?;
    let sessions: Vec<Row> = (0..names.len())
        .map(|index| {
            let mut segments = pictures[index].segments.rows(&plan);
            let answers = tracks[index].as_ref().map_or(&[][..], Track::answers);
            segments.iter_mut().for_each(|segment| segment.answered(answers));
            Row::new(&names[index], &feeds[index], &pictures[index], tracks[index].as_ref(), segments)
        })
        .collect();
    if let Some(mut file) = html.take() {
        file.put(page(&plan, &recorded(&names, &feeds, &pictures, &tracks), interrupted).as_bytes())?;
        file.finish()?;
    }
    write_outputs(&outputs, tracks)?;
    warn_of_losses(&sessions);
    let compared =
        labels.said.into_iter().zip(&sessions).filter_map(|(said, row)| Some((said?, row.segments.clone())));
    // Of what was not heard nothing can be recognised.
    let recognition = if interrupted.is_none() { recognition::compare(compared) } else { None };
    summary::print(args, &plan, &Sessions { rows: &sessions, recognition, interrupted })?;
    Ok(interrupt::exit(Exit::Done))
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    if folder.is_file() {
        let folder = folder.display();
        return Err(Failure::unable(format_args!("--output {folder}: this is a file; expected a folder")));
    }
    std::fs::create_dir_all(folder).map_err(|error| Failure::write(folder.display(), &error))
}

/// Reads all recordings and hashes them; what is wrong with any of them is said of all of them at once.
fn read_all(args: &Run) -> Result<(Vec<Recording>, Vec<u64>), Failure> {
    if args.input.is_empty() {
        let text = "no recording; expected WAV files behind the scene, as in `mynah run transcribe call.wav`: what does not \
                    end in .wav comes behind --input";
        return Err(Failure::unable(text));
    }
    let is_scene =
        |path: &&PathBuf| !path.exists() && SHIPPED.iter().any(|(name, _)| path.as_os_str() == *name);
    if let Some(scene) = args.input.iter().find(is_scene) {
        let scene = scene.display();
        return Err(Failure::unable(format_args!(
            "`{scene}`: the scene comes first: `mynah run {scene} call.wav`"
        )));
    }
    let (mut recordings, mut faults) = (Vec::new(), Vec::new());
    for path in &args.input {
        match load(path) {
            Ok(loaded) => recordings.push((loaded.recording, loaded.xxh3)),
            Err(error) => faults.push(Failure::unable(error).message),
        }
    }
    if faults.is_empty() {
        Ok(recordings.into_iter().unzip())
    } else {
        Err(Failure { exit: Exit::Unable, message: faults.join("\n") })
    }
}

/// Reads one recording; `-` is standard input.
fn load(path: &Path) -> Result<Loaded, WavError> {
    if !is_dash(path) {
        return wav::load(path);
    }
    let name = Path::new("standard input");
    let bytes = text::standard_input()
        .map_err(|error| WavError { path: name.to_path_buf(), fault: WavFault::Io(error) })?;
    wav::load_from(name, bytes)
}

/// Compiles the scene for the first recording; the gates trace if a trace or a page is asked for. True: the scene
/// itself says that one of them does.
fn compile(args: &Run, source: &Source, input: Format) -> Result<(Arc<ScenePlan>, bool), Failure> {
    let sets = &args.sets.sets;
    let registry = scenes::registry(None);
    let (plan, warnings) = scenes::compile_source(source, sets, Some(input), &registry)?;
    scenes::warn(&warnings);
    if args.output.is_some() && plan.output.audio.is_none() {
        let text = format!("--output: no audio arrives at the output of `{}`; use --events", plan.scene.name);
        return Err(Failure::unable(text));
    }
    let traces = lane::traces(&plan)?;
    let traced = lane::gates(&plan).iter().any(|gate| gate.traces);
    if traces.is_empty() && args.vad_trace.is_some() {
        let text =
            format!("--vad-trace: `{}` has no VadGate node, so there is nothing to trace", plan.scene.name);
        return Err(Failure::unable(text));
    }
    if traces.is_empty() || (args.vad_trace.is_none() && args.html.is_none()) {
        return Ok((plan, traced));
    }
    let with_trace = [&sets[..], &traces].concat();
    let (plan, _) = scenes::compile_source(source, &with_trace, Some(input), &registry)?;
    Ok((plan, traced))
}

fn time(args: &Run) -> TimeMode {
    if args.wall { TimeMode::Wall } else { TimeMode::Virtual }
}

/// The event log, its first line written.
fn log(
    args: &Run,
    path: &Path,
    source: &Source,
    plan: &ScenePlan,
    (names, hashes): (&[String], &[u64]),
) -> Result<EventLog<'static>, Failure> {
    let input = |((path, name), xxh3): ((&PathBuf, &String), &u64)| RecordingInput {
        name: name.clone(),
        file: ContentOf::hashed(path, *xxh3),
    };
    let inputs = args.input.iter().zip(names).zip(hashes).map(input).collect();
    let inputs = Inputs::Run(RunInputs { inputs, chunk: args.chunk.to_string() });
    let sets = args.sets.sets.iter().map(ToString::to_string).collect();
    let clock = if args.wall { RunClock::Wall } else { RunClock::Virtual };
    let header = Header::new(source, sets, args.seed, clock, inputs);
    EventLog::to_file(path, &header, plan, names.to_vec())
}

/// What the session of standard input is called.
const STDIN: &str = "stdin";

/// File names, made distinct, as the engine takes them.
fn names(paths: &[PathBuf]) -> Vec<String> {
    distinct(paths.iter().map(|path| {
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        let name = if is_dash(path) { STDIN.into() } else { name };
        // Room for what makes it distinct.
        name[..name.floor_char_boundary(NAME_BYTES_MAX - 8)].to_owned()
    }))
}

/// The second `a` becomes `a#2`.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        let mut free = name.clone();
        let mut count = 2;
        while found.contains(&free) {
            free = format!("{name}#{count}");
            count += 1;
        }
        found.push(free);
    }
    found
}

/// Where the output of a session with this input goes; `None`: the scene puts out no audio.
fn track(args: &Run, plan: &ScenePlan, input: Format) -> Option<Track> {
    let format = plan.formats(input).last().and_then(|(arriving, _)| *arriving)?;
    let placement = if args.output_packed { Placement::Packed } else { Placement::Placed };
    Some(Track::new(format, placement))
}

/// Keeps what the sessions put out, and what happened in them.
struct Recorder {
    /// The track of each session.
    tracks: Vec<Option<Track>>,
    pictures: Vec<Picture>,
    /// When the recordings end, engine time.
    end_us: u64,
    interrupted: Option<Interruption>,
}

impl Observer for Recorder {
    fn records(&mut self, records: &[Record]) {
        for record in records {
            let index = record.session.0 as usize;
            let Some(picture) = self.pictures.get_mut(index) else { continue };
            picture.take(record);
            if let (Event::LateCancelled { segment, revision }, Some(track)) =
                (&record.event, &mut self.tracks[index])
            {
                track.flush(*segment, *revision, record.t_us);
            }
        }
    }

    fn audio(&mut self, session: usize, audio: &OutAudio) {
        if let Some(track) = &mut self.tracks[session] {
            track.add(Released {
                samples: audio.block.samples(),
                pts_us: audio.pts_us,
                released_us: audio.released_us,
                segment: audio.segment,
                revision: audio.revision,
                turn: audio.turn,
            });
        }
    }

    fn progress(&mut self, _: &'static str, _: u64, total: u64) {
        self.end_us = total;
    }

    fn interrupts(&mut self) -> bool {
        interrupt::is_asked()
    }

    fn interrupted(&mut self, now_us: u64) {
        self.interrupted = Some(Interruption::of(now_us, self.end_us));
    }
}

fn recorded<'a>(
    names: &'a [String],
    feeds: &'a [Feed],
    pictures: &'a [Picture],
    tracks: &'a [Option<Track>],
) -> Vec<Recorded<'a>> {
    let all = names.iter().zip(feeds).zip(pictures).zip(tracks);
    all.map(|(((name, feed), picture), track)| Recorded {
        name,
        recording: feed.recording(),
        picture,
        track: track.as_ref(),
    })
    .collect()
}

/// The files that `--output` makes of these recordings.
fn outputs(folder: &Path, inputs: &[PathBuf]) -> Vec<PathBuf> {
    let stems = inputs.iter().map(|path| {
        let stem = path.file_stem().map_or("session".into(), |stem| stem.to_string_lossy().into_owned());
        if is_dash(path) { STDIN.into() } else { stem }
    });
    distinct(stems).iter().map(|stem| folder.join(format!("{stem}.out.wav"))).collect()
}

fn write_outputs(paths: &[PathBuf], tracks: Vec<Option<Track>>) -> Result<(), Failure> {
    for (path, track) in paths.iter().zip(tracks) {
        let Some(track) = track else { continue };
        let Format { rate_hz, channels } = track.format();
        wav::write(path, rate_hz, u16::from(channels), &track.into_samples()).map_err(Failure::unable)?;
    }
    Ok(())
}

fn warn_of_losses(rows: &[Row]) {
    for row in rows.iter().filter(|row| row.frames_overflowed > 0) {
        terminal::notice(&format!(
            "warning: {}: {} frames were dropped at full queues; raise the capacities that the events name, or send \
             smaller chunks",
            row.session, row.frames_overflowed
        ));
    }
    for row in rows.iter().filter(|row| row.non_finite_samples > 0) {
        terminal::notice(&format!(
            "warning: {}: {} samples are no finite numbers; silence took their place: was it written by a broken \
             filter?",
            row.session, row.non_finite_samples
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_called_like_their_files_and_stay_distinct() {
        let paths = ["x/a.wav", "y/a.wav", "a.wav#2", "a.wav", "b"].map(PathBuf::from);
        assert_eq!(names(&paths), ["a.wav", "a.wav#2", "a.wav#2#2", "a.wav#3", "b"]);
        let long = [PathBuf::from("ä".repeat(100)), PathBuf::from("ä".repeat(101))];
        for name in names(&long) {
            assert!(name.len() <= NAME_BYTES_MAX, "{}", name.len());
        }
        assert_ne!(names(&long)[0], names(&long)[1]);
    }
}
