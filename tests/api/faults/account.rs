//! The account cannot be read. No card needs it, but `serve` asks for it first: what it meets there, callers must feel as little as can be.

use callcard::crm::Ask;
use callcard::sandbox::Endpoint;

use super::meaning::{AsAnswer, Then};
use super::{SECOND, Struck, service, timed};

pub(super) async fn is_asked(fault: &Struck) {
    let (service, rule) = (service().await, &fault.rule);
    fault.strike(&service, Endpoint::Account);

    let asked = service.crm.account(Ask::live(8 * SECOND)).await;

    // An account is never "nothing": where a list would be empty, this is no answer.
    assert_eq!(asked.is_ok(), fault.meaning.as_answer == AsAnswer::Whole, "{rule}: {asked:?}");
    let outcome = if fault.meaning.outcome == "empty" { "malformed" } else { fault.meaning.outcome };
    let (got, _) = timed(&service, "").await;
    match fault.meaning.then {
        _ if !fault.meaning.outlasts_patience() => assert_eq!(got.status, 200, "{rule}: waited for"),
        Then::GoOn => assert_eq!(got.status, 200, "{rule}"),
        Then::Pause { seconds } => {
            assert_eq!(got.problem(), (503, "overloaded".to_owned()), "{rule}");
            assert_eq!(got.header("retry-after"), seconds.to_string(), "{rule}");
        }
        Then::Suspend => {
            assert_eq!(got.problem(), (503, "upstream-unavailable".to_owned()), "{rule}");
            assert!(got.header("retry-after").parse::<u64>().unwrap() >= 30, "{rule}");
        }
    }
    let calls = service.sandbox.count(Endpoint::Account);
    assert_eq!(calls, fault.meaning.calls, "{rule}");
    fault.counted(&service, Endpoint::Account, outcome, calls).await;
}
