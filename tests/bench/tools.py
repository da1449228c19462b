"""What is measured: tuckbox, the references that show what the machine can do, and other backup programs.

A tool says for each operation what is to be run, as a list of words, or `None` when it has no part in it. To add a
backup program, write a subclass of `Peer` and put it into `PEERS`.
"""
import getpass
import json
import os
import shlex
import shutil
import subprocess

import data

OPERATIONS = ("first", "no-change", "small-change", "big-insert", "restore", "one-file")
# Seconds, and sizes where there are some, are divided by those of these tools, added up.
REFERENCE = {
    ("first", False): ("tar-zstd",), ("first", True): ("tar-zstd",),
    ("no-change", False): ("walk",), ("no-change", True): ("walk", "ssh-true"),
    ("small-change", False): ("rsync",), ("small-change", True): ("rsync",),
    ("big-insert", False): ("rsync",), ("big-insert", True): ("rsync",),
    ("restore", False): ("cp",), ("restore", True): ("cp",),
    ("one-file", False): ("zstd",),
}


class Tool:
    """One program in one place, with a folder of its own that is new in each round."""
    name = program = ""
    kind = "reference"
    version_words = ("--version",)

    def __init__(self, bench, place):
        self.bench, self.place = bench, place
        self.base = f"{bench.run}/tools/{place.name.replace(' ', '-')}/{self.name}"
        self.home, self.vault = f"{self.base}/home", f"{self.base}/vault"
        self.executable = self.find(bench)

    @classmethod
    def find(cls, bench):
        return shutil.which(cls.program, path=bench.path)

    @classmethod
    def version(cls, bench):
        told = subprocess.run([cls.find(bench), *cls.version_words], capture_output=True, text=True, timeout=60)
        said = [line for line in (told.stdout + told.stderr).splitlines() if any(c.isdigit() for c in line)]
        return said[0].strip() if said else ""

    def prepare(self):
        """Makes everything new, repository included; not measured."""
        shutil.rmtree(self.base, ignore_errors=True)
        os.makedirs(self.home)
        for words in self.init():
            told = subprocess.run(words, env=self.bench.environment(self), capture_output=True, text=True)
            if told.returncode:
                raise SystemExit(f"{self.name}: {shlex.join(words)} failed:\n{told.stdout}{told.stderr}")

    def init(self):
        return []

    def environment(self):
        return {}

    def command(self, operation, source, target):
        """Words that do it. `target` is an empty directory to restore into, or else a path that is not there."""
        raise NotImplementedError

    def restored(self, source, target):
        """Where the tree is below the target."""
        return target

    def stored(self):
        """Bytes kept, and of these, bytes that can be made again."""
        size = 0
        for folder, _, names in os.walk(self.vault):
            size += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
        return size, 0

    def told(self, operation, output):
        """What is to be kept of its output, and why it was wrong, if it was."""
        return None, None


# ---- ours

class Tuckbox(Tool):
    name, program, kind = "tuckbox", "tuckbox", "tuckbox"
    FIGURES = ("files_new", "files_changed", "files_unchanged", "files_removed", "source_bytes", "read_bytes",
               "new_bytes", "sent_bytes", "received_bytes", "stored_bytes")

    @classmethod
    def find(cls, bench):
        return bench.tuckbox

    def environment(self):
        address = f"ssh://bench{self.vault}" if self.place.ssh else self.vault
        return {"TUCKBOX_VAULT": address, "TUCKBOX_REMOTE_PROGRAM": self.bench.far(self.executable),
                **{key: os.environ[key] for key in ("TUCKBOX_SSH", "TUCKBOX_STRIPES") if key in os.environ}}

    def init(self):
        return [[self.executable, "init"]]

    def command(self, operation, source, target):
        if operation == "one-file":
            return None
        if operation == "restore":
            return [self.executable, "restore", source, "--to", target, "--json"]
        return [self.executable, "backup", source, "--json"]

    def restored(self, source, target):
        return os.path.join(target, os.path.basename(source))

    def stored(self):
        catalog = 0
        size, _ = super().stored()
        for folder, _, names in os.walk(self.vault):
            catalog += sum(os.lstat(os.path.join(folder, name)).st_size for name in names
                           if name.startswith("catalog."))
        return size - catalog, catalog

    def told(self, operation, output):
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        summary = next((line for line in lines if line.get("type") == "summary"), {})
        figures = {key: summary[key] for key in self.FIGURES if key in summary}
        if operation == "restore":
            return figures, None
        if "read_bytes" not in figures:
            return figures, "no summary"
        if operation == "no-change" and figures["read_bytes"]:
            return figures, f"{figures['read_bytes']} bytes read although nothing changed"
        return figures, None


class TuckboxFile(Tuckbox):
    """A vault of its own for one large file."""

    def __init__(self, bench, place):
        super().__init__(bench, place)
        self.base += "-file"
        self.home, self.vault = f"{self.base}/home", f"{self.base}/vault"

    def command(self, operation, source, target):
        if operation == "one-file":
            return [self.executable, "backup", f"{source}/{data.LARGE}", "--json"]
        return None


# ---- references

class TarZstd(Tool):
    name, program = "tar-zstd", "zstd"

    def command(self, operation, source, target):
        if operation != "first":
            return None
        kept = shlex.quote(self.vault)
        end = f"| ssh bench {shlex.quote('cat > ' + kept)}" if self.place.ssh else f"> {kept}"
        return ["sh", "-c", f"tar cf - -C {shlex.quote(source)} . | zstd -q -3 -T0 -c {end}"]

    def stored(self):
        return (os.path.getsize(self.vault) if os.path.exists(self.vault) else 0), 0


