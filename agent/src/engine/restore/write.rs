//! Last stage: opens boxes and writes files, on all cores.

use std::io;
use std::sync::{Arc, PoisonError};

use store::record::Record;
use store::seal::Scratch;
use store::tree::{Content, What};

use super::flow::{Flow, Work, about, damaged};
use super::item::{First, Item};
use super::lost::Lost;
use super::window::{Use, Window};
use crate::engine::job::Overwrite;
use crate::engine::queue::lock;
use crate::fault::{Code, Fault, Result};
use crate::profile::did;
use crate::target::{NewFile, Origin, TargetDir, make_hard_link, make_node, make_symlink};

/// The stage: one worker.
pub fn run(flow: &Flow<'_>) -> Result<()> {
    let mut scratch = Scratch::new();
    while let Some(work) = flow.work.pop() {
        match work {
            Work::Box(record, window, _permit) => {
                did(1, record.stored_len() as u64);
                write_box(flow, &mut scratch, &record, &window);
                flow.window_ended(&window);
            }
            Work::Items(items) => {
                did(items.len(), 0);
                items.iter().for_each(|item| write_item(flow, item));
            }
            Work::Links(first, items) => {
                did(items.len(), 0);
                items.iter().for_each(|item| link(flow, &first, item));
            }
        }
        flow.progress();
    }
    Ok(())
}

/// Opens a box and gives its chunks to all who wait for them.
fn write_box(flow: &Flow<'_>, scratch: &mut Scratch, record: &Record, window: &Window) {
    let opened = record.chunk_ids().and_then(|ids| {
        // Came for another window already, or across a border.
        if flow.wants.any(&ids) { flow.sealer.open_box(scratch, record).map(Some) } else { Ok(None) }
    });
    let opened = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return,
        Err(error) => {
            let ids = record.chunk_ids().unwrap_or_default();
            for missing in flow.wants.take_missing(window, &ids) {
                flow.piece_lost(&missing, damaged("its data is damaged in the vault").because(&error));
            }
            return;
        }
    };
    let uses = flow.wants.take(&opened.ids);
    for ((_, chunk), uses) in opened.chunks().zip(uses) {
        for wanted in uses {
            write_chunk(flow, &wanted, chunk);
            flow.part_done(&wanted.item);
        }
    }
}

fn write_chunk(flow: &Flow<'_>, wanted: &Use, chunk: &[u8]) {
    let item = &wanted.item;
    if item.has_failed() || flow.has_failed() {
        return;
    }
    if chunk.len() != wanted.len as usize {
        item.fail(damaged("a part of it has another length than its entry says"));
        return;
    }
    if let Err(error) = with_file(flow, item, |file| file.write_at(chunk, wanted.offset)) {
        item.fail(super::flow::failure(&item.path(), error));
    }
}

/// Calls `work` with the file, which is made when it is not open yet.
fn with_file(flow: &Flow<'_>, item: &Item, work: impl FnOnce(&NewFile) -> io::Result<()>) -> io::Result<()> {
    if let Some(file) = &*item.file.read().unwrap_or_else(PoisonError::into_inner) {
        return work(file);
    }
    let mut slot = item.file.write().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        let dir = flow.places.open(&item.place)?;
        let name = &item.entry.name;
        *slot = Some(match flow.options.overwrite {
            // The next run knows what is half by its time, and writes it again …
            Overwrite::Always | Overwrite::IfChanged if !flow.options.with_holes => {
                NewFile::create(&dir, name, item.replace)?
            }
            // … but for these, and for a file with holes, what stands there stands there.
            _ => NewFile::create_aside(&dir, name, item.replace)?,
        });
    }
    slot.as_ref().map_or(Ok(()), work)
}

/// All pieces of a file are written, or failed.
pub fn finish_file(flow: &Flow<'_>, item: &Arc<Item>) {
    if flow.has_failed() {
        // What is not finished goes away again.
        drop(take_file(item));
        return flow.item_ended(item);
    }
    if let Some(fault) = item.trouble().or_else(|| not_with_holes(item)) {
        drop(take_file(item));
        names_failed(flow, item);
        return failed(flow, item, fault);
    }
    let outcome = with_file(flow, item, |file| {
        for (offset, len) in &*lock(&item.zeros) {
            // Allocating is a courtesy: a hole reads the same.
            file.write_zeros(*offset, *len).unwrap_or_default();
        }
        Ok(())
    })
    .and_then(|()| {
        let file = take_file(item).ok_or(io::ErrorKind::NotFound)?;
        let identity = item.names.is_some().then(|| file.identity()).transpose()?;
        file.finish(&item.entry, &flow.rights).map(|faults| (faults, identity))
    });
    match outcome {
        Ok((faults, identity)) => {
            if let (Some(names), Some(identity)) = (&item.names, identity) {
                let (place, name, lost) = (Arc::clone(&item.place), item.entry.name.clone(), lock(&item.lost).clone());
                let first = Arc::new(First { place, name, identity, lost, kept: None });
                let waiting = names.there(Arc::clone(&first));
                waiting.iter().for_each(|item| link(flow, &first, item));
            }
            flow.item_done(item, Ok(faults));
        }
        Err(error) => {
            drop(take_file(item));
            names_failed(flow, item);
            flow.item_done(item, Err(error));
        }
    }
}

