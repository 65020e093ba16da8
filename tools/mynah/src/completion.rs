//! Completion in a shell: commands and flags from their definition, and the names of scenes and presets of faults
//! beside the files of the folder.

use std::fmt::Write as _;

use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use mynah_proof::faults::spec::PRESETS;
use mynah_sim::scenes;

/// An argument that takes a name or a file.
struct Named {
    /// Its id in the definition of the flags.
    id: &'static str,
    /// The function of the zsh script that completes it.
    zsh: &'static str,
    names: fn() -> Vec<&'static str>,
}

const NAMED: [Named; 3] = [
    Named { id: "scene", zsh: "_mynah_scenes", names: scenes },
    Named { id: "scenes", zsh: "_mynah_scenes", names: scenes },
    Named { id: "faults", zsh: "_mynah_faults", names: presets },
];

fn scenes() -> Vec<&'static str> {
    scenes::all().map(|(name, _)| *name).collect()
}

fn presets() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

/// The script of a shell.
pub(crate) fn script(shell: Shell, mut command: Command) -> String {
    command = match shell {
        // Where none of the words fits, bash completes files.
        Shell::Bash => offered(command, &|named| (named.names)()),
        // Stands for the function, until the script is there.
        Shell::Zsh => offered(command, &|named| vec![named.zsh]),
        _ => command,
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Zsh => with_functions(script),
        Shell::Fish => script + &fish_lines(&command, &mut Vec::new()),
        _ => script,
    }
}

/// The command with the words that are offered for its arguments, and so in all its subcommands.
fn offered(mut command: Command, words: &dyn Fn(&Named) -> Vec<&'static str>) -> Command {
    for named in &NAMED {
        if command.get_arguments().any(|arg| arg.get_id() == named.id) {
            let parser = PossibleValuesParser::new(words(named));
            // A default is no completion, and need not be among them.
            command =
                command.mut_arg(named.id, |arg| arg.value_parser(parser).default_value(None::<&'static str>));
        }
    }
    command.mut_subcommands(|inner| offered(inner, words))
}

/// zsh completes words and files together by a function for each kind.
fn with_functions(mut script: String) -> String {
    let mut functions = String::new();
    for named in [&NAMED[0], &NAMED[2]] {
        script = script.replace(&format!("({})", named.zsh), named.zsh);
        let words = (named.names)().join(" ");
        let written = writeln!(functions, "{}() {{\n    compadd -- {words}\n    _files\n}}\n", named.zsh);
        written.expect("a string takes everything");
    }
    script.replacen("_mynah() {", &format!("{functions}_mynah() {{"), 1)
}

/// fish adds these words to what it completes anyway, which are files.
fn fish_lines<'a>(command: &'a Command, way: &mut Vec<&'a str>) -> String {
    let mut lines = String::new();
    for inner in command.get_subcommands() {
        way.push(inner.get_name());
        let typed: Vec<String> =
            way.iter().map(|name| format!("__fish_seen_subcommand_from {name}")).collect();
        for named in &NAMED {
            let Some(arg) = inner.get_arguments().find(|arg| arg.get_id() == named.id) else { continue };
            let flag = arg.get_long().map_or(String::new(), |long| format!(" -l {long} -r"));
            let (typed, words) = (typed.join("; and "), (named.names)().join(" "));
            let written = writeln!(lines, "complete -c mynah -n \"{typed}\"{flag} -a \"{words}\"");
            written.expect("a string takes everything");
        }
        lines += &fish_lines(inner, way);
        way.pop();
    }
    lines
}
