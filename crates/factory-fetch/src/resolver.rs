//! Asks for each host's address once per run.
//!
//! Hundreds of downloads from one mirror would ask hundreds of times; seen: a resolver that
//! loses some of many simultaneous questions, each of which then costs its five seconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The system's resolver behind a map.
#[derive(Debug, Default)]
pub(super) struct CachingResolver {
    system: DefaultResolver,
    known: Mutex<BTreeMap<String, Vec<SocketAddr>>>,
}

impl Resolver for CachingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let key = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority))
            .ok_or(ureq::Error::HostNotFound)?;
        // Held while asking, so that one thread asks and the others wait for its answer.
        let mut known = self.known.lock().map_err(|_| ureq::Error::HostNotFound)?;
        if let Some(found) = known.get(&key) {
            let mut addresses = self.empty();
            for address in found {
                addresses.push(*address);
            }
            return Ok(addresses);
        }
        let addresses = self.system.resolve(uri, config, timeout)?;
        known.insert(key, addresses.to_vec());
        Ok(addresses)
    }
}
