//! What `check` says: rows of a table, each with what was looked at, what was seen and, if that is not as it should be, what to do.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

/// What one row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    #[serde(rename = "ok")]
    Fine,
    /// It works, but not as well as it could.
    Odd,
    /// It does not work.
    Wrong,
    /// Not looked at, because a row above is wrong.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "ok",
            Self::Odd => "odd",
            Self::Wrong => "WRONG",
            Self::Skipped => "skipped",
        })
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    what: &'static str,
    pub(super) verdict: Verdict,
    seen: String,
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Row {
    /// As it should be.
    pub(super) fn fine(what: &'static str, seen: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Fine, seen: seen.into(), advice: None }
    }

    /// It works, but somebody should look into it.
    pub(super) fn odd(what: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Odd, seen: seen.into(), advice: Some(advice.into()) }
    }

    /// `serve` would be of no use.
    pub(super) fn wrong(what: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Wrong, seen: seen.into(), advice: Some(advice.into()) }
    }

    /// Not looked at, and why.
    pub(super) fn skipped(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Skipped, seen: why.into(), advice: None }
    }
}

/// The table for people: what to do stands under what was seen.
pub(super) fn print(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    for Row { what, verdict, seen, advice } in rows {
        writeln!(out, "{verdict:<8} {what:<14} {seen}")?;
        if let Some(advice) = advice {
            writeln!(out, "{:<23} -> {advice}", "")?;
        }
    }
    out.flush()
}

/// The table for programs.
pub(super) fn print_json(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let table = serde_json::json!({ "ok": works(rows), "rows": rows });
    writeln!(out, "{table:#}")?;
    out.flush()
}

/// Whether `serve` would work.
pub(super) fn works(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.verdict != Verdict::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_under_what_was_seen() {
        let rows = [Row::fine("url", "it answers"), Row::odd("clock", "it is 9 s behind", "set it")];
        let mut out = Vec::new();
        print(&rows, &mut out).unwrap();
        let shown = "ok       url            it answers\n\
                     odd      clock          it is 9 s behind\n                        -> set it\n";
        assert_eq!(String::from_utf8(out).unwrap(), shown);
        assert!(works(&rows));
        assert!(!works(&[Row::wrong("url", "nobody there", "look")]));
    }
}
