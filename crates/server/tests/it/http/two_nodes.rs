//! Two nodes over one database: what holds for one holds for two.

mod accounts;
mod clocks;
mod orders;
mod versions;
