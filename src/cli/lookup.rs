//! `callcard lookup`: one question from the terminal, straight to the CRM, without a server.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{Exit, block_on, chain, complain, start_logs};
use crate::app::Backend;
use crate::config::{self, Strings};
use crate::lookup::{Answer, Finding, LONGEST_DEADLINE, Wants};
use crate::phone::{Caller, CallerReader, Region};
use crate::render::{self, Asked, Format, Options, Rendered};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The number, in any form a phone system sends
    phone: String,
    /// How to read a number without a country code, if not as `CALLCARD_DEFAULT_REGION`
    #[arg(long, value_name = "REGION")]
    region: Option<Region>,
    /// json, text, html, vcard, xml, flat or hash
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Json)]
    format: Format,
    #[command(flatten)]
    strings: Strings,
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Args").field("region", &self.region).field("format", &self.format).finish_non_exhaustive()
    }
}

/// Fine if somebody has the number. The answer, whichever it is, goes to standard output in the chosen format.
pub(super) fn run(args: Args) -> Exit {
    let strings = &args.strings;
    let (settings, logs) = match (config::backend(strings), config::telemetry(strings)) {
        (Ok(settings), Ok(logs)) => (settings, logs),
        (Err(faults), _) | (_, Err(faults)) => return complain(Exit::Usage, faults),
    };
    if let Err(exit) = start_logs(&logs) {
        return exit;
    }
    let region = args.region.unwrap_or(settings.lookup.region);
    match CallerReader::new(1).read(&args.phone, region) {
        Ok(caller) => block_on(ask(settings, caller, args)),
        Err(invalid) => complain(Exit::Usage, format!("this is not a possible phone number: {invalid}")),
    }
}

async fn ask(settings: config::Backend, caller: Caller, args: Args) -> Exit {
    let backend = match Backend::new(settings) {
        Ok(backend) => backend,
        Err(error) => return complain(Exit::Failed, chain(&error)),
    };
    if let Err(error) = backend.tokens.open().await {
        return complain(Exit::Failed, error);
    }
    let wants = Wants { deadline: Some(LONGEST_DEADLINE), ..Wants::default() };
    let answered = backend.lookups.lookup(&caller, &wants).await;
    backend.tokens.close().await;
    backend.gate.leave().await;
    match answered {
        Ok(answer) => tell(&answer, args),
        Err(failure) => complain(Exit::Failed, chain(&failure.error)),
    }
}

fn tell(answer: &Answer, args: Args) -> Exit {
    let asked = Asked { input: args.phone.into() };
    let rendered = render::render(args.format, answer, &asked, &Options::new(Timestamp::now()));
    match (print(&rendered, &mut io::stdout().lock()), &answer.finding) {
        (Ok(()), Finding::Found(_)) => Exit::Fine,
        (Ok(()), _) => Exit::Failed,
        (Err(error), _) => complain(Exit::Failed, error),
    }
}

fn print(rendered: &Rendered, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&rendered.body)?;
    if !rendered.body.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.flush()
}
