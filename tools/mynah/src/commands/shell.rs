//! `completions` and `man`: what a shell and a manual know of the commands, from the definition of their flags.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::{Cli, Completions, Manual};
use crate::failure::{Exit, Failure};
use crate::outputs;
use crate::terminal::Stdout;

/// Prints the completions of a shell.
///
/// # Errors
/// They cannot be printed.
pub fn completions(args: &Completions) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    print(&text)
}

/// Prints a page of the manual, or writes all of them.
///
/// # Errors
/// There is no such command; the pages cannot be written.
pub fn manual(args: &Manual) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    if let Some(folder) = &args.output {
        let written = std::fs::create_dir_all(folder).and_then(|()| {
            let pages = command.get_subcommands().cloned().map(Man::new);
            pages.chain([Man::new(command.clone())]).try_for_each(|page| {
                let mut text = Vec::new();
                page.render(&mut text)?;
                outputs::write(&folder.join(page.get_filename()), &text)
            })
        });
        return written
            .map(|()| Exit::Done)
            .map_err(|error| Failure::write(format_args!("--output {}", folder.display()), &error));
    }
    let page = match &args.command {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            Failure::unable(format_args!("`{name}`: no such command; expected one of {}", names.join(", ")))
        })?,
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text)?;
    print(&text)
}

fn print(text: &[u8]) -> Result<Exit, Failure> {
    let mut out = Stdout::lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(Exit::Done)
}
