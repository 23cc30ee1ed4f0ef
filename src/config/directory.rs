//! The mirror of the contact base: whether there is one, and where.

use std::convert::Infallible;
use std::path::PathBuf;

use super::reader::Reader;
use super::variable::variables;

variables! { "Directory":
    /// `mirror`: keep the whole contact base on this machine, so that every caller, known or not, is answered without a CRM call
    DIRECTORY = "CALLCARD_DIRECTORY" as "off|mirror" or "off";
    /// The mirror's snapshot: a file of this process alone, made with mode 0600. A restart goes on with it
    DIRECTORY_PATH = "CALLCARD_DIRECTORY_PATH" as "FILE";
}

/// Where the mirror's snapshot is, if there is to be a mirror.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<PathBuf>> {
    let wanted = reader.choice(&DIRECTORY, &[("off", false), ("mirror", true)]);
    let path = read_path(reader);
    match (wanted?, path?) {
        (false, Some(_)) => {
            reader.warn(&DIRECTORY_PATH, format!("has no effect without {}=mirror", DIRECTORY.name));
            Some(None)
        }
        (true, None) => reader.fault(&DIRECTORY_PATH, format!("is needed with {}=mirror", DIRECTORY.name)),
        (_, path) => Some(path),
    }
}

/// Where a snapshot is, whether or not a service is to have one.
pub(super) fn read_wherever(reader: &mut Reader<'_>) -> Option<PathBuf> {
    match read_path(reader)? {
        Some(path) => Some(path),
        None => reader.fault(&DIRECTORY_PATH, "is needed: where the snapshot is"),
    }
}

fn read_path(reader: &mut Reader<'_>) -> Option<Option<PathBuf>> {
    let path = reader.optional(&DIRECTORY_PATH, |text| Ok::<_, Infallible>(PathBuf::from(text)))?;
    match path {
        Some(path) if path.is_dir() => reader.fault(&DIRECTORY_PATH, "is a folder; name a file in it"),
        path => Some(path),
    }
}
