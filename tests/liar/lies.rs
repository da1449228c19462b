//! The lies.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use minicbor::{Decode, Encode};
use store::door::RealDisk;
use store::id::{AccountId, DomainId, VaultId};
use store::pack::PackReader;
use store::record::{Record, RecordKind};
use transport::message::{
    AccountRow, Ack, Answered, BodyReply, Checked, Fetched, Finding, LinksReply, Opened, Outcome, Refusal, Reply,
    Request, Told, UpReply, decode, encode,
};

use crate::{Said, bytes};

/// Is asked about everything that the true server says, in order (`None`: it ends), and says what the client hears. False:
/// the call ends.
pub(crate) type Lie = Box<dyn Fn(&Request, usize, Option<Said>, &mut dyn FnMut(Said) -> bool) -> bool + Send + Sync>;

/// A reply, changed.
fn changed<T: Encode<()> + for<'b> Decode<'b, ()>>(message: &[u8], change: impl FnOnce(&mut T)) -> Vec<u8> {
    match decode::<Reply<T>>(message) {
        Ok(Reply::Done(mut reply)) => {
            change(&mut reply);
            encode(&Reply::Done(reply))
        }
        _ => message.to_vec(),
    }
}

fn is_opened(request: &Request) -> bool {
    matches!(request, Request::Open(_))
}

/// Lies in the one message that answers these requests.
fn reply<T: Encode<()> + for<'b> Decode<'b, ()>>(
    about: fn(&Request) -> bool,
    change: impl Fn(&mut T) + Send + Sync + 'static,
) -> Lie {
    Box::new(move |asked, _, said, say| match said {
        Some(Said::Message(message)) if about(asked) => say(Said::Message(changed(&message, &change))),
        Some(other) => say(other),
        None => true,
    })
}

fn opened(change: impl Fn(&mut Opened) + Send + Sync + 'static) -> Lie {
    reply(is_opened, change)
}

/// Lies in records.
fn records(about: fn(&Request) -> bool, change: impl Fn(Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static) -> Lie {
    Box::new(move |asked, _, said, say| match said {
        Some(Said::Record(record)) if about(asked) => match change(record) {
            Some(record) => say(Said::Record(record)),
            None => true,
        },
        Some(other) => say(other),
        None => true,
    })
}

fn below(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() { below(&entry.path(), out) } else { out.push(entry.path()) }
    }
    out.sort();
}

/// All records of a kind in the vault's packs.
fn stored(vault: &Path, kind: RecordKind) -> Vec<Vec<u8>> {
    let files = with_ending(vault, "pack");
    let readers = files.iter().map(|file| PackReader::open(&RealDisk, file).expect("a pack"));
    readers
        .flat_map(|reader| {
            let lines = reader.lines().iter().filter(|line| line.kind == kind);
            lines.map(|line| bytes(&reader.read(line).expect("a record"))).collect::<Vec<_>>()
        })
        .collect()
}

fn with_ending(vault: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    below(vault, &mut files);
    files.retain(|file| file.extension().is_some_and(|end| end == ending));
    files
}

/// Makes the sum of a received link right.
fn mend(link: &mut minicbor::bytes::ByteVec) {
    let sum = crc32c::crc32c(&link[..268]);
    link[268..272].copy_from_slice(&sum.to_le_bytes());
}

/// Lies in links wherever they are told.
fn chain_of(change: impl Fn(&mut Vec<minicbor::bytes::ByteVec>) + Send + Sync + 'static) -> Lie {
    Box::new(move |asked, _, said, say| match said {
        Some(Said::Message(message)) => say(Said::Message(match asked {
            Request::Open(_) => changed::<Opened>(&message, |opened| change(&mut opened.links)),
            Request::Links(_) => changed::<LinksReply>(&message, |reply| change(&mut reply.links)),
            _ => message,
        })),
        Some(other) => say(other),
        None => true,
    })
}

