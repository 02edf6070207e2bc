//! The secret that tokens are signed with, where no setting gives one: made once, kept in the data folder, for its owner's
//! eyes only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;

/// Beside the database.
pub(crate) const FILE: &str = "jwt-secret";
/// As many random bits as the hash has.
const RANDOM_BYTES: usize = 32;

/// A secret that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Reading or writing failed.
    #[error("{path} cannot be used ({reason}): give this user the right to, or set JWT_SECRET")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: io::ErrorKind,
    },
    /// It is not what was written.
    #[error("{0} is damaged: remove it, and everybody has to sign in again")]
    Damaged(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// The secret of a data folder; a new one if it has none.
///
/// # Errors
/// [`SecretError`].
pub fn kept_in(data_dir: &Path) -> Result<String, SecretError> {
    let path = data_dir.join(FILE);
    let failed = |error: io::Error| SecretError::File {
        path: path.clone(),
        reason: error.kind(),
    };
    match fs::read_to_string(&path) {
        Ok(secret) if secret.len() == 2 * RANDOM_BYTES => return Ok(secret),
        Ok(_) => return Err(SecretError::Damaged(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut bytes = [0_u8; RANDOM_BYTES];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| SecretError::Random)?;
    let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // Under another name first: half a secret is never found under this one.
    let begun = data_dir.join(format!("{FILE}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&begun)
        .map_err(failed)?;
    file.write_all(secret.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    fs::rename(&begun, &path).map_err(failed)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept_in(folder.path()).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(kept_in(folder.path()).unwrap(), first);
        let mode = fs::metadata(folder.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(matches!(kept_in(folder.path()), Err(SecretError::Damaged(_))));
    }
}
