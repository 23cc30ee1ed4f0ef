//! `callcard demo`: the service at work, without an account and without configuration.
//!
//! It is the service itself, put together as `serve` does it; only its settings come from here, and its CRM is the sandbox.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Exit, block_on, chain, complain, start_logs};
use crate::app::App;
use crate::config::{Config, Strings};
use crate::http::Drained;
use crate::sandbox::fixtures::people::{FALSE_FRIEND, SWITCHBOARD_NUMBER};
use crate::sandbox::{Sandbox, Settings};
use crate::shutdown::Signals;

/// Anna Ivanova's number as the sandbox has it: tagged, with a company, an owner, an open, a won and a lost lead.
const ANNA: &str = "+14155550123";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Contacts in the sandbox account
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::default().contacts)]
    contacts: u64,
    /// Lookup listener; port 0 takes a free one [default: 127.0.0.1:8080 if free]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Admin listener; port 0 takes a free one [default: 127.0.0.1:9090 if free]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    /// What is logged
    #[arg(long, env = "CALLCARD_LOG", value_name = "FILTER", default_value = "warn")]
    log: String,
}

/// Runs until told to stop.
pub(super) fn run(args: &Args) -> Exit {
    block_on(async {
        match demo(args).await {
            Ok(exit) | Err(exit) => exit,
        }
    })
}

async fn demo(args: &Args) -> Result<Exit, Exit> {
    let failed = |error: io::Error| complain(Exit::Failed, error);
    let signals = Signals::install().map_err(failed)?;
    let crm = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let crm_address = crm.local_addr().map_err(failed)?;
    let sandbox = Sandbox::new(Settings { contacts: args.contacts, ..Settings::default() });
    let config =
        Config::check(&strings(args, crm_address, &sandbox)).map_err(|faults| complain(Exit::Usage, faults))?;
    start_logs(&config.telemetry)?;
    let app = App::build(config).await.map_err(|error| complain(Exit::Failed, chain(&error)))?;
    announce(&app, crm_address, &sandbox.settings(), &mut io::stdout()).map_err(failed)?;

    let stop = CancellationToken::new();
    let crm = tokio::spawn({
        let stop = stop.clone();
        async move { sandbox.serve(crm, stop.cancelled()).await }
    });
    let drained = app.run(signals.first()).await;
    stop.cancel();
    crm.await.map_err(|error| complain(Exit::Failed, error))?;
    Ok(if drained == Drained::Complete { Exit::Fine } else { Exit::Failed })
}

/// What an operator would have set.
fn strings(args: &Args, crm: SocketAddr, sandbox: &Sandbox) -> Strings {
    let listen = args.listen.unwrap_or_else(|| free(8080));
    let admin_listen = args.admin_listen.unwrap_or_else(|| free(9090));
    Strings::of(|variable| match variable {
        "CALLCARD_LISTEN" => Some(listen.to_string()),
        "CALLCARD_ADMIN_LISTEN" => Some(admin_listen.to_string()),
        "CALLCARD_KOMMO_URL" => Some(format!("http://{crm}")),
        "CALLCARD_KOMMO_TOKEN" => Some(sandbox.settings().token.clone()),
        "CALLCARD_DRAIN_DELAY" => Some("0s".to_owned()),
        "CALLCARD_LOG" => Some(args.log.clone()),
        _ => None,
    })
}

/// The well-known port if nobody has it, else any.
fn free(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match StdListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

fn announce(app: &App, crm: SocketAddr, settings: &Settings, out: &mut impl Write) -> io::Result<()> {
    let (lookup, admin) = (app.lookup_address(), app.admin_address());
    writeln!(out, "callcard demo: who is calling?\n")?;
    writeln!(out, "  lookups  http://{lookup}/lookup?phone=%2B14155550123&format=html   (open it in a browser)")?;
    writeln!(out, "  docs     http://{lookup}/docs")?;
    writeln!(out, "  admin    http://{admin}/metrics")?;
    writeln!(out, "  CRM      http://{crm} (a sandbox with {} contacts)\n", settings.contacts)?;
    for (what, phone, options) in EXAMPLES {
        let phone = phone.replace('+', "%2B").replace(' ', "%20");
        writeln!(out, "# {what}\ncurl -s 'http://{lookup}/lookup?phone={phone}{options}'")?;
    }
    writeln!(out, "# what was counted\ncurl -s 'http://{admin}/metrics' | grep '^callcard_lookups_total.* [1-9]'\n")?;
    writeln!(out, "Ctrl-C stops it.")?;
    out.flush()
}

/// What it is, the number, further parameters.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("a caller the CRM knows, as JSON", ANNA, ""),
    ("the same one as a phone system asks: one line of text", "(415) 555-0123", "&format=text"),
    ("the same one as a card for a browser", ANNA, "&format=html"),
    ("a number that many contacts share", SWITCHBOARD_NUMBER, ""),
    ("a number that nobody has, though its digits stand in names and order numbers", FALSE_FRIEND, ""),
    ("a caller who withholds the number", "anonymous", ""),
    ("not a phone number", "+1 415 555", ""),
];
