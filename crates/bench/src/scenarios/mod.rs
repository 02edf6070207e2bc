//! One file a scenario.

pub(crate) mod baseline;
pub(crate) mod engine;
pub(crate) mod footprint;
pub(crate) mod growth;
pub(crate) mod storage;
