//! Replaying recorded histories: what to send ([`olist`]), sending it ([`replay`]), and what to ([`Target`]).

mod in_process;
mod limits;
pub mod olist;
mod over_http;
mod pace;
mod run;
mod share;
mod target;

pub use in_process::{InProcess, tracking_number};
pub use limits::{BATCH_STEPS, CONNECTIONS};
pub use over_http::OverHttp;
pub use pace::{BadSpeed, Speed};
pub use run::{ReplayError, Summary, replay};
pub use target::{Creation, Effort, Reported, Target};
