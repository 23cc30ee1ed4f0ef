//! `callcard webhooks`: the subscription through which the CRM tells of changes.

use std::io::{self, Write};
use std::time::Duration;

use clap::Subcommand;
use secrecy::SecretString;

use super::{Exit, block_on, chain, complain, start_logs};
use crate::app::Backend;
use crate::config::{self, Strings};
use crate::crm::{Ask, CrmError, Done, HookAddress, HookState, Hooks, Installed};

/// A person waits.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Let the CRM send its webhooks to this service
    ///
    /// Makes the subscription, or makes it anew where the CRM has switched it off or does not tell of everything. Can be done again at any
    /// time. One of the same address with an older secret is removed. The token's user has to be an administrator.
    Install {
        /// Where the CRM reaches `/hooks/kommo` of this service, such as `https://calls.example.com/hooks/kommo`; the secret is appended
        /// by itself
        #[arg(long, value_name = "URL")]
        url: String,
        #[command(flatten)]
        strings: Strings,
    },
    /// Say whether there is a subscription and whether it works
    ///
    /// Exit code 0 if it works, 1 if not.
    Status {
        #[command(flatten)]
        strings: Strings,
    },
    /// End the subscription
    Remove {
        #[command(flatten)]
        strings: Strings,
    },
}

/// Names nothing: the address and the settings hold secrets.
impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Args").finish_non_exhaustive()
    }
}

/// Fine if the subscription is as asked for afterwards.
pub(super) fn run(args: &Args) -> Exit {
    let (Action::Install { strings, .. } | Action::Status { strings } | Action::Remove { strings }) = &args.action;
    let (settings, logs) = match (config::webhooks(strings), config::telemetry(strings)) {
        (Ok(settings), Ok(logs)) => (settings, logs),
        (Err(faults), _) | (_, Err(faults)) => return complain(Exit::Usage, faults),
    };
    let (backend, secret) = settings;
    let address = match &args.action {
        Action::Install { url, .. } => match HookAddress::new(url, secret.clone()) {
            Ok(address) => Some(address),
            Err(problem) => return complain(Exit::Usage, format_args!("--url {problem}")),
        },
        Action::Status { .. } | Action::Remove { .. } => None,
    };
    if let Err(exit) = start_logs(&logs) {
        return exit;
    }
    block_on(async {
        let backend = match Backend::new(backend) {
            Ok(backend) => backend,
            Err(error) => return complain(Exit::Failed, chain(&error)),
        };
        if let Err(error) = backend.tokens.open().await {
            return complain(Exit::Failed, error);
        }
        let hooks = Hooks::new(backend.crm.clone());
        let done = match (&args.action, &address) {
            (Action::Install { .. }, Some(address)) => install(&hooks, address, &secret).await,
            (Action::Remove { .. }, _) => remove(&hooks, &secret).await,
            _ => hooks.state(&secret, Ask::live(PATIENCE)).await.map(|state| (exit(&state), told(&state))),
        };
        backend.tokens.close().await;
        backend.gate.leave().await;
        match done {
            Ok((Exit::Fine, text)) => say(&text),
            Ok((exit, text)) => complain(exit, text),
            Err(error) => complain(Exit::Failed, format!("{error}{}", advice(&error))),
        }
    })
}

/// Looks at it again afterwards: that the CRM accepted something does not say that it did it.
async fn install(hooks: &Hooks, address: &HookAddress, secret: &SecretString) -> Result<(Exit, String), CrmError> {
    let Installed { done, outdated } = hooks.install(address, Ask::live(PATIENCE)).await?;
    let state = hooks.state(secret, Ask::live(PATIENCE)).await?;
    if state != HookState::Installed {
        return Ok((Exit::Failed, format!("the CRM accepted it, but {}", told(&state))));
    }
    let mut text = match done {
        Done::Nothing => format!("nothing to do: the CRM sends its webhooks to {address}"),
        Done::Made => format!("from now on the CRM sends its webhooks to {address}"),
        Done::MadeAnew => format!("made anew: the CRM sends its webhooks to {address} again"),
    };
    if outdated > 0 {
        text += &format!("\nremoved with an older secret: {outdated}");
    }
    if address.is_plain() {
        text += "\nwarning: http:// sends the secret unencrypted";
    }
    Ok((Exit::Fine, text))
}

async fn remove(hooks: &Hooks, secret: &SecretString) -> Result<(Exit, String), CrmError> {
    let removed = hooks.remove(secret, Ask::live(PATIENCE)).await?;
    Ok((Exit::Fine, if removed == 0 { "there was no subscription" } else { "the subscription is removed" }.to_owned()))
}

fn exit(state: &HookState) -> Exit {
    if *state == HookState::Installed { Exit::Fine } else { Exit::Failed }
}

fn told(state: &HookState) -> String {
    match state {
        HookState::Installed => "installed: the CRM tells of every change".to_owned(),
        HookState::Absent => {
            "absent: no subscription has this secret; make one with: callcard webhooks install".to_owned()
        }
        HookState::Disabled => {
            "disabled: the CRM has switched the subscription off, as too many deliveries had failed; mend \
            what kept it from this service, then: callcard webhooks install"
                .to_owned()
        }
        HookState::Incomplete(missing) => {
            format!(
                "incomplete: the CRM does not tell of {}; add them with: callcard webhooks install",
                missing.join(", ")
            )
        }
    }
}

const fn advice(error: &CrmError) -> &'static str {
    match error {
        CrmError::Forbidden => ": only an administrator's token may manage webhooks, and only in a paid plan",
        _ => "",
    }
}

fn say(text: &str) -> Exit {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => Exit::Fine,
        Err(error) => complain(Exit::Failed, error),
    }
}
