"""Measures tuckbox beside what the machine can do, and prints a table; `tests/bench/run --help` tells how.

In each round, for each data set and place, the copy that is backed up is brought back to its first state and everything
is made new. Then every operation is done by every tool, one after the other, so that what is compared ran in the same
minute; every other round in the opposite order.
"""
import argparse
import fcntl
import getpass
import json
import mmap
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import data
import report
import tools
from wire import TICK, Forwarder, Sshd

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Place(NamedTuple):
    name: str
    ssh: bool
    round_trip_ms: int


PLACES = {"local": Place("local", False, 0), "ssh": Place("ssh", True, 0),
          "ssh-20": Place("ssh 20 ms", True, 20), "ssh-100": Place("ssh 100 ms", True, 100)}


def machine_busy():
    """CPU seconds that the machine has worked, or was kept from it by its host."""
    with open("/proc/stat") as f:
        v = [int(word) for word in f.readline().split()[1:9]]
    return (sum(v[:3]) + sum(v[5:8])) / TICK


class Bench:
    """The surroundings: programs, server, forwarder, and the stopwatch."""

    def __init__(self, options):
        self.options = options
        self.run = f"{options.work}/run"
        self.lock = open(f"{options.work}/lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another run uses {options.work}; wait for it, or give another directory with --work") from None
        shutil.rmtree(self.run, ignore_errors=True)
        self.programs = f"{self.run}/bin"
        os.makedirs(self.programs)
        self.tuckbox, self.gauge = os.path.abspath(options.tuckbox), f"{options.gauges}/gauge"
        self.names = 0
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        self.far_file = f"{self.run}/far.jsonl"
        os.symlink(f"{options.gauges}/walk", f"{self.programs}/walk")
        self.sshd = Sshd(f"{self.run}/sshd", os.environ["PATH"])
        self.forwarder = Forwarder(self.sshd.port)
        self.sshd.write_client(self.programs, self.forwarder.port, getpass.getuser())
        self.path = f"{self.programs}:{os.environ['PATH']}"

    def stop(self):
        self.forwarder.stop()
        self.sshd.stop()
        if not self.options.keep:
            shutil.rmtree(self.run, ignore_errors=True)

    def environment(self, tool):
        kept = {key: os.environ[key] for key in ("LANG", "TERM", "USER", "LOGNAME", "TZ", "TMPDIR") if key in os.environ}
        return {**kept, "PATH": self.path, "HOME": tool.home, "LC_ALL": "C.UTF-8", **tool.environment()}

    def far(self, program):
        """A program for the far side that measures another one."""
        path = f"{self.programs}/far-{os.path.basename(program)}"
        if not os.path.exists(path):
            with open(path, "w") as f:
                f.write(f'#!/bin/sh\nexec {shlex.quote(self.gauge)} {shlex.quote(self.far_file)} '
                        f'{shlex.quote(program)} "$@"\n')
            os.chmod(path, 0o755)
        return path

    def fresh_memory(self):
        """A virtual machine may have handed free memory back to its host: take it again before, not while, measuring."""
        mib = self.options.touch_mib
        if mib:
            with mmap.mmap(-1, mib << 20) as memory:
                for at in range(0, mib << 20, 4096):
                    memory[at] = 1

    def measure(self, words, environment):
        """Runs a command; what it took at both ends, and what it printed."""
        near = f"{self.run}/near.jsonl"
        for path in (near, self.far_file):
            if os.path.exists(path):
                os.unlink(path)
        self.sshd.settle()
        os.sync()
        wire, server, forwarder, busy = (self.forwarder.counters(), self.sshd.cpu(), self.forwarder.cpu(), machine_busy())
        with open(f"{self.run}/output", "w+") as output, open(f"{self.run}/errors", "w+") as errors:
            process = subprocess.Popen([self.gauge, near, *words], cwd=self.run, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=errors, start_new_session=True)
            try:
                process.wait(self.options.timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            settled = self.sshd.settle()
            for f in (output, errors):
                f.seek(0)
            said, complained = output.read(), errors.read()
        if process.returncode:
            raise RuntimeError(f"exit {process.returncode}: {' '.join((complained + said[-300:]).split())[-400:]}")
        row = read_lines(near)[0]
        del row["exit"]
        for key, value in self.forwarder.counters().items():
            row[key] = value - wire[key]
        far = read_lines(self.far_file)
        row["server_cpu"] = round(self.sshd.cpu() - server, 3)
        row["server_rss_kib"] = max((line["rss_kib"] for line in far), default=None)
        row["server_processes"] = len(far)
        row["forwarder_cpu"] = round(self.forwarder.cpu() - forwarder, 3)
        ours = row["user"] + row["sys"] + row["server_cpu"] + row["forwarder_cpu"]
        row["other_cpu"] = round(machine_busy() - busy - ours, 2)
        row["busy"] = row["other_cpu"] > 0.2 * row["wall"] + 0.3
        if not settled:
            raise RuntimeError("something still ran on the server 10 s later")
        return row, said


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f]


