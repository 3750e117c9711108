"""What is backed up: the made organisation on two days, and the real mail alone."""
import filecmp, json, os, shutil, subprocess, sys

SAMPLE_BYTES_A_MESSAGE = 42_000  # make_sample.py's mean, all copies counted


def say(text):
    print(text, file=sys.stderr, flush=True)


def unpack(archive, to):
    os.makedirs(to)
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", to], check=True)
    return to


def inventory(tree):
    """Number of files and their bytes."""
    files = total = 0
    for d, _, names in os.walk(tree):
        files += len(names)
        total += sum(os.lstat(os.path.join(d, n)).st_size for n in names)
    return files, total


def make_from_corpus(corpus, work, size):
    mail = unpack(os.path.join(corpus, "mail.tar.zst"), os.path.join(work, "real", "mail"))
    docs = unpack(os.path.join(corpus, "docs.tar.zst"), os.path.join(work, "docs"))
    tool = ["/usr/bin/python3", os.path.join(corpus, "make_org.py"), "--mail", mail, "--docs", docs]
    day1, day2 = os.path.join(work, "org"), os.path.join(work, "org-day2")
    subprocess.run(tool + ["--out", day1, "--bytes", str(size), "--seed", "1"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(tool + ["--day2-from", day1, "--out", day2], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(docs)
    return day1, day2, mail


def make_from_sample(work, size):
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "sample", "make_sample.py")
    day1, day2 = os.path.join(work, "org"), os.path.join(work, "org-day2")
    messages = max(50, size // SAMPLE_BYTES_A_MESSAGE)
    size_options = ["--users", str(5 + messages // 400), "--messages", str(messages)]
    subprocess.run(["/usr/bin/python3", tool, day1] + size_options, check=True)
    shutil.copytree(day1, day2)
    shutil.copy2(day1 + ".state.json", day2 + ".state.json")
    subprocess.run(["/usr/bin/python3", tool, day2, "--next-day"], check=True)
    return day1, day2, None


def files_of(tree):
    return {os.path.relpath(os.path.join(d, n), tree) for d, _, names in os.walk(tree) for n in names}


class NextDay:
    """The difference between two trees, to be applied to the first as a living server would: what did not change keeps
    its inode and times, what did comes in by rename."""

    def __init__(self, day1, day2):
        self.day1, self.day2 = day1, day2
        old, new = files_of(day1), files_of(day2)
        self.gone = sorted(old - new)
        self.put = sorted(p for p in new if p not in old or
                          not filecmp.cmp(os.path.join(day1, p), os.path.join(day2, p), shallow=False))
        self.same = len(new) - len(self.put)

    def apply(self):
        for p in self.gone:
            os.unlink(os.path.join(self.day1, p))
        for p in self.put:
            to = os.path.join(self.day1, p)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            os.replace(os.path.join(self.day2, p), to)
        shutil.rmtree(self.day2)


def part_of(mail, limit):
    """For a quick run: real mail up to a number of bytes; the rest is removed."""
    left = limit
    for d, dirs, names in os.walk(mail):
        dirs.sort()
        for n in sorted(names):
            path = os.path.join(d, n)
            left -= os.lstat(path).st_size
            if left < 0:
                os.unlink(path)
    return mail


def middle_message(tree):
    """A message of the folder in the middle, from its middle: no tool may have it by chance at the start."""
    folders = sorted({os.path.dirname(p) for p in files_of(tree) if p.endswith(".eml")})
    folder = folders[len(folders) // 2]
    messages = sorted(n for n in os.listdir(os.path.join(tree, folder)) if n.endswith(".eml"))
    return os.path.join(folder, messages[len(messages) // 2])


def read_once(tree):
    """Warm the page cache."""
    for d, _, names in os.walk(tree):
        for n in names:
            with open(os.path.join(d, n), "rb") as f:
                while f.read(1 << 20):
                    pass


def machine():
    def first(path, key):
        with open(path) as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "?")
    return {"cpu": first("/proc/cpuinfo", "model name"), "cores": len(os.sched_getaffinity(0)),
            "memory_kib": int(first("/proc/meminfo", "MemTotal").split()[0]), "kernel": os.uname().release}


def save(path, document):
    with open(path, "w") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
