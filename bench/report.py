"""The figures of the issue, and tables for the terminal or as Markdown."""

STEPS = [
    ("full", "full backup"), ("unchanged", "unchanged"), ("unchanged2", "unchanged, again"), ("day2", "day 2"),
    ("list", "list everything"), ("one", "one message"), ("one_key", "one message, key file"),
    ("restore", "restore everything"), ("check", "check"), ("verify", "check, all data read"),
    ("prune", "prune to the last"), ("mail", "real mail alone, full")]
SIZES = [("full", "after the full backup"), ("both", "after both days"), ("pruned", "after the prune"),
         ("mail", "real mail alone")]


def get(results, tool, step, what):
    return results.get(tool, {}).get("steps", {}).get(step, {}).get(what)


def figures(results):
    """Rows of the issue's table: what, value, unit, must, aim, whether more is better."""
    def ratio(a, b):
        return a / b if a is not None and b else None

    def size(tool, at):
        return results.get(tool, {}).get("size", {}).get(at)

    def wall(tool, step):
        return get(results, tool, step, "wall_s")

    def faster(step, than):
        others = [w for w in (wall(t, step) for t in than) if w]
        return ratio(min(others), wall("zstore", step)) if others else None

    peaks = [get(results, "zstore", s, "peak_kib") for s in ("full", "unchanged", "day2", "restore")]
    one = wall("zstore", "one_key")
    rows = [
        ("repository after both days", ratio(size("zstore", "both"), size("borg", "both")), "x borg", .37, .33, False),
        ("real mail alone", ratio(size("zstore", "mail"), size("borg", "mail")), "x borg", .60, .52, False),
        ("full backup", faster("full", ["borg"]), "x faster than borg", 2.5, 6, True),
        ("unchanged backup", faster("unchanged", ["borg", "restic"]), "x faster than both", 5, 13, True),
        ("one message out, key file", None if one is None else one * 1000, "ms", 50, 20, False),
        ("restore of everything", faster("restore", ["borg"]), "x faster than borg", 2, 4, True),
        ("peak memory, backup and restore", max(peaks) / 1024 if None not in peaks else None, "MiB", 192, 128, False),
    ]
    return [judge(*r) for r in rows]


def judge(what, value, unit, must, aim, more):
    def reached(limit):
        return value >= limit if more else value <= limit
    verdict = "not measured" if value is None else "ok, aim reached" if reached(aim) else "ok" if reached(must) else \
        "missed by %.0f %%" % (100 * ((must / value if more else value / must) - 1))
    return {"what": what, "value": value, "unit": unit, "must": must, "aim": aim, "verdict": verdict}


def number(v, digits=2):
    return "-" if v is None else "%.*f" % (digits, v)


def tables(results):
    """(title, header, rows) of texts."""
    names = list(results)

    def by_step(what, scale, digits):
        def cell(tool, step):
            v = get(results, tool, step, what)
            return number(None if v is None else v / scale, digits(step))
        return [[text] + [cell(n, step) for n in names] for step, text in STEPS]

    def size_cell(tool, when):
        v = results[tool]["size"].get(when)
        return number(None if v is None else v / 1e6, 1)

    out = [("Wall time, seconds", "step", by_step("wall_s", 1, lambda s: 3 if s.startswith("one") else 2)),
           ("CPU time (user and system), seconds", "step", by_step("cpu_s", 1, lambda s: 2)),
           ("Peak memory, MiB", "step", by_step("peak_kib", 1024, lambda s: 0)),
           ("Repository, MB", "when", [[text] + [size_cell(n, when) for n in names] for when, text in SIZES])]
    return [(title, [first] + names, [r for r in rows if any(c != "-" for c in r[1:])]) for title, first, rows in out]


def figure_table(rows):
    def cells(r):
        return [r["what"], number(r["value"]) + " " + r["unit"], str(r["must"]), str(r["aim"]), r["verdict"]]
    return "Figures of the issue", ["figure", "reached", "must", "aim", ""], [cells(r) for r in rows]


def as_text(title, head, rows):
    width = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    lines = ["", title]
    for r in [head] + rows:
        lines.append("  " + "  ".join([r[0].ljust(width[0])] + [c.rjust(w) for c, w in zip(r[1:], width[1:])]).rstrip())
    return "\n".join(lines)


def as_markdown(title, head, rows):
    line = "| " + " | ".join(head) + " |\n|" + " --- |" + " ---: |" * (len(head) - 1)
    return "\n**" + title + "**\n\n" + line + "".join("\n| " + " | ".join(r) + " |" for r in rows)


def render(document, markdown):
    form = as_markdown if markdown else as_text
    m, d = document["machine"], document["data"]
    head = "%s; %s, %d cores, %.0f GB memory, Linux %s; %s" % (
        document["date"], m["cpu"], m["cores"], m["memory_kib"] * 1024 / 1e9, m["kernel"],
        ", ".join(document["versions"].values()))
    head += "\n%s: %d files, %.2f GB; day 2: %d new or changed, %d removed" % (
        d["from"], d["files"], d["bytes"] / 1e9, d["day2_put"], d["day2_gone"])
    parts = [head] + [form(*t) for t in tables(document["results"])] + [form(*figure_table(document["figures"]))]
    if document["notes"]:
        parts.append("\n" + "\n".join(("- " if markdown else "note: ") + n for n in document["notes"]))
    return "\n".join(parts)
