#!/bin/bash
# Bit by bit: every byte of a tiny repository (a sample of larger objects) has one bit flipped.  extract gives the same data
# or an error, never other data, never a crash; check --read-data finds every flip.
FAST=1
. "$(dirname "$0")/../e2e/lib.sh"
mkdir -p src/accounts/a@x/Inbox
printf 'From: a@x\r\nTo: b@x\r\nSubject: bits\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n' \
	"$(head -c 3000 /dev/zero | tr '\0' 'q' | base64 -w 76 | sed 's/$/\r/')" >src/accounts/a@x/Inbox/msg-1.eml
echo '{"id": 1, "folder": "Inbox", "flags": ["seen"], "tags": [], "date": "2026-01-01T00:00:00Z", "size": 3}' >src/accounts/a@x/Inbox/msg-1.meta
printf 'inline' >src/small; : >src/empty; ln -s small src/link; seq 400 >src/numbers
quick_init
z 0 backup -q --time 2026-01-01T00:00Z src
cp -a src before
echo more >>src/numbers
z 0 backup -q --time 2026-01-02T00:00Z src
z 0 backup -q --time 2026-01-03T00:00Z src/small
z 0 forget -q latest
z 0 check --read-data
rm repo/reserve
cat >bits.py <<'E'
import multiprocessing, os, random, shutil, signal, subprocess, sys, time
zstore, budget = sys.argv[1], float(sys.argv[2])
env = {k: v for k, v in os.environ.items() if k not in ("ZSTORE_REPO", "ZSTORE_CACHE_DIR")}

def tree(root):
    out = {}
    for d, ds, fs in os.walk(root):
        for n in ds + fs:
            p = os.path.join(d, n)
            r = os.path.relpath(p, root)
            out[r] = ("link", os.readlink(p)) if os.path.islink(p) else ("dir",) if os.path.isdir(p) else ("file", open(p, "rb").read())
    return out

def below(name, files):
    return dict({os.path.join(name, k): v for k, v in files.items()}, **{name: ("dir",)})

def run(*args):
    p = subprocess.run([zstore, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return p.returncode, p.stderr.decode(errors="replace")

want, before = below("src", tree("src")), below("src", tree("before"))

def one(job):
    path, at, bit, deadline = job
    if time.time() > deadline:
        return None
    me = "w%d" % os.getpid()
    repo, cache, out = me + "/repo", me + "/cache", me + "/out"
    if not os.path.isdir(repo):
        shutil.copytree("repo", repo)
    target = os.path.join(repo, path)
    with open(os.path.join("repo", path), "rb") as f:
        good = f.read()
    what = "%s byte %d bit %d" % (path, at, bit)
    bad = bytearray(good)
    bad[at] ^= 1 << bit
    with open(target, "wb") as f:
        f.write(bad)
    problems = []
    try:
        code, err = run("-r", repo, "--cache-dir", cache, "extract", "latest", "-C", out)
        got = tree(out) if os.path.isdir(out) else {}
        if code < 0 or code >= 128:
            problems.append("%s: extract crashed (%d) %s" % (what, code, err[-300:]))
        elif code == 0 and got != want:
            # a snapshot that cannot be trusted must not silently be passed over for the one before
            problems.append("%s: extract succeeded with other data; %s" % (what, err))
        elif code != 0 and not err.startswith("zstore: "):
            problems.append("%s: extract failed (%d) without a message" % (what, code))
        # if the newest snapshot is the damaged object, "latest" is the one before it, whole, and that is said
        fallback = path.startswith("snapshots/") and code == 4 and got == before and path[10:22] in err
        for name, value in got.items():
            if value != want.get(name) and not fallback:
                problems.append("%s: %s came out wrong (exit %d)" % (what, name, code))
        shutil.rmtree(cache, ignore_errors=True)
        found, err = run("-r", repo, "--cache-dir", cache, "check", "--read-data")
        if found < 0 or found >= 128:
            problems.append("%s: check crashed (%d) %s" % (what, found, err[-300:]))
        elif found == 0:
            problems.append("%s: check finds nothing" % what)
        elif not err.startswith("zstore: "):
            problems.append("%s: check failed (%d) without a message" % (what, found))
    except subprocess.TimeoutExpired:
        problems.append("%s: hangs" % what)
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(cache, ignore_errors=True)
    with open(target, "wb") as f:
        f.write(good)
    return problems

r = random.Random(11)
first, then = [], []
deadline = time.time() + budget
sizes = {}
for d, _, fs in os.walk("repo"):
    for f in fs:
        path = os.path.relpath(os.path.join(d, f), "repo")
        n = sizes[path] = os.path.getsize(os.path.join("repo", path))
        offsets = list(range(n))
        r.shuffle(offsets)
        # the beginnings, the ends and a sample of each object first, so that the budget never leaves one out
        early = set(range(min(n, 16))) | set(range(max(0, n - 16), n)) | set(offsets[:60])
        for at in offsets:
            (first if at in early else then).append((path, at, r.randrange(8), deadline))
r.shuffle(then)
done = 0
bad = []
with multiprocessing.Pool(2) as pool:
    for n, result in enumerate(pool.imap_unordered(one, first + then, 4)):
        if result is not None:
            done += 1
            bad += result
print("%d of %d bytes of %d objects: %d flips, %d problems" % (done, sum(sizes.values()), len(sizes), done, len(bad)))
for b in bad[:20]:
    print(b, file=sys.stderr)
if done < len(first) // 2:
    sys.exit("too slow: %d flips of %d" % (done, len(first)))
sys.exit(bool(bad))
E
/usr/bin/python3 bits.py "$ZSTORE" 50 || die "flipped bits"