def together(paths):
    """Results of several runs as those of one: the rounds of each are other rounds."""
    lines = []
    for path in paths:
        before = 1 + max((line["round"] for line in lines if "round" in line), default=-1)
        more = read_lines(path)
        for line in more:
            if "round" in line:
                line["round"] += before
        lines += more
    return lines


class Run:
    """All rounds."""

    def __init__(self, bench, classes, out):
        self.bench, self.classes, self.out = bench, classes, out
        self.options = bench.options

    def write(self, **row):
        with open(self.out, "a") as f:
            f.write(json.dumps(row) + "\n")

    def all(self):
        described = set()
        for number in range(self.options.rounds):
            for name in self.options.data_sets:
                source = data.pristine(name, f"{self.options.work}/data", self.options)
                if name not in described:
                    self.write(type="data", data=name, **data.count(source))
                    described.add(name)
                for place in self.options.places:
                    self.place(number, name, source, PLACES[place])

    def place(self, number, name, source, place):
        bench, live = self.bench, f"{self.bench.run}/live/{name}"
        bench.forwarder.set_round_trip(0)
        data.reset(source, live)
        here = [kind(bench, place) for kind in self.classes]
        if number % 2:
            here.reverse()
        for tool in here:
            tool.prepare()
        bench.forwarder.set_round_trip(place.round_trip_ms)
        failed = set()
        for operation in tools.OPERATIONS:
            if operation == "one-file" and (name != "big" or place.ssh):
                continue
            if changed := data.change(operation, name, live):
                self.write(type="change", data=name, op=operation, what=changed)
            bench.names = data.count(live)["names"]
            if operation in ("first", "one-file"):      # everything into the page cache
                subprocess.check_call(["sh", "-c", 'tar cf - -C "$1" . | cat > /dev/null', "sh", live])
            for tool in here:
                if tool not in failed and not self.one(number, name, place, operation, tool, live):
                    failed.add(tool)
        shutil.rmtree(f"{bench.run}/tools")

    def one(self, number, name, place, operation, tool, live):
        """One tool does one operation; false when it need not go on."""
        target = f"{tool.base}/target"
        words = tool.command(operation, live, target)
        if words is None:
            return True
        if operation == "restore":
            os.makedirs(target)
        if operation in ("first", "restore", "one-file"):
            self.bench.fresh_memory()
        row = {"type": "row", "round": number, "data": name, "place": place.name, "op": operation, "tool": tool.name,
               "kind": tool.kind, "at": time.strftime("%H:%M:%S")}
        wrong = None
        try:
            took, said = self.bench.measure(words, self.bench.environment(tool))
            told, wrong = tool.told(operation, said)
            stored, again = tool.stored()
            row.update(took, told=told, stored=stored, catalog=again)
            if not place.ssh:
                for key in ("up", "down", "connections", "turns", "server_cpu", "server_rss_kib", "server_processes"):
                    del row[key]
            if operation == "restore":
                found = data.differences(live, tool.restored(live, target))
                wrong = f"restored wrongly: {json.dumps(found)}" if found else None
        except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
            wrong = str(error)
        if wrong:       # what is wrong has no time
            row.update(wrong=wrong, wall=None)
        shutil.rmtree(target, ignore_errors=True)
        self.write(**row)
        print(report.progress(row), flush=True)
        return not wrong or operation == "no-change"


# ---- what the table says of the machine

