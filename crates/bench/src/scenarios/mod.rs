//! One file a scenario.

pub(crate) mod baseline;
pub(crate) mod engine;
pub(crate) mod footprint;
pub(crate) mod growth;
pub(crate) mod ingest_batch;
pub(crate) mod ingest_ndjson;
pub(crate) mod ingest_single;
pub(crate) mod live;
pub(crate) mod live_ingest;
pub(crate) mod postgres;
pub(crate) mod read;
pub(crate) mod singly;
pub(crate) mod storage;
pub(crate) mod timers;
pub(crate) mod visible;
