"""A private sshd on the loopback device, and a forwarder before it that counts and delays.

The forwarder counts the payload of TCP in each direction, connections, and turns: how often something goes to the
server after something came from it, about the number of round trips. Without a delay it moves bytes within the kernel
(splice). With one it keeps every piece for half of the round trip, and lets a new connection wait for a whole one, as
TCP would. It loses nothing and starts at full speed: a kind link.
"""
import collections
import ctypes
import fcntl
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

UP, DOWN, CONNECTIONS, TURNS, DELAY_US = range(5)
TICK = os.sysconf("SC_CLK_TCK")
HELD_MAX = 32 << 20


def cpu_of(pid, children):
    """CPU seconds of a process: its own, or those of children that have ended."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    at = 13 if children else 11
    return (int(fields[at]) + int(fields[at + 1])) / TICK


class Forwarder:
    """From a free port of 127.0.0.1 to another one, in a process of its own."""

    def __init__(self, target):
        self.shared = multiprocessing.RawArray(ctypes.c_uint64, 5)
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)
        self.process.start()
        self.listener.close()

    def set_round_trip(self, milliseconds):
        """Counts for connections made from now on."""
        self.shared[DELAY_US] = int(milliseconds * 500)

    def counters(self):
        s = self.shared
        return {"up": s[UP], "down": s[DOWN], "connections": s[CONNECTIONS], "turns": s[TURNS]}

    def cpu(self):
        return cpu_of(self.process.pid, children=False)

    def stop(self):
        self.process.terminate()
        self.process.join(5)

    # ---- in its own process

    def _run(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.lock = threading.Lock()
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self._connection, args=(near,), daemon=True).start()

    def _connection(self, near):
        delay = self.shared[DELAY_US] / 1e6
        time.sleep(2 * delay)
        far = socket.create_connection(("127.0.0.1", self.target))
        for s in (near, far):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.shared[CONNECTIONS] += 1
        last = [DOWN]

        def pump(a, b, way):
            if delay:
                self._delayed(a, b, way, last, delay)
            else:
                self._spliced(a, b, way, last)

        back = threading.Thread(target=pump, args=(far, near, DOWN), daemon=True)
        back.start()
        pump(near, far, UP)
        back.join()
        near.close()
        far.close()

    def _count(self, n, way, last):
        with self.lock:
            self.shared[way] += n
            if last[0] != way:
                last[0] = way
                self.shared[TURNS] += way == UP

    def _spliced(self, a, b, way, last):
        out, into = os.pipe()
        fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, 1 << 20)
        try:
            while n := os.splice(a.fileno(), into, 1 << 20):
                self._count(n, way, last)
                while n:
                    n -= os.splice(out, b.fileno(), n)
        except OSError:
            pass
        finally:
            os.close(out)
            os.close(into)
            for s, how in ((b, socket.SHUT_WR), (a, socket.SHUT_RD)):
                try:
                    s.shutdown(how)
                except OSError:
                    pass

    def _delayed(self, a, b, way, last, delay):
        held, changed, size, broken = collections.deque(), threading.Condition(), [0], [False]

        def write():
            while True:
                with changed:
                    changed.wait_for(lambda: held)
                    when, data = held.popleft()
                    size[0] -= len(data)
                    changed.notify_all()
                time.sleep(max(0, when - time.perf_counter()))
                try:
                    if data:
                        b.sendall(data)
                    else:
                        b.shutdown(socket.SHUT_WR)
                except OSError:
                    with changed:
                        broken[0] = True
                        changed.notify_all()
                if not data:
                    return

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        data = b"-"
        while data:
            try:
                data = a.recv(1 << 16)
            except OSError:
                data = b""
            when = time.perf_counter() + delay
            if data:
                self._count(len(data), way, last)
            with changed:
                changed.wait_for(lambda: size[0] <= HELD_MAX or broken[0])
                held.append((when, data))
                size[0] += len(data)
                changed.notify_all()
        writer.join(delay + 30)


def children_of(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += [int(word) for word in f.read().split()]
    except OSError:
        pass
    return found


class Sshd:
    """A server with keys of its own; nothing of the system's is used. Below it runs all that clients ask for."""

    def __init__(self, folder, path):
        self.folder = folder
        os.makedirs(folder, mode=0o700)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        for key in ("host_key", "id"):
            subprocess.check_call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"])
        shutil.copy(f"{folder}/id.pub", f"{folder}/authorized_keys")
        self.sftp = next((f"{d}/sftp-server" for d in ("/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh")
                          if os.path.exists(f"{d}/sftp-server")), "internal-sftp")
        self.path = path
        self.log = open(f"{folder}/log", "ab")
        for _ in range(5):      # between finding a free port and taking it, another program may come first
            if self._start():
                return
        raise SystemExit(f"sshd does not start; see {folder}/log")

    def _start(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with open(f"{self.folder}/sshd_config", "w") as f:
            # SHLVL: bash reads the start-up files of a person when sshd starts it at the first level.
            f.write(f"""ListenAddress 127.0.0.1:{self.port}
HostKey {self.folder}/host_key
AuthorizedKeysFile {self.folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
MaxSessions 100
Subsystem sftp {self.sftp}
SetEnv PATH={self.path} SHLVL=9
LogLevel ERROR
""")
        command = [shutil.which("sshd"), "-D", "-e", "-f", f"{self.folder}/sshd_config"]
        self.process = subprocess.Popen([sys.executable, "-I", os.path.abspath(__file__), *command],
                                        stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        for _ in range(100):
            time.sleep(0.05)
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                continue
            self.listener = children_of(self.process.pid)[0]
            return True
        return False

    def write_client(self, programs, port, user):
        """Puts an `ssh` into a folder that knows the host `bench` behind the given port."""
        with open(f"{self.folder}/host_key.pub") as f:
            key = " ".join(f.read().split()[:2])
        with open(f"{self.folder}/known_hosts", "w") as f:
            f.write(f"[127.0.0.1]:{port} {key}\n")
        with open(f"{self.folder}/ssh_config", "w") as f:
            f.write(f"""Host bench
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {self.folder}/id
  IdentitiesOnly yes
  UserKnownHostsFile {self.folder}/known_hosts
  StrictHostKeyChecking yes
  LogLevel ERROR
""")
        with open(f"{programs}/ssh", "w") as f:
            f.write(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder}/ssh_config "$@"\n')
        os.chmod(f"{programs}/ssh", 0o755)

    def running(self):
        """Whatever runs below it for a client."""
        found, open_ = [], [self.process.pid]
        while open_:
            below = children_of(open_.pop())
            found += below
            open_ += below
        return [pid for pid in found if pid != self.listener]

    def settle(self, limit=10.0):
        """Waits until no client is left."""
        end = time.monotonic() + limit
        while self.running():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def cpu(self):
        """CPU seconds of all that has ended: sshd's own for each connection, and what it ran."""
        return cpu_of(self.process.pid, children=True) + cpu_of(self.listener, children=True)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


def supervise(command):
    """Runs sshd and takes over what its clients leave behind, so that this is counted, too."""
    subreaper = 36
    ctypes.CDLL(None).prctl(subreaper, 1, 0, 0, 0)
    process = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.wait()[0] != process.pid:
        pass


if __name__ == "__main__":
    supervise(sys.argv[1:])
