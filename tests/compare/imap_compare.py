#!/usr/bin/python3
"""imap_compare.py TRUTH LIST DIR: is a snapshot what an IMAP server had?

TRUTH  of tests/sample/imap_mail.py truth; LIST  of "zstore ls --json -R"; DIR  where it was extracted to (with the root's directory)
Compares folders, UIDs, content, flags, keywords, dates; prints differences, exit status 1 if there are any.
"""
import base64, hashlib, json, os, re, sys, urllib.parse

truth = json.load(open(sys.argv[1]))
entries = [json.loads(l) for l in open(sys.argv[2]) if l.strip()]
root = sys.argv[3]
bad = 0


def complain(text):
    global bad
    bad += 1
    if bad < 20:
        print(text)


def decode(name):
    return re.sub(r"&([A-Za-z0-9+,]*)-", lambda m: base64.b64decode(m[1].replace(",", "/") + "===").decode("utf-16-be") if m[1] else "&", name)


def shown(name):  # the folder's path in the snapshot, percent-encoding undone
    return decode(name)


messages = {}
for e in entries:
    if e["type"] == "file":
        folder, leaf = e["path"].split("/", 1)[1].rsplit("/", 1)
        messages[(urllib.parse.unquote(folder), leaf)] = e
wanted = {}
for folder, f in truth.items():
    for uid, m in f["messages"].items():
        wanted[(shown(folder), "%010d.eml" % int(uid))] = m
for key in sorted(set(wanted) - set(messages)):
    complain("missing: %s/%s" % key)
for key in sorted(set(messages) - set(wanted)):
    complain("too many: %s/%s" % key)
for key in sorted(set(wanted) & set(messages)):
    m, e = wanted[key], messages[key]
    flags = sorted(x[1:].lower() for x in m["flags"] if x.startswith("\\"))
    tags = sorted(x for x in m["flags"] if not x.startswith("\\"))
    if sorted(e["flags"]) != flags or sorted(e["tags"]) != tags:
        complain("%s/%s: flags %s %s, not %s %s" % (key + (e["flags"], e["tags"], flags, tags)))
    if e["mtime_ns"] != m["date"] * 10 ** 9 or e["item_id"] != int(key[1][:10]):
        complain("%s/%s: date or UID" % key)
    data = open(os.path.join(root, e["path"].encode()) if isinstance(root, bytes) else os.path.join(root, e["path"]), "rb").read()
    if hashlib.sha1(data).hexdigest() != m["sha1"] or len(data) != m["size"] or e["size"] != m["size"]:
        complain("%s/%s: content" % key)
if not wanted:
    complain("no messages at all")
if bad:
    print("%d differences" % bad)
sys.exit(bad > 0)
