#!/usr/bin/env python3
"""Restores the newest version of a vault without any code of tuckbox, from store/FORMAT.md alone.

    decode.py VAULT OUT < WORDS

reads the 24 recovery words from standard input, verifies the chain, and writes every source below OUT with its full path.
It uses neither the catalog nor any index: only packs, links and bodies. What is wrong ends it with a sentence.
"""

import json
import os
import stat
import struct
import sys
from collections import namedtuple
from functools import lru_cache

import blake3
import cbor2
import nacl.bindings
import nacl.exceptions
import nacl.signing
import zstandard
from mnemonic import Mnemonic

PRODUCT = "tuckbox 2026-11 "
BOX, GROUP, VERSION_BODY, KEYRING_BODY, DEVICE_BODY = 1, 2, 16, 17, 18
KEK_ID = 0xFFFFFFFF


class Wrong(Exception):
    """The vault is not as FORMAT.md says."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


# ---- 2. Keys and ids --------------------------------------------------------------------------------------------------


def derive(words, key, length=32):
    return blake3.blake3(key, derive_key_context=PRODUCT + words).digest(length=length)


def keyed(key, data):
    return blake3.blake3(data, key=key).digest()


def plain_hash(data):
    return blake3.blake3(data).digest()


class Keys:
    """Everything that comes from the root secret; the keyring is added when it is known."""

    def __init__(self, root):
        self.kek = derive("key-encryption key", root)
        self.account = derive("account key", root)
        self.identity = nacl.signing.SigningKey(derive("identity key", root)).verify_key
        self.check = derive("key-check value", root)[:16]
        self.node_id_key, self.content_id_key = derive("node id", self.account), derive("content id", self.account)
        self.source_id_key, self.tag_id_key = derive("source id", self.account), derive("tag id", self.account)
        self.chunk_id_key, self.sealing = None, {}

    @classmethod
    def from_words(cls, text):
        return cls(bytes(Mnemonic("english").to_entropy(text.split())))

    def add_keyring(self, domain_key, sealing):
        self.chunk_id_key, self.sealing = derive("chunk id", domain_key), dict(sealing)

    def for_record(self, header):
        if header.key_id == KEK_ID:
            return self.kek
        if header.key_id == 0:
            return derive("body seal", self.account)
        need(header.key_id in self.sealing, f"sealing key {header.key_id} is not in the keyring")
        return derive("box seal" if header.kind == BOX else "node seal", self.sealing[header.key_id])

    def node_id(self, chunks, nodes, plain):
        counts = struct.pack("<II", len(chunks), len(nodes))
        return keyed(self.node_id_key, counts + b"".join(chunks) + b"".join(nodes) + plain)

    def source_id(self, host, path):
        host = host.encode()
        return keyed(self.source_id_key, struct.pack("<I", len(host)) + host + path)[:16]

    def tag_id(self, tag):
        return keyed(self.tag_id_key, tag.encode())[:16]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Reader:
    """Bytes from front to end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        need(self.at + length <= len(self.data), "something ends too early")
        self.at += length
        return self.data[self.at - length : self.at]

    def varint(self):
        value, shift = 0, 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need(value < 1 << 64 and (byte or shift == 7), "a varint is not in its shortest form")
                return value
            need(shift < 70, "a varint is too long")

    def zigzag(self):
        n = self.varint()
        return n >> 1 ^ -(n & 1)

    def counted(self):
        return self.take(self.varint())

    @property
    def done(self):
        return self.at == len(self.data)


# ---- 3. Records -------------------------------------------------------------------------------------------------------

Header = namedtuple(
    "Header", "magic version kind seal codec hash flags zero key_id domain account items clear_len sealed_len zero2 clear_hash nonce zero3 crc raw"
)


def header(raw):
    h = Header(*struct.unpack("<4sBBBBBBHI16s16sIIII32s24sII", raw), raw)
    need(h.magic == b"TBXR" and h.version == 1 and h.seal == 1 and h.hash == 1 and h.codec in (0, 1), "not a record of format 1")
    need(h.crc == crc32c(raw[:124]), "the CRC of a record's header is wrong")
    need(h.zero == h.zero2 == h.zero3 == 0 and h.flags & ~1 == 0, "reserved bytes of a record's header are not zero")
    return h


def open_sealed(h, sealed, keys):
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, h.raw[:96], h.nonce, keys.for_record(h))
    except nacl.exceptions.CryptoError:
        raise Wrong("a record does not open with its key") from None