/// Why a file of which something is lost is not written, not even with holes.
fn not_with_holes(item: &Item) -> Option<Fault> {
    let lost = lock(&item.lost);
    if lost.is_empty() {
        None
    } else if item.file.read().unwrap_or_else(PoisonError::into_inner).is_none() {
        // A file of nothing but zeros is of no use, and would hide that there is none.
        Some(damaged("nothing of its data can be read in the vault"))
    } else {
        item.replace.then(|| stays(item, &lost))
    }
}

/// What stands there is never given for something with holes, whatever `--overwrite` says.
fn stays(item: &Item, lost: &Lost) -> Fault {
    let text = format!("{}; what stands there is left as it is", lost.told(item.size()));
    Fault::new(Code::DataDamaged, text)
        .hint("with zeros in their place, beside it: --with-holes --overwrite keep-both, or --with-holes --to DIR")
}

fn take_file(item: &Item) -> Option<NewFile> {
    item.file.write().unwrap_or_else(PoisonError::into_inner).take()
}

/// Tells of a failure that is not the system's.
fn failed(flow: &Flow<'_>, item: &Arc<Item>, fault: Fault) {
    let path = item.path();
    let fault = if fault.path.is_some() { fault } else { about(&path, fault) };
    flow.item_failed(item, fault);
    flow.item_ended(item);
}

/// Those who waited for a name that failed are written by themselves.
fn names_failed(flow: &Flow<'_>, item: &Item) {
    if let Some(names) = &item.names {
        names.failed().into_iter().for_each(|item| flow.item_late(item));
    }
}

/// Writes what needs no chunks.
fn write_item(flow: &Flow<'_>, item: &Arc<Item>) {
    if let What::File { content, .. } = &item.entry.what {
        if let Content::Inline(bytes) = content
            && let Err(error) = with_file(flow, item, |file| file.write_at(bytes, 0))
        {
            item.fail(super::flow::failure(&item.path(), error));
        }
        return flow.part_done(item);
    }
    let outcome = flow.places.open(&item.place).and_then(|dir| {
        let faults = make_special(flow, &dir, item)?;
        let there = if item.names.is_some() { dir.existing(&item.entry.name)? } else { None };
        Ok((faults, there))
    });
    match outcome {
        Ok((faults, there)) => {
            match (&item.names, there) {
                (Some(names), Some(there)) if there.kind == item.entry.what.kind() => {
                    let (place, name) = (Arc::clone(&item.place), item.entry.name.clone());
                    let first =
                        Arc::new(First { place, name, identity: there.identity(), lost: Lost::default(), kept: None });
                    names.there(Arc::clone(&first)).iter().for_each(|item| link(flow, &first, item));
                }
                _ => names_failed(flow, item),
            }
            flow.item_done(item, Ok(faults));
        }
        Err(error) => {
            names_failed(flow, item);
            flow.item_done(item, Err(error));
        }
    }
}

fn make_special(flow: &Flow<'_>, dir: &TargetDir, item: &Item) -> io::Result<Vec<Fault>> {
    let (name, entry) = (&item.entry.name, &item.entry);
    match entry.what {
        What::Symlink(_) => make_symlink(dir, name, entry, &flow.rights, item.replace),
        _ => make_node(dir, name, entry, &flow.rights, item.replace),
    }
}

/// Gives an item the file of another name; where that is not possible it is written by itself, later.
fn link(flow: &Flow<'_>, first: &First, item: &Arc<Item>) {
    if !flow.is_right(first) {
        return flow.item_late(Arc::clone(item));
    }
    if item.replace && !first.lost.is_empty() {
        return failed(flow, item, stays(item, &first.lost));
    }
    let linked = flow.places.open(&first.place).and_then(|from| {
        let to = flow.places.open(&item.place)?;
        let origin = Origin { dir: &from, name: &first.name, identity: Some(first.identity) };
        make_hard_link(origin, &to, &item.entry.name, item.replace)
    });
    match linked {
        Ok(()) => {
            lock(&item.lost).clone_from(&first.lost);
            flow.item_done(item, Ok(Vec::new()));
        }
        Err(_) => flow.item_late(Arc::clone(item)),
    }
}
