//! One request to the API, as its handlers see it.

use axum::extract::{FromRequestParts, Path};
use http::header::HOST;
use http::request::Parts;

use super::Sandbox;
use super::params::Params;
use super::problem::Refusal;
use super::tokens::Viewer;

/// What is asked, by whom, and under which name the asker knows this server.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) params: Params,
    pub(super) viewer: Viewer,
    /// Scheme and host, as links need them.
    pub(super) origin: String,
    path: String,
}

impl FromRequestParts<Sandbox> for Ask {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, sandbox: &Sandbox) -> Result<Self, Refusal> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let own = || format!("https://{}.kommo.com", sandbox.settings().subdomain);
        Ok(Self {
            params: Params::parse(parts.uri.query().unwrap_or_default()),
            viewer: *parts.extensions.get::<Viewer>().ok_or(Refusal::Unauthorized)?,
            origin: host.map_or_else(own, |host| format!("http://{host}")),
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Ask {
    /// The address of another page of the same list.
    pub(super) fn page_link(&self, page: usize) -> String {
        format!("{}{}?{}", self.origin, self.path, self.params.encoded_for_page(page))
    }

    /// Refuses users without administrator's rights.
    pub(super) const fn require_admin(&self) -> Result<(), Refusal> {
        if self.viewer.is_admin { Ok(()) } else { Err(Refusal::Forbidden) }
    }
}

/// The id at the end of a path; anything but a number is no path of this API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id(pub(super) u64);

impl FromRequestParts<Sandbox> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, sandbox: &Sandbox) -> Result<Self, Refusal> {
        let id = Path::<u64>::from_request_parts(parts, sandbox).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Refusal::NoSuchPath)
    }
}
