#!/usr/bin/python3
"""zimbra_fixture.py HOME TRUTH.json: is the made server what its truth says, without zstore?

Rows against items, blobs on the disk against rows: sizes, digests, paths from change numbers; what must hold of change numbers.
"""
import base64, gzip, hashlib, json, os, sys

home = sys.argv[1]
truth = json.load(open(sys.argv[2]))
bad = 0


def complain(text):
    global bad
    bad += 1
    if bad < 20:
        print(text)


def text(v):
    return None if v is None else bytes.fromhex(v).decode()


rows = {t: [dict(zip(x["columns"], map(text, r))) for r in x["rows"]] for t, x in truth["rows"].items()}
used = set()
mailboxes = {m["id"]: m for m in rows["zimbra.mailbox"]}
for a in truth["accounts"]:
    db = "mboxgroup%d." % a["group"]
    if mailboxes[str(a["mailbox"])]["account_id"] != a["id"]:
        complain("%s: account id" % a["name"])
    highest = 0
    for i in a["items"]:
        what = "%s %s %d" % (a["name"], i["table"], i["id"])
        key = "item_id" if i["table"].startswith("revision") else "id"
        found = [r for r in rows[db + i["table"]] if r["mailbox_id"] == str(a["mailbox"]) and r[key] == str(i["id"]) and (key == "id" or r["version"] == str(i["version"]))]
        if len(found) != 1:
            complain("%s: %d rows" % (what, len(found)))
            continue
        r = found[0]
        for name in ("date", "size", "blob_digest", "name", "mod_metadata", "mod_content", "locator", "subject", "metadata", "uuid", "type"):
            mine = i.get({"blob_digest": "digest"}.get(name, name))
            if name in r and name in (i.keys() | {"blob_digest"}) and r[name] != (None if mine is None else str(mine)):
                complain("%s: %s is %r" % (what, name, r[name]))
        if "tag_names" in r and [t for t in (r["tag_names"] or "").split("\0") if t] != i["tags"]:
            complain(what + ": tags")
        highest = max(highest, int(r["mod_metadata"]))
        if int(r["mod_metadata"]) < int(r["mod_content"]):
            complain(what + ": content changed after the row")
        if r["locator"] is None:
            continue
        v = next(v for v in rows["zimbra.volume"] if v["id"] == r["locator"])
        path = "%s/%d/%d/msg/%d/%d-%s.msg" % (truth["volumes"][v["id"]], a["mailbox"] >> int(v["mailbox_bits"]) & (1 << int(v["mailbox_group_bits"])) - 1, a["mailbox"],
                                              i["id"] >> int(v["file_bits"]) & (1 << int(v["file_group_bits"])) - 1, i["id"], r["mod_content"])
        used.add(path)
        data = open(os.path.join(home, path), "rb").read()
        data = data if len(data) == i["size"] else gzip.decompress(data)
        digest = base64.b64encode(hashlib.new("sha1" if len(i["digest"]) == 28 else "sha256", data).digest()).decode().replace("/", ",")
        if len(data) != i["size"] or digest != i["digest"] or hashlib.sha256(data).hexdigest() != i["sha256"] or truth["blobs"].get(path) != i["sha256"]:
            complain("%s: blob %s" % (what, path))
    if highest > a["change"]:
        complain("%s: change numbers" % a["name"])
    n = sum(r["mailbox_id"] == str(a["mailbox"]) for t in ("mail_item", "mail_item_dumpster", "revision", "revision_dumpster") for r in rows[db + t])
    if n != len(a["items"]) + len(a["folders"]):
        complain("%s: %d rows, %d items" % (a["name"], n, len(a["items"]) + len(a["folders"])))
if used != set(truth["blobs"]):
    complain("blobs that no row has: %s" % sorted(set(truth["blobs"]) ^ used)[:5])
on_disk = {os.path.relpath(os.path.join(d, f), home) for v in truth["volumes"].values() for d, _, fs in os.walk(os.path.join(home, v)) for f in fs}
extra = on_disk - used
if [x for x in extra if not x.endswith(".bak") and "/incoming/" not in x]:
    complain("files that no row has: %s" % sorted(extra)[:5])
if not truth["accounts"] or (truth["day"] > 0 and len(used) < 100):
    complain("there is next to nothing")
print("day %d: %d accounts, %d items, %d blobs, %d rows, %d differences" % (truth["day"], len(truth["accounts"]), sum(len(a["items"]) for a in truth["accounts"]), len(used), sum(len(x) for x in rows.values()), bad))
sys.exit(bad > 0)
