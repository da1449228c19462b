//! Where the lines of a shell are remembered: a file for each account, which nobody else can read. A line that begins with a
//! blank is not remembered.

use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::engine::state::private_dir;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;

/// Lines that are remembered.
pub const LINES_MAX: usize = 5_000;

/// The file of an account of a vault, made when it is not there yet.
pub fn file(state: &std::path::Path, vault: &str, account: &str) -> Result<PathBuf> {
    let dir = state.join("shell");
    let place = store::id::hex(blake3::hash(vault.as_bytes()).as_bytes().get(..4).unwrap_or_default());
    let clean: String =
        account.chars().map(|c| if c.is_alphanumeric() || "-._@".contains(c) { c } else { '_' }).take(100).collect();
    let path = dir.join(format!("{clean}-{place}.history"));
    let failed = |error: std::io::Error| {
        let name = for_terminal(path.as_os_str().as_encoded_bytes());
        Fault::new(Code::of(&error), format!("cannot remember lines in {name}")).because(error)
    };
    private_dir(&dir)?;
    let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
    // It may have been made by a hand that was less careful.
    made.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(failed)?;
    Ok(path)
}
