//! `completions`, `man`: the command line for shells and readers of manuals.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure, Outcome, say};

/// Print a shell's completions of this command line
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  papermaker completions bash > ~/.local/share/bash-completion/completions/papermaker\n  \
                        papermaker completions zsh > ~/.zfunc/_papermaker\n  \
                        papermaker completions fish > ~/.config/fish/completions/papermaker.fish"
)]
pub struct CompletionsArgs {
    /// Whose
    pub shell: Shell,
}

/// Print the manual page, or write one per verb
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  papermaker man | man -l -\n  papermaker man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write papermaker.1 and one page per verb into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write over pages that are there
    #[arg(long, requires = "out")]
    pub force: bool,
}

/// Prints them.
pub fn completions(args: &CompletionsArgs) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "papermaker", &mut text);
    say(String::from_utf8_lossy(&text).trim_end())
}

/// Prints or writes it.
pub fn man(args: &ManArgs) -> Outcome {
    let mut cli = Cli::command();
    cli.build();
    let Some(folder) = &args.out else {
        return say(String::from_utf8_lossy(&page(&cli).map_err(Failure::could_not_run)?).trim_end());
    };
    std::fs::create_dir_all(folder).map_err(|e| cannot(folder, e))?;
    let mut pages = Vec::new();
    collect(&cli, "papermaker", &mut pages);
    for (name, command) in &pages {
        let path = folder.join(format!("{name}.1"));
        if path.exists() && !args.force {
            let error = anyhow::anyhow!("{}: is there already", path.display());
            return Err(Failure::could_not_run(error).hint("--force writes over it"));
        }
        let text = page(command).map_err(|e| cannot(&path, e))?;
        std::fs::write(&path, text).map_err(|e| cannot(&path, e))?;
    }
    say(format_args!("PAPER {} pages in {}", pages.len(), folder.display()))
}

fn cannot(path: &Path, error: io::Error) -> Failure {
    Failure::could_not_run(error).context(format!("{}: cannot be written", path.display()))
}

/// The command and all below it, each under its full name: `papermaker-sessions-list`.
fn collect(command: &Command, name: &str, into: &mut Vec<(String, Command)>) {
    into.push((name.to_owned(), command.clone()));
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        collect(verb, &format!("{name}-{}", verb.get_name()), into);
    }
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_with_its_example() {
        let mut cli = Cli::command();
        cli.build();
        let mut pages = Vec::new();
        collect(&cli, "papermaker", &mut pages);
        for wanted in ["papermaker", "papermaker-run", "papermaker-sessions-list", "papermaker-alerts-test"] {
            assert!(pages.iter().any(|(name, _)| name == wanted), "no {wanted}");
        }
        for (name, command) in pages.iter().filter(|(_, command)| !command.has_subcommands()) {
            let text = String::from_utf8(page(command).expect("rendered")).expect("text");
            assert!(text.starts_with(".ie") && text.contains("Example"), "{name}: {text}");
        }
    }

    #[test]
    fn each_shell_completes_every_verb() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "papermaker", &mut text);
            let text = String::from_utf8(text).expect("text");
            for verb in Cli::command().get_subcommands() {
                assert!(text.contains(verb.get_name()), "{shell}: no {}", verb.get_name());
            }
        }
    }
}
