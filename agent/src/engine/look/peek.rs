//! The beginning of a file: as few chunks of it as hold so many bytes.

use store::tree::{Content, Piece, PieceReader, What};

use crate::engine::dump::contents;
use crate::engine::glob::clean;
use crate::engine::job::{PEEK_BYTES_MAX, Peek, PeekJob, Run};
use crate::engine::overlay::Overlay;
use crate::engine::restore::Fetcher;
use crate::engine::view::Reading;
use crate::fault::{Code, Fault, Result};
use crate::name::for_terminal;
use store::seal::Sealer;

/// Bytes that decide whether it is text.
const SAMPLE_BYTES: usize = 8 << 10;

/// Reads the beginning of a regular file.
pub fn peek(run: &Run, job: &PeekJob) -> Result<Peek> {
    let reading = Reading::open(run)?;
    let peek = {
        let mut views = super::until(&reading, &job.at)?;
        let Some(view) = views.pop() else { return Ok(Peek::default()) };
        let path = clean(&view.path(&job.path));
        view.prepare(std::slice::from_ref(&path))?;
        let overlay = view.overlay();
        let most = job.bytes_most.min(PEEK_BYTES_MAX);
        beginning(&overlay, &path, most, &reading.account.sealer, &reading.account.remote)?
    };
    reading.close()?;
    Ok(peek)
}

fn beginning(overlay: &Overlay<'_>, path: &[u8], most: u64, sealer: &Sealer, fetcher: &dyn Fetcher) -> Result<Peek> {
    let found = overlay.need(path)?;
    let What::File { size, content, cut } = &found.entry.what else {
        return Err(Fault::new(Code::PathNone, format!("{} is no regular file", for_terminal(path))).path(path));
    };
    let mut pieces = Vec::new();
    let mut held = 0_u64;
    // Small contents stand in the entry itself.
    let content = match content {
        Content::Inline(_) | Content::Empty => content.clone(),
        _ => {
            let mut reader = PieceReader::new(overlay.nodes(), content, *size);
            while held < most {
                let Some(piece) = reader.next().transpose()? else { break };
                let piece = match piece {
                    // A hole may be longer than all memory.
                    Piece::Hole(len) => Piece::Hole(len.min(most - held)),
                    Piece::Zeros(len) => Piece::Zeros(len.min(most - held)),
                    data => data,
                };
                held = held.saturating_add(piece.len());
                pieces.push(piece);
            }
            match pieces.as_slice() {
                [Piece::Data { id, .. }] => Content::Chunk(*id),
                _ => Content::Pieces(pieces),
            }
        }
    };
    let held = if matches!(content, Content::Inline(_) | Content::Empty) { *size } else { held };
    let mut entry = found.entry.clone();
    entry.what = What::File { size: held, content, cut: *cut };
    let mut bytes = Vec::new();
    contents(overlay, vec![entry], sealer, fetcher, &mut bytes)?;
    bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let text = is_text(&bytes);
    Ok(Peek { bytes, size: *size, text })
}

/// Whether these bytes look like text. The last character may be cut.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    let sample = bytes.get(..SAMPLE_BYTES).unwrap_or(bytes);
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let whole = sample.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    // Escape sequences stand in logs; other control characters stand in no text.
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c' | '\x1b' | '\x08'))
}

#[cfg(test)]
mod tests {
    use store::tree::CutClass;

    use super::*;
    use crate::engine::overlay::tests::{Forest, entry, file};
    use crate::engine::restore::tests::{Vault, noise};

    #[test]
    fn text_is_told_from_the_rest() {
        for text in ["", "hello\n", "grüße\t日本", "\x1b[31mred\x1b[0m\r\n"] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        assert!(is_text("日本".as_bytes().split_last().unwrap().1), "the end may be cut");
        for bytes in [&b"a\0b"[..], b"\xff\xfe", b"\x01", b"a\xc3(b"] {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn only_the_chunks_at_the_beginning_are_asked_for() {
        let mut vault = Vault::new();
        let parts: Vec<Vec<u8>> = (0..9).map(|n| noise(1 << 20, n)).collect();
        let mut pieces: Vec<Piece> = parts.iter().map(|part| vault.data(part)).collect();
        vault.close_box();
        pieces.insert(1, Piece::Hole(1 << 40));
        let size = pieces.iter().map(Piece::len).sum();
        let large = entry(What::File { size, content: Content::Pieces(pieces), cut: CutClass::Cdc });
        let whole = vault.whole(b"small");
        vault.close_box();
        let forest = Forest::new(&[(
            "h",
            "/s",
            vec![("large", large), ("small", whole), ("in", file(b"inline")), ("no", file(b""))],
        )]);
        let overlay = forest.overlay();
        let peek = |path: &str, most| beginning(&overlay, path.as_bytes(), most, &vault.sealer, &vault).unwrap();
        let one = peek("/s/large", 1000);
        assert_eq!((one.bytes.as_slice(), one.size, one.text), (&parts[0][..1000], size, false));
        assert_eq!(vault.asked_for(), 1);
        let more = peek("/s/large", (1 << 20) + 10);
        assert_eq!(more.bytes, [parts[0].as_slice(), &[0; 10]].concat(), "a hole is as long as is asked for");
        for (path, bytes) in [("/s/small", &b"small"[..]), ("/s/in", b"inline"), ("/s/no", b"")] {
            let peeked = peek(path, 1000);
            assert_eq!(
                (peeked.bytes.as_slice(), peeked.size, peeked.text),
                (bytes, bytes.len() as u64, true),
                "{path}"
            );
        }
        assert_eq!(peek("/s/in", 3).bytes, b"inl");
        let fault = beginning(&overlay, b"/s", 10, &vault.sealer, &vault).unwrap_err();
        assert_eq!(fault.code, Code::PathNone);
    }
}
