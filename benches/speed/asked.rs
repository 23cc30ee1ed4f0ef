//! The made-up contacts, and one more number whose owner is known only to somebody at an address: who asks for it waits until he answers.
//! That is how a CRM that takes its time looks to the cache, with the moment of its answer in another program's hand.

use std::net::SocketAddr;

use callcard::cache::{FillError, Patience, Search, Source};
use callcard::card::Card;
use callcard::contact::PartyId;
use callcard::phone::E164;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

use super::people::{Everybody, phone};

/// The contact that has to be asked for; far behind all that are stocked.
pub(crate) const ASKED: u64 = 80_000_000;

/// A source for which every number is somebody's, one of them not at once.
#[derive(Debug)]
pub(crate) struct Asked {
    everybody: Everybody,
    address: Option<SocketAddr>,
    number: E164,
}

impl Asked {
    /// Asks at this address; without one, there is nothing to ask.
    pub(crate) fn at(address: Option<SocketAddr>) -> Self {
        Self { everybody: Everybody::default(), address, number: phone(ASKED) }
    }
}

impl Source for Asked {
    fn find(&self, search: Search) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        match self.address {
            Some(address) if search.key == self.number => async move {
                answered(address).await.map_err(|_| FillError::Failed)?;
                self.everybody.find(search).await
            }
            .boxed(),
            _ => self.everybody.find(search),
        }
    }

    fn refetch(&self, ids: Vec<PartyId>, patience: Patience) -> BoxFuture<'_, Result<Vec<Card>, FillError>> {
        self.everybody.refetch(ids, patience)
    }
}

/// Over when the other side has said something.
async fn answered(address: SocketAddr) -> std::io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0; 16]) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
