//! Blobs that a sibling has: another repository of the same registry. They are mounted, and
//! nothing is sent (OCI distribution specification 1.1, "Mounting a blob from another
//! repository").

use anyhow::Result;
use comfy_image::Digest;
use ureq::http::StatusCode;

use super::address::{Sibling, base_of};
use super::registry::Registry;
use super::session::Content;
use factory_fetch::retry::Stop;

impl Registry<'_> {
    /// Looks for blobs in these repositories too, `HOST/NAME` each, in this order. Those of
    /// another registry are left out, and so is this one.
    ///
    /// # Errors
    /// One is no name of a repository.
    pub fn with_siblings(mut self, names: &[String]) -> Result<Self> {
        for name in names {
            let base = base_of(name)?;
            let is_other = base.path() != self.session.base().path();
            if base.origin() == self.session.base().origin() && is_other {
                let path = base.path().trim_start_matches("/v2/");
                let name = path.trim_end_matches('/').to_owned();
                self.session.add_scope(&name);
                self.siblings.push(Sibling { name, base });
            }
        }
        Ok(self)
    }

    /// Takes a blob from a sibling that has it. What a sibling refuses is no failure: the blob
    /// is sent then, as without siblings.
    ///
    /// # Errors
    /// The registry does not answer.
    pub fn mount_blob(&self, digest: &Digest) -> Result<bool> {
        for sibling in &self.siblings {
            if self.lies_in(sibling, digest)? && self.mount(sibling, digest)? {
                self.remember(*digest)?;
                self.count_mounted();
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lies_in(&self, sibling: &Sibling, digest: &Digest) -> Result<bool> {
        let url = self.below(&sibling.base, &format!("blobs/{digest}"))?;
        let found = self.retry(&|| or_refused(self.session.send("HEAD", &url, &[], None)))?;
        Ok(found.is_some_and(|status| status.is_success() || status.is_redirection()))
    }

    fn mount(&self, sibling: &Sibling, digest: &Digest) -> Result<bool> {
        let mut url = self.url("blobs/uploads/")?;
        url.query_pairs_mut()
            .append_pair("mount", &digest.to_string())
            .append_pair("from", &sibling.name);
        let answer = self.retry(&|| {
            let mut nothing = std::io::empty();
            let content = Some(Content::new(&mut nothing, 0));
            or_refused(self.session.send("POST", &url, &[], content))
        })?;
        // 202 begins an upload instead, which the registry forgets when nothing comes.
        Ok(answer == Some(StatusCode::CREATED))
    }
}

/// The status of an answer; none where the registry does not let us.
fn or_refused<B>(
    answer: Result<ureq::http::Response<B>, Stop>,
) -> Result<Option<StatusCode>, Stop> {
    match answer {
        Ok(response) => Ok(Some(response.status())),
        Err(Stop::Request(failure)) if matches!(failure.status, Some(401 | 403)) => Ok(None),
        Err(stop) => Err(stop),
    }
}
