//! `callcard key new`: a key for one caller, and the entry by which the service knows it.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Exit, complain};
use crate::http::{KeyName, Scope, entry_for};

/// As many bits as the digest it is known by.
const BYTES: usize = 32;
/// Lets people and scanners of leaked secrets see what it is.
const PREFIX: &str = "callcard_";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key: the first line is for the caller, the second for `CALLCARD_API_KEYS`
    ///
    /// The key is made of the system's randomness and is shown this once: the entry holds only its digest.
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    /// Who will use it: letters, digits, '-', '_' and '.' [default: made from the digest]
    #[arg(long, value_name = "NAME")]
    name: Option<KeyName>,
    /// What it may do: text (names for phone systems, also as ?key=), lookup, or admin
    #[arg(long, value_name = "SCOPE", default_value = "lookup")]
    scope: Scope,
}

pub(super) fn run(args: Args) -> Exit {
    let Args { command: Command::New(new) } = args;
    let key = match random_key() {
        Ok(key) => key,
        Err(error) => return complain(Exit::Failed, format!("the system gives no randomness: {error}")),
    };
    match print(&key, &entry_for(new.name.as_ref(), new.scope, &key)) {
        Ok(()) => complain(Exit::Fine, "the key above is not shown again; add the line below it to CALLCARD_API_KEYS"),
        Err(error) => complain(Exit::Failed, error),
    }
}

fn print(key: &str, entry: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{key}\n{entry}")?;
    out.flush()
}

/// Characters that need no escape in a header, a URL or a shell, and no colon, so that it can be a user of Basic.
fn random_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}
