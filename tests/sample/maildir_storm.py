#!/usr/bin/env python3
"""A Maildir in motion.
  maildir_storm.py make DIR N           N messages in several folders, cur and new
  maildir_storm.py run DIR STOP SEED [links]
                                        until the file STOP is there: messages get flags, move from new to cur and between folders, under
                                        their own or a new name, by rename, or also by link and unlink; none is ever deleted
  maildir_storm.py check N [DOUBLES]    JSON lines of zstore ls -R on standard input: is each of the N messages there, and once?  So many
                                        may be there twice (a message that is moved by link and unlink has two names for a moment)
"""
import collections, json, os, random, sys, time

FOLDERS = ["", ".Archive", ".Sent", ".Trash", ".zz"]


def make(root, count):
    for folder in FOLDERS:
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(root, folder, sub))
    for i in range(count):
        folder, sub = FOLDERS[i % 3], "new" if i % 10 == 0 else "cur"
        name = "%d.M%dP1.host%s" % (1700000000 + i, i, "" if sub == "new" else ":2,")
        with open(os.path.join(root, folder, sub, name), "w") as f:
            f.write("From: a%d@x.org\nTo: b@y.org\nSubject: message %d\nMessage-ID: <%d@x>\n\nbody of %d\n%s\n" % (i, i, i, i, "x" * 500))


def step(rng, root, message, serial, links):
    folder, sub, name = message
    base, kind = name.split(":")[0], rng.random()
    if kind < 0.7:
        to = [folder, "cur", base + ":2," + "".join(sorted(rng.sample("DFPRSTabcdefghij", rng.randrange(5))))]
    elif kind < 0.9:
        to = [rng.choice(FOLDERS), "cur", "%d.S%dP%d.host:2,S" % (1800000000 + serial, serial, os.getpid())]
    else:
        to = [rng.choice(FOLDERS), "cur", base + ":2,"]
    a, b = os.path.join(root, *message), os.path.join(root, *to)
    if a == b:
        return
    if links and to[0] != folder and rng.random() < 0.5:
        os.link(a, b)
        os.unlink(a)
    else:
        os.rename(a, b)
    message[:] = to


def run(root, stop, seed, links):
    rng, messages, serial = random.Random(seed), [], 0
    for folder in FOLDERS:
        for sub in ("cur", "new"):
            messages += [[folder, sub, name] for name in sorted(os.listdir(os.path.join(root, folder, sub)))]
    while not os.path.exists(stop):
        for _ in range(20):
            serial += 1
            step(rng, root, rng.choice(messages), serial, links)
        time.sleep(0.001)
    print(serial)


def check(count, doubles):
    seen = collections.Counter()
    for line in sys.stdin:
        entry = json.loads(line)
        if "message_id" in entry:
            seen[int(entry["message_id"].split("@")[0])] += 1
        elif entry["type"] == "file":
            sys.exit("no message: " + entry["path"])
    lost, doubled = [i for i in range(count) if not seen[i]], [i for i in seen if seen[i] > 1]
    if lost or len(doubled) > doubles or len(seen) != count:
        sys.exit("lost %d %s, doubled %d %s" % (len(lost), lost[:5], len(doubled), doubled[:5]))


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "run":
    run(sys.argv[2], sys.argv[3], int(sys.argv[4]), "links" in sys.argv[5:])
else:
    check(int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
