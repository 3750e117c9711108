#!/usr/bin/python3
"""zimbra_truth.py TRUTH.json DIR LIST [--without ACCOUNT:ITEM]... [--only ACCOUNT]...: is a snapshot what a made Zimbra server had?

TRUTH  of tests/sample/zimbra_life.py truth
DIR    where the snapshot was extracted to (what is above "accounts")
LIST   of "zstore ls -R --json"
Every item with a blob bit for bit, under its account and folder, with id, flags, tags, folder and date; contacts and calendars readable;
every folder a directory; nothing else.  --without: not looked at (damaged).  --only: the accounts that were asked for.
"""
import argparse, hashlib, json, os, re, sys, urllib.parse

parser = argparse.ArgumentParser()
parser.add_argument("truth")
parser.add_argument("dir")
parser.add_argument("list")
parser.add_argument("--without", action="append", default=[])
parser.add_argument("--only", action="append", default=[])
args = parser.parse_args()
truth = json.load(open(args.truth))
bad = 0

# ---- how the program says it: what to change if it says it otherwise
FIELD = {"id": "item_id", "folder": "folder", "flags": "flags", "tags": "tags", "date": "received"}
FLAG_NAMES = ["\\Sent", "\\Attached", "\\Answered", "\\Forwarded", "\\Copied", "\\Flagged", "\\Draft", "\\Deleted", "\\Notified", None, "\\Urgent", "\\Bulk", "\\Versioned", "\\IdxDeferred",
              "\\Popped", "\\Note", "\\Priority", "\\Post", "\\Muted", "\\Subscribed", "\\ExcludeFB", "\\Checked", "\\NoInherit", "\\Invite", "\\SyncFolder", "\\Sync", "\\NoInferiors",
              "\\Archived", "\\Global", "\\InDumpster", "\\Uncached"]
ZONES = {"mail_item_dumpster": "%dumpster", "revision": "%revisions", "revision_dumpster": "%dumpster-revisions"}
MADE = {6: ".vcf", 11: ".ics", 15: ".ics"}  # types of which something readable is made, beside the blob
ENDING = {5: ".eml", 16: ".eml"}


def flags_of(item):
    names = [FLAG_NAMES[n] for n in range(31) if item["flag_mask"] >> n & 1 and FLAG_NAMES[n]]
    return sorted(names + ([] if item["unread"] is None else ["\\Unread" if item["unread"] else "\\Seen"]))


def complain(text):
    global bad
    bad += 1
    if bad < 40:
        print(text)


def raw(component):
    return urllib.parse.unquote_to_bytes(component.encode("utf-8", "surrogateescape"))


def is_named(component, name, number):
    """Is this the component for that name?  One that was too long is cut, and one that was there already has the id behind it."""
    if raw(component) == name.encode():
        return True
    cut = re.fullmatch(r"(.*)~%d" % number, component, re.S)
    return bool(cut) and name.encode().startswith(raw(cut[1]))


entries = [json.loads(l) for l in open(args.list, errors="surrogateescape") if l.strip()]
prefix = next((e["path"].rsplit("accounts", 1)[0] for e in entries if e["path"] == "accounts" or e["path"].endswith("/accounts")), "")
accounts = {}
for e in entries:
    parts = e["path"][len(prefix):].split("/")
    if parts[0] == "accounts" and len(parts) > 1:
        accounts.setdefault(parts[1], []).append((parts[2:], e))


def content(e):
    return open(os.path.join(os.fsencode(args.dir), e["path"][len(prefix):].encode("utf-8", "surrogateescape")), "rb").read()


def check_entry(what, item, e, is_blob):
    if is_blob:
        data = content(e)
        if hashlib.sha256(data).hexdigest() != item["sha256"] or len(data) != item["size"] or e["size"] != item["size"]:
            complain("%s: content" % what)
    if e.get(FIELD["id"]) != item["id"]:
        complain("%s: id %r" % (what, e.get(FIELD["id"])))
    if e.get("mtime_ns") != item["date"] * 10 ** 9 or (FIELD["date"] in e and e[FIELD["date"]][:10] != iso(item["date"])[:10]):
        complain("%s: date %r" % (what, e.get("mtime")))
    if "type" not in item:
        return
    if sorted(e.get(FIELD["flags"], [])) != flags_of(item):
        complain("%s: flags %r, not %r" % (what, e.get(FIELD["flags"]), flags_of(item)))
    if e.get(FIELD["tags"], []) != item["tags"]:
        complain("%s: tags %r, not %r" % (what, e.get(FIELD["tags"]), item["tags"]))
    if item["table"] == "mail_item" and not item["hidden"] and e.get(FIELD["folder"]) != item["folder"]:
        complain("%s: folder %r, not %r" % (what, e.get(FIELD["folder"]), item["folder"]))


