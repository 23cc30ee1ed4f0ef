//! `callcard directory`: the mirror without the service. Making it ahead of a first start, looking at it, comparing it, taking it out.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use tokio::time::sleep;

use self::bar::Bar;
use self::export::Row;
use super::{Exit, block_on, chain, complain, start_logs};
use crate::app::Backend;
use crate::config::{self, Strings};
use crate::contact::ContactId;
use crate::directory::{self, Directory, Status, verify};

mod bar;
mod export;

/// Contacts read at once for an export.
const BATCH: usize = 1_000;
/// A mirror that is this far behind is written by somebody now, and what differs may be on its way.
const IN_USE: Duration = Duration::from_secs(90);
/// How long what is on its way takes.
const SECOND_LOOK: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read the contact base, or what has changed in it, until the mirror is up to date; then end
    ///
    /// Goes on where it, or the service, was interrupted. Needs the snapshot for itself.
    Sync(Common),
    /// Show how the mirror stands, also while the service runs
    Status(Common),
    /// Compare a sample with the CRM; exit code 1 if they disagree
    Verify {
        /// Contacts to compare, about
        #[arg(long, value_name = "NUMBER", default_value_t = 500)]
        sample: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Write every contact as a line of JSON
    Export {
        /// Where to, made with mode 0600; standard output if not given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
}

/// The settings, given as for `serve`.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    strings: Strings,
}

/// Fine if it was done, and for `verify` if nothing disagrees.
pub(super) fn run(args: Args) -> Exit {
    match args.action {
        Action::Sync(common) => with_settings(&common.strings, sync),
        Action::Status(common) => with_settings(&common.strings, async |_, settings| status(settings)),
        Action::Verify { sample, common } => {
            with_settings(&common.strings, async |backend, settings| verify(backend, settings, sample).await)
        }
        Action::Export { out, common } => {
            with_settings(&common.strings, async |_, settings| export_to(settings, out.as_deref()))
        }
    }
}

fn with_settings(strings: &Strings, act: impl AsyncFnOnce(config::Backend, directory::Settings) -> Exit) -> Exit {
    let (mut backend, logs) = match (config::mirrored(strings), config::telemetry(strings)) {
        (Ok(backend), Ok(logs)) => (backend, logs),
        (Err(faults), _) | (_, Err(faults)) => return complain(Exit::Usage, faults),
    };
    if let Err(exit) = start_logs(&logs) {
        return exit;
    }
    let settings = backend.directory.take().expect("asked for with the rest of the settings");
    block_on(act(backend, settings))
}

/// The way to the CRM, with tokens that work.
async fn open(backend: config::Backend) -> Result<Backend, Exit> {
    let backend = Backend::new(backend).map_err(|error| complain(Exit::Failed, chain(&error)))?;
    backend.tokens.open().await.map_err(|error| complain(Exit::Failed, error))?;
    Ok(backend)
}

async fn sync(backend: config::Backend, settings: directory::Settings) -> Exit {
    let mut backend = match open(backend).await {
        Ok(backend) => backend,
        Err(exit) => return exit,
    };
    let feed = match backend.mirror(settings).await {
        Ok(feed) => feed,
        Err(error) => return complain(Exit::Failed, chain(&error)),
    };
    let mut bar = Bar::new();
    let outcome = feed.sync(|status| bar.show(status)).await;
    bar.clear();
    backend.tokens.close().await;
    match outcome {
        Ok(status) => told(&status.to_string()),
        Err(error) => complain(Exit::Failed, chain(&error)),
    }
}

fn status(settings: directory::Settings) -> Exit {
    let status = Directory::look_at(settings).map_err(|error| chain(&error));
    match status.and_then(|directory| directory.status().map_err(|error| chain(&error))) {
        Ok(status) => told(&table(&status)),
        Err(problem) => complain(Exit::Failed, problem),
    }
}

fn table(status: &Status) -> String {
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let lag = status.lag.map_or_else(|| "not yet current".to_owned(), |lag| format!("{} s", lag.as_secs()));
    let rows = [
        ("contacts", status.contacts.to_string()),
        ("leads", status.leads.to_string()),
        ("to fetch", status.wanted.to_string()),
        ("complete", yes(status.complete).to_owned()),
        ("pass", status.percent.map_or_else(|| "none under way".to_owned(), |percent| format!("{percent} %"))),
        ("behind", lag),
        ("events", if status.events_hidden { "hidden from this token" } else { "read" }.to_owned()),
        ("on disk", format!("{} bytes", status.bytes_on_disk)),
    ];
    rows.iter().map(|(what, value)| format!("{what:<10} {value}")).collect::<Vec<_>>().join("\n")
}

async fn verify(backend: config::Backend, settings: directory::Settings, size: usize) -> Exit {
    let backend = match open(backend).await {
        Ok(backend) => backend,
        Err(exit) => return exit,
    };
    let directory = match Directory::look_at(settings) {
        Ok(directory) => directory,
        Err(error) => return complain(Exit::Failed, chain(&error)),
    };
    let verdict = compared(&directory, &backend, size).await;
    backend.tokens.close().await;
    match verdict {
        Ok(verdict) if verdict.disagreements.is_empty() => {
            told(&format!("{} contacts compared: mirror and CRM agree", verdict.compared))
        }
        Ok(verdict) => {
            let rows: Vec<String> =
                verdict.disagreements.iter().map(|(id, what)| format!("contact {id}: {}", what.join(", "))).collect();
            told(&rows.join("\n"));
            complain(Exit::Failed, format!("{} of {} contacts disagree", rows.len(), verdict.compared))
        }
        Err(error) => complain(Exit::Failed, chain(&error)),
    }
}

/// What differs while a service writes the mirror is looked at twice.
async fn compared(
    directory: &Directory,
    backend: &Backend,
    size: usize,
) -> Result<verify::Verdict, verify::VerifyError> {
    let first = verify::sample(directory, &backend.crm, size).await?;
    let is_in_use = directory.status()?.lag.is_some_and(|lag| lag < IN_USE);
    if first.disagreements.is_empty() || !is_in_use {
        return Ok(first);
    }
    sleep(SECOND_LOOK).await;
    let ids: Vec<ContactId> = first.disagreements.into_keys().collect();
    let second = verify::compare(directory, &backend.crm, &ids).await?;
    Ok(verify::Verdict { compared: first.compared, ..second })
}

fn export_to(settings: directory::Settings, out: Option<&Path>) -> Exit {
    let directory = match Directory::look_at(settings) {
        Ok(directory) => directory,
        Err(error) => return complain(Exit::Failed, chain(&error)),
    };
    let written = match out {
        None => export(&directory, &mut BufWriter::new(io::stdout().lock())),
        Some(path) => {
            private_file(path).map_err(Into::into).and_then(|file| export(&directory, &mut BufWriter::new(file)))
        }
    };
    written.map_or_else(|error| complain(Exit::Failed, format!("the export failed: {error}")), |()| Exit::Fine)
}

fn export(directory: &Directory, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    let (mut from, names) = (ContactId(0), directory.names());
    loop {
        let owners = directory.contacts_from(from, BATCH)?;
        let Some(last) = owners.last() else { break };
        from = ContactId(last.contact.id.0 + 1);
        for owner in &owners {
            serde_json::to_writer(&mut *out, &Row::new(owner, &names))?;
            out.write_all(b"\n")?;
        }
    }
    Ok(out.flush()?)
}

/// It holds everybody's name and number.
fn private_file(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

fn told(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Exit::Fine,
        Err(error) => complain(Exit::Failed, error),
    }
}
