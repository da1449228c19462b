//! Volumes of a vault. No key is needed, and none is used.

use transport::Class;
use transport::message::Request;

use super::admin::connect;
use super::job::{Run, VolumeAsk, VolumeTold};
use crate::fault::{Code, Fault, Result};

/// Does what is asked with volumes; what is told is handed over until the end.
pub fn volume(run: &Run, ask: VolumeAsk, row: &mut dyn FnMut(VolumeTold) -> Result<()>) -> Result<()> {
    let remote = connect(run)?;
    let call = remote.call(Class::Interactive, &Request::Volume(ask)).map_err(|error| remote.explain(&error))?;
    remote.end(&call)?;
    loop {
        match remote.reply(&call)? {
            VolumeTold::Done => return remote.close(),
            told => row(told)?,
        }
        if run.stop.asked() {
            return Err(Fault::new(Code::Interrupted, "the command was interrupted; run again, it goes on"));
        }
    }
}