def open_whole(record, keys, kind):
    """A record whose clear part is in line: its header, clear part and plain text."""
    h = header(record[:128])
    clear, sealed = record[128 : 128 + h.clear_len], record[128 + h.clear_len :]
    need(h.kind == kind and len(sealed) == h.sealed_len, "a record has another kind or length than it should")
    need(plain_hash(clear) == h.clear_hash, "the clear part of a record was altered")
    return h, clear, open_sealed(h, sealed, keys)


def padme(length):
    if length < 2:
        return length
    e = length.bit_length() - 1
    step = 1 << (e - e.bit_length())
    return (length + step - 1) // step * step


def solid(h, plain):
    """The items of a solid body."""
    reader = Reader(plain)
    coded_len, body_len = struct.unpack("<II", reader.take(8))
    lengths = [reader.varint() for _ in range(h.items)]
    body = reader.take(coded_len)
    rest = plain[reader.at :]
    need(not any(rest), "the padding is not zeros")
    need(len(plain) == (padme(reader.at) if h.flags & 1 else reader.at), "the padding has another length than Padmé says")
    if h.codec == 1:
        body = zstandard.ZstdDecompressor().decompress(body, max_output_size=body_len)
    need(len(body) == body_len == sum(lengths), "the items of a body are not as long as it says")
    reader = Reader(body)
    return [bytes(reader.take(length)) for length in lengths]


def group_clear(h, clear):
    """Node ids with their references, from the clear part of a group."""
    reader, nodes = Reader(clear), []
    for _ in range(h.items):
        node = reader.take(32)
        chunks, below = struct.unpack("<II", reader.take(8))
        nodes.append((node, [reader.take(32) for _ in range(chunks)], [reader.take(32) for _ in range(below)]))
    need(reader.done, "the clear part of a group is too long")
    return nodes


# ---- 4. Packs ---------------------------------------------------------------------------------------------------------

Place = namedtuple("Place", "path offset length kind hash ids session")


