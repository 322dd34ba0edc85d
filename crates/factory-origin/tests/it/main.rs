//! Tests of whole documents.
#![cfg(test)]

mod golden;
mod signing;
