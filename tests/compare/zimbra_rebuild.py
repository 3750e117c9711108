#!/usr/bin/python3
"""zimbra_rebuild.py TRUTH.json DIR SOCKET BLOBS [--without WHAT=REASON]...: can the server be built again from a snapshot?

TRUTH   of tests/sample/zimbra_life.py truth
DIR     where the snapshot was extracted to (what is above "accounts"): accounts/*/%rows/*.sql, server/*.sql, the items' files
SOCKET  of an empty MariaDB; the tables are made there from tests/fixtures/zimbra
BLOBS   an empty directory for the blobs
Loads the rows as they are, writes every item's file to the path that its row demands, then compares all rows of all tables and all
blobs with the truth.  --without: what is not compared, with the reason: a table (database.table, or the table alone), or table.column.
"""
import argparse, hashlib, json, os, re, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "sample"))
sys.dont_write_bytecode = True
import zimbra_life

parser = argparse.ArgumentParser()
parser.add_argument("truth")
parser.add_argument("dir")
parser.add_argument("socket")
parser.add_argument("blobs")
parser.add_argument("--without", action="append", default=[])
args = parser.parse_args()
truth = json.load(open(args.truth))
fixture = os.path.join(HERE, "..", "fixtures", "zimbra")
bad = 0


def complain(text):
    global bad
    bad += 1
    if bad < 40:
        print(text)


class Database:
    def run_sql(self, text, *options):
        p = subprocess.run(["mariadb", "--no-defaults", "--binary-mode", "--default-character-set=utf8mb4", "--socket=" + args.socket, "-uroot", *options],
                           input=text if isinstance(text, bytes) else text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        if p.returncode:
            sys.exit("SQL: %s" % p.stderr.decode(errors="replace")[:2000])
        return p.stdout


def read(*parts):
    with open(os.path.join(*parts), "rb") as f:
        return f.read()


# ---- the rows
database = Database()
accounts = os.path.join(args.dir, "accounts")
files = [os.path.join(args.dir, "server", f) for f in sorted(os.listdir(os.path.join(args.dir, "server")))]
homes = {}  # of mailboxes: their directories
for name in sorted(os.listdir(accounts)):
    rows = os.path.join(accounts, name, "%rows")
    if not os.path.isdir(rows):
        continue
    files += [os.path.join(rows, f) for f in sorted(os.listdir(rows))]
    homes[int(re.search(rb"VALUES\s*\((\d+),", read(rows, "mail_item.sql"))[1])] = os.path.join(accounts, name)
statements = [read(f) for f in files]
groups = sorted({m for s in statements for m in re.findall(rb"INSERT INTO `(mboxgroup\d+)`", s)})
made = read(fixture, "zimbra.sql").decode() + "".join(read(fixture, "mboxgroup.sql").decode().replace("@DB@", g.decode()) for g in groups)
database.run_sql(made)
database.run_sql(b"SET time_zone='+00:00', FOREIGN_KEY_CHECKS=0;\n" + b"\n".join(statements))
got = zimbra_life.read_rows(database)

# ---- the blobs, by the rows that were loaded
items = {}  # (mailbox, table, id, version): file
ZONES = {"%dumpster": "mail_item_dumpster", "%revisions": "revision", "%dumpster-revisions": "revision_dumpster"}
types = {}


def text(v):
    return None if v is None else bytes.fromhex(v).decode()


def rows_of(table):
    return [dict(zip(got[table]["columns"], map(text, r))) for r in got[table]["rows"]]


blob_rows = []
for table in got:
    group, name = table.split(".")
    if group != "zimbra" and name in ("mail_item", "mail_item_dumpster", "revision", "revision_dumpster"):
        for r in rows_of(table):
            number = int(r.get("id") or r["item_id"])
            version = int(r["version"]) if "version" in r else None
            types[(int(r["mailbox_id"]), name, number, version)] = r.get("type")
            if r["locator"]:
                blob_rows.append((int(r["mailbox_id"]), name, number, version, r))
for mailbox, home in homes.items():
    for where, _, names in os.walk(home):
        zone = os.path.relpath(where, home).split("/")[0]
        for name in names:
            table = ZONES.get(zone, "mail_item")
            m = re.match(r"(\d+)-(\d+)-" if table.startswith("revision") else r"(\d+)-()", name)
            if zone == "%rows" or not m:
                continue
            key = (mailbox, table, int(m[1]), int(m[2]) if m[2] else None)
            if types.get(key) in ("6", "11", "15") and not name.endswith(".eml"):
                continue  # made to be read, not to be restored
            items[key] = os.path.join(where, name)
volumes = {v["id"]: v for v in rows_of("zimbra.volume")}
written = {}
for mailbox, table, number, version, r in blob_rows:
    v = volumes[r["locator"]]
    path = "%s/%d/%d/msg/%d/%d-%s.msg" % (truth["volumes"][v["id"]], mailbox >> int(v["mailbox_bits"]) & (1 << int(v["mailbox_group_bits"])) - 1, mailbox,
                                          number >> int(v["file_bits"]) & (1 << int(v["file_group_bits"])) - 1, number, r["mod_content"])
    source = items.get((mailbox, table, number, version))
    if not source:
        complain("mailbox %d: no file for %s %d %s" % (mailbox, table, number, version or ""))
        continue
    full = os.path.join(args.blobs, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    if os.path.exists(full):
        complain("two items for " + path)
    with open(full, "wb") as f:
        f.write(read(source))

# ---- the comparison
on_disk = {}
for where, _, names in os.walk(args.blobs):
    for name in names:
        full = os.path.join(where, name)
        on_disk[os.path.relpath(full, args.blobs)] = hashlib.sha256(read(full)).hexdigest()
for path in sorted(set(truth["blobs"]) | set(on_disk)):
    if truth["blobs"].get(path) != on_disk.get(path):
        complain("blob %s: %s" % (path, "missing" if path not in on_disk else "too many" if path not in truth["blobs"] else "content"))
excluded = dict(w.split("=", 1) for w in args.without)
compared = 0
for table in sorted(set(truth["rows"]) | set(got)):
    if table in excluded or table.split(".")[1] in excluded:
        continue
    want, have = truth["rows"].get(table, {"columns": None, "rows": []}), got.get(table, {"columns": None, "rows": []})
    if want["columns"] != have["columns"] and (want["rows"] or have["rows"]):
        complain("table %s: columns %s, not %s" % (table, have["columns"], want["columns"]))
    ignored = [n for n, c in enumerate(want["columns"] or []) if table.split(".")[1] + "." + c in excluded]
    a, b = {}, {}
    for rows, counts in ((want["rows"], a), (have["rows"], b)):
        for r in rows:
            r = tuple(x for n, x in enumerate(r) if n not in ignored)
            counts[r] = counts.get(r, 0) + 1
    lost = [r for r in a if a[r] > b.get(r, 0)]
    more = [r for r in b if b[r] > a.get(r, 0)]
    for sign, rows in (("-", lost), ("+", more)):
        for r in rows[:5]:
            complain("%s %s: %s" % (sign, table, [None if x is None else bytes.fromhex(x)[:60] for x in r]))
    compared += len(want["rows"])
if not compared or (truth["day"] > 0 and not on_disk):
    complain("there was nothing to compare")
print("%d tables, %d rows, %d blobs, %d differences%s" % (len(got), compared, len(on_disk), bad, "".join("; without %s: %s" % x for x in excluded.items())))
sys.exit(bad > 0)
