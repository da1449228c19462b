#!/usr/bin/env python3
"""Checks the known answers of the Rust code (store/tests/vectors.json) against this decoder, which knows only FORMAT.md.

    vectors.py VECTORS.json
"""

import base64
import json
import sys

import cbor2
import nacl.bindings
import nacl.signing
from argon2.low_level import Type, hash_secret_raw
from mnemonic import Mnemonic

import decode
from decode import PRODUCT, Keys, derive, group_clear, header, keyed, need, open_sealed, open_whole, padme, plain_hash, solid

CHECKED = 0


def same(what, ours, theirs):
    global CHECKED
    ours = ours.hex() if isinstance(ours, bytes) else ours
    need(ours == theirs, f"{what}: {ours} and not {theirs}")
    CHECKED += 1


def check_keys(vectors, root, keys):
    sevens = bytes([7] * 32)
    account = keys.account
    ours = {
        "account key": account,
        "domain key": sevens,
        "sealing key 1": sevens,
        "key-encryption key": keys.kek,
        "identity key": derive("identity key", root),
        "identity public key": bytes(keys.identity),
        "key-check value": keys.check,
        "chunk id": derive("chunk id", sevens),
        "gear table": derive("gear table", sevens, 2048),
        "box seal": derive("box seal", sevens),
        "node seal": derive("node seal", sevens),
    }
    for words in ["node id", "content id", "source id", "tag id", "page cut", "body seal", "cache seal"]:
        ours[words] = derive(words, account)
    for words in ["key-encryption key", "body seal", "cache seal", "box seal", "node seal"]:
        ours[f"{words} / nonce"] = derive("nonce", ours[words])
    for name, theirs in vectors["keys"].items():
        need(name in ours, f"keys: `{name}` is not known here")
        same(name, ours[name], theirs)


def check_ids(ids, keys):
    unhex = bytes.fromhex
    for chunk in ids["chunk id"]:
        same("chunk id", keyed(keys.chunk_id_key, unhex(chunk["content"])), chunk["id"])
    node = ids["node id"]
    refs = [[unhex(item) for item in node[of]] for of in ("chunks", "nodes")]
    same("node id", keys.node_id(*refs, unhex(node["plain"])), node["id"])
    same("content id", keyed(keys.content_id_key, unhex(ids["content id"]["hashed"])), ids["content id"]["id"])
    page = ids["page hash"]
    first = keyed(derive("page cut", keys.account), bytes([page["level"]]) + page["name"].encode())[:8]
    same("page hash", str(int.from_bytes(first, "little")), str(page["hash"]))
    source = ids["source id"]
    same("source id", keys.source_id(source["host"], unhex(source["path"])), source["id"])
    same("tag id", keys.tag_id(ids["tag id"]["tag"]), ids["tag id"]["id"])


def check_record(name, record, keys, chunks):
    """Opens it, and computes its nonce again from the constant chance."""
    h = header(record[:128])
    inline = record[128 : 128 + h.clear_len] if h.kind != decode.BOX else b""
    plain = open_sealed(h, record[128 + len(inline) :], keys)
    key = keys.for_record(h)
    nonce = keyed(derive("nonce", key), (96).to_bytes(4, "little") + record[:96] + bytes([7] * 16) + plain)[:24]
    same(f"{name}: nonce", nonce, h.nonce.hex())
    if h.kind == decode.BOX:
        found = solid(h, plain)
        need(found == chunks, f"{name}: other chunks")
        ids = b"".join(keyed(keys.chunk_id_key, chunk) for chunk in found)
        same(f"{name}: clear hash", plain_hash(ids), h.clear_hash.hex())
    else:
        same(f"{name}: clear hash", plain_hash(inline), h.clear_hash.hex())
    if h.kind == decode.GROUP:
        ((node, refs, below),) = group_clear(h, inline)
        (encoding,) = solid(h, plain)
        same(f"{name}: node id", keys.node_id(refs, below, encoding), node.hex())
    if h.kind == decode.VERSION_BODY:
        need(decode.version_sources(record, keys), f"{name}: no sources")
    if h.kind == decode.KEYRING_BODY:
        ring = cbor2.loads(plain)
        need(ring[0] == bytes([7] * 32) and ring[1][-1] == [1, bytes([7] * 32)], f"{name}: another keyring")


def check_chain(links, account, keys):
    link, certificate = bytes.fromhex(links["received link"]), bytes.fromhex(links["certificate"])
    device = nacl.signing.SigningKey(bytes.fromhex(links["device seed"])).verify_key
    same("device public key", bytes(device), links["device public key"])
    same("link id", plain_hash(link[:176]), links["link id"])
    same("chain hash", plain_hash(link[:264]), links["chain hash"])
    device.verify(link[:176], link[176:240])
    keys.identity.verify(f"{PRODUCT}device certificate".encode() + account + certificate[:-64], certificate[-64:])
    same("CRC of a link", decode.crc32c(link[:268]), int.from_bytes(link[268:], "little"))


def check_key_file(file, root, account):
    opened = json.loads(file["open key file"])
    same("open slot", base64.b64decode(opened["slots"][0]["secret"]), root.hex())
    slot = json.loads(file["passphrase slot"])
    get = lambda name: base64.b64decode(slot[name])
    cost = {"time_cost": slot["t"], "memory_cost": slot["m_kib"], "parallelism": slot["p"]}
    keys = hash_secret_raw(file["passphrase"].encode(), get("salt"), hash_len=64, type=Type.ID, **cost)
    same("commitment", keys[32:], get("commitment").hex())
    open_slot = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt
    same("passphrase slot", open_slot(get("sealed"), f"{PRODUCT}slot".encode() + account, get("nonce"), keys[:32]), root.hex())


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    root, account = bytes.fromhex(vectors["root secret"]), bytes.fromhex(vectors["account id"])
    same("words", bytes(Mnemonic("english").to_entropy(vectors["words"].split())), root.hex())
    keys = Keys(root)
    keys.add_keyring(bytes([7] * 32), [(1, bytes([7] * 32))])
    check_keys(vectors, root, keys)
    check_ids(vectors["ids"], keys)
    for length, padded in vectors["padme"]:
        same(f"Padmé of {length}", padme(length), padded)
    chunks = [bytes.fromhex(chunk["content"]) for chunk in vectors["ids"]["chunk id"]]
    for name, record in vectors["records"].items():
        stored = bytes.fromhex(record["record"])
        # A box on the wire has its clear part in line; where it is stored, it has not.
        h = header(stored[:128])
        if h.kind == decode.BOX and len(stored) == 128 + h.clear_len + h.sealed_len:
            stored = stored[:128] + stored[128 + h.clear_len :]
        same(f"{name}: ciphertext hash", plain_hash(stored), record["ciphertext hash"])
        check_record(name, stored, keys, chunks)
    check_chain(vectors["links"], account, keys)
    check_key_file(vectors["key file"], root, account)
    compressed = vectors["compressed box"]
    stored = bytes.fromhex(compressed["record"])
    h = header(stored[:128])
    need(h.codec == 1, "the compressed box is not compressed")
    stored = stored[:128] + stored[-h.sealed_len :]
    check_record("compressed box", stored, keys, [bytes.fromhex(compressed["chunk"])])
    print(f"{CHECKED} answers are the same")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except decode.Wrong as wrong:
        sys.exit(f"vectors.py: {wrong}")