def iso(seconds):
    import time
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def check_made(what, item, e):
    text = content(e).decode()
    if item["type"] == 6:
        fields = dict(re.findall(r"\d+:(email|lastName)\d+:([\x21-\x7e]+?)(?=\d+:|e)", item["metadata"]))
        if not text.startswith("BEGIN:VCARD\r\n") or not text.endswith("END:VCARD\r\n") or "FN" not in text or any(v[:20] not in text.replace("\r\n ", "") for v in fields.values()):
            complain("%s: the vCard" % what)
    elif not text.startswith("BEGIN:VCALENDAR") or text.count("BEGIN:VEVENT") + text.count("BEGIN:VTODO") != int(re.search(r"2:nci(\d+)e", item["metadata"])[1]):
        complain("%s: the calendar" % what)


def place_is(parts, item, folders):
    if item["table"] != "mail_item":
        return parts[:-1] == [ZONES[item["table"]]]
    if item["hidden"]:
        return parts[:-1] == ["%hidden"]
    names = []
    number = item["folder_id"]
    while number != 1:
        names.append((folders[number]["name"], number))
        number = folders[number]["parent"]
    return len(names) == len(parts) - 1 and all(is_named(p, n, i) for p, (n, i) in zip(parts, reversed(names)))


def check_account(a, found):
    skipped = {int(w.split(":")[1]) for w in args.without if w.split(":")[0] == a["name"]}
    folders = {f["id"]: f for f in a["folders"]}
    items = {(i["table"], i["id"], i["version"]): i for i in a["items"]}
    zones = {v: k for k, v in ZONES.items()}
    wanted = {}
    for key, i in items.items():
        if i.get("type") in MADE:
            wanted[key + ("made",)] = i
        if i["sha256"]:
            wanted[key + ("blob",)] = i
    seen = set()
    directories = set()
    for parts, e in found:
        if e["type"] == "dir":
            directories.add(tuple(parts))
            continue
        if parts[0] == "%rows":
            continue
        m = re.match(r"(\d+)-(?:(\d+)-)?" if parts[0] in ("%revisions", "%dumpster-revisions") else r"(\d+)-()", parts[-1])
        table = zones.get(parts[0], "mail_item")
        key = (table, int(m[1]), int(m[2]) if m[2] else None) if m else None
        if key and key[1] in skipped:
            continue
        if key not in items:
            complain("%s: too many" % e["path"])
            continue
        item = items[key]
        made = MADE.get(item.get("type"))
        kind = "made" if made and parts[-1].endswith(made) else "blob"
        what = "%s/%s" % (a["name"], "/".join(parts))
        if key + (kind,) in seen or key + (kind,) not in wanted:
            complain("%s: too many" % what)
        seen.add(key + (kind,))
        if not parts[-1].endswith(made + (".eml" if kind == "blob" else "") if made else ENDING.get(item.get("type"), "")):
            complain("%s: its ending" % what)
        if not place_is(parts, item, folders):
            complain("%s: it belongs into %s" % (what, item.get("folder", item["table"])))
        check_entry(what, item, e, kind == "blob")
        if kind == "made":
            check_made(what, item, e)
    for key in sorted(set(wanted) - seen, key=str):
        if key[1] not in skipped:
            complain("%s: missing: %s" % (a["name"], key))
    for f in a["folders"]:
        if f["type"] == 1 and not f["hidden"] and f["id"] != 1 and not any(place_is(d + ("x",), {"table": "mail_item", "hidden": False, "folder_id": f["id"]}, folders) for d in directories):
            complain("%s: folder %s is missing" % (a["name"], f["path"]))
    return len(wanted)


count = 0
known = {a["name"]: a for a in truth["accounts"]}
without = {n for n in truth["without_mailbox"]}
for name, a in known.items():
    if args.only and name not in args.only:
        continue
    if name not in accounts:
        complain("account %s is missing" % name)
        continue
    count += check_account(a, [x for x in accounts[name] if x[0]])
for name in accounts:
    if name not in known and name not in without or (args.only and name not in args.only):
        complain("account %s: too many" % name)
if not count and truth["day"] > 0:
    complain("no items at all")
print("%d accounts, %d items, %d differences" % (len(accounts), count, bad))
sys.exit(bad > 0)
