//! What work with Nix needs of the run it is part of.

use factory_base::run::Directories;

/// What a fetch needs, and where the checkout, the caches and the store lie.
pub trait Context: factory_fetch::Context + Directories {}

impl<T: factory_fetch::Context + Directories + ?Sized> Context for T {}
