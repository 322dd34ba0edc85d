//! What cases share, made when the first of them needs it.

use std::cell::OnceCell;
use std::ops::Deref;

use anyhow::Result;

use super::dockerfile::Images;
use super::ground::{Ground, Wishes, get_or_try};
use super::podman::Podman;
use crate::ctx::Ctx;

/// A run of `bench`.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    // Dropped in this order: what is in the scratch directory before it.
    podman: OnceCell<Podman>,
    peers: OnceCell<Images>,
    ground: Ground<'a>,
}

impl<'a> Bench<'a> {
    /// # Errors
    /// The scratch directory cannot be made.
    pub(crate) fn new(ctx: &'a Ctx, wishes: &'a Wishes<'a>) -> Result<Self> {
        Ok(Self {
            podman: OnceCell::new(),
            peers: OnceCell::new(),
            ground: Ground::new(ctx, wishes)?,
        })
    }

    /// The storage of containers and images of this run.
    ///
    /// # Errors
    /// podman does not work here.
    pub(crate) fn podman(&self) -> Result<&Podman> {
        get_or_try(&self.podman, || Podman::new(self))
    }

    /// What a Dockerfile is built from.
    ///
    /// # Errors
    /// Something of the variant is not in the store.
    pub(crate) fn peers(&self) -> Result<&Images> {
        let podman = self.podman()?;
        get_or_try(&self.peers, || Images::new(self, podman))
    }
}

impl<'a> Deref for Bench<'a> {
    type Target = Ground<'a>;

    fn deref(&self) -> &Ground<'a> {
        &self.ground
    }
}
