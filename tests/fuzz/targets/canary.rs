//! A decoder with a mistake, which must be found: proof that the search sees.

use super::{NO_WORDS, Target};

pub(super) const TARGETS: &[Target] =
    &[Target { name: "canary", run, seeds: || vec![encode(&[b"one", b"two", b"three"])], words: NO_WORDS }];

fn encode(items: &[&[u8]]) -> Vec<u8> {
    let mut out = b"TBXC".to_vec();
    out.push(items.len() as u8);
    for item in items {
        out.extend_from_slice(&(item.len() as u16).to_le_bytes());
        out.extend_from_slice(item);
    }
    out
}

/// Magic, count, items with their lengths. The lengths are checked, but for an item that ends one byte late.
fn run(bytes: &[u8]) {
    let Some(rest) = bytes.strip_prefix(b"TBXC") else { return };
    let Some((count, mut rest)) = rest.split_first() else { return };
    for _ in 0..*count {
        let Some((len, tail)) = rest.split_first_chunk::<2>() else { return };
        let len = usize::from(u16::from_le_bytes(*len));
        if len > tail.len() + 1 {
            return;
        }
        rest = &tail[len..];
    }
}
