//! What a fetch needs of the run it is part of.

use factory_base::run::{Network, Run};

/// To say what it does, to be stopped, and to know whether the network may be used.
pub trait Context: Run + Network {}

impl<T: Run + Network + ?Sized> Context for T {}
