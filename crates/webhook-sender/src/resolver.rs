//! Resolves names to public addresses only.

use crate::addresses::is_public;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;
use tower::Service;

/// The system's resolver, without what it finds in private networks.
#[derive(Clone, Debug)]
pub(crate) struct PublicResolver {
    system: GaiResolver,
    allow_private: bool,
}

impl PublicResolver {
    pub(crate) fn new(allow_private: bool) -> Self {
        Self { system: GaiResolver::new(), allow_private }
    }
}

impl Service<Name> for PublicResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (text, allow_private) = (name.as_str().to_owned(), self.allow_private);
        let found = self.system.call(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            let is_allowed = |address: &SocketAddr| allow_private || is_public(address.ip());
            let allowed: Vec<SocketAddr> = found.into_iter().filter(is_allowed).collect();
            if allowed.is_empty() {
                let reason = format!("{text} has no public address; webhooks.allow_private_addresses allows others");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
            }
            Ok(allowed.into_iter())
        })
    }
}
