#!/usr/bin/env python3
"""Tells which structures of store/FORMAT.md occur in a vault, one line each, sorted.

    census.py VAULT < WORDS
"""

import os
import sys

from decode import BOX, GROUP, INDEX, LIST_INDEX, LIST_PAGE, PAGE, ROOT, Keys, Node, Packs, Reader, find_account, header, pack_directories, pack_places, walk_chain

PACKS = {1: "data", 2: "nodes", 3: "mixed"}
CODECS = ["raw", "zstd"]
NODES = {PAGE: "directory page", INDEX: "directory index", LIST_PAGE: "list page", LIST_INDEX: "list index", ROOT: "source root"}
FORMS = ["empty", "in line", "one chunk", "pieces", "list"]
LINKS = {1: "version", 2: "partial", 3: "key", 4: "device"}
NOTES = {1: "account", 3: "damaged", 4: "session"}


class Census(Node):
    """A node that says what is in it."""

    def found(self):
        yield f"node: {NODES[self.kind]}"
        for tag in self.columns:
            yield f"column {tag:#04x}"
        if self.kind in (PAGE, ROOT):
            entries = list(self.entries())
            files = [entry for entry in entries if entry["kind"] == "file"]
            for entry in entries:
                yield f"entry: {entry['kind']}"
            for entry in files:
                yield f"content: {FORMS[entry['form']]}"
            for cut_class in self.column(0x0E, len(files), lambda reader: reader.take(1)[0], 0):
                yield f"cut class {cut_class}"
            for state, _ in self.sparse(0x13, lambda reader: (reader.take(1)[0], reader.varint())).values():
                yield f"state {state}"
        if self.kind == LIST_PAGE:
            reader = Reader(self.columns[0x15])
            for _ in range(self.count):
                kind = reader.varint() % 4
                yield f"piece: {['data', 'hole', 'zeros'][kind]}"
                if kind == 0:
                    reader.zigzag()


def found(vault, keys):
    domain, folder, account = find_account(vault, keys)
    walk_chain(folder, account, keys)
    packs = Packs(pack_directories(vault, domain), keys)
    for name in os.listdir(os.path.join(folder, "versions")):
        with open(os.path.join(folder, "versions", name), "rb") as file:
            yield f"link: {LINKS[file.read()[5]]}"
    for at, _, files in os.walk(domain):
        for path in (os.path.join(at, name) for name in files):
            with open(path, "rb") as file:
                data = file.read()
            if data[:4] == b"TBXN":
                yield f"note: {NOTES[data[5]]}"
            if path.endswith(".part"):
                yield "unfinished pack"
            if path.endswith(".pack"):
                yield f"pack: {PACKS[data[5]]}"
                for place in pack_places(path):
                    record = header(data[place.offset : place.offset + 128])
                    kind = {BOX: "box", GROUP: "group"}[record.kind]
                    yield f"{kind}, {CODECS[record.codec]}, sealing key {record.key_id}"
    for node in packs.nodes:
        yield from Census(packs, node).found()


if __name__ == "__main__":
    print("\n".join(sorted(set(found(sys.argv[1], Keys.from_words(sys.stdin.read()))))))