def pack_places(path):
    """What lies where in a pack, from its footer."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(128)
        file.seek(size - 64)
        trailer = file.read(64)
        magic, count, offset, length, digest, _, crc = struct.unpack("<4sIQQ32sII", trailer)
        need(magic == b"TBXT" and crc == crc32c(trailer[:60]), f"{path}: no trailer")
        file.seek(offset)
        footer = file.read(length)
    need(head[:5] == b"TBXP\x01" and crc32c(head[:124]) == struct.unpack("<I", head[124:])[0], f"{path}: no pack")
    need(head[16:20] == b"\0\0\0\0", f"{path}: made by a newer program")
    need(plain_hash(head + footer) == digest and offset + length + 64 == size, f"{path}: the footer is damaged")
    (session,) = struct.unpack("<Q", head[88:96])
    reader = Reader(footer)
    need(reader.take(4) == b"TBXF" and struct.unpack("<I", reader.take(4))[0] == count, f"{path}: no footer")
    for _ in range(count):
        at, stored, kind = struct.unpack("<QIB3x", reader.take(16))
        digest, (items,) = reader.take(32), struct.unpack("<I", reader.take(4))
        yield Place(path, at, stored, kind, digest, [reader.take(32) for _ in range(items)], session)
    need(reader.done, f"{path}: the footer is too long")


class Packs:
    """All chunks and nodes of a domain, found by reading every footer."""

    def __init__(self, directories, keys):
        self.keys, self.chunks, self.nodes = keys, {}, {}
        for folder, _, files in (found for directory in directories for found in os.walk(directory)):
            for name in (name for name in files if name.endswith(".pack")):
                for place in pack_places(os.path.join(folder, name)):
                    index = {BOX: self.chunks, GROUP: self.nodes}.get(place.kind, {})
                    for item in place.ids:
                        index.setdefault(item, []).append(place)

    def find(self, index, item, opener):
        """The item from the place that is in force: undamaged, highest session number, lowest ciphertext hash."""
        wrong = Wrong(f"{item.hex()} is nowhere")
        for place in sorted(index.get(item, []), key=lambda place: (-place.session, place.hash)):
            try:
                return opener(self, place.path, place.offset, place.length, place.hash, tuple(place.ids))[item]
            except Wrong as found:
                wrong = found
        raise wrong

    def chunk(self, item):
        return self.find(self.chunks, item, Packs.open_box)

    def node(self, item):
        return self.find(self.nodes, item, Packs.open_group)

    @staticmethod
    def stored(path, offset, length, digest):
        with open(path, "rb") as file:
            file.seek(offset)
            record = file.read(length)
        need(plain_hash(record) == digest, f"{path}: the record at {offset} is damaged")
        return record

    @lru_cache(maxsize=8)
    def open_box(self, path, offset, length, digest, ids):
        record = self.stored(path, offset, length, digest)
        h, clear = header(record[:128]), b"".join(ids)
        need(plain_hash(clear) == h.clear_hash and h.clear_len == len(clear), "a footer names other chunks than its box")
        chunks = dict(zip(ids, solid(h, open_sealed(h, record[128:], self.keys)), strict=True))
        for item, content in chunks.items():
            need(keyed(self.keys.chunk_id_key, content) == item, "a chunk is not what its id says")
        return chunks

    @lru_cache(maxsize=64)
    def open_group(self, path, offset, length, digest, ids):
        h, clear, plain = open_whole(self.stored(path, offset, length, digest), self.keys, GROUP)
        nodes = {}
        for (node, chunks, below), encoding in zip(group_clear(h, clear), solid(h, plain), strict=True):
            need(self.keys.node_id(chunks, below, encoding) == node, "a node is not what its id says")
            nodes[node] = (chunks, below, encoding)
        need(tuple(nodes) == ids, "a footer names other nodes than its group")
        return nodes


# ---- 5. Nodes ---------------------------------------------------------------------------------------------------------

KINDS = ["file", "directory", "symlink", "fifo", "socket", "character", "block"]
PAGE, INDEX, LIST_PAGE, LIST_INDEX, ROOT = 1, 2, 3, 4, 5
KNOWN = {*range(0x01, 0x0C), *range(0x0D, 0x17), *range(0x60, 0x67)}


class Node:
    """One node, taken apart into columns."""

    def __init__(self, packs, node):
        self.packs = packs
        self.chunk_refs, self.node_refs, plain = packs.node(node)
        reader = Reader(plain)
        version, self.kind = reader.take(2)
        need(version == 1 and 1 <= self.kind <= 5, "a node of another version or kind")
        self.count = reader.varint()
        hashed, self.columns, last = [bytes([self.kind]), plain[2 : reader.at]], {}, 0
        while not reader.done:
            start = reader.at
            (tag,) = reader.take(1)
            content, tag, must = reader.counted(), tag & 0x7F, tag & 0x80
            need(tag > last, "columns are out of order")
            need(tag in KNOWN or not must, f"column {tag:#x} must be understood")
            self.columns[tag], last = content, tag
            if tag < 0x60 and tag != 0x11:
                hashed.append(plain[start : reader.at])
        self.content_id = keyed(packs.keys.content_id_key, b"".join(hashed + self.chunk_refs))
        self.expected = {"chunk": 0, "node": 0}

    def column(self, tag, count, read, default):
        """A column with one value for each of `count` things."""
        if tag not in self.columns:
            return [default] * count
        reader = Reader(self.columns[tag])
        values = [read(reader) for _ in range(count)]
        need(reader.done, f"column {tag:#x} is too long")
        return values

    def sparse(self, tag, read):
        if tag not in self.columns:
            return {}
        reader, values, at = Reader(self.columns[tag]), {}, -1
        for _ in range(reader.varint()):
            at += reader.varint()
            values[at] = read(reader)
        need(reader.done and at < self.count, f"column {tag:#x} is too long")
        return values

    def differences(self, tag):
        values, value = [], 0
        for difference in self.column(tag, self.count, Reader.zigzag, 0):
            value = (value + difference + (1 << 63)) % (1 << 64) - (1 << 63)
            values.append(value)
        return values

    def ordinal(self, of, difference):
        """The reference that an ordinal stands for."""
        value = self.expected[of] + difference
        self.expected[of] = max(self.expected[of], value + 1)
        refs = self.chunk_refs if of == "chunk" else self.node_refs
        need(0 <= value < len(refs), "an ordinal names no reference")
        return refs[value]

    def names(self):
        last, values = b"", []
        reader = Reader(self.columns.get(0x01, b""))
        for _ in range(self.count):
            shared = reader.varint()
            name = last[:shared] + reader.counted()
            need(not values or name > last, "names are out of order")
            values.append(name)
            last = name
        return values

    def pieces(self, reader, count):
        for _ in range(count):
            length, kind = divmod(reader.varint(), 4)
            need(kind < 3, "a piece of an unknown type")
            yield length, self.ordinal("chunk", reader.zigzag()) if kind == 0 else None

    def content(self, reader):
        (form,) = reader.take(1)
        need(form <= 4, "content of an unknown form")
        if form == 1:
            return form, bytes(reader.counted())
        if form == 2:
            return form, self.ordinal("chunk", reader.zigzag())
        if form == 3:
            return form, list(self.pieces(reader, reader.varint()))
        return form, self.ordinal("node", reader.zigzag()) if form == 4 else None

    def children(self):
        """Child nodes with their content ids."""
        return self.child_column(self.count)

    def child_column(self, count):
        below = self.column(0x11, count, Reader.zigzag, 0)
        contents = self.column(0x10, count, lambda reader: bytes(reader.take(32)), b"")
        return list(zip([self.ordinal("node", difference) for difference in below], contents, strict=True))

    def entries(self):
        """The entries of a page or source root, as dictionaries."""
        kinds = self.column(0x02, self.count, lambda reader: reader.take(1)[0], 0)
        need(all(kind < 7 for kind in kinds), "an entry of an unknown kind")
        owners = [(0, 0)] * self.count
        if 0x04 in self.columns:
            reader = Reader(self.columns[0x04])
            table = [(reader.varint(), reader.varint(), reader.counted(), reader.counted()) for _ in range(reader.varint())]
            owners = [table[reader.varint()][:2] for _ in range(self.count)]
        files, dirs, links, devices = ([i for i, k in enumerate(kinds) if k in of] for of in ((0,), (1,), (2,), (5, 6)))
        entries = [
            {"name": name, "kind": KINDS[kind], "mode": mode, "owner": owner, "mtime": s * 10**9 + ns, "inode": inode}
            for name, kind, mode, owner, s, ns, inode in zip(
                self.names(), kinds, self.column(0x03, self.count, Reader.varint, 0), owners, self.differences(0x05),
                self.column(0x06, self.count, Reader.varint, 0), self.differences(0x62), strict=True,
            )
        ]
        sizes = self.column(0x07, len(files), Reader.varint, 0)
        contents = self.column(0x08, len(files), self.content, (0, None))
        lists = iter(self.column(0x12, sum(form == 4 for form, _ in contents), lambda r: bytes(r.take(32)), b""))
        for i, size, (form, value) in zip(files, sizes, contents, strict=True):
            entries[i] |= {"size": size, "form": form, "content": value, "list": next(lists) if form == 4 else None}
        for i, (node, content_id) in zip(dirs, self.child_column(len(dirs)), strict=True):
            entries[i] |= {"node": node, "content_id": content_id}
        for i, target in zip(links, self.column(0x09, len(links), Reader.counted, b""), strict=True):
            entries[i]["target"] = target
        for i, device in zip(devices, self.column(0x0A, len(devices), lambda r: (r.varint(), r.varint()), (0, 0)), strict=True):
            entries[i]["device"] = device
        for i, xattrs in self.sparse(0x0B, lambda r: [(r.counted(), r.counted()) for _ in range(r.varint())]).items():
            entries[i]["xattrs"] = xattrs
        for i, (device, _) in self.sparse(0x63, lambda r: (r.varint(), r.varint())).items():
            entries[i]["link"] = (device, entries[i]["inode"])
        return entries


def read_directory(packs, node, content_id):
    """All entries of a directory, from its page or tree of pages."""
    top = Node(packs, node)
    need(top.content_id == content_id, "a directory has another content id than its entry says")
    if top.kind == PAGE:
        yield from top.entries()
    else:
        need(top.kind == INDEX, "a directory is neither page nor index")
        for child, below in top.children():
            yield from read_directory(packs, child, below)


def read_list(packs, node, content_id):
    """All pieces of a list."""
    top = Node(packs, node)
    need(top.content_id == content_id, "a list has another content id than its entry says")
    if top.kind == LIST_PAGE:
        yield from top.pieces(Reader(top.columns[0x15]), top.count)
    else:
        need(top.kind == LIST_INDEX, "a list is neither page nor index")
        for child, below in top.children():
            yield from read_list(packs, child, below)


def pieces_of(packs, entry):
    """Lengths and contents of a file; a hole or zeros have no content."""
    form, value = entry["form"], entry["content"]
    if form == 1:
        return [(len(value), value)]
    if form == 2:
        return [(entry["size"], packs.chunk(value))]
    found = value if form == 3 else read_list(packs, value, entry["list"]) if form == 4 else []
    return ((length, packs.chunk(chunk) if chunk else None) for length, chunk in found)


# ---- 6. The chain -----------------------------------------------------------------------------------------------------


def walk_chain(account_dir, account, keys):
    """Verifies every link; gives the body of the newest version. Fills in the keyring."""
    devices, newest, previous, marker = {}, None, bytes(32), 0
    versions = os.path.join(account_dir, "versions")
    names = sorted(name for name in os.listdir(versions) if name.endswith(".link"))
    for number, name in enumerate(names, 1):
        with open(os.path.join(versions, name), "rb") as file:
            link = file.read()
        need(name == f"{number:012}.link" and len(link) == 272, f"link {number} is missing")
        magic, version, kind, zero, *features = struct.unpack("<4sBBHIII", link[:20])
        need(magic == b"TBXL" and version == 1 and zero == 0 and features[2] == 0, f"link {number} is of a newer format")
        of, sequence, before, _, body_hash, device, mark, _ = struct.unpack("<16sQ32s32s32s16sQq", link[24:176])
        need(struct.unpack("<I", link[268:])[0] == crc32c(link[:268]), f"link {number}: the CRC is wrong")
        need(of == account and sequence == number and before == previous, f"link {number} does not follow the one before")
        path, body = os.path.join(account_dir, "bodies", body_hash.hex() + ".body"), None
        if os.path.exists(path):
            with open(path, "rb") as file:
                body = file.read()
            need(plain_hash(body) == body_hash, f"the body of link {number} is damaged")
        if kind == 4:
            _, clear, _ = open_whole(body, keys, DEVICE_BODY)
            certificate = f"{PRODUCT}device certificate".encode() + account + clear[:-64]
            keys.identity.verify(certificate, clear[-64:])
            devices[clear[:16]] = nacl.signing.VerifyKey(clear[16:48])
        need(device in devices, f"link {number} is signed by a device without a certificate")
        devices[device].verify(link[:176], link[176:240])
        if kind == 3:
            ring = cbor2.loads(open_whole(body, keys, KEYRING_BODY)[2])
            keys.add_keyring(ring[0], ring[1])
        if kind == 1 and body:
            newest = (number, body)
        need(mark in (marker, marker + 1), f"link {number}: the marker jumps")
        previous, marker = plain_hash(link[:264]), mark
    need(newest, "there is no version yet")
    return newest


def version_sources(body, keys):
    """The sources of a version: host, path, root node, content id."""
    _, clear, plain = open_whole(body, keys, VERSION_BODY)
    sealed, reader, sources = cbor2.loads(plain), Reader(clear), []
    (count,) = struct.unpack("<I", reader.take(4))
    need(count == len(sealed[0]), "a version has two counts of sources")
    for info in sealed[0]:
        source, root, _ = struct.unpack("<16s32sQ", reader.take(56))
        need(keys.source_id(info[0], info[1]) == source, "a source has another id than its host and path say")
        sources.append((info[0], info[1], root, info[9]))
    (count,) = struct.unpack("<I", reader.take(4))
    need([reader.take(16) for _ in range(count)] == [keys.tag_id(tag) for tag in sealed[1]], "tags and their ids differ")
    need(reader.done, "the clear part of a version is too long")
    return sources


# ---- 7. The vault -----------------------------------------------------------------------------------------------------


VOLUMES = 1


def facts_of(path, kind):
    """A JSON file that the vault has of itself, by its checksum."""
    with open(path, "rb") as file:
        facts = json.load(file)
    check = facts.pop("check")
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    need(facts["tuckbox"] == kind and facts["format"] == 1, f"{path} is not that of a {kind} of format 1")
    need(plain_hash(text.encode()).hex() == check, f"{path} was altered")
    return facts


def pack_directories(vault, domain):
    """Where a domain's packs are: at home first, then by volume."""
    facts, places = facts_of(os.path.join(vault, "vault.json"), "vault"), [os.path.join(domain, "packs")]
    need(facts["features"][2] & ~VOLUMES == 0, "the vault is of a newer format")
    need(bool(facts["features"][2] & VOLUMES) == ("volumes" in facts), "the vault's volumes are not what its features say")
    for volume in facts.get("volumes", []):
        marker = facts_of(os.path.join(volume["path"], "volume.json"), "volume")
        mine = marker["vault_id"] == facts["vault_id"] and marker["volume"] == volume["number"]
        need(mine, f"volume {volume['number']} is another's")
        places.append(os.path.join(volume["path"], "packs", os.path.basename(domain)))
    return places


