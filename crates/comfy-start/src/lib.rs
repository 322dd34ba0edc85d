//! Starts ComfyUI in its container.
//!
//! `comfy-start run` is PID 1. As root with `PUID` it hands `/root` over and becomes that user
//! for good ([`account`], [`handover`]); everything else happens as the user that ComfyUI has:
//! [`place`] finds the directories, [`fetch`] brings ComfyUI where the image has none, [`plan`]
//! and [`apply`] bring the volume to what the image holds and keep what is the user's,
//! [`preflight`] says what ComfyUI would say badly, and [`supervise`] runs it.

pub mod account;
pub mod apply;
pub mod apt;
pub mod arguments;
pub mod bundle;
pub mod byte_code;
pub mod cli;
pub mod entry;
pub mod error;
pub mod fetch;
pub mod files;
pub mod handover;
pub mod health;
pub mod kernels;
pub mod manager;
pub mod node;
pub mod notice;
pub mod place;
pub mod plan;
pub mod preflight;
pub mod prepare;
pub mod receipt;
pub mod run;
pub mod say;
pub mod scripts;
pub mod settings;
pub mod supervise;