/// Lies in bodies wherever they are told: those that come along with the first answer do not.
fn bodies(change: impl Fn(Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync + 'static) -> Lie {
    Box::new(move |asked, _, said, say| match said {
        Some(Said::Message(message)) => say(Said::Message(match asked {
            Request::Open(_) => changed::<Opened>(&message, |opened| opened.bodies.clear()),
            Request::Bodies(_) => changed::<BodyReply>(&message, |reply| reply.body = change(reply.body.take())),
            _ => message,
        })),
        Some(other) => say(other),
        None => true,
    })
}

fn fetches(asked: &Request) -> bool {
    matches!(asked, Request::Fetch(_))
}

fn unders(asked: &Request) -> bool {
    matches!(asked, Request::Under(_))
}

const STEERS: &str = "\u{1b}]0;steered\u{7}\u{1b}[2J\n\r\u{202e}";

fn refusal(code: &str) -> Vec<u8> {
    let text = |what: &str| format!("{what} {STEERS}{}", "long ".repeat(1000));
    encode(&Reply::<()>::Refused(Refusal { code: code.into(), text: text("text"), hint: Some(text("hint")) }))
}

/// A lie by its name.
pub(crate) fn named(name: &str, vault: &Path) -> Lie {
    match name {
        "none" => records(fetches, Some),
        // ---- who answers -----------------------------------------------------------------------------------------
        "other-vault" => opened(|opened| opened.vault = VaultId::new([9; 16])),
        "other-account" => opened(|opened| opened.account.id = AccountId::new([9; 16])),
        "other-domain" => opened(|opened| opened.account.domain = DomainId::new([9; 16])),
        "changing-vault" => {
            let n = Mutex::new(0);
            opened(move |opened| {
                let mut n = n.lock().expect("a number");
                *n += 1;
                opened.vault = VaultId::new([*n; 16]);
            })
        }
        "no-key-check" => opened(|opened| opened.account.key_check = None),
        "steering-name" => opened(|opened| opened.account.name = format!("../../{STEERS}")),
        "steering-names" => reply::<Vec<AccountRow>>(
            |asked| matches!(asked, Request::Accounts(_)),
            |rows| rows.iter_mut().for_each(|row| row.name = format!("../../{STEERS}")),
        ),
        "steering-slots" => opened(|opened| {
            let slot = format!(
                r#"{{"id":"{}","kind":"passphrase","label":{},"created_at":1,"kdf":"argon2id","m_kib":4194304,"t":16,"p":16,"salt":"{}","commitment":"{}","nonce":"{}","sealed":"{}"}}"#,
                "00000001",
                "\"\\u001b[2Jlabel\"",
                "A".repeat(43) + "=",
                "A".repeat(43) + "=",
                "A".repeat(32),
                "A".repeat(64),
            );
            opened.account.slots = vec![slot];
        }),
        "bombs" => reply::<Vec<AccountRow>>(
            |asked| matches!(asked, Request::Accounts(_)),
            |rows| {
                let slot = format!(
                    r#"{{"id":"00000001","kind":"passphrase","label":"x","created_at":1,"kdf":"argon2id","m_kib":4194304,"t":16,"p":16,"salt":"{}","commitment":"{}","nonce":"{}","sealed":"{}"}}"#,
                    "A".repeat(43) + "=",
                    "A".repeat(43) + "=",
                    "A".repeat(32),
                    "A".repeat(64),
                );
                rows.iter_mut().for_each(|row| row.slots = vec![slot.clone(); 64]);
            },
        ),
        // ---- numbers ---------------------------------------------------------------------------------------------
        "earliest" => opened(|opened| opened.now_ms = i64::MIN),
        "latest" => opened(|opened| opened.now_ms = i64::MAX),
        "huge-head" => opened(|opened| {
            if let Some(head) = &mut opened.head {
                head.sequence = u64::MAX;
                head.marker = u64::MAX;
            }
        }),
        "no-head" => opened(|opened| opened.head = None),
        "huge-numbers" => opened(|opened| {
            opened.generation = u64::MAX;
            opened.free_bytes = Some(u64::MAX);
            opened.wanted = Some(u64::MAX);
        }),
        "huge-acks" | "huge-bytes" => {
            let all = name == "huge-acks";
            reply::<UpReply>(
                |asked| matches!(asked, Request::Upload(_)),
                move |reply| {
                    if let UpReply::Ack(ack) = reply {
                        *ack = Ack { records: if all { u64::MAX } else { ack.records }, stored_bytes: u64::MAX };
                    }
                },
            )
        }
        "huge-check" => Box::new(|asked, _, said, say| match said {
            Some(Said::Message(message)) if matches!(asked, Request::Check(_)) => {
                let told = |told: Told| Said::Message(encode(&Reply::Done(told)));
                let finding = Finding {
                    what: STEERS.into(),
                    place: STEERS.into(),
                    damage: true,
                    versions: vec![u64::MAX; 1000],
                    code: STEERS.into(),
                };
                say(told(Told::Progress { packs_done: u64::MAX, packs_total: 1, read_bytes: u64::MAX }));
                say(told(Told::Finding(finding)));
                say(Said::Message(changed::<Told>(&message, |told| {
                    if let Told::Done(done) = told {
                        *done = Checked {
                            packs: u64::MAX,
                            records: u64::MAX,
                            read_bytes: u64::MAX,
                            chunks: u64::MAX,
                            nodes: u64::MAX,
                            links: u64::MAX,
                            versions: u64::MAX,
                            notes: u64::MAX,
                            damages: u64::MAX,
                        };
                    }
                })))
            }
            Some(other) => say(other),
            None => true,
        }),
        // ---- chain -----------------------------------------------------------------------------------------------
        "latest-receipt" | "earliest-receipt" => {
            let at: i64 = if name == "latest-receipt" { i64::MAX } else { i64::MIN };
            let stamp = move |link: &mut minicbor::bytes::ByteVec| {
                // A receipt is the server's own word: only its sum has to be right.
                link[256..264].copy_from_slice(&at.to_le_bytes());
                mend(link);
            };
            opened(move |opened| {
                if let (Some(link), Some(head)) = (opened.links.last_mut(), &mut opened.head) {
                    stamp(link);
                    head.chain = store::chain::ReceivedLink::decode(link).expect("a link").chain_hash();
                }
            })
        }
        "last-link-gone" => opened(|opened| drop(opened.links.pop())),
        "links-turned" => opened(|opened| opened.links.reverse()),
        "links-spoiled" => opened(|opened| opened.links.iter_mut().for_each(|link| link[200] ^= 1)),
        "links-again" => opened(|opened| {
            let links = opened.links.clone();
            opened.links.extend(links);
        }),
        "bodies-gone" => bodies(|_| None),
        "bodies-swapped" => opened(|opened| {
            opened.bodies.reverse();
            if let Some(body) = opened.bodies.first_mut() {
                let last = body.len() - 1;
                body[last] ^= 1;
            }
        }),
        "other-body" => {
            // Another true body of the same account under the name that was asked for.
            let other =
                with_ending(vault, "body").into_iter().max_by_key(|file| fs::metadata(file).map_or(0, |m| m.len()));
            let other = fs::read(other.expect("a body")).expect("a body");
            bodies(move |_| Some(other.clone()))
        }
        "link-left-out" => chain_of(|links| {
            if links.len() > 2 {
                links.remove(links.len() - 2);
            }
        }),
        "link-for-its-neighbour" => chain_of(|links| {
            if let [.., before, last] = &mut links[..] {
                before.clone_from(last);
            }
        }),
        "link-of-another-kind" => chain_of(|links| {
            if let Some(last) = links.last_mut() {
                // The kind is signed.
                last[5] = if last[5] == 1 { 2 } else { 1 };
                mend(last);
            }
        }),
        "foreign-links" => {
            let foreign: Vec<Vec<u8>> =
                with_ending(vault, "link").iter().map(|file| fs::read(file).expect("a link")).collect();
            chain_of(move |links| {
                let ours = links.first().map(|link| link[24..40].to_vec()).unwrap_or_default();
                let others = foreign.iter().filter(|link| link[24..40] != ours);
                *links = others.map(|link| link.clone().into()).collect();
            })
        }
        "more-links" => reply::<LinksReply>(|asked| matches!(asked, Request::Links(_)), |reply| reply.more = true),
        // ---- records ---------------------------------------------------------------------------------------------
        "no-boxes" => records(fetches, |_| None),
        "no-boxes-said" => Box::new(|asked, _, said, say| match said {
            Some(Said::Record(_)) if fetches(asked) => true,
            Some(Said::Message(message)) if fetches(asked) => {
                say(Said::Message(changed::<Fetched>(&message, |fetched| fetched.missing = vec![7; 32 * 4096])))
            }
            Some(other) => say(other),
            None => true,
        }),
        "same-box" => {
            let other = stored(vault, RecordKind::Box).remove(0);
            records(fetches, move |_| Some(other.clone()))
        }
        "spoiled-boxes" => records(fetches, |mut record| {
            let last = record.len() - 1;
            record[last] ^= 1;
            Some(record)
        }),
        "boxes-of-groups" => {
            let other = stored(vault, RecordKind::Group).remove(0);
            records(fetches, move |_| Some(other.clone()))
        }
        "groups-gone" => records(unders, |_| None),
        "same-group" => {
            let other = stored(vault, RecordKind::Group).remove(0);
            records(unders, move |_| Some(other.clone()))
        }
        "spoiled-groups" => records(unders, |mut record| {
            let last = record.len() - 1;
            record[last] ^= 1;
            Some(record)
        }),
        "swapped-clear" => {
            // Right ids, wrong content: the ids of one group in front of what another one holds.
            let groups = stored(vault, RecordKind::Group);
            let first = Record::decode(&groups[0]).expect("a group");
            records(unders, move |record| {
                let mut mixed = Record::decode(&record).expect("a group");
                mixed.sealed.clone_from(&first.sealed);
                mixed.header.sealed_len = u32::try_from(mixed.sealed.len()).expect("a length");
                Some(bytes(&mixed))
            })
        }
        "endless-groups" | "endless-boxes" => {
            let (about, kind) = match name {
                "endless-groups" => (unders as fn(&Request) -> bool, RecordKind::Group),
                _ => (fetches as fn(&Request) -> bool, RecordKind::Box),
            };
            let all = stored(vault, kind);
            Box::new(move |asked, _, said, say| match said {
                Some(Said::Record(_)) if about(asked) => loop {
                    for record in &all {
                        if !say(Said::Record(record.clone())) {
                            return false;
                        }
                    }
                },
                Some(other) => say(other),
                None => true,
            })
        }
        "giant-record" => records(fetches, |mut record| {
            record[56..60].copy_from_slice(&u32::MAX.to_le_bytes());
            let sum = crc32c::crc32c(&record[..124]);
            record[124..128].copy_from_slice(&sum.to_le_bytes());
            Some(record)
        }),
        // ---- storing ---------------------------------------------------------------------------------------------
        "nothing-lacks" => reply::<Answered>(
            |asked| matches!(asked, Request::Ask(_)),
            |answered| {
                answered.chunks.fill(0);
                answered.nodes.fill(0);
            },
        ),
        "short-answers" => reply::<Answered>(
            |asked| matches!(asked, Request::Ask(_)),
            |answered| {
                answered.chunks.clear();
                answered.nodes.push(255);
            },
        ),
        "always-lacking" | "lacking-what-nobody-has" | "always-conflict" | "other-link" => {
            let name = name.to_owned();
            Box::new(move |asked, no, said, say| match said {
                Some(Said::Message(message)) if matches!(asked, Request::Upload(_)) && no > 0 => {
                    say(Said::Message(changed::<UpReply>(&message, |reply| {
                        if let UpReply::Outcome(outcome) = reply {
                            match (name.as_str(), &mut *outcome) {
                                ("always-lacking", _) => {
                                    *outcome = Outcome::Lacking { chunks: Vec::new(), nodes: Vec::new() };
                                }
                                ("lacking-what-nobody-has", _) => {
                                    *outcome = Outcome::Lacking { chunks: vec![5; 32 * 4096], nodes: vec![6; 33] };
                                }
                                ("always-conflict", _) => *outcome = Outcome::Conflict(None),
                                ("other-link", Outcome::Committed(committed)) => committed.link[100] ^= 1,
                                _ => {}
                            }
                        }
                    })))
                }
                Some(other) => say(other),
                None => true,
            })
        }
        // ---- words -----------------------------------------------------------------------------------------------
        "rubbish" => Box::new(|asked, _, said, say| match said {
            Some(_) if !is_opened(asked) => say(Said::Message(vec![0xff; 1000])),
            Some(other) => say(other),
            None => true,
        }),
        "silence" => Box::new(|asked, _, said, say| match said {
            Some(_) if !is_opened(asked) => false,
            Some(other) => say(other),
            None => true,
        }),
        refused => {
            let code = refused.strip_prefix("refuse:").expect("a lie").to_owned();
            Box::new(move |asked, _, said, say| match said {
                Some(_) if !is_opened(asked) || code == "open" => {
                    say(Said::Message(refusal(&code)));
                    false
                }
                Some(other) => say(other),
                None => true,
            })
        }
    }
}
