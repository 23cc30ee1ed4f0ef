//! `callcard sandbox`: the stand-in CRM alone, for trying things out and for other people's tests.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{Exit, block_on, complain};
use crate::sandbox::fault::FAULTS;
use crate::sandbox::{FaultRule, Sandbox, SearchMode, Settings};
use crate::shutdown::Signals;

#[derive(Debug, clap::Args)]
#[command(after_long_help = faults_help())]
pub(super) struct Args {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Contacts in the account; the first are named cases, the rest is generated
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::default().contacts)]
    contacts: u64,
    /// The same seed gives the same people
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::default().seed)]
    seed: u64,
    /// Requests an address may send in a second; 0 for no limit
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::default().rate.unwrap_or(0))]
    rate: u32,
    /// How the account's search finds phone numbers: digits, raw or last7
    #[arg(long, value_name = "MODE", default_value_t = SearchMode::default())]
    search: SearchMode,
    /// How long each answer takes
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    latency: Duration,
    /// How far the search lags behind a change
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    index_delay: Duration,
    /// The token that clients have to send
    #[arg(long, value_name = "TOKEN", default_value_t = Settings::default().token)]
    token: String,
    /// A fault that is on from the start: `SCOPE:FAULT`; can be given several times
    #[arg(long = "fault", value_name = "RULE")]
    faults: Vec<FaultRule>,
}

/// The faults that `--fault` can name, for `--help`.
fn faults_help() -> String {
    let faults = FAULTS.iter().map(|fault| format!("  {:<12} {}\n", fault.word, fault.meaning));
    let intro =
        "Faults, as SCOPE:FAULT[*COUNT|%PERCENT]; the scope is `all` or endpoints such as contacts_query,leads:\n";
    faults.fold(intro.to_owned(), |text, fault| text + &fault)
}

impl From<Args> for Settings {
    fn from(args: Args) -> Self {
        let Args { listen: _, contacts, seed, rate, search, latency, index_delay, token, faults } = args;
        let rate = (rate > 0).then_some(rate);
        Self { contacts, seed, rate, search, latency, index_delay, token, faults, ..Self::default() }
    }
}

/// Runs until told to stop.
pub(super) fn run(args: Args) -> Exit {
    block_on(async {
        let signals = match Signals::install() {
            Ok(signals) => signals,
            Err(error) => return complain(Exit::Failed, format!("signals cannot be handled: {error}")),
        };
        let listener = match TcpListener::bind(args.listen).await {
            Ok(listener) => listener,
            Err(error) => return complain(Exit::Failed, format!("cannot listen on {}: {error}", args.listen)),
        };
        let sandbox = Sandbox::new(args.into());
        if let Err(error) = announce(&listener, &sandbox.settings(), &mut io::stdout()) {
            return complain(Exit::Failed, error);
        }
        sandbox.serve(listener, signals.first()).await;
        Exit::Fine
    })
}

/// Says where it is, and how to point the service at it.
fn announce(listener: &TcpListener, settings: &Settings, out: &mut impl Write) -> io::Result<()> {
    let url = format!("http://{}", listener.local_addr()?);
    writeln!(out, "sandbox CRM with {} contacts at {url}", settings.contacts)?;
    writeln!(out, "  curl -H 'Authorization: Bearer {}' '{url}/api/v4/contacts?limit=5'", settings.token)?;
    writeln!(out, "  CALLCARD_KOMMO_URL={url} CALLCARD_KOMMO_TOKEN={} callcard serve", settings.token)?;
    out.flush()
}
