//! The command line: one file a command, and here what they share: the words, the exit codes, the runtime.
//!
//! Results go to standard output, everything else to standard error. A command ends with an [`Exit`]; nobody below `main` ends the process
//! (but for a second stop signal, see [`crate::shutdown`]).

mod check;
mod demo;
mod directory;
mod healthcheck;
mod key;
mod lookup;
mod openapi;
mod sandbox;
mod serve;
mod webhooks;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::{ExitCode, Termination};

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::app;
use crate::config::Strings;
use crate::telemetry;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked: 0.
    Fine,
    /// It was tried and did not work out: 1.
    Failed,
    /// It could not be tried, for its usage or configuration: 64, `EX_USAGE` of sysexits.
    Usage,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 64,
        })
    }
}

/// Who is calling? Phone number in, Kommo contact card out.
#[derive(Debug, Parser)]
#[command(name = "callcard", version = app::version(), max_term_width = 110)]
#[command(after_help = "Exit codes: 0 fine, 1 failed, 64 bad usage or configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer lookups until told to stop
    ///
    /// Answers lookups until SIGTERM or SIGINT. Every setting is an environment variable and a flag; the flag wins, and an empty variable
    /// counts as not set. Durations carry their unit: 250ms, 10s, 10m, 24h. Give secrets by variable or file: flags show in process lists.
    Serve(Settings),
    /// Show the service at work: a sandbox CRM with sample contacts, and the service in front of it
    Demo(demo::Args),
    /// Run the sandbox CRM alone: a stand-in for Kommo's API, with faults to switch on
    Sandbox(sandbox::Args),
    /// Ask the CRM who is calling, once, without a server
    ///
    /// Takes the settings of `serve`. Exit code 0 if somebody has the number, 1 if nobody has it or it could not be found out.
    Lookup(lookup::Args),
    /// Check the configuration, and what the CRM lets these credentials do
    ///
    /// Takes the settings of `serve`. Exit code 0 if it would work, 1 if not; what is merely odd does not count.
    Check(check::Args),
    /// Manage the subscription through which the CRM tells of changes
    ///
    /// Takes the settings of `serve`; `CALLCARD_WEBHOOK_SECRET` has to be set.
    Webhooks(webhooks::Args),
    /// Make, look at, compare or take out the mirror of the contact base
    ///
    /// Each takes the settings of `serve`; `CALLCARD_DIRECTORY_PATH` says where the snapshot is.
    Directory(directory::Args),
    /// Ask a running instance how it is, for containers without a shell
    Healthcheck(healthcheck::Args),
    /// Make keys for callers
    Key(key::Args),
    /// Print the OpenAPI document of the lookup listener
    Openapi,
}

/// The settings, given as for `serve`.
#[derive(Debug, clap::Args)]
struct Settings {
    #[command(flatten)]
    strings: Strings,
}

/// Runs the command that this process was started with.
#[must_use]
pub fn run() -> Exit {
    match words().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli.command.run(),
        Err(error) => answered(&error),
    }
}

impl Command {
    fn run(self) -> Exit {
        match self {
            Self::Serve(settings) => serve::run(&settings.strings),
            Self::Demo(args) => demo::run(&args),
            Self::Sandbox(args) => sandbox::run(args),
            Self::Lookup(args) => lookup::run(args),
            Self::Check(args) => check::run(&args),
            Self::Webhooks(args) => webhooks::run(&args),
            Self::Directory(args) => directory::run(args),
            Self::Healthcheck(args) => healthcheck::run(&args),
            Self::Key(args) => key::run(args),
            Self::Openapi => openapi::run(),
        }
    }
}

/// `serve --help` is the reference of the settings. Elsewhere they work too, but would drown the command's own flags.
fn words() -> clap::Command {
    let hide_setting = |arg: Arg| if arg.get_env().is_some() { arg.hide(true) } else { arg };
    let quiet = |command: clap::Command| command.mut_args(hide_setting);
    let alone = ["check", "healthcheck", "lookup"].iter();
    let words = alone.fold(Cli::command(), |command, name| command.mut_subcommand(name, quiet));
    let groups = ["directory", "webhooks"].iter();
    groups.fold(words, |command, name| command.mut_subcommand(name, |group| group.mut_subcommands(quiet)))
}

/// clap has an answer ready: the help that was asked for, or what is wrong with the words.
fn answered(error: &clap::Error) -> Exit {
    let told = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else if told.is_ok() {
        Exit::Fine
    } else {
        Exit::Failed
    }
}

/// Says what went wrong, and how it ends.
fn complain(exit: Exit, problem: impl Display) -> Exit {
    // If even this cannot be written there is nobody to tell.
    let _ = writeln!(io::stderr(), "callcard: {problem}");
    exit
}

/// An error with what is behind it, on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// From now on what is logged is written.
fn start_logs(settings: &telemetry::Settings) -> Result<(), Exit> {
    telemetry::install(settings).map_err(|error| complain(Exit::Failed, error))
}

/// Runs an async command to its end on a runtime of its own.
fn block_on(command: impl Future<Output = Exit>) -> Exit {
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => complain(Exit::Failed, format!("the runtime cannot be started: {error}")),
    }
}
