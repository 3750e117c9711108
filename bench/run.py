#!/usr/bin/python3
"""zstore, borg and restic over the same data in one go; see README.md beside this file.

  bench/run.sh [--quick] [--bytes N] [--zstore PROGRAM] [--only TOOL,TOOL] [--json FILE] [--markdown]

The table goes to standard output, progress to standard error, all figures to the JSON file.  Everything is done below
one temporary directory, which is removed at the end, also after Ctrl-C.
"""
import argparse, datetime, os, shutil, signal, statistics, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import data, report, tools  # noqa: E402

TOP = os.path.dirname(HERE)
SETTLE_S = 2.5  # files that changed just now are distrusted by every tool
ONE_MESSAGE_RUNS = 5
running = None  # the child that is being measured


class Failed(Exception):
    pass


def measure(commands, env, cwd, stdout, log):
    """Run one after the other: wall and CPU seconds summed, the highest peak."""
    global running
    total = {"wall_s": 0.0, "cpu_s": 0.0, "peak_kib": 0}
    for command in commands:
        os.sync()
        with open(stdout, "wb") as out, open(log, "wb") as err:
            start = time.monotonic()
            running = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            _, status, usage = os.wait4(running.pid, 0)
            wall = time.monotonic() - start
        running.returncode = os.waitstatus_to_exitcode(status)
        code, running = running.returncode, None
        if code != 0:
            with open(log, errors="replace") as f:
                raise Failed("%s: exit code %d\n%s" % (" ".join(command), code, f.read()[-2000:]))
        total["wall_s"] += wall
        total["cpu_s"] += usage.ru_utime + usage.ru_stime
        total["peak_kib"] = max(total["peak_kib"], usage.ru_maxrss)
    return total


def tree_bytes(path):
    return sum(os.lstat(os.path.join(d, n)).st_size for d, _, names in os.walk(path) for n in names)


class Bench:
    def __init__(self, work, used, org):
        self.work, self.used, self.org = work, used, org
        self.cwd, self.tree = os.path.dirname(org), os.path.basename(org)
        self.out, self.log = os.path.join(work, "stdout"), os.path.join(work, "stderr")
        self.results = {t.name: {"steps": {}, "size": {}} for t in used}
        self.notes = []

    def run(self, tool, step, commands, cwd=None):
        cost = measure(commands, tool.env, cwd or self.cwd, self.out, self.log)
        if step:
            self.note(tool, step, cost)
        return cost

    def note(self, tool, step, cost):
        self.results[tool.name]["steps"][step] = cost
        data.say("  %-7s %-11s %8.3f s wall %8.2f s CPU %6.0f MiB" % (
            tool.name, step, cost["wall_s"], cost["cpu_s"], cost["peak_kib"] / 1024))

    def size(self, tool, when):
        self.results[tool.name]["size"][when] = tree_bytes(tool.repo)

    def each(self, step, make):
        for tool in self.used:
            self.run(tool, step, make(tool))

    def backups(self, next_day):
        data.read_once(self.org)
        time.sleep(SETTLE_S)
        for tool in self.used:
            self.run(tool, None, tool.init())
        self.each("full", lambda t: t.backup("full", self.tree))
        for tool in self.used:
            self.size(tool, "full")
        self.each("unchanged", lambda t: t.backup("unchanged", self.tree))
        self.each("unchanged2", lambda t: t.backup("unchanged2", self.tree))
        next_day.apply()
        data.read_once(self.org)
        time.sleep(SETTLE_S)
        self.each("day2", lambda t: t.backup("day2", self.tree))
        for tool in self.used:
            self.size(tool, "both")

    def one_message(self):
        path = data.middle_message(self.org)
        with open(os.path.join(self.org, path), "rb") as f:
            want = f.read()
        for tool in self.used:
            for step, make in (("one", "one"), ("one_key", "one_by_key_file")):
                if not hasattr(tool, make):
                    continue
                costs = []
                for _ in range(ONE_MESSAGE_RUNS):
                    costs.append(self.run(tool, None, getattr(tool, make)("day2", os.path.join(self.tree, path))))
                    with open(self.out, "rb") as f:
                        if f.read() != want:
                            raise Failed("%s: the message that came out is another one" % tool.name)
                cost = {k: statistics.median(c[k] for c in costs) for k in costs[0]}
                self.note(tool, step, cost)

    def restores(self):
        for tool in self.used:
            to = os.path.join(self.work, "restored")
            os.mkdir(to)
            self.run(tool, "restore", tool.restore("day2", to), cwd=to)
            diff = subprocess.run(["diff", "-r", "--no-dereference", self.org, os.path.join(to, self.tree)],
                                  stdout=subprocess.PIPE, text=True)
            if diff.returncode != 0:
                raise Failed("%s restored something else:\n%s" % (tool.name, diff.stdout[:2000]))
            shutil.rmtree(to)

    def reads_and_prune(self):
        self.each("list", lambda t: t.listing("day2"))
        self.one_message()
        self.restores()
        self.each("check", lambda t: t.check())
        self.each("verify", lambda t: t.verify())
        self.each("prune", lambda t: t.prune())
        for tool in self.used:
            self.size(tool, "pruned")

    def real_mail(self, mail):
        data.read_once(mail)
        time.sleep(SETTLE_S)
        for tool in self.used:
            other = tool.at("mail")
            self.run(other, None, other.init()[:1])
            self.run(other, "mail", other.backup("mail", os.path.basename(mail)), cwd=os.path.dirname(mail))
            self.size(other, "mail")


