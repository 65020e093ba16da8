//! `completions` and `man`: output for shells and manuals, from the definition of the flags.

use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::{Cli, Completions, Manual};
use crate::completion;
use mynah_files::failure::{Exit, Failure};
use mynah_files::outputs;
use mynah_files::terminal::Stdout;

/// Prints the completions of a shell.
///
/// # Errors
/// They cannot be printed.
pub fn completions(args: &Completions) -> Result<Exit, Failure> {
    print(completion::script(args.shell, Cli::command()).as_bytes())
}

/// Prints the version.
///
/// # Errors
/// It cannot be printed.
pub fn version() -> Result<Exit, Failure> {
    print(Cli::command().render_version().as_bytes())
}

/// Prints a page of the manual, or writes all of them.
///
/// # Errors
/// There is no such command; the pages cannot be written.
pub fn manual(args: &Manual) -> Result<Exit, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    if let Some(folder) = &args.output {
        let written = std::fs::create_dir_all(folder).and_then(|()| write_pages(&command, folder));
        return written
            .map(|()| Exit::Done)
            .map_err(|error| Failure::write(format_args!("--output {}", folder.display()), &error));
    }
    let page = args.command.iter().try_fold(command, |command, name| {
        command.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            let expected = match names.is_empty() {
                true => format!("`{}` has none", command.get_name()),
                false => format!("expected one of {}", names.join(", ")),
            };
            Failure::unable(format_args!("`{name}`: no such command; {expected}"))
        })
    })?;
    let mut text = Vec::new();
    Man::new(page).render(&mut text)?;
    print(&text)
}

/// Writes the page of a command, and of each command below it.
fn write_pages(command: &clap::Command, folder: &Path) -> std::io::Result<()> {
    command.get_subcommands().try_for_each(|below| write_pages(below, folder))?;
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    outputs::write(&folder.join(page.get_filename()), &text)
}

fn print(text: &[u8]) -> Result<Exit, Failure> {
    let mut out = Stdout::lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(Exit::Done)
}
