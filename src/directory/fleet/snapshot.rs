//! A leader's rows for a replica that has missed some: pieces of one moment, put down for some minutes.

use std::sync::Arc;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use super::super::feed::FeedError;
use super::super::identity::{IDENTITY, Identity};
use super::super::store::{Store, View};
use super::super::{Damaged, StoreError, open};
use super::{Away, Fleet, Log, POSITION, Position, Row};

/// Where the first piece lies, which tells of the others.
const HEADER: &str = "header";
/// About so many bytes go into one piece.
const PIECE: usize = 128 * 1024;
/// A row's own bytes beside those of its value.
const ROW: usize = 24;

/// What the rows are.
#[derive(Serialize, Deserialize)]
struct Header {
    identity: Identity,
    /// Names the pieces.
    name: String,
    pieces: u64,
    position: Position,
}

impl Fleet {
    /// Puts our rows down.
    pub(super) async fn put_rows(&self) -> Result<(), PutError> {
        let (store, log) = (self.directory.store(), Arc::clone(&self.log));
        let identity = Identity::of(&self.directory.0.settings);
        let putting = tokio::task::spawn_blocking(move || put(&store, &*log, identity));
        putting.await.unwrap_or_else(|_panic| Err(StoreError::from(Damaged).into()))
    }

    /// Loads the leader's rows, if they are there; asks for them if not. Whether they are in place.
    pub(super) async fn load(&mut self) -> Result<Result<bool, Away>, FeedError> {
        let header = match self.log.piece(HEADER).await {
            Ok(header) => header.and_then(|bytes| postcard::from_bytes::<Header>(&bytes).ok()),
            Err(away) => return Ok(Err(away)),
        };
        if let Some(header) = header.filter(|header| self.loaded.as_ref() != Some(&header.name)) {
            match self.leads_on_from(header.position).await {
                Ok(true) if header.identity == Identity::of(&self.directory.0.settings) => {
                    self.loaded = Some(header.name.clone());
                    return self.load_pieces(header).await.map(Ok);
                }
                Ok(_) => {}
                Err(away) => return Ok(Err(away)),
            }
        }
        Ok(self.log.want_rows().await.map(|()| false))
    }

    async fn load_pieces(&self, header: Header) -> Result<bool, FeedError> {
        let directory = self.directory.clone();
        let beside = tokio::task::spawn_blocking(move || open::beside(&directory.0.settings));
        let store = Arc::new(beside.await.unwrap_or_else(|_panic| {
            Err(super::super::OpenError::InUse { path: self.directory.0.settings.path.clone() })
        })?);
        for piece in 0..header.pieces {
            let name = format!("{}:{piece}", header.name);
            let Ok(Some(bytes)) = self.log.piece(&name).await else { return Ok(false) };
            let Ok(rows) = postcard::from_bytes::<Vec<Row>>(&bytes) else { return Ok(false) };
            let position = (piece + 1 == header.pieces).then_some(header.position);
            let store = Arc::clone(&store);
            let writing = tokio::task::spawn_blocking(move || {
                store.write(|batch| {
                    rows.into_iter().try_for_each(|row| batch.write(row))?;
                    position.map_or(Ok(()), |position| batch.put_meta(POSITION, &position))
                })
            });
            writing.await.unwrap_or_else(|_panic| Err(Damaged.into()))?;
        }
        let store = Arc::into_inner(store).expect("every writer has ended");
        self.swap(move || Ok(store)).await?;
        tracing::info!("the mirror was taken over from the replica that keeps it up to date");
        Ok(true)
    }
}

/// Why rows could not be put down.
#[derive(Debug, thiserror::Error)]
pub(super) enum PutError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Away(#[from] Away),
}

/// All rows of one moment; the header last, so that what it names is there.
fn put(store: &Store, log: &dyn Log, identity: Identity) -> Result<(), PutError> {
    let view = store.view()?;
    let Some(position) = view.meta::<Position>(POSITION)? else { return Ok(()) };
    let runtime = tokio::runtime::Handle::current();
    let name = format!("{:016x}", fastrand::u64(..));
    let (mut pieces, mut rows, mut bytes) = (0, Vec::new(), 0);
    let mut away = Ok(());
    let mut put_down = |rows: &mut Vec<Row>| {
        let piece = postcard::to_stdvec(&std::mem::take(rows)).expect("numbers, texts and bytes can be written");
        away = runtime.block_on(log.put_piece(&format!("{name}:{pieces}"), piece));
        pieces += 1;
        away.is_ok()
    };
    view.rows(|row| {
        bytes += ROW + row.weight();
        rows.push(row);
        if bytes < PIECE {
            return true;
        }
        bytes = 0;
        put_down(&mut rows)
    })?;
    put_down(&mut rows);
    away?;
    let header = Header { identity, name: name.clone(), pieces, position };
    let header = postcard::to_stdvec(&header).expect("numbers and texts can be written");
    Ok(runtime.block_on(log.put_piece(HEADER, header))?)
}

impl Row {
    const fn weight(&self) -> usize {
        match self {
            Self::Contact(_, Some(bytes)) | Self::Lead(_, Some(bytes)) | Self::Meta(_, bytes) => bytes.len(),
            Self::Company(_, name) => name.len(),
            Self::Contact(_, None) | Self::Lead(_, None) | Self::Number(..) | Self::Link(..) | Self::Want(..) => 0,
        }
    }
}

impl View {
    /// Every row of this moment that belongs to the mirror, for as long as it is wanted.
    fn rows(&self, mut take: impl FnMut(Row) -> bool) -> Result<(), StoreError> {
        use super::super::store::{COMPANIES, CONTACTS, LEADS, LINKS, META, NUMBERS, WANTS};
        macro_rules! each {
            ($table:expr, |$key:ident, $value:ident| $row:expr) => {
                for record in self.table($table)?.iter()? {
                    let ($key, $value) = record?;
                    if !take($row) {
                        return Ok(());
                    }
                }
            };
        }
        each!(CONTACTS, |key, value| Row::Contact(key.value(), Some(value.value().to_vec())));
        each!(LEADS, |key, value| Row::Lead(key.value(), Some(value.value().to_vec())));
        each!(COMPANIES, |key, value| Row::Company(key.value(), value.value().to_owned()));
        each!(NUMBERS, |key, _value| Row::Number(key.value().0, key.value().1, true));
        each!(LINKS, |key, _value| Row::Link(key.value().0, key.value().1, true));
        each!(WANTS, |key, _value| Row::Want(key.value().0, key.value().1, true));
        for record in self.table(META)?.iter()? {
            let (key, value) = record?;
            let is_own = [IDENTITY, POSITION].contains(&key.value());
            if !is_own && !take(Row::Meta(key.value().to_owned(), value.value().to_vec())) {
                return Ok(());
            }
        }
        Ok(())
    }
}
