//! An account as one portable file: from a vault to a stream, and from a stream into a vault. The bytes are the server's;
//! here they only pass.

use std::io::{Read, Write};

use bytes::Bytes;
use store::archive::ARCHIVE_HEADER_BYTES;
use transport::message::Request;
use transport::{Class, Part};

use super::admin::connect;
use super::job::{Dumped, Load, LoadFrom, Loaded, Run};
use super::remote::take_reply;
use super::trouble::protocol;
use crate::fault::{Code, Fault, Result};

/// Read from a file at once.
const PIECE_BYTES: usize = 256 << 10;

/// Writes an account as an archive, and sees to it that all of it has come.
pub fn dump(run: &Run, which: &str, out: &mut dyn Write) -> Result<Dumped> {
    let remote = connect(run)?;
    let request = Request::Dump(super::job::Dump { which: which.to_owned() });
    let call = remote.call(Class::Bulk, &request).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0_u64);
    let failed = |e: std::io::Error| Fault::new(Code::of(&e), "cannot write the archive").because(e);
    loop {
        match call.recv().map_err(|error| remote.explain(&error))? {
            Some(Part::Data(data)) => {
                hasher.update(&data);
                bytes = bytes.saturating_add(data.len() as u64);
                out.write_all(&data).map_err(failed)?;
            }
            Some(Part::Message(message)) => {
                let dumped: Dumped = take_reply(&message)?;
                if dumped.bytes != bytes || dumped.hash.as_slice() != hasher.finalize().as_bytes() {
                    return Err(protocol("the archive that came is not the one that was sent"));
                }
                out.flush().map_err(failed)?;
                remote.close()?;
                return Ok(dumped);
            }
            None => return Err(protocol("an archive ended without its end")),
        }
        if run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "the dump was interrupted"));
        }
    }
}

/// Makes an account of an archive. What the vault has of it, from a load that was cut off, is not sent again.
pub fn load(run: &Run, ask: Load, from: &mut dyn Read) -> Result<Loaded> {
    let remote = connect(run)?;
    let unread = |e: std::io::Error| Fault::new(Code::of(&e), "cannot read the archive").because(e);
    let mut header = Vec::new();
    from.take(ARCHIVE_HEADER_BYTES as u64).read_to_end(&mut header).map_err(unread)?;
    let whole = header.len() == ARCHIVE_HEADER_BYTES;
    // Something shorter is no archive, which the server says.
    let ask = Load { resumes: whole.then_some(true), ..ask };
    let call = remote.call(Class::Bulk, &Request::Load(ask)).map_err(|error| remote.explain(&error))?;
    call.send_data(Bytes::from(header)).map_err(|error| remote.explain(&error))?;
    if whole {
        let LoadFrom { offset } = remote.reply(&call)?;
        let most = offset.saturating_sub(ARCHIVE_HEADER_BYTES as u64);
        std::io::copy(&mut from.take(most), &mut std::io::sink()).map_err(unread)?;
    }
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let got = match from.read(&mut piece) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.map_err(unread)?,
        };
        if got == 0 {
            break;
        }
        let some = piece.get(..got).unwrap_or_default();
        match call.send_data(Bytes::copy_from_slice(some)) {
            // The server has said why before the end: it is still to be read.
            Err(transport::Error::Ended) => break,
            other => other.map_err(|error| remote.explain(&error))?,
        }
        if run.stop.asked() {
            let text = "the load was interrupted; nothing of it is to be seen in the vault";
            return Err(Fault::new(Code::Interrupted, text).hint("the same command goes on where this one was"));
        }
    }
    remote.end(&call)?;
    let loaded = remote.reply(&call)?;
    remote.close()?;
    Ok(loaded)
}
