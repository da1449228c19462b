"""The data sets, the changes made to them, and the comparison of what was restored.

A data set lies as it was made in `DATA/<name>` and is never touched again; what is backed up is a copy, which is
brought back to that state before each place of each round. Every change is a fixed recipe with a fixed seed, and the
times of what it touches are fixed, too: the same change is the same bytes for every program in every round.
"""
import glob
import json
import math
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import tarfile
import time

MIB = 1 << 20
# What was written a moment ago is read again by programs that take care; so all is from long ago.
MADE, CHANGED, INSERTED = 1_600_000_000, 1_600_100_000, 1_600_200_000
WORDS = ("account invoice payment pending shipped customer northern harbour delivery refund credit window garden music "
         "paper silver market station bridge winter summer message report order update service meeting project contract "
         "budget region support ticket battery camera engine filter handle island jacket kitchen ladder mirror needle "
         "orange pencil quarter ribbon saddle table umbrella village wagon yellow zipper").split()
NAMES = ("src", "big", "many", "sub")
LARGE = "binaries.tar"
DATABASE = "records.sqlite"


def files_below(root):
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        found += [path for path in (os.path.join(folder, name) for name in sorted(names))
                  if stat.S_ISREG(os.lstat(path).st_mode)]
    return found


def set_times(root, seconds):
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            os.utime(os.path.join(folder, name), (seconds, seconds), follow_symlinks=False)
        os.utime(folder, (seconds, seconds))


def count(root):
    """Files, all names, and bytes in files."""
    files = names = size = 0
    for folder, folders, leaves in os.walk(root):
        names += len(folders) + len(leaves)
        for name in leaves:
            told = os.lstat(os.path.join(folder, name))
            if stat.S_ISREG(told.st_mode):
                files += 1
                size += told.st_size
    return {"files": files, "names": names, "bytes": size}


# ---- made once

def pristine(name, folder, options):
    """Where the untouched data set lies; makes it when it is not there as the options ask for it."""
    if name == "src" and options.src_tree:
        return os.path.abspath(options.src_tree)
    root, stamp = f"{folder}/{name}", f"{folder}/{name}.json"
    parts = ("src_", "sub_") if name == "sub" else (f"{name}_",)
    asked = {key: value for key, value in vars(options).items() if key.startswith(parts)}
    try:
        with open(stamp) as f:
            if json.load(f) == asked:
                return root
    except OSError:
        pass
    print(f"making the data set {name}", flush=True)
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    if name == "src":
        make_src(root)
    elif name == "sub":
        make_sub(root, pristine("src", folder, options), options.sub_mib * MIB)
    else:
        {"big": make_big, "many": make_many}[name](root, options)
        set_times(root, MADE)
    with open(stamp, "w") as f:
        json.dump(asked, f)
    return root


def make_src(root):
    found = sorted(glob.glob("/usr/src/linux-source-*.tar.*"))
    if not found:
        raise SystemExit("no source tree: give one with --src-tree, or install a package linux-source")
    subprocess.check_call(["tar", "xf", found[-1], "-C", root, "--no-same-owner", "--strip-components=1"])


def make_sub(root, source, left):
    """Directories of the source tree in the order of their names, as far as they fit."""
    for name in sorted(os.listdir(source)):
        path = os.path.join(source, name)
        if os.path.isdir(path) and not os.path.islink(path):
            size = count(path)["bytes"]
            if size <= left:
                left -= size
                subprocess.check_call(["cp", "-a", path, root])


