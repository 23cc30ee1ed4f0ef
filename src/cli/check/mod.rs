//! `callcard check`: would `serve` work? A table of what was looked at, for people and for deployment pipelines.
//!
//! One file a group of rows, each a function from what was seen to rows; here is only in which order they come. A wrong row is a reason
//! not to deploy, an odd one is not. No secret and nothing of the account's contacts is shown.

mod account;
mod rights;
mod row;
mod search;
mod settings;
mod store;
mod token;
mod webhooks;
mod witness;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use secrecy::SecretString;

use self::account::Asked;
use self::row::Row;
use self::witness::Witness;
use super::{Exit, Settings, block_on, chain, complain, start_logs};
use crate::app::Backend;
use crate::config::{self, Config};
use crate::crm::Ask;
use crate::crm::http::HttpTransport;
use crate::phone::Region;

/// A person waits for the table.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For whom the table is
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: TableFormat,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TableFormat {
    /// People: what to do stands under what was seen
    Text,
    /// Programs
    Json,
}

/// Fine if `serve` would start and the CRM answers what it needs.
pub(super) fn run(args: &Args) -> Exit {
    let config = match Config::check(&args.settings.strings) {
        Ok(config) => config,
        Err(faults) => return told(&settings::faulty(&faults), args.format),
    };
    if let Err(exit) = start_logs(&config.telemetry) {
        return exit;
    }
    block_on(async { told(&checked(config).await, args.format) })
}

fn told(rows: &[Row], format: TableFormat) -> Exit {
    let mut out = io::stdout().lock();
    let printed = match format {
        TableFormat::Text => row::print(rows, &mut out),
        TableFormat::Json => row::print_json(rows, &mut out),
    };
    match printed {
        Err(error) => complain(Exit::Failed, error),
        Ok(()) if row::works(rows) => Exit::Fine,
        Ok(()) => Exit::Failed,
    }
}

async fn checked(config: Config) -> Vec<Row> {
    let mut rows = settings::warnings(&config.warnings);
    match HttpTransport::new(config.backend.transport.clone()) {
        Ok(wire) => {
            let secret = config.http.webhook_secret.as_ref();
            rows.extend(asked(config.backend, secret, Witness::new(Arc::new(wire))).await);
        }
        Err(error) => rows.push(Row::wrong("url", chain(&error), "see CALLCARD_KOMMO_URL")),
    }
    rows
}

/// Asks the CRM, with nothing between us and it but the quota.
async fn asked(settings: config::Backend, secret: Option<&SecretString>, witness: Witness) -> Vec<Row> {
    let (region, rate) = (settings.lookup.region, settings.gate.rate);
    let host = settings.transport.base.authority().to_owned();
    let witness = Arc::new(witness);
    let backend = match Backend::over(Arc::clone(&witness) as _, settings) {
        Ok(backend) => backend,
        Err(error) => return vec![store::unusable(&error)],
    };
    let mut rows = asked_of(&backend, &host, region, secret).await;
    rows.push(store::row(backend.shared.as_ref()).await);
    backend.gate.leave().await;
    rows.extend(witness.rows(rate));
    rows
}

async fn asked_of(backend: &Backend, host: &str, region: Region, secret: Option<&SecretString>) -> Vec<Row> {
    if let Err(error) = backend.tokens.open().await {
        return vec![token::unusable(&error)];
    }
    let account = backend.crm.account(Ask::live(PATIENCE)).await;
    let mut rows = account::rows(&Asked { host, region }, &account);
    if account::is_usable(&account) {
        rows.extend(rights::rows(&backend.crm, PATIENCE).await);
        rows.push(search::row(backend.lookups.calibration(), 2 * PATIENCE).await);
        rows.push(webhooks::row(&backend.crm, secret, PATIENCE).await);
    }
    rows.push(token::row(&backend.tokens).await);
    rows
}
