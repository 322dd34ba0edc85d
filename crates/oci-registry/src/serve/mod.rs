//! A read-only registry that serves images straight from the store: the pull part of the OCI
//! distribution specification 1.1.
//!
//! No tar is kept anywhere. A blob is written from its package trees while it is asked for, and
//! hashed on its way: the last part of wrong bytes is never sent. A range into the middle of a
//! blob is written from its start, too, and what was not asked for is dropped: that costs reading,
//! and no traffic.
//!
//! What can be read are the manifests, configs and blobs of the images that were named, looked up
//! in maps: a request never becomes the path of a file.

mod answer;
mod connection;
mod gate;
mod head;
mod images;
mod patient;
mod range;
mod route;
mod server;
mod stream;
mod tls;
mod users;
mod window;

pub use images::Images;
pub use server::{Limits, Observer, Server};
pub use tls::Tls;
pub use users::Users;
