//! The body of a device link: its certificate in the clear, its label sealed (FORMAT.md, 6.5).

use minicbor::{Decoder, Encoder};

use crate::error::{Error, Result};
use crate::record::{Record, RecordKind};
use crate::seal::Sealer;

use super::Certificate;

/// Longest label that is written, in bytes.
const LABEL_BYTES_MAX: usize = 1_024;

/// A body for a device link. `label` is for people, to tell devices apart; at most 1,024 bytes.
pub fn seal_device_body(sealer: &Sealer, certificate: &Certificate, label: &str) -> Result<Record> {
    if label.len() > LABEL_BYTES_MAX {
        let (found, most) = (label.len() as u64, LABEL_BYTES_MAX as u64);
        return Err(Error::Limit { what: "bytes of a device's label", found, most });
    }
    let mut plain = Vec::new();
    let written = Encoder::new(&mut plain).map(1).and_then(|e| e.u8(0)).and_then(|e| e.str(label)).map(|_| ());
    written.map_err(|_| Error::damaged("device body", "it cannot be written"))?;
    sealer.seal_body(RecordKind::DeviceBody, certificate.encode(), &plain)
}

/// Certificate and label of a device body.
pub fn open_device_body(sealer: &Sealer, record: &Record) -> Result<(Certificate, String)> {
    let certificate = certificate_of(record)?;
    let plain = sealer.open_body(record)?;
    let label = read_label(&plain).map_err(|_| Error::damaged("device body", "it is not the map that it must be"))?;
    Ok((certificate, label))
}

/// The certificate of a device body; needs no key. Nothing is believed of it before
/// [`verify`](Certificate::verify).
pub fn certificate_of(record: &Record) -> Result<Certificate> {
    if record.header.kind != RecordKind::DeviceBody {
        return Err(Error::damaged("device body", "it is another kind of record"));
    }
    record.check()?;
    Certificate::decode(&record.clear)
}

fn read_label(plain: &[u8]) -> Result<String, minicbor::decode::Error> {
    let mut d = Decoder::new(plain);
    let mut label = String::new();
    for _ in 0..d.map()?.unwrap_or(0) {
        match d.u32()? {
            0 => label = d.str()?.to_owned(),
            _ => d.skip()?,
        }
    }
    Ok(label)
}