def make_big(root, options):
    left, taken = options.big_tar_mib * MIB, []
    found = {path for place in ("/usr/lib", "/usr/bin") for path in files_below(place)}
    for size, path in sorted(((os.path.getsize(path), path) for path in found), key=lambda x: (-x[0], x[1])):
        if 256 << 10 <= size <= left:
            left -= size
            taken.append(path)
    with tarfile.open(f"{root}/{LARGE}", "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(taken):
            tar.add(path, recursive=False)
    make_database(f"{root}/{DATABASE}", options.big_database_mib * MIB)
    chance = random.Random(20260101)
    with open(f"{root}/random.bin", "wb") as f:
        for _ in range(options.big_random_mib):
            f.write(chance.randbytes(MIB))


def make_database(path, size):
    chance, number, made = random.Random(7), 0, 1_600_000_000
    database = sqlite3.connect(path)
    for pragma in ("page_size=4096", "journal_mode=off", "synchronous=off"):
        database.execute(f"pragma {pragma}")
    database.execute("create table orders(id integer primary key, customer text, email text, created integer,"
                     " amount real, status text, ref blob, note text)")
    while os.path.getsize(path) < size:
        rows = []
        for _ in range(20000):
            number += 1
            made += int(chance.random() * 200)
            words = chance.choices(WORDS, k=chance.randint(6, 30))
            who = f"{words[0]}.{words[1]}"
            rows.append((number, who, f"{who}{number % 977}@{words[2]}.example", made, round(chance.random() * 900, 2),
                         chance.choice(("new", "paid", "sent", "void")), chance.randbytes(16), " ".join(words)))
        database.executemany("insert into orders values(?,?,?,?,?,?,?,?)", rows)
        database.commit()
    database.execute("create index by_customer on orders(customer)")
    database.commit()
    database.close()


def make_many(root, options):
    """Files of 64 bytes to 4 KiB, no two alike, a quarter of them noise; 100 in a directory."""
    chance = random.Random(99)
    noise, text = chance.randbytes(1 << 16), " ".join(chance.choices(WORDS, k=20000)).encode()
    for number in range(options.many_files):
        folder = f"{root}/g{number // 1000:05d}/d{number // 100 % 10}"
        if number % 100 == 0:
            os.makedirs(folder)
        size = int(math.exp(chance.uniform(math.log(64), math.log(4096))))
        head = b"id=%d key=%016x\n" % (number, chance.getrandbits(64))
        stock = noise if number % 4 == 0 else text
        at = chance.randrange(len(stock) - 4096)
        with open(f"{folder}/f{number % 100:02d}.dat", "wb") as f:
            f.write(head + chance.randbytes(8) + stock[at:at + max(0, size - len(head) - 8)])


# ---- changed in each round

def reset(source, copy):
    """Makes the copy what the source is."""
    os.makedirs(copy, exist_ok=True)
    if shutil.which("rsync"):
        subprocess.check_call(["rsync", "-a", "--delete", source + "/", copy + "/"])
    else:
        shutil.rmtree(copy)
        subprocess.check_call(["cp", "-a", source, copy])


def change(operation, name, root):
    """Does the change that comes before an operation, if there is one, and says what it was."""
    recipe, seconds = {"small-change": (small_change, CHANGED), "big-insert": (big_insert, INSERTED)}.get(operation, (None, 0))
    if recipe is None:
        return None
    began = time.time() - 1
    said = recipe(name, root)
    for folder, _, names in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            if os.lstat(path).st_mtime > began:
                os.utime(path, (seconds, seconds))
    return said


def small_change(name, root):
    if name == "big":
        return update_rows(f"{root}/{DATABASE}", 200)
    chance = random.Random(1001)
    picked = chance.sample(files_below(root), 100)
    edited, deleted = picked[:50], picked[50:]
    for at, path in enumerate(edited):
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            if at % 2 == 0 and size >= 16:
                f.seek(chance.randrange(size - 15))
                f.write(chance.randbytes(16))
            else:
                f.seek(0, os.SEEK_END)
                f.write(b"/* appended line %d */\n" % chance.getrandbits(40))
    for path in deleted:
        os.unlink(path)
    for at in range(50):
        path = os.path.join(os.path.dirname(chance.choice(edited)), f"added_{at}.c")
        with open(path, "wb") as f:
            f.write(" ".join(chance.choices(WORDS, k=chance.randint(10, 3000))).encode())
    below = {}
    for path in files_below(root):
        while len(path := os.path.dirname(path)) > len(root):
            below[path] = below.get(path, 0) + 1
    renamed = min(sorted(below), key=lambda path: abs(below[path] - 1000))
    os.rename(renamed, renamed + "_renamed")
    return f"50 files edited, 50 added, 50 deleted, a directory with {below[renamed]} files renamed"


def update_rows(path, rows):
    chance = random.Random(2001)
    database = sqlite3.connect(path)
    last = database.execute("select max(id) from orders").fetchone()[0]
    for _ in range(rows):
        database.execute("update orders set amount=?, status='void', ref=? where id=?",
                         (round(chance.random() * 900, 2), chance.randbytes(16), chance.randint(1, last)))
    database.commit()
    database.close()
    return f"{rows} scattered rows of {DATABASE} updated"


def big_insert(name, root):
    chance = random.Random(3001)
    if name == "big":
        path = f"{root}/{LARGE}"
        size = os.path.getsize(path)
        places = sorted(chance.sample(range(1, size), 40))
        with open(path, "rb") as old, open(path + ".new", "wb") as new:
            new.write(b"!")
            for at in places:
                copy_until(old, new, at)
                new.write(chance.randbytes(chance.randint(1, 4096)))
            copy_until(old, new, size)
        os.replace(path + ".new", path)
        return f"1 byte put before {LARGE}, and 40 times 1 byte to 4 KiB into it"
    mib = max(1, count(root)["bytes"] // 16 // MIB)
    folder = f"{root}/inserted"
    os.mkdir(folder)
    with open(f"{folder}/noise.bin", "wb") as f:
        for _ in range(mib):
            f.write(chance.randbytes(MIB))
    for at in range(1000):
        with open(f"{folder}/new_{at}.txt", "wb") as f:
            f.write(" ".join(chance.choices(WORDS, k=chance.randint(10, 3000))).encode())
    return f"a directory added: 1,000 files of text and {mib} MiB of noise"


def copy_until(old, new, end):
    while left := end - old.tell():
        new.write(old.read(min(left, 4 * MIB)))


# ---- compared

def differences(a, b):
    """What differs below two directories, by kind of difference; empty when they are the same."""
    found, open_ = {}, [""]

    def differs(what, path):
        found.setdefault(what, []).append(path)

    while open_:
        below = open_.pop()
        names = set(os.listdir(os.path.join(a, below)))
        others = set(os.listdir(os.path.join(b, below)))
        for name in names ^ others:
            differs("missing" if name in names else "extra", os.path.join(below, name))
        for name in names & others:
            path = os.path.join(below, name)
            pa, pb = os.path.join(a, path), os.path.join(b, path)
            sa, sb = os.lstat(pa), os.lstat(pb)
            kind = stat.S_IFMT(sa.st_mode)
            if kind != stat.S_IFMT(sb.st_mode):
                differs("kind", path)
                continue
            if sa.st_mode != sb.st_mode:
                differs("mode", path)
            if sa.st_mtime_ns != sb.st_mtime_ns:
                differs("time", path)
            if (sa.st_uid, sa.st_gid) != (sb.st_uid, sb.st_gid):
                differs("owner", path)
            if stat.S_ISDIR(kind):
                open_.append(path)
            elif stat.S_ISLNK(kind) and os.readlink(pa) != os.readlink(pb):
                differs("target", path)
            elif stat.S_ISREG(kind) and (sa.st_size != sb.st_size or not same_content(pa, pb)):
                differs("content", path)
    return {what: {"count": len(paths), "first": min(paths)} for what, paths in found.items()}


def same_content(a, b):
    with open(a, "rb", buffering=0) as f, open(b, "rb", buffering=0) as g:
        while True:
            x, y = f.read(MIB), g.read(MIB)
            if x != y:
                return False
            if not x:
                return True