def described(bench, classes):
    def lines(words):
        try:
            return subprocess.run(words, capture_output=True, text=True, cwd=ROOT).stdout.strip()
        except OSError:
            return ""

    with open("/proc/cpuinfo") as f:
        processor = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    set_by = {key: os.environ[key] for key in ("TUCKBOX_SSH", "TUCKBOX_STRIPES") if key in os.environ}
    return {"type": "machine", "processor": processor, "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(memory / (1 << 30), 1), "kernel": platform.release(),
            "file_system": lines(["stat", "-f", "-c", "%T", bench.run]), "date": time.strftime("%Y-%m-%d"),
            "commit": lines(["git", "describe", "--always", "--dirty", "--abbrev=12"]), "settings": set_by,
            "options": shlex.join(bench.options.shown),
            "versions": {kind.name: kind.version(bench) for kind in classes}}


def options(words):
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__.split("\n")[0].split(";")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)

    def names(allowed):
        def parse(text):
            given = text.split(",")
            if unknown := set(given) - set(allowed):
                raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(allowed)}")
            return given
        return parse

    target = os.environ.get("CARGO_TARGET_DIR", f"{ROOT}/target")
    add = parser.add_argument
    add("--data-sets", type=names(data.NAMES), default="src,big,many", metavar="NAMES", help="of src, big, many, sub")
    add("--places", type=names(PLACES), default=",".join(PLACES), metavar="NAMES", help="of local, ssh, ssh-20, ssh-100")
    add("--rounds", type=int, default=3)
    add("--src-tree", metavar="DIR", help="the source tree of src and sub; without it linux-source below /usr/src")
    add("--sub-mib", type=int, default=16, help="size of sub, a part of src")
    add("--big-tar-mib", type=int, default=600, help="binaries of this machine in one tar")
    add("--big-database-mib", type=int, default=350, help="an SQLite database")
    add("--big-random-mib", type=int, default=350, help="a file that cannot be compressed")
    add("--many-files", type=int, default=300_000)
    add("--work", default=os.path.join(target, "bench"), metavar="DIR", help="data sets, results and passing things")
    add("--out", metavar="FILE", help="JSON lines; without it a new file in DIR/results")
    add("--tuckbox", default=os.environ.get("TUCKBOX", f"{target}/release/tuckbox"), help="the program")
    add("--gauges", default=f"{target}/release", help="where gauge and walk are")
    add("--touch-mib", type=int, default=3072, help="memory touched before a first backup and a restore")
    add("--timeout", type=float, default=3600, help="seconds for one command")
    add("--keep", action="store_true", help="leave the passing things")
    add("--report", nargs="+", metavar="FILE", help="print the table of results that are there; measure nothing")
    add("--into", metavar="DOCUMENT", help="with --report: put the table between the marks of this document")
    parsed = parser.parse_args(words)
    # Where things lie on this machine is nobody's business.
    parsed.shown = [os.path.basename(word) if os.path.isabs(word) else word for word in words]
    parsed.work = os.path.abspath(parsed.work)
    return parsed


def main():
    given = options(sys.argv[1:])
    if given.report:
        lines = together(given.report)
        return report.write_into(given.into, lines) if given.into else report.show(lines)
    os.makedirs(f"{given.work}/results", exist_ok=True)
    out = os.path.abspath(given.out or f"{given.work}/results/{time.strftime('%Y%m%d-%H%M%S')}.jsonl")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(given)
    try:
        classes = [tools.Tuckbox, tools.TuckboxFile, *tools.REFERENCES]
        if lacking := sorted({kind.program for kind in classes if not kind.find(bench)}):
            raise SystemExit(f"not there: {', '.join(lacking)}")
        for kind in tools.PEERS:
            if kind.find(bench):
                classes.append(kind)
            else:
                print(f"{kind.name}: not installed, left out")
        run = Run(bench, classes, out)
        run.write(**described(bench, classes))
        for kind in tools.PEERS:
            if kind not in classes:
                run.write(type="left out", tool=kind.name)
        run.all()
    finally:
        bench.stop()
    print(f"\nresults: {out}")
    return report.show(read_lines(out))


if __name__ == "__main__":
    sys.exit(main())