def find_account(vault, keys):
    """The domain's and the account's directory, and the account's id, by the key-check value."""
    domains = os.path.join(vault, "domains")
    for domain in (entry.path for entry in os.scandir(domains) if entry.is_dir()):
        for folder in (entry.path for entry in os.scandir(os.path.join(domain, "accounts")) if entry.is_dir()):
            notes = sorted(name for name in os.listdir(folder) if name.endswith(".note"))
            with open(os.path.join(folder, notes[-1]), "rb") as file:
                note = file.read()
            magic, version, kind, _, length = struct.unpack("<4sBBHI", note[:12])
            need((magic, version, kind) == (b"TBXN", 1, 1) and len(note) == 12 + length + 32, "not a note of an account")
            need(plain_hash(note[:-32]) == note[-32:], "the note of an account was altered")
            account = cbor2.loads(note[12:-32])
            if account.get(3) == keys.check:
                need(account[2] == bytes(keys.identity), "the account is bound to another identity key")
                return domain, folder, account[0]
    raise Wrong("these words are of no account in this vault")


# ---- Restoring, by directory descriptors, so that no depth is out of reach ---------------------------------------------


class Target:
    def __init__(self, packs):
        self.packs, self.linked, self.files, self.bytes = packs, {}, 0, 0

    def entry(self, at, entry, source):
        """Makes one entry in the directory `at`, and all below it."""
        name, kind = entry["name"], entry["kind"]
        identity = (source, entry.get("link"), entry.get("size"), entry["mtime"])
        if "link" in entry and identity in self.linked:
            os.link(f"/proc/self/fd/{self.linked[identity]}", name, dst_dir_fd=at, follow_symlinks=True)
            return
        if kind == "directory":
            os.mkdir(name, 0o700, dir_fd=at)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            for child in read_directory(self.packs, entry["node"], entry["content_id"]):
                self.entry(below, child, source)
            os.close(below)
        elif kind == "file":
            self.file(at, entry)
        elif kind == "symlink":
            os.symlink(entry["target"], name, dir_fd=at)
        else:
            types = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK, "character": stat.S_IFCHR, "block": stat.S_IFBLK}
            os.mknod(name, types[kind] | 0o600, os.makedev(*entry.get("device", (0, 0))), dir_fd=at)
        self.attributes(at, entry)
        if "link" in entry:
            self.linked[identity] = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=at)

    def file(self, at, entry):
        file, offset = os.open(entry["name"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at), 0
        for length, content in pieces_of(self.packs, entry):
            need(content is None or len(content) == length, "a chunk has another length than its piece")
            if content:
                need(os.pwrite(file, content, offset) == length, "the disk is full")
            offset += length
        need(offset == entry["size"], "the pieces of a file are not as long as the file")
        os.ftruncate(file, offset)
        os.close(file)
        self.files, self.bytes = self.files + 1, self.bytes + offset

    def attributes(self, at, entry):
        """Owner before mode, because a change of owner takes setuid away; the times last."""
        name = entry["name"]
        if os.geteuid() == 0:
            os.chown(name, *entry["owner"], dir_fd=at, follow_symlinks=False)
        if entry["kind"] != "symlink":
            os.chmod(name, entry["mode"], dir_fd=at)
        for attribute, value in entry.get("xattrs", []):
            os.setxattr(b"/proc/self/fd/%d/%s" % (at, name), attribute, value, follow_symlinks=False)
        os.utime(name, ns=(entry["mtime"], entry["mtime"]), dir_fd=at, follow_symlinks=False)


def main(vault, out):
    keys = Keys.from_words(sys.stdin.read())
    domain, folder, account = find_account(vault, keys)
    number, body = walk_chain(folder, account, keys)
    packs = Packs(pack_directories(vault, domain), keys)
    target, sources = Target(packs), version_sources(body, keys)
    several_hosts = len({host for host, *_ in sources}) > 1
    for host, path, root, content_id in sources:
        top = Node(packs, root)
        need(top.kind == ROOT and top.content_id == content_id, "the root of a source is not what the version says")
        (entry,) = top.entries()
        above = os.path.join(os.fsencode(out), host.encode() if several_hosts else b"", os.path.dirname(path).lstrip(b"/"))
        entry["name"] = entry["name"] or b"root"
        os.makedirs(above, exist_ok=True)
        at = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
        target.entry(at, entry, path)
        os.close(at)
    print(f"version {number}: {len(sources)} sources, {target.files} files, {target.bytes} bytes")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Wrong, nacl.exceptions.BadSignatureError) as wrong:
        sys.exit(f"decode.py: {wrong}")