class ZstdFile(TarZstd):
    name = "zstd"

    def command(self, operation, source, target):
        if operation != "one-file":
            return None
        return [self.executable, "-q", "-3", "-T0", "-f", f"{source}/{data.LARGE}", "-o", self.vault]


class Walk(Tool):
    name, program = "walk", "walk"

    @classmethod
    def version(cls, bench):
        return "two threads, statx"

    def command(self, operation, source, target):
        return [self.executable, source] if operation == "no-change" else None

    def told(self, operation, output):
        names = int(output)
        return {"names": names}, None if names == self.bench.names else f"{names} names, not {self.bench.names}"


class SshTrue(Tool):
    """What the set-up of SSH costs by itself."""
    name, program = "ssh-true", "ssh"
    version_words = ("-V",)

    def command(self, operation, source, target):
        return [self.executable, "bench", "true"] if operation == "no-change" and self.place.ssh else None


class CpA(Tool):
    name, program = "cp", "cp"

    def command(self, operation, source, target):
        return [self.executable, "-a", f"{source}/.", target] if operation == "restore" else None


class Rsync(Tool):
    """A bare mirror: no history, no encryption at rest, no compression."""
    name, program = "rsync", "rsync"

    def command(self, operation, source, target):
        if operation == "one-file":
            return None
        kept = f"bench:{self.vault}/" if self.place.ssh else f"{self.vault}/"
        far = [f"--rsync-path={self.bench.far(self.executable)}"] if self.place.ssh else []
        if operation == "restore":
            return [self.executable, "-a", *far, kept, f"{target}/"]
        return [self.executable, "-a", "--delete", *far, f"{source}/", kept]


# ---- peers, at their defaults

class Peer(Tool):
    kind = "peer"

    def command(self, operation, source, target):
        if operation == "one-file":
            return None
        return self.restore(source, target) if operation == "restore" else self.backup(source, operation)


class Restic(Peer):
    name = program = "restic"
    version_words = ("version",)

    def environment(self):
        where = f"sftp:bench:{self.vault}" if self.place.ssh else self.vault
        return {"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": where, "RESTIC_CACHE_DIR": f"{self.home}/cache"}

    def init(self):
        return [[self.executable, "init", "--quiet"]]

    def backup(self, source, operation):
        return [self.executable, "backup", "--quiet", source]

    def restore(self, source, target):
        return [self.executable, "restore", "--quiet", "latest", "--target", target]

    def restored(self, source, target):
        return target + source


class Borg(Peer):
    name = program = "borg"

    def environment(self):
        where = f"ssh://bench{self.vault}" if self.place.ssh else self.vault
        return {"BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": self.home, "BORG_REPO": where,
                "BORG_REMOTE_PATH": self.bench.far(self.executable)}

    def init(self):
        return [[self.executable, "init", "-e", "repokey-blake2"]]

    def backup(self, source, operation):
        return [self.executable, "create", "-C", "zstd,3", f"::{operation}", source]

    def restore(self, source, target):
        return ["sh", "-c", 'cd "$1" && exec "$0" extract ::big-insert', self.executable, target]

    def restored(self, source, target):
        return target + source


class Bupstash(Peer):
    name = program = "bupstash"

    def environment(self):
        serve = f"{shlex.quote(self.bench.far(self.executable))} serve {shlex.quote(self.vault)}"
        where = {"BUPSTASH_REPOSITORY_COMMAND": f"ssh bench {serve}"} if self.place.ssh \
            else {"BUPSTASH_REPOSITORY": self.vault}
        return {"BUPSTASH_KEY": f"{self.home}/key", "BUPSTASH_SEND_LOG": f"{self.home}/send.log",
                "BUPSTASH_QUERY_CACHE": f"{self.home}/query.cache", **where}

    def init(self):
        return [[self.executable, "init", "-r", self.vault],
                [self.executable, "new-key", "-o", f"{self.home}/key"]]

    def backup(self, source, operation):
        return [self.executable, "put", "-q", f"name={operation}", "::", source]

    def restore(self, source, target):
        return [self.executable, "restore", "-q", "--into", target, "name=big-insert"]


class Rustic(Peer):
    name = program = "rustic"

    def prepare(self):
        os.makedirs(self.vault, exist_ok=True)
        super().prepare()

    def init(self):
        lines = ["[repository]", 'password = "bench"', f'cache-dir = "{self.home}/cache"']
        if self.place.ssh:
            lines += ['repository = "opendal:sftp"', "[repository.options]", 'endpoint = "ssh://bench"',
                      f'user = "{getpass.getuser()}"', f'root = "{self.vault}"',
                      f'key = "{self.bench.sshd.folder}/id"', 'known_hosts_strategy = "Strict"']
        else:
            lines.append(f'repository = "{self.vault}"')
        with open(f"{self.home}/profile.toml", "w") as f:
            f.write("\n".join(lines) + "\n")
        return [self.words("init")]

    def words(self, *rest):
        return [self.executable, "-P", f"{self.home}/profile", "--no-progress", "--log-level", "warn", *rest]

    def backup(self, source, operation):
        return self.words("backup", source)

    def restore(self, source, target):
        return self.words("restore", f"latest:{source}", target)


REFERENCES = (TarZstd, ZstdFile, Walk, SshTrue, CpA, Rsync)
PEERS = (Restic, Borg, Bupstash, Rustic)
