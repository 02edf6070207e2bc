//! What the system says of processes and files, and the binary that is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Problem;

pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// Resident memory of a process, in bytes, pages that it maps of files included.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64, Problem> {
    status_bytes(pid, "VmRSS:")
}

/// Resident memory that is the process's own, in bytes: without pages of files, which the system takes back when it wants to.
pub(crate) fn own_bytes(pid: u32) -> Result<u64, Problem> {
    status_bytes(pid, "RssAnon:")
}

fn status_bytes(pid: u32, name: &str) -> Result<u64, Problem> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or_else(|| format!("no {name} in /proc"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// CPU time of a process so far, user and system, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Problem> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Fields are counted behind the command's name, which may hold blanks.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |field: usize| -> Result<f64, Problem> {
        Ok(fields.get(field).ok_or("no times in /proc")?.parse::<f64>()?)
    };
    // Linux counts in hundredths of a second.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// Bytes of all files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64, Problem> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// The release binary of the server, built if it is not up to date.
pub(crate) fn waybill() -> Result<PathBuf, Problem> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--bin", "waybill"])
        .status()?;
    if !built.success() {
        return Err("the server's binary does not build".into());
    }
    let here = std::env::current_exe()?;
    Ok(here.with_file_name("waybill"))
}

/// A whole number as a figure.
#[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
pub(crate) fn as_figure(number: u64) -> f64 {
    number as f64
}
