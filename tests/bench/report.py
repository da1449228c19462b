"""The table of results, in Markdown."""
import contextlib
import io
import os
import re
import statistics

from tools import OPERATIONS, REFERENCE

MB, MIB_IN_KIB = 1e6, 1024
HEAD = ("place", "what", "rounds", "seconds", "min to max", "× reference", "CPU s", "far CPU s", "peak MiB",
        "far peak MiB", "up", "down", "turns", "stored MB", "× size", "catalog MB")


def size(n):
    if n is None:
        return "–"
    for unit, one in (("MB", 1e6), ("kB", 1e3)):
        if n >= one:
            return f"{n / one:.1f} {unit}"
    return f"{n:.0f} B"


def number(n, digits):
    return "–" if n is None else f"{n:.{digits}f}"


def progress(row):
    """One line for one measurement."""
    line = f"{row['at']} round {row['round'] + 1}  {row['data']:<5}{row['place']:<11}{row['op']:<13}{row['tool']:<11}"
    if row.get("wrong"):
        return f"{line} WRONG: {row['wrong']}"
    return f"{line}{row['wall']:9.3f} s{'  (the machine was busy)' if row['busy'] else ''}"


def middle(rows, key):
    values = [row[key] for row in rows if row.get(key) is not None]
    return statistics.median(values) if values else None


def total(rows, *keys):
    """Median of the sum of columns."""
    values = [sum(row[key] for key in keys) for row in rows if all(row.get(key) is not None for key in keys)]
    return statistics.median(values) if values else None


def kept(rows):
    """Without rounds in which other processes used much of the machine, if any others are left."""
    right = [row for row in rows if not row.get("wrong")]
    return [row for row in right if not row["busy"]] or right


def ratio(rows, references, key):
    """Median over the rounds of this by the sum of the references in the same round; of rounds that nobody disturbed, if
    there are any."""
    calm, all_ = [], []
    for row in rows:
        beside = [r for some in references for r in some if r["round"] == row["round"] and r.get(key) is not None]
        whole = sum(r[key] for r in beside)
        if row.get(key) is not None and len(beside) == len(references) and whole > 0:
            all_.append(row[key] / whole)
            if not any(r["busy"] for r in (row, *beside)):
                calm.append(row[key] / whole)
    return statistics.median(calm or all_) if all_ else None


def line(place, tool, rows, references):
    right = kept(rows)
    wrong = [row["wrong"] for row in rows if row.get("wrong")]
    if not right:
        return [place, tool, f"0 of {len(rows)}", "**WRONG**"] + ["–"] * (len(HEAD) - 4)
    seconds = [row["wall"] for row in right]
    is_reference = not references
    rounds = f"{len(right)} of {len(rows)}" + ("*" if right[0]["busy"] else "") + (" WRONG" if wrong else "")
    stores = middle(right, "stored")
    return [
        place, tool, rounds, number(statistics.median(seconds), 3), f"{min(seconds):.3f} to {max(seconds):.3f}",
        "" if is_reference else number(ratio(right, references, "wall"), 2),
        number(total(right, "user", "sys"), 2), number(middle(right, "server_cpu"), 2),
        number(total(right, "rss_kib") / MIB_IN_KIB, 0),
        number(None if middle(right, "server_rss_kib") is None else middle(right, "server_rss_kib") / MIB_IN_KIB, 0),
        size(middle(right, "up")), size(middle(right, "down")), number(middle(right, "turns"), 0),
        number(stores / MB if stores else None, 1),
        "" if is_reference else number(ratio(right, references, "stored") if stores else None, 3),
        number(middle(right, "catalog") / MB if middle(right, "catalog") else None, 1),
    ]


def table(rows):
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    aligned = [[cell.ljust(w) if at < 2 else cell.rjust(w) for at, (cell, w) in enumerate(zip(row, widths))] for row in rows]
    rule = ["-" * w if at < 2 else "-" * (w - 1) + ":" for at, w in enumerate(widths)]
    for row in [aligned[0], rule, *aligned[1:]]:
        print("| " + " | ".join(row) + " |")


def show(lines):
    """Prints everything; 1 when something was wrong."""
    of = lambda kind: [line for line in lines if line["type"] == kind]
    for machine in of("machine"):
        print(f"\n{machine['processor']}, {machine['cores']} cores in use, {machine['memory_gib']} GiB, {machine['file_system']}, "
              f"Linux {machine['kernel']}, {machine['date']}, commit {machine['commit']}\n\n    tests/bench/run {machine['options']}\n")
        for key, value in machine["settings"].items():
            print(f"{key}={value}")
        print("; ".join(f"{tool}: {version}" for tool, version in machine["versions"].items()))
    for tool in sorted({line["tool"] for line in of("left out")}):
        print(f"{tool}: not installed, left out")
    rows = of("row")
    # Parts of one run have been told one after the other: what they tell of a data set is the same.
    for name, found in {found["data"]: found for found in of("data")}.items():
        print(f"\n## {name}: {found['files']:,} files, {found['names']:,} names, {found['bytes'] / MB:,.1f} MB")
        for operation in OPERATIONS:
            here = [row for row in rows if (row["data"], row["op"]) == (name, operation)]
            if not here:
                continue
            changes = sorted({line["what"] for line in of("change") if (line["data"], line["op"]) == (name, operation)})
            print(f"\n### {name}, {operation}{': ' if changes else ''}{'; '.join(changes)}\n")
            table([list(HEAD), *lines_of(here, operation)])
    wrong = [row for row in rows if row.get("wrong")]
    for row in wrong:
        print(f"\nWRONG: {row['data']}, {row['place']}, {row['op']}, {row['tool']}, round {row['round'] + 1}: {row['wrong']}")
    if any(row.get("busy") for row in rows):
        busy = sum(row.get("busy", False) for row in rows)
        print(f"\n{busy} of {len(rows)} measurements were made while other processes used much of the machine; they are left out,"
              " and where there are no others, marked *.")
    return 1 if wrong else 0


BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def write_into(path, lines):
    """Puts what `show` prints between the two marks of a document, one level of headings deeper."""
    with open(path) as f:
        text = f.read()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path} has no lines {BEGIN.strip()} and {END.strip()}")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        wrong = show(lines)
    table = re.sub("^##", "###", printed.getvalue().strip(), flags=re.MULTILINE)
    with open(f"{path}.new", "w") as f:
        f.write(f"{before}{begin}\n{table}\n\n{end}{after}")
    os.replace(f"{path}.new", path)
    return wrong


def lines_of(rows, operation):
    result = []
    for place in dict.fromkeys(row["place"] for row in rows):
        here = [row for row in rows if row["place"] == place]
        names = REFERENCE[operation, place != "local"]
        references = [[row for row in here if row["tool"] == name and not row.get("wrong")] for name in names]
        order = {"reference": 0, "tuckbox": 1, "peer": 2}
        for tool in sorted(dict.fromkeys(row["tool"] for row in here),
                           key=lambda tool: next(order[row["kind"]] for row in here if row["tool"] == tool)):
            own = [row for row in here if row["tool"] == tool]
            result.append(line(place, tool, own, [] if tool in names else references))
    return result