def build(work):
    where = os.path.join(work, "build")
    data.say("building zstore")
    options = ["--buildtype=release", "-Dtests=disabled", "-Dfuzzing=none", "-Dman=disabled"]
    for command in (["meson", "setup", where, TOP] + options, ["ninja", "-C", where]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Failed("%s:\n%s" % (" ".join(command), done.stdout[-3000:]))
    return os.path.join(where, "src", "cli", "zstore")


def prepare(a, work):
    """Tools and data."""
    names = a.only.split(",")
    programs = {n: a.zstore if n == "zstore" else n for n in names}
    if "zstore" in names:
        programs["zstore"] = os.path.abspath(a.zstore) if a.zstore else build(work)
    used = [tools.TOOLS[n](programs[n], work) for n in names]
    data.say("making the organisation")
    if os.path.exists(os.path.join(a.corpus, "make_org.py")):
        made, source = data.make_from_corpus(a.corpus, work, a.bytes), "organisation of the corpus"
    else:
        made = data.make_from_sample(work, a.bytes)
        source = "organisation of tests/sample/make_sample.py (the corpus is absent)"
    return used, made, source


def carry_out(a, work):
    used, (day1, day2, mail), source = prepare(a, work)
    next_day = data.NextDay(day1, day2)
    files, size = data.inventory(day1)
    document = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "quick": a.quick,
                "machine": data.machine(), "versions": {t.name: t.version() for t in used},
                "data": {"from": source, "files": files, "bytes": size,
                         "day2_put": len(next_day.put), "day2_gone": len(next_day.gone)}}
    data.say("%s: %d files, %d bytes" % (source, files, size))
    bench = Bench(work, used, day1)
    bench.backups(next_day)
    bench.reads_and_prune()
    if mail:
        if a.quick:
            data.part_of(mail, a.bytes)
        document["data"]["mail_files"], document["data"]["mail_bytes"] = data.inventory(mail)
        bench.real_mail(mail)
    document["peak_floor_kib"] = measure([["true"]], used[0].env, work, bench.out, bench.log)["peak_kib"]
    if not mail:
        bench.notes.append("real mail alone: not measured, corpus/mail.tar.zst is absent; "
                           "the figures are of made-up mail and say little")
    if a.quick:
        bench.notes.append("a quick run: too small to judge the figures by")
    document.update(results=bench.results, figures=report.figures(bench.results), notes=bench.notes)
    return document


def size_arg(text):
    unit = {"K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:].upper(), 1)
    return int(float(text[:-1] if unit > 1 else text) * unit)


def arguments():
    p = argparse.ArgumentParser(prog="bench/run.sh", description="zstore, borg and restic over the same data.")
    p.add_argument("--zstore", metavar="PROGRAM", help="this program instead of a new release build")
    p.add_argument("--only", default="zstore,borg,restic", metavar="TOOL,TOOL", help="leave out the others")
    p.add_argument("--bytes", type=size_arg, help="bytes of mail in the organisation (1G)")
    p.add_argument("--quick", action="store_true", help="a small run (60M)")
    p.add_argument("--corpus", default=os.path.join(TOP, "..", "shared", "corpus"), metavar="DIR",
                   help="mail.tar.zst, docs.tar.zst, make_org.py")
    p.add_argument("--json", default="bench-result.json", metavar="FILE", help="all figures (bench-result.json)")
    p.add_argument("--markdown", action="store_true", help="the table as Markdown")
    a = p.parse_args()
    a.bytes = a.bytes or (60_000_000 if a.quick else 1_000_000_000)
    if not set(a.only.split(",")) <= set(tools.TOOLS):
        p.error("--only: " + ", ".join(tools.TOOLS))
    return a


def end(signum, frame):
    raise KeyboardInterrupt


def clean_up(work):
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    if running is not None and running.returncode is None:
        running.terminate()
        running.wait()

    def force(function, path, _):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        function(path)
    shutil.rmtree(work, onerror=force)


def main():
    a = arguments()
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, end)
    work = tempfile.mkdtemp(prefix="zstore-bench.")
    try:
        document = carry_out(a, work)
    except KeyboardInterrupt:
        data.say("interrupted")
        return 130
    except (Failed, subprocess.CalledProcessError) as e:
        data.say("failed: %s" % e)
        return 1
    finally:
        clean_up(work)
    data.save(a.json, document)
    print(report.render(document, a.markdown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
