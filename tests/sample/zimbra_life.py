#!/usr/bin/python3
"""zimbra_life.py DIR COMMAND...: a made Zimbra server's life, on the servers that zimbra_up (tests/services.sh) started below DIR.

init             domains, accounts, mailboxes with their folders and tags
day N            what happens on day N (1 to 4, one after the other): always the same
rush ROUNDS      messages come, go, move and are rewritten, each in a transaction of its own: to run while a backup reads
damage KIND      something is wrong from now on; prints what, as JSON (damage help: the kinds)
truth OUT.json   what the server has now: by what this script wrote, and all rows as the database has them

The script keeps all rows of its own (DIR/life.json); what it changes there goes to the database as the least statements.  Blobs are
written before their rows and unlinked after them, as the real server does.
"""
import base64, contextlib, copy, gzip, hashlib, json, os, random, re, subprocess, sys, time

ROOT = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(ROOT, "..", "fixtures", "zimbra")
T0 = 1772323200  # 2026-03-01 00:00:00 UTC
FOLDER, SEARCH, CONV, MESSAGE, CONTACT, DOCUMENT, APPOINTMENT, MOUNTPOINT, TASK, CHAT, COMMENT = 1, 2, 4, 5, 6, 8, 11, 13, 15, 16, 17
DUMPSTER_TYPES = (MESSAGE, CONTACT, DOCUMENT, APPOINTMENT, TASK, CHAT, COMMENT)
FLAG_LETTERS = "sarw-fdxn-!?/-pt+^(*b#ivy~o@g--"  # bit 0 upwards; "-": SOAP has no letter for it
SENT, ATTACHED, ANSWERED, FORWARDED, FLAGGED, DRAFT, URGENT, VERSIONED, INVITE, POST = 1, 2, 4, 8, 0x20, 0x40, 0x400, 0x1000, 0x800000, 0x20000
FLAG_NAMES = {-1: "\\Sent", -2: "\\Attached", -3: "\\Answered", -4: "\\Forwarded", -5: "\\Copied", -6: "\\Flagged", -7: "\\Draft", -8: "\\Deleted",
              -9: "\\Notified", -10: "\\Unread", -11: "\\Urgent", -12: "\\Bulk", -13: "\\Versioned", -15: "\\Popped", -16: "\\Note", -17: "\\Priority",
              -18: "\\Post", -19: "\\Muted", -24: "\\Invite"}
SYSTEM_FOLDERS = [(11, 11, "ROOT"), (8, 11, "Tags"), (9, 11, "Conversations"), (17, 11, "Comments"), (1, 11, "USER_ROOT"), (2, 1, "Inbox"), (3, 1, "Trash"),
                  (4, 1, "Junk"), (5, 1, "Sent"), (6, 1, "Drafts"), (7, 1, "Contacts"), (10, 1, "Calendar"), (13, 1, "Emailed Contacts"), (14, 1, "Chats"),
                  (15, 1, "Tasks"), (16, 1, "Briefcase"), (20, 1, "Files shared with me")]
VIEWS = {2: 5, 4: 5, 5: 5, 6: 5, 7: 6, 10: 11, 13: 6, 14: 16, 15: 15, 16: 8}
# primary keys; the other tables' rows are told apart by all they are
KEYS = {"volume": ["id"], "volume_blobs": ["id"], "mailbox": ["id"], "deleted_account": ["email"], "mailbox_metadata": ["mailbox_id", "section"],
        "out_of_office": ["mailbox_id", "sent_to"], "config": ["name"], "table_maintenance": ["table_name", "database_name"],
        "scheduled_task": ["name", "mailbox_id", "class_name"], "mobile_devices": ["mailbox_id", "device_id"], "zmg_devices": ["mailbox_id", "app_id"],
        "mail_item": ["mailbox_id", "id"], "mail_item_dumpster": ["mailbox_id", "id"], "revision": ["mailbox_id", "item_id", "version"],
        "revision_dumpster": ["mailbox_id", "item_id", "version"], "tag": ["mailbox_id", "id"], "open_conversation": ["mailbox_id", "hash"],
        "appointment": ["mailbox_id", "uid"], "appointment_dumpster": ["mailbox_id", "uid"]}


class Life(Exception):
    pass


def uuid(text):
    h = hashlib.sha1(text.encode()).hexdigest()
    return "-".join((h[:8], h[8:12], "4" + h[13:16], "8" + h[17:20], h[20:32]))


def stamp(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def units(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def bencode(v):
    if isinstance(v, bool):
        v = "true" if v else "false"
    if isinstance(v, int):
        return "i%de" % v
    if isinstance(v, str):
        return "%d:%s" % (units(v), v)
    if isinstance(v, list):
        return "l" + "".join(map(bencode, v)) + "e"
    return "d" + "".join(bencode(k) + bencode(v[k]) for k in sorted(v) if v[k] is not None) + "e"


def metadata(**fields):
    """As the server writes the column: bencode with format version 10; a B-word as soon as there is a character beyond U+FFFF."""
    text = bencode(dict(fields, v=10))
    return "=?utf-8?B?%s?=" % base64.b64encode(text.encode()).decode() if any(ord(c) > 0xffff for c in text) else text


def legacy(fields):
    return "".join("%s=%d:%s;" % (k, len(v), v) for k, v in fields.items())


def digest_of(raw, algorithm="sha256"):
    return base64.b64encode(hashlib.new(algorithm, raw).digest()).decode().replace("/", ",")


def narrow(text, n):
    """What fits into a column of the old utf8: no characters beyond U+FFFF, at most n."""
    return "".join(c for c in text if ord(c) <= 0xffff)[:n]


# ------------------------------------------------------------------------------------------------------------------ mail

WORDS = "report invoice lunch server backup meeting project draft Angebot Rechnung Bürgermeister größer naïve café señor données réunion".split()


def header_word(text, charset="utf-8", how="B"):
    try:
        text.encode("ascii")
        if not re.search(r"[\x00-\x1f]", text):
            return text
    except UnicodeEncodeError:
        pass
    data = text.encode(charset)
    if how == "Q":
        return "=?%s?Q?%s?=" % (charset, "".join(chr(c) if chr(c).isalnum() and c < 128 else "=%02X" % c for c in data))
    return " ".join("=?%s?B?%s?=" % (charset, base64.b64encode(data[i:i + 42]).decode()) for i in range(0, len(data), 42)) if charset != "utf-8" else "\r\n ".join(
        "=?utf-8?B?%s?=" % base64.b64encode(text[i:i + 10].encode()).decode() for i in range(0, len(text), 10))


def lines64(data):
    return b"\r\n".join(base64.b64encode(data[i:i + 57]) for i in range(0, len(data), 57)) + b"\r\n"


def message(subject, sender="Petra Post <petra@elsewhere.test>", to="ada@example.test", date=T0, body="hello\r\n", charset="utf-8", encoding="8bit", attachments=(),
            more="", how="B", ident=None, end="\r\n", html=None):
    """A message as bytes.  body: text, or bytes as they are."""
    ident = ident or hashlib.sha1(repr((subject, sender, to, date, body if isinstance(body, str) else len(body))).encode()).hexdigest()[:20]
    data = body if isinstance(body, bytes) else body.encode(charset, "replace")
    if encoding == "base64":
        data = lines64(data)
    elif encoding == "quoted-printable":
        data = b"".join(bytes([c]) if 32 < c < 127 and c != 61 or c in (10, 13, 32) else b"=%02X" % c for c in data)
    part = ("Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n" % (charset, encoding)).encode() + data
    head = "From: %s\r\nTo: %s\r\nDate: %s\r\nMessage-ID: <%s@elsewhere.test>\r\nMIME-Version: 1.0\r\n" % (
        sender, to, time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(date)), ident)
    if subject is not None:
        head += "Subject: %s\r\n" % header_word(subject, charset if how == "Q" or charset == "iso-2022-jp" else "utf-8", how)
    head = ("Received: from elsewhere.test by mail.example.test with ESMTP; %s\r\n" % time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(date)) + head + more).encode()
    if html or attachments:
        mark = "=_" + ident
        out = [head, ("Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n" % mark).encode(), b"--" + mark.encode() + b"\r\n", part, b"\r\n"]
        if html:
            out += [b"--" + mark.encode() + b"\r\nContent-Type: text/html; charset=utf-8\r\n\r\n", html.encode(), b"\r\n"]
        for name, ctype, content in attachments:
            out += [("--%s\r\nContent-Type: %s; name=\"%s\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"%s\"\r\n\r\n"
                     % (mark, ctype, header_word(name), header_word(name))).encode(), lines64(content)]
        out += [b"--" + mark.encode() + b"--\r\n"]
        raw = b"".join(out)
    else:
        raw = head + part
    return raw if end == "\r\n" else raw.replace(b"\r\n", end.encode())


def event(uid, summary, start, end, more="", method="REQUEST", kind="VEVENT"):
    t = "%Y%m%dT%H%M%SZ"
    lines = ["BEGIN:VCALENDAR", "PRODID:Zimbra-Calendar-Provider", "VERSION:2.0", "METHOD:" + method, "BEGIN:" + kind, "UID:" + uid, "SUMMARY:" + summary,
             "DTSTART:" + time.strftime(t, time.gmtime(start)), ("DTEND:" if kind == "VEVENT" else "DUE:") + time.strftime(t, time.gmtime(end)), "DTSTAMP:" + time.strftime(t, time.gmtime(start - 86400)),
             "ORGANIZER;CN=Ada:mailto:ada@example.test", "SEQUENCE:0"] + more.split() + ["END:" + kind, "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


def digest_blob(parts, name):
    """A calendar item's blob: a multipart/digest with a message for each invite, told apart by the header invId."""
    mark = "=_digest_" + name
    out = [("MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=\"%s\"\r\n\r\n" % mark).encode()]
    for n, (summary, ics) in enumerate(parts):
        inner = "=_alt_%s_%d" % (name, n)
        out.append(("--%s\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\ninvId: %d\r\n\r\n" % (mark, n + 300)).encode())
        out.append(("From: ada@example.test\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n"
                    "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nnotes\r\n" % (header_word(summary), inner, inner)).encode())
        out.append(("--%s\r\nContent-Type: text/calendar; charset=utf-8; method=REQUEST; name=meeting.ics\r\nContent-Transfer-Encoding: %s\r\n\r\n"
                    % (inner, "base64" if n % 2 else "8bit")).encode())
        out.append(lines64(ics) if n % 2 else ics)
        out.append(("--%s--\r\n" % inner).encode())
    out.append(("--%s--\r\n" % mark).encode())
    return b"".join(out)


# ---------------------------------------------------------------------------------------------------------------- server


class Server:
    def __init__(self, home):
        self.home = os.path.abspath(home)
        self.file = os.path.join(self.home, "life.json")
        if os.path.exists(self.file):
            with open(self.file) as f:
                self.state = json.load(f)
        else:
            self.state = {"day": -1, "tables": {}, "blobs": {}, "damaged": [], "accounts": {}, "boxes": {}}
        self.tables = self.state["tables"]
        self.was = copy.deepcopy(self.tables)
        self.to_unlink = []
        self.now = T0

    # -- the database

    def run_sql(self, text, *options):
        p = subprocess.run(["mariadb", "--no-defaults", "--comments", "--binary-mode", "--default-character-set=utf8mb4", "--socket=" + self.home + "/mysql/s.sock", "-uroot"] + list(options),
                           input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        if p.returncode:
            raise Life("SQL: %s" % p.stderr.decode(errors="replace")[:2000])
        return p.stdout

    @staticmethod
    def literal(v):
        if v is None:
            return "NULL"
        if isinstance(v, int):
            return str(int(v))
        return "'%s'" % v if re.fullmatch(r"[A-Za-z0-9 .:@/+=,_;?<>(){}\[\]|-]*", v) else "X'%s'" % v.encode().hex()

    @staticmethod
    def key(table, row):
        names = KEYS.get(table.split(".")[1]) or sorted(row)
        return tuple((n, row[n]) for n in names)

    def changes(self):
        """Statements that make the database what the model is; rows that go first, those that are new last."""
        deletes, updates, inserts = [], [], []
        lit = self.literal
        for table in sorted(set(self.tables) | set(self.was)):
            new = {self.key(table, r): r for r in self.tables.get(table, [])}
            old = {self.key(table, r): r for r in self.was.get(table, [])}
            if len(new) != len(self.tables.get(table, [])):
                raise Life("two rows of one key in " + table)
            for k in old:
                if k not in new:
                    deletes.append("DELETE FROM %s WHERE %s;" % (table, " AND ".join("%s<=>%s" % (n, lit(v)) for n, v in k)))
            for k, row in new.items():
                if k not in old:
                    inserts.append("INSERT INTO %s (%s) VALUES (%s);" % (table, ",".join(row), ",".join(map(lit, row.values()))))
                elif row != old[k]:
                    updates.append("UPDATE %s SET %s WHERE %s;" % (table, ",".join("%s=%s" % (n, lit(v)) for n, v in row.items() if old[k].get(n) != v),
                                                                   " AND ".join("%s=%s" % (n, lit(v)) for n, v in k)))
        return deletes + updates + inserts

    def commit(self):
        for box in self.boxes():
            box.count()
        statements = self.changes()
        if statements:
            self.run_sql("SET time_zone='+00:00', FOREIGN_KEY_CHECKS=0;\nBEGIN;\n" + "\n".join(statements) + "\nCOMMIT;\n")
        self.was = copy.deepcopy(self.tables)
        for path in self.to_unlink:
            os.unlink(os.path.join(self.home, path))
        self.to_unlink = []
        with open(self.file + ".new", "w") as f:
            json.dump(self.state, f)
        os.rename(self.file + ".new", self.file)

    def rows(self, table):
        return self.tables.setdefault(table, [])

    def add(self, table, **row):
        self.rows(table).append(row)
        return row

    # -- the directory

    def ldap(self, ldif, tool="ldapmodify"):
        with open(os.path.join(self.home, "ldap", "url")) as f:
            url = f.read().strip()
        p = subprocess.run([tool, "-x", "-H", url, "-D", "uid=zimbra,cn=admins,cn=zimbra", "-w", "zimbra-ldap-secret", "-M"] + (["-a"] if tool == "ldapadd" else []),
                           input=ldif.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        if p.returncode:
            raise Life("LDAP: %s\n%s" % (p.stdout.decode(errors="replace")[-1500:], ldif[-500:]))

    # -- volumes and blobs

    def volume(self, number):
        return next(v for v in self.rows("zimbra.volume") if v["id"] == number)

    def blob_path(self, number, mailbox, item, mod_content):
        v = self.volume(number)
        return "%s/%d/%d/msg/%d/%d-%d.msg" % (os.path.relpath(v["path"], self.home), mailbox >> v["mailbox_bits"] & (1 << v["mailbox_group_bits"]) - 1, mailbox,
                                              item >> v["file_bits"] & (1 << v["file_group_bits"]) - 1, item, mod_content)

    def put(self, number, mailbox, item, mod_content, raw, link=None):
        path = self.blob_path(number, mailbox, item, mod_content)
        full = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        v = self.volume(number)
        if link:
            os.link(os.path.join(self.home, link), full)
        else:
            data = raw
            if v["compress_blobs"] and len(raw) > v["compression_threshold"]:
                packed = gzip.compress(raw, 6, mtime=0)
                data = packed if len(packed) != len(raw) else raw
            with open(full, "xb") as f:
                f.write(data)
        self.state["blobs"][path] = hashlib.sha256(raw).hexdigest()
        return path

    def get(self, path, size):
        with open(os.path.join(self.home, path), "rb") as f:
            data = f.read()
        return data if len(data) == size else gzip.decompress(data)

    def drop(self, path):
        del self.state["blobs"][path]
        self.to_unlink.append(path)

    def path_of(self, row, item=None):
        return self.blob_path(int(row["locator"]), row["mailbox_id"], item or row.get("id") or row["item_id"], row["mod_content"])

    # -- mailboxes

    def boxes(self):
        return [Box(self, row) for row in self.rows("zimbra.mailbox")]

    def box(self, name):
        ident = self.state["accounts"][name]["id"]
        return next(Box(self, row) for row in self.rows("zimbra.mailbox") if row["account_id"] == ident)

    def new_box(self, name, number):
        group = (number - 1) % 100 + 1
        if "mboxgroup%d.mail_item" % group not in self.tables:
            with open(os.path.join(FIXTURE, "mboxgroup.sql")) as f:
                self.run_sql(f.read().replace("@DB@", "mboxgroup%d" % group))
            self.tables["mboxgroup%d.mail_item" % group] = []
        row = self.add("zimbra.mailbox", id=number, group_id=group, account_id=self.state["accounts"][name]["id"], index_volume_id=2, item_id_checkpoint=256, contact_count=0,
                       size_checkpoint=0, change_checkpoint=0, tracking_sync=0, tracking_imap=0, last_backup_at=None, comment=name, last_soap_access=0, new_messages=0,
                       idx_deferred_count=0, highest_indexed=None, version="2.7", last_purge_at=0, itemcache_checkpoint=0)
        self.state["boxes"][str(number)] = {"change": 0, "next": 256}
        box = Box(self, row)
        box.create()
        return box


class Box:
    """A mailbox: its row, and what happens to its items.  Everything within `with box.change():` is one transaction of one number."""

    def __init__(self, server, row):
        self.s = server
        self.row = row
        self.id = row["id"]
        self.mine = server.state["boxes"][str(self.id)]

    def t(self, table):
        return self.s.rows("mboxgroup%d.%s" % (self.row["group_id"], table))

    def own(self, table):
        return [r for r in self.t(table) if r["mailbox_id"] == self.id]

    def add(self, table, **row):
        return self.s.add("mboxgroup%d.%s" % (self.row["group_id"], table), mailbox_id=self.id, **row)

    @contextlib.contextmanager
    def change(self):
        self.mine["change"] += 1
        if self.mine["change"] % 7 == 0:  # numbers have gaps
            self.mine["change"] += 2
        yield self.mine["change"]
        self.row["change_checkpoint"] = self.mine["change"] // 100 * 100
        self.row["item_id_checkpoint"] = min(self.mine["next"], 1 << 20) // 20 * 20

    def next_id(self):
        self.mine["next"] += 1
        return self.mine["next"] - 1

    def create(self):
        self.mine["change"] += 1
        for number, parent, name in SYSTEM_FOLDERS:
            self.item(FOLDER, number, folder_id=parent, parent_id=parent, name=name, subject=name, index_id=None, uuid=uuid("%s/%d" % (self.row["account_id"], number)),
                      metadata=metadata(vt=VIEWS.get(number, 0), a=1, ver=1, unxt=256, mseq=1), mod_metadata=1, mod_content=1, change_date=self.s.now)
        for number, name in FLAG_NAMES.items():
            self.add("tag", id=number, name=name, color=None, item_count=0, unread=0, listed=0, sequence=1, policy=None)

    def item(self, kind, number, **fields):
        row = dict(id=number, type=kind, parent_id=None, folder_id=None, prev_folders=None, index_id=number, imap_id=number, date=self.s.now, size=0, locator=None, blob_digest=None,
                   unread=None, flags=0, tags=0, tag_names=None, sender=None, recipients=None, subject=None, name=None, metadata=metadata(ver=1), mod_metadata=self.mine["change"],
                   change_date=self.s.now, mod_content=self.mine["change"], uuid=uuid("%s-%d" % (self.row["account_id"], number)))
        unknown = set(fields) - set(row)
        if unknown:
            raise Life("no columns: %s" % unknown)
        row.update(fields)
        return self.add("mail_item", **row)

    def find(self, number, table="mail_item"):
        return next(r for r in self.t(table) if r["mailbox_id"] == self.id and r["id"] == number)

    def items(self, *kinds, folder=None):
        return [r for r in self.own("mail_item") if r["type"] in kinds and (folder is None or r["folder_id"] == folder)]

    # -- making things

    def folder(self, name, parent=1, view=5, flags=0, acl=None, **more):
        fields = dict(vt=view, a=0, ver=1, unxt=256, mseq=1, **more)
        if acl:
            fields["aclm"] = {"g": acl}
        number = self.next_id()
        return self.item(FOLDER, number, folder_id=parent, parent_id=parent, name=name, subject=name, index_id=None, flags=flags, metadata=metadata(**fields))["id"]

    def tag(self, name, listed=1, color=None):
        return self.add("tag", id=self.next_id(), name=name, color=color, item_count=0, unread=0, listed=listed, sequence=self.mine["change"], policy=None)

    def blob(self, row, raw, volume=None, link=None, sha1=False):
        """Give the row this content, at its mod_content."""
        volume = volume or self.s.rows("zimbra.current_volumes")[0]["message_volume_id"]
        path = self.s.put(volume, self.id, row.get("id") or row["item_id"], row["mod_content"], raw, link)
        row["locator"], row["size"], row["blob_digest"] = str(volume), len(raw), digest_of(raw, "sha1" if sha1 else "sha256")
        return path

    def deliver(self, raw, subject, folder=2, unread=1, flags=0, tags=(), sender="Petra Post", number=None, volume=None, link=None, sha1=False, date=None, parent=None, old=False, raw_subject=None, kind=MESSAGE, extra=None):
        number = number or self.next_id()
        text = narrow(subject, 1024)
        fields = {"s": sender + " <petra@elsewhere.test>", "t": "ada@example.test", "f": "fragment of %d" % number, "r": raw_subject if raw_subject is not None else subject, "ver": 1}
        row = self.item(kind, number, folder_id=folder, parent_id=parent, unread=unread, flags=flags, tag_names="\0%s\0" % "\0".join(tags) if tags else None, sender=sender[:128],
                        recipients="ada@example.test", subject=text, date=date or self.s.now, metadata=legacy({"v": "10", "s": sender, "f": "old fragment"}) if old else metadata(**dict(fields, **(extra or {}))))
        self.blob(row, raw, volume, link, sha1)
        self.row["new_messages"] += unread
        return row

    def contact(self, fields, photo=None, folder=7, old=False, tags=()):
        number = self.next_id()
        name = narrow(fields.get("fullName") or fields.get("email", ""), 128)
        more = {}
        if photo:
            more["att"] = [{"n": "image", "ct": "image/jpeg", "ps": 1}]
        row = self.item(CONTACT, number, folder_id=folder, sender=name, subject=name, metadata=legacy(fields) if old else metadata(fld=fields, ver=1, **more),
                        flags=ATTACHED if photo else 0, tag_names="\0%s\0" % "\0".join(tags) if tags else None)
        if photo:
            self.blob(row, message(None, body="", attachments=[("photo.jpg", "image/jpeg", photo)], date=self.s.now))
        return row

    def appointment(self, name, parts, start, end, kind=APPOINTMENT, folder=None, uid=None):
        number = self.next_id()
        uid = uid or uuid("uid-%d-%d" % (self.id, number))
        blob = digest_blob([(summary, event(uid, summary, start + 86400 * n, end + 86400 * n, more, kind="VTODO" if kind == TASK else "VEVENT")) for n, (summary, more) in enumerate(parts)], str(number))
        row = self.item(kind, number, folder_id=folder or (15 if kind == TASK else 10), subject=narrow(name, 1024), flags=INVITE,
                        metadata=metadata(u=uid, aps=start * 1000, ape=end * 1000, nc=len(parts), ver=1,
                                          **{"inv%d" % n: {"u": uid, "n": summary, "st": "CONF", "nnn": n} for n, (summary, _) in enumerate(parts)}))
        self.blob(row, blob)
        self.add("appointment", uid=uid, item_id=number, start_time=stamp(start), end_time=stamp(end))
        return row

    def document(self, name, raw, folder=16, ctype="text/plain"):
        row = self.item(DOCUMENT, self.next_id(), folder_id=folder, name=name, subject=name, flags=0, sender="ada@example.test", metadata=metadata(ct=ctype, cr="ada@example.test", f="frag", ver=1))
        self.blob(row, raw)
        return row

    def new_version(self, row, raw, version):
        """What was becomes a revision, with its blob where it is."""
        self.add("revision", item_id=row["id"], version=version - 1, date=row["date"], size=row["size"], locator=row["locator"], blob_digest=row["blob_digest"], name=row["name"],
                 metadata=row["metadata"], mod_metadata=row["mod_metadata"], change_date=row["change_date"], mod_content=row["mod_content"])
        self.touch(row, content=True)
        row["flags"] |= VERSIONED
        row["date"] = self.s.now
        row["metadata"] = metadata(ct="text/plain", cr="ada@example.test", f="frag %d" % version, ver=version, de="version %d" % version)
        self.blob(row, raw)

    # -- what happens to them

    def touch(self, row, content=False):
        row["mod_metadata"] = self.mine["change"]
        row["change_date"] = self.s.now
        if content:
            row["mod_content"] = self.mine["change"]

    def rewrite(self, row, raw, subject=None):
        old = self.s.path_of(row)
        self.touch(row, content=True)
        if subject is not None:
            row["subject"] = subject
        row["date"] = self.s.now
        self.blob(row, raw)
        self.s.drop(old)

    def read(self, row):
        row["unread"] = 0
        self.touch(row)

    def flag(self, row, on=0, off=0):
        row["flags"] = (row["flags"] | on) & ~off
        self.touch(row)

    def set_tags(self, row, tags):
        row["tag_names"] = "\0%s\0" % "\0".join(tags) if tags else None
        self.touch(row)

    def move(self, row, folder):
        before = [p for p in (row["prev_folders"] or "").split(";") if p]
        row["prev_folders"] = ";".join(before[-9:] + ["%d:%d" % (self.mine["change"], row["folder_id"])])
        row["folder_id"] = folder
        if row["type"] in (FOLDER, SEARCH, MOUNTPOINT):
            row["parent_id"] = folder
        elif self.row["tracking_imap"]:
            row["imap_id"] = self.next_id()
        self.touch(row)

    def copy(self, row, folder):
        new = self.item(row["type"], self.next_id(), **{k: v for k, v in row.items() if k not in ("mailbox_id", "id", "type", "imap_id", "uuid", "mod_metadata", "mod_content", "change_date", "index_id", "prev_folders")})
        new["folder_id"] = folder
        new["prev_folders"] = None
        path = self.s.put(int(row["locator"]), self.id, new["id"], new["mod_content"], self.s.get(self.s.path_of(row), row["size"]), self.s.path_of(row))
        return new, path

    def delete(self, *rows, dumpster=False):
        ids = {}
        for row in rows:
            self.t("mail_item").remove(row)
            keep = dumpster and row["type"] in DUMPSTER_TYPES and row["folder_id"] != 6
            if keep:
                self.touch(row)
                self.t("mail_item_dumpster").append(row)
            elif row["locator"]:
                self.s.drop(self.s.path_of(row))
            for name in ("revision", "appointment"):
                for r in [r for r in self.own(name) if r["item_id"] == row["id"]]:
                    self.t(name).remove(r)
                    if keep:
                        self.t(name + "_dumpster").append(r)
                    elif r.get("locator"):
                        self.s.drop(self.s.path_of(r))
            for r in [r for r in self.own("open_conversation") if r["conv_id"] == row["id"]]:
                self.t("open_conversation").remove(r)
            for child in self.own("mail_item"):
                if child["parent_id"] == row["id"] and child["type"] == MESSAGE:
                    child["parent_id"] = None
                    self.touch(child)
            ids.setdefault(row["type"], []).append("%d:%s" % (row["id"], row["uuid"]) if row["type"] in (FOLDER, DOCUMENT) else str(row["id"]))
        if self.row["tracking_sync"]:
            for kind, text in ids.items():
                self.add("tombstone", sequence=self.mine["change"], date=self.s.now, type=kind, ids=",".join(text))

    def purge(self, *rows):
        for row in rows:
            self.t("mail_item_dumpster").remove(row)
            if row["locator"]:
                self.s.drop(self.s.path_of(row))

    def recover(self, row, folder):
        """Out of the dumpster: a copy under a new id; the dumpster keeps its own."""
        return self.copy(row, folder)[0]

    def move_volume(self, row, volume):
        """As HSM does: another locator, another file, no change number."""
        path = self.s.path_of(row)
        raw = self.s.get(path, row["size"])
        self.s.put(volume, self.id, row.get("id") or row["item_id"], row["mod_content"], raw)
        row["locator"] = str(volume)
        self.s.drop(path)

    def conversation(self, rows, subject):
        conv = self.item(CONV, self.next_id(), folder_id=9, unread=None, subject=subject, size=len(rows), index_id=None, metadata=metadata(prt=[{"a": "petra@elsewhere.test", "p": "Petra"}], ver=1))
        for row in rows:
            row["parent_id"] = conv["id"]
            self.touch(row)
        self.add("open_conversation", hash=digest_of(subject.encode(), "sha1"), conv_id=conv["id"])
        return conv

    def count(self):
        """What the server counts along the way, without any change number: folders, tags, the mailbox."""
        items = self.own("mail_item")
        tags = self.own("tag")
        by_name = {t["name"]: t for t in tags}
        for t in tags:
            t["item_count"] = t["unread"] = 0
        links = []
        for f in items:
            if f["type"] == FOLDER:
                inside = [r for r in items if r["folder_id"] == f["id"] and r["type"] not in (FOLDER, SEARCH, MOUNTPOINT)]
                f["size"] = len(inside)
                f["unread"] = sum(r["unread"] or 0 for r in inside)
        for r in items:
            if r["type"] == FOLDER:
                continue
            names = [t for t in (r["tag_names"] or "").split("\0") if t] + [FLAG_NAMES[-n - 1] for n in range(31) if r["flags"] >> n & 1 and -n - 1 in FLAG_NAMES]
            if r["unread"]:
                names.append("\\Unread")
            for n in names:
                t = by_name[n]
                t["item_count"] += 1
                t["unread"] += r["unread"] or 0
                links.append({"mailbox_id": self.id, "tag_id": t["id"], "item_id": r["id"]})
        table = "mboxgroup%d.tagged_item" % self.row["group_id"]
        self.s.tables[table] = [r for r in self.s.rows(table) if r["mailbox_id"] != self.id] + links
        self.row["contact_count"] = sum(r["type"] == CONTACT for r in items)
        self.row["size_checkpoint"] = sum(r["size"] for r in items if r["locator"])


# ------------------------------------------------------------------------------------------------------------- directory

DEFAULT, GOLD = "e00428a1-0c00-11d9-836a-000d93afea2a", "6d1b3b7c-5f0f-4a8f-9d8a-0c8b1a2f3e4d"
PHOTO = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + bytes(range(256)) * 3 + b"\xff\xd9"
ACCOUNTS = [  # address, name, mailbox, class, more attributes
    ("admin@example.test", "Administrator", 1, DEFAULT, ["zimbraIsAdminAccount: TRUE"]),
    ("ada@example.test", "Ada Lovelace", 101, DEFAULT, ["zimbraDumpsterEnabled: TRUE", "zimbraMailAlias: countess@example.test", "mail: countess@example.test",
     "zimbraMailSieveScript:: " + base64.b64encode("if header :contains \"subject\" \"ü\" { fileinto \"Büro\"; }\r\n".encode()).decode(),
     "jpegPhoto:: " + base64.b64encode(PHOTO).decode(), "zimbraSharedItem: granteeId:%s;folderId:2" % uuid("account bjoern@example.test")]),
    ("bjoern@example.test", "Bj\u00f6rn \u00d8deg\u00e5rd \U0001f40b", 4201, GOLD, ["zimbraTwoFactorAuthSecret: JBSWY3DPEHPK3PXP"]),
    ("chen@example.test", "Chen (locked)", 2, DEFAULT, []),
    ("dora@zweite.test", "Dora", 102, None, []),
    ("emil@zweite.test", "Emil", 202, None, ["zimbraDumpsterEnabled: TRUE"]),
    ("flora@example.test", "Flora (elsewhere)", None, DEFAULT, []),
    ("raum1@example.test", "Raum 1", 103, DEFAULT, []),
    ("gast@example.test", "Gast (no mailbox)", None, DEFAULT, []),
    ("hugo@example.test", "Hugo the Old", 3, DEFAULT, ["zimbraNotes: since version 5"]),
]


def entry_dn(name):
    uid, domain = name.split("@")
    return "uid=%s,ou=people,dc=%s,dc=test" % (uid, domain.split(".")[0])


def account_entry(name, cn, cos, more, ident):
    other = name.startswith("flora")
    lines = ["dn: " + entry_dn(name), "objectClass: inetOrgPerson", "objectClass: zimbraAccount"]
    if name.startswith("raum"):
        lines += ["objectClass: zimbraCalendarResource"]
    lines += ["uid: " + name.split("@")[0], "mail: " + name, "cn:: " + base64.b64encode(cn.encode()).decode(), "sn:: " + base64.b64encode(cn.split()[-1].encode()).decode(),
              "zimbraId: " + ident, "zimbraAccountStatus: " + ("locked" if "locked" in cn else "active"), "zimbraMailDeliveryAddress: " + name, "zimbraMailStatus: enabled",
              "zimbraMailHost: " + ("mail2.example.test" if other else "mail.example.test"), "zimbraMailTransport: lmtp:%s:7025" % ("mail2.example.test" if other else "mail.example.test"),
              "zimbraCreateTimestamp: 20260301000000Z", "zimbraPasswordModifiedTime: 20260301000000Z",
              "zimbraPasswordHistory:: " + base64.b64encode(b"1:{SSHA}\xfe" + name.encode()).decode(),
              "userPassword:: " + base64.b64encode(b"{SSHA512}" + base64.b64encode(hashlib.sha512(name.encode() + b"salt").digest() + b"salt")).decode()]
    if cos:
        lines.append("zimbraCOSId: " + cos)
    return "\n".join(lines + more) + "\n\n"


def init_directory(s):
    out = []
    for name, cn, number, cos, more in ACCOUNTS:
        ident = uuid("account " + name)
        s.state["accounts"][name] = {"id": ident, "mailbox": number}
        out.append(account_entry(name, cn, cos, more, ident))
    ada = entry_dn("ada@example.test")
    extra = [
        "dn: zimbraSignatureName=short,%s\nobjectClass: zimbraSignature\nzimbraSignatureName: short\nzimbraSignatureId: %s\nzimbraPrefMailSignature: -- Ada" % (ada, uuid("sig")),
        "dn: zimbraPrefIdentityName=work,%s\nobjectClass: zimbraIdentity\nzimbraPrefIdentityName: work\nzimbraPrefIdentityId: %s" % (ada, uuid("identity")),
        "dn: zimbraDataSourceName=old,%s\nobjectClass: zimbraImapDataSource\nzimbraDataSourceName: old\nzimbraDataSourceId: %s\nzimbraDataSourcePassword: c2FsdA==b2JmdXNjYXRlZA==" % (ada, uuid("source")),
        "dn: uid=al,ou=people,dc=example,dc=test\nobjectClass: zimbraAlias\nuid: al\nzimbraId: %s\nzimbraAliasTargetId: %s" % (uuid("alias"), uuid("account ada@example.test")),
        "dn: uid=all,ou=people,dc=example,dc=test\nobjectClass: zimbraDistributionList\nobjectClass: zimbraMailRecipient\nuid: all\nmail: all@example.test\nzimbraId: %s\n"
        "zimbraMailForwardingAddress: ada@example.test\nzimbraMailForwardingAddress: bjoern@example.test" % uuid("list"),
        "dn: cn=dyn,cn=groups,dc=example,dc=test\nobjectClass: groupOfURLs\nobjectClass: dgIdentityAux\nobjectClass: zimbraGroup\ncn: dyn\nmail: dyn@example.test\nzimbraId: %s\nzimbraIsACLGroup: FALSE\n"
        "memberURL: ldap:///??sub?(&(objectClass=zimbraAccount)(mail=ada@example.test))" % uuid("dyn"),
    ]
    s.ldap("".join(out) + "\n\n".join(extra) + "\n", "ldapadd")


# ------------------------------------------------------------------------------------------------------------------ days


def volume_row(number, kind, name, path, compress, threshold, bits=(12, 8, 12, 8)):
    return dict(id=number, type=kind, name=name, path=path, file_bits=bits[0], file_group_bits=bits[1], mailbox_bits=bits[2], mailbox_group_bits=bits[3], compress_blobs=compress,
                compression_threshold=threshold, metadata=None, store_type=1, store_manager_class="com.zimbra.cs.store.file.FileBlobStore")


def init(s):
    if s.state["day"] >= 0:
        raise Life("this server has begun to live")
    s.state["day"] = 0
    init_directory(s)
    for row in (volume_row(1, 1, "message1", s.home + "/store", 0, 4096), volume_row(2, 10, "index1", s.home + "/index", 0, 4096),
                volume_row(3, 2, "hsm", s.home + "/store2", 1, 4096, (10, 6, 12, 8)), volume_row(4, 1, "message2", s.home + "/store4", 1, 4096)):
        s.rows("zimbra.volume").append(row)
    s.add("zimbra.current_volumes", message_volume_id=1, secondary_message_volume_id=3, index_volume_id=2, next_mailbox_id=4202)
    for name, value in (("db.version", "118"), ("index.version", "2"), ("redolog.version", "1.20"), ("backup.version", "1")):
        s.add("zimbra.config", name=name, value=value, description="of the made server", modified="2026-03-01 00:00:00")
    for name, _, number, _, _ in ACCOUNTS:
        if number:
            s.new_box(name, number)
    s.add("zimbra.deleted_account", email="weg@example.test", account_id=uuid("account weg"), mailbox_id=77, deleted_at=T0 - 86400)
    s.add("zimbra.table_maintenance", database_name="mboxgroup1", table_name="mail_item", maintenance_date="2026-03-01 00:00:00", last_optimize_date=None, num_rows=0)
    s.add("zimbra.service_status", server="mail.example.test", service="mailbox", time="2026-03-01 00:00:00", status=1)
    s.add("zimbra.current_sessions", id=1, server_id="0b9d1a52-7d1e-4c7e-8a40-3a1a0d6f5b11")
    s.commit()


def logins(s, day):
    """Ephemeral values: another one at every login."""
    for name in ("ada@example.test", "bjoern@example.test", "emil@zweite.test")[:3 if day < 3 else 2]:
        s.ldap("dn: %s\nchangetype: modify\nreplace: zimbraLastLogonTimestamp\nzimbraLastLogonTimestamp: %s\n-\nreplace: zimbraAuthTokens\nzimbraAuthTokens: %d|%d|8.8.15\n-\n"
               "replace: zimbraCsrfTokenData\nzimbraCsrfTokenData: t%d\n" % (entry_dn(name), time.strftime("%Y%m%d%H%M%SZ", time.gmtime(s.now)), day * 1234567, s.now * 1000, day))


def text_of(r, n):
    return "\r\n".join(" ".join(r.choice(WORDS) for _ in range(9)) for _ in range(n)) + "\r\n"


def plain_mail(s, box, r, n, folder=2):
    """Ordinary messages in several charsets."""
    rows = []
    kinds = [("utf-8", "8bit"), ("iso-8859-1", "quoted-printable"), ("utf-8", "base64"), ("iso-8859-15", "8bit"), ("utf-8", "quoted-printable")]
    for i in range(n):
        charset, encoding = kinds[i % len(kinds)]
        subject = "%s %s %d" % (r.choice(WORDS), r.choice(WORDS), i)
        date = s.now - r.randrange(86400)
        raw = message(subject, to=box.row["comment"], date=date, body=text_of(r, r.randrange(2, 12)), charset=charset, encoding=encoding, how="BQ"[i % 2], end="\n" if i % 11 == 10 else "\r\n",
                      ident="%d.%d.%d" % (box.id, s.state["day"], i))
        with box.change():
            rows.append(box.deliver(raw, subject, folder=folder, date=date, unread=i % 3 == 0, flags=(0, 0, ANSWERED, FLAGGED | FORWARDED, URGENT)[i % 5]))
    return rows


def to_several(s, names, raw, subject, **more):
    """One delivery: one file, a link for each mailbox."""
    link = None
    rows = []
    for name in names:
        box = s.box(name)
        with box.change():
            rows.append(box.deliver(raw, subject, link=link, **more))
        link = link or s.path_of(rows[0])
    return rows


def day1(s):
    r = random.Random(1)
    ada, bjoern, hugo, emil, dora, chen, raum = (s.box(n) for n in ("ada@example.test", "bjoern@example.test", "hugo@example.test", "emil@zweite.test", "dora@zweite.test", "chen@example.test",
                                                                     "raum1@example.test"))
    ada.row["tracking_sync"] = 1
    dora.row["tracking_imap"] = 1
    # folders, tags
    with ada.change():
        ids = {n: ada.folder(n) for n in ("B\u00fcro", "Projekte/2026", "100%", "..", ".", "tab\tand\x01control", "Caf\u00e9", "Cafe\u0301", "two  spaces", "L" + "\u00e4" * 250 + "1", "L" + "\u00e4" * 250 + "2",
                                          "%dumpster", "new\nline", "\\back\\slash", "-rf", "*?[a]")}
        ids["Kunden"] = ada.folder("Kunden", parent=ids["B\u00fcro"], acl=[{"g": bjoern.row["account_id"], "t": 1, "r": 0x101, "n": "bjoern@example.test"}, {"t": 6, "r": 1}])
        ids["Kunden2"] = ada.folder("Kunden", parent=ids["Kunden"])
        ada.tag("wichtig", color=2)
        ada.tag("\u00c4rger", color=0x0100ff00)
        ada.tag("made on the way", listed=0)
        ada.tag("emoji-less \u2603, with comma:colon\\")
        ada.item(SEARCH, ada.next_id(), folder_id=1, parent_id=1, name="unread mail", subject="unread mail", index_id=None, metadata=metadata(q="is:unread", t="message", s="dateDesc", ver=1))
        ada.item(MOUNTPOINT, ada.next_id(), folder_id=1, parent_id=1, name="Bj\u00f6rn's Calendar", subject="Bj\u00f6rn's Calendar", index_id=None,
                 metadata=metadata(aid=bjoern.row["account_id"], id=10, vt=11, ver=1, rem=False))
    s.state["folders"] = {"ada": ids}
    # the same message to three, linked; the same bytes on another volume
    shared = message("to all three", to="ada@example.test, bjoern@example.test, emil@zweite.test", date=s.now, body=text_of(r, 100), attachments=[("plan \u00fc.pdf", "application/pdf", r.randbytes(9000))])
    to_several(s, ["ada@example.test", "bjoern@example.test", "emil@zweite.test"], shared, "to all three", flags=ATTACHED)
    with dora.change():
        dora.deliver(shared, "to all three", volume=3, flags=ATTACHED)
    attachment = ("brochure.bin", "application/octet-stream", r.randbytes(30000))
    for name in ("ada@example.test", "chen@example.test"):
        box = s.box(name)
        with box.change():
            box.deliver(message("brochure for " + name, to=name, date=s.now, attachments=[attachment], html="<p>see \u2192</p>"), "brochure for " + name, flags=ATTACHED)
    for box, n in ((ada, 40), (bjoern, 12), (emil, 12), (dora, 10), (chen, 6), (s.box("admin@example.test"), 5), (raum, 1)):
        plain_mail(s, box, r, n)
    for i, folder in enumerate(ids.values()):
        with ada.change():
            ada.deliver(message("in folder %d" % i, date=s.now), "in folder %d" % i, folder=folder)
    # odd messages
    odd = [("", None, {}), ("a/b\\c: 50% of \"it\"?", None, {}), ("tab\there \x07bell \x1b[31mred", None, {}), ("whale \U0001f40b in the subject", None, {}), (".", None, {}), ("..", None, {}), ("   ", None, {}),
           ("-n", None, {}), ("x" * 1000, None, {}), ("\u65e5\u672c\u8a9e\u306e\u4ef6\u540d", "iso-2022-jp", {}), ("\u043f\u0440\u0438\u0432\u0435\u0442", "koi8-r", {"how": "Q"}), ("line\nbreak", None, {})]
    for n, (subject, charset, more) in enumerate(odd):
        with ada.change():
            ada.deliver(message(subject or None, date=s.now - n, body=text_of(r, 3) if not charset else subject + "\r\n", charset=charset or "utf-8", **more), subject, raw_subject=subject,
                        tags=("wichtig", "\u00c4rger") if n == 1 else ("made on the way",) if n == 2 else ())
    with ada.change():  # its gzip is not smaller
        ada.deliver(message("noise", date=s.now, body=r.randbytes(20000), encoding="binary"), "noise", volume=3)
    with ada.change():  # above the threshold, compressed
        ada.deliver(message("long text", date=s.now, body=text_of(r, 2000)), "long text", volume=3)
    with ada.change():  # not mail at all
        ada.deliver(b"\0\1\2 not a message", "not mail")
    with ada.change():
        ada.deliver(b"", "empty file")
    with ada.change():
        ada.deliver(message("by me", sender="Ada <ada@example.test>", date=s.now), "by me", folder=5, unread=0, flags=SENT)
    with ada.change():
        s.state["draft"] = ada.deliver(message("draft one", date=s.now), "draft one", folder=6, unread=0, flags=DRAFT | SENT, extra={"d": {"idnt": uuid("identity"), "ver": 1}})["id"]
    with ada.change():
        rows = [ada.deliver(message(p + "thread", date=s.now + n), "thread", raw_subject=p + "thread") for n, p in enumerate(("", "Re: ", "Re: "))]
    with ada.change():
        ada.conversation(rows, "thread")
    with ada.change():  # beyond where the groups of directories begin again
        ada.deliver(message("far away", date=s.now), "far away", number=(1 << 20) + 4097, tags=("emoji-less \u2603, with comma:colon\\",))
    with ada.change():
        ada.deliver(message("chat", date=s.now), "chat", folder=14, kind=CHAT)
    # contacts, calendar, tasks, documents
    with ada.change():
        ada.contact({"firstName": "Grace", "lastName": "Hopper", "fullName": "Grace Hopper", "email": "grace@navy.test", "mobilePhone": "+1 555", "notes": "line 1\nline 2; with, all"})
        ada.contact({"fullName": "With Photo", "email": "photo@example.test", "workCity": "K\u00f6ln"}, photo=PHOTO, tags=("wichtig",))
        ada.contact({"fullName": "Emo \U0001f600 Ji", "email": "emoji@example.test"})
        ada.contact({"type": "group", "fullName": "Team", "nickname": "Team", "dlist": "ada@example.test, bjoern@example.test"}, folder=13)
    with ada.change():
        s.state["appointment"] = ada.appointment("Sitzung / Gespr\u00e4ch", [("Sitzung / Gespr\u00e4ch", "RRULE:FREQ=WEEKLY;COUNT=5"), ("Sitzung (moved)", "RECURRENCE-ID:20260310T090000Z")], s.now + 3600, s.now + 7200)["id"]
        ada.appointment("buy milk", [("buy milk", "")], s.now, s.now + 86400, kind=TASK)
        raum.appointment("booked", [("booked", "")], s.now + 3600, s.now + 7200)
    with ada.change():
        doc = ada.document("notes.txt", b"first\n")
        s.state["document"] = doc["id"]
        ada.document("data.csv.gz", gzip.compress(b"a,b\n" * 5000, mtime=0), ctype="application/gzip")  # stored as it is, though it looks compressed
        ada.document("weird \u2603%.txt", b"snow\n")
        ada.document("no ending", b"")
    for version in (2, 3):
        with ada.change():
            ada.new_version(doc, b"version %d\n" % version * version, version)
    with ada.change():
        ada.item(COMMENT, ada.next_id(), folder_id=17, parent_id=doc["id"], subject="a comment", metadata=metadata(ver=1, cr="bjoern@example.test"))
    # as old servers left it
    with hugo.change():
        for i in range(5):
            hugo.deliver(message("from the old days %d" % i, date=s.now - 10 ** 8, body="old %d\r\n" % i), "from the old days %d" % i, sha1=True, old=True, unread=0, date=s.now - 10 ** 8)
        hugo.contact({"firstName": "Old", "lastName": "School", "email": "old@example.test"}, old=True)
        hugo.item(FOLDER, 12, folder_id=1, parent_id=1, name="Notebook", subject="Notebook", index_id=None, metadata=legacy({"vt": "14", "a": "1"}))
        hugo.tag("legacy", color=None)
    # the dumpster
    with ada.change():
        gone = ada.deliver(message("thrown away", date=s.now), "thrown away", folder=3)
        doc2 = ada.document("deleted.txt", b"one\n")
    with ada.change():
        ada.new_version(doc2, b"two\n", 2)
    with ada.change():
        ada.delete(gone, doc2, ada.appointment("cancelled", [("cancelled", "")], s.now, s.now + 60), dumpster=True)
    small_tables(s, ada, bjoern)
    # what lies about in a store
    path = os.path.join(s.home, s.path_of(ada.items(MESSAGE)[0]))
    with open(path + ".bak", "wb") as f:
        f.write(b"left by a crash\n")
    os.makedirs(s.home + "/store/incoming", exist_ok=True)
    with open(s.home + "/store/incoming/1772323200-1.msg", "wb") as f:
        f.write(b"never came to an end")
    logins(s, 1)


def small_tables(s, ada, bjoern):
    source = uuid("source")
    for box in (ada, bjoern):
        s.add("zimbra.mailbox_metadata", mailbox_id=box.id, section="zwc:implicit", metadata=metadata(initial="inbox", n=box.id))
    s.add("zimbra.out_of_office", mailbox_id=ada.id, sent_to="petra@elsewhere.test", sent_on=stamp(s.now))
    s.add("zimbra.scheduled_task", class_name="com.zimbra.cs.datasource.DataSourceTask", name=source, mailbox_id=ada.id, exec_time=None, interval_millis=3600000, metadata=metadata(dsid=source))
    s.add("zimbra.mobile_devices", mailbox_id=ada.id, device_id="ApplDNPJ", device_type="iPhone", user_agent="Apple-iPhone/1.0", protocol_version="16.1", provisionable=1, status=1, policy_key=12345,
          first_req_received=s.now, friendly_name="Ada\u2019s phone", last_used_date="2026-03-01", deleted_by_user=0, last_updated_by="User", update_time="2026-03-01 09:00:00")
    s.add("zimbra.pending_acl_push", mailbox_id=ada.id, item_id=2, date=s.now * 1000)
    s.add("zimbra.zmg_devices", mailbox_id=ada.id, app_id="app", reg_id="token-of-the-app", push_provider="apns", os_name="ios", os_version="17", max_payload_size=2048)
    s.add("zimbra.volume_blobs", id=1, volume_id=1, mailbox_id=ada.id, item_id=300, revision=1, blob_digest="x" * 44, processed=0)
    mail = ada.items(MESSAGE)
    ada.add("pop3_message", data_source_id=source, uid="UIDL-1\u00fc", item_id=mail[0]["id"])
    ada.add("imap_folder", item_id=2, data_source_id=source, local_path="/Inbox", remote_path="INBOX", uid_validity=1234)
    ada.add("imap_message", imap_folder_id=2, uid=4000000000, item_id=mail[1]["id"], flags=0x20)
    ada.add("data_source_item", data_source_id=source, item_id=mail[2]["id"], folder_id=2, remote_id="Case-Sensitive", metadata=metadata(x="y"))
    ada.add("purged_conversations", data_source_id=source, item_id=9999, hash="H" * 27 + "=")
    ada.add("purged_messages", data_source_id=source, item_id=9998, parent_id=None, remote_id="r1", remote_folder_id="f1", purge_date=s.now)
    ada.add("event", account_id=ada.row["account_id"], item_id=2, folder_id=2, op=3, ts=s.now, version=1, user_agent="ZWC 8.8", arg="a=b")
    ada.add("watch", target=uuid("watched"), item_id=16)


def day2(s):
    r = random.Random(2)
    ada, bjoern, emil, dora = (s.box(n) for n in ("ada@example.test", "bjoern@example.test", "emil@zweite.test", "dora@zweite.test"))
    mail = ada.items(MESSAGE, folder=2)
    for row in mail[:4]:
        with ada.change():
            ada.read(row)
    with ada.change():
        ada.flag(mail[4], on=FLAGGED)
        ada.flag(mail[5], on=ANSWERED, off=FLAGGED)
    with ada.change():
        for row in mail[6:9]:
            ada.move(row, s.state["folders"]["ada"]["B\u00fcro"])
    with ada.change():
        ada.set_tags(mail[9], ["\u00c4rger"])
        ada.set_tags(mail[10], ["wichtig", "made on the way"])
    for round_ in range(3):  # a draft, saved again and again
        with ada.change():
            ada.rewrite(ada.find(s.state["draft"]), message("draft %d" % round_, date=s.now + round_, body="text %d\r\n" % round_), "draft %d" % round_)
        s.commit()
    with ada.change():  # into the dumpster; tombstones as well
        ada.delete(*mail[11:14], ada.items(CONTACT)[0], dumpster=True)
    with bjoern.change():  # without tracking: gone without a trace
        bjoern.delete(*bjoern.items(MESSAGE)[2:4])
    with emil.change():
        emil.delete(emil.items(MESSAGE)[1], dumpster=True)
    with dora.change():  # tracked by IMAP clients: a new UID
        dora.move(dora.items(MESSAGE)[0], 3)
    # new mail goes to a volume that compresses
    s.rows("zimbra.current_volumes")[0]["message_volume_id"] = 4
    raw = message("to four", to="everybody", date=s.now, body=text_of(r, 300), attachments=[("noise.bin", "application/octet-stream", r.randbytes(5000))])
    to_several(s, ["ada@example.test", "bjoern@example.test", "emil@zweite.test", "dora@zweite.test"], raw, "to four", flags=ATTACHED)
    for box, n in ((ada, 6), (bjoern, 3), (emil, 2)):
        plain_mail(s, box, r, n)
    with ada.change():  # gzip makes it larger, and it is stored so
        ada.deliver(message("compressed noise", date=s.now, body=r.randbytes(9000), encoding="binary"), "compressed noise")
    with ada.change():
        ada.copy(ada.items(MESSAGE, folder=2)[0], 5)
    s.rows("zimbra.out_of_office")[0]["sent_on"] = stamp(s.now)  # in no change number
    s.rows("zimbra.service_status")[0]["time"] = stamp(s.now)
    logins(s, 2)


def day3(s):
    r = random.Random(3)
    ada, bjoern, emil, hugo = (s.box(n) for n in ("ada@example.test", "bjoern@example.test", "emil@zweite.test", "hugo@example.test"))
    ids = s.state["folders"]["ada"]
    for row in ada.items(MESSAGE)[:6] + bjoern.items(MESSAGE)[:3] + [ada.own("mail_item_dumpster")[0], ada.own("revision")[0]]:  # no change number
        if row["locator"] == "1":
            (bjoern if row["mailbox_id"] == bjoern.id else ada).move_volume(row, 3)
    for row in hugo.items(MESSAGE)[:2]:  # and nothing else in this mailbox
        hugo.move_volume(row, 4)
    with ada.change():
        folder = ada.find(ids["B\u00fcro"])
        folder["name"] = folder["subject"] = "B\u00fcro (alt)"
        ada.touch(folder)
    with ada.change():
        ada.move(ada.find(ids["Kunden2"]), 1 if not any(x["name"] == "Kunden" for x in ada.items(FOLDER, folder=1)) else 5)
    with ada.change():
        ada.new_version(ada.find(s.state["document"]), b"the fourth\n", 4)
    with ada.change():
        row = ada.items(CONTACT)[-1]
        row["metadata"] = metadata(fld={"type": "group", "fullName": "Team \u2603", "nickname": "Team", "dlist": "ada@example.test"}, ver=2)
        row["subject"] = row["sender"] = "Team \u2603"
        ada.touch(row, content=True)
        photo = next(x for x in ada.items(CONTACT) if x["locator"])
        ada.rewrite(photo, message(None, body="", attachments=[("photo.jpg", "image/jpeg", PHOTO + b"new")], date=s.now))
    with ada.change():
        row = ada.find(s.state["appointment"])
        uid = next(x["uid"] for x in ada.own("appointment") if x["item_id"] == row["id"])
        ada.rewrite(row, digest_blob([("Sitzung, verschoben", event(uid, "Sitzung, verschoben", s.now + 7200, s.now + 9000, "SEQUENCE:1"))], str(row["id"])), "Sitzung, verschoben")
        row["metadata"] = metadata(u=uid, aps=(s.now + 7200) * 1000, ape=(s.now + 9000) * 1000, nc=1, ver=2, inv0={"u": uid, "n": "Sitzung, verschoben", "st": "CONF", "nnn": 0})
        times = next(x for x in ada.own("appointment") if x["item_id"] == row["id"])
        times["start_time"], times["end_time"] = stamp(s.now + 7200), stamp(s.now + 9000)
    with ada.change():  # a tag's new name: in all that have it
        tag = next(t for t in ada.own("tag") if t["name"] == "\u00c4rger")
        tag["name"], tag["sequence"] = "\u00c4rger (gel\u00f6st)", ada.mine["change"]
        for row in ada.own("mail_item"):
            names = [x for x in (row["tag_names"] or "").split("\0") if x]
            if "\u00c4rger" in names:
                ada.set_tags(row, [tag["name"] if x == "\u00c4rger" else x for x in names])
    with emil.change():
        emil.deliver(message("before the wedding", date=s.now, body=text_of(r, 3)), "before the wedding")
    # an account's new name: the mailbox stays what it is
    s.ldap("dn: %s\nchangetype: modrdn\nnewrdn: uid=emil.neu\ndeleteoldrdn: 1\n\ndn: %s\nchangetype: modify\nreplace: mail\nmail: emil.neu@zweite.test\nmail: emil@zweite.test\n-\n"
           "replace: zimbraMailDeliveryAddress\nzimbraMailDeliveryAddress: emil.neu@zweite.test\n-\nadd: zimbraMailAlias\nzimbraMailAlias: emil@zweite.test\n"
           % (entry_dn("emil@zweite.test"), entry_dn("emil.neu@zweite.test")))
    s.state["accounts"]["emil.neu@zweite.test"] = s.state["accounts"].pop("emil@zweite.test")
    emil.row["comment"] = "emil.neu@zweite.test"
    logins(s, 3)


def day4(s):
    r = random.Random(4)
    ada, chen, dora = (s.box(n) for n in ("ada@example.test", "chen@example.test", "dora@zweite.test"))
    with ada.change():
        ada.purge(*[x for x in ada.own("mail_item_dumpster") if x["type"] == MESSAGE][:1])
    with ada.change():
        ada.recover([x for x in ada.own("mail_item_dumpster") if x["type"] == MESSAGE][0], 2)
    with ada.change():  # a folder with all that is in it
        folder = ada.find(s.state["folders"]["ada"]["100%"])
        ada.delete(*ada.items(MESSAGE, folder=folder["id"]), folder, dumpster=True)
    with ada.change():
        tag = next(t for t in ada.own("tag") if t["name"] == "made on the way")
        for row in ada.own("mail_item"):
            names = [x for x in (row["tag_names"] or "").split("\0") if x]
            if tag["name"] in names:
                ada.set_tags(row, [x for x in names if x != tag["name"]])
        ada.t("tag").remove(tag)
    box = s.new_box("gast@example.test", 303)  # first use
    plain_mail(s, box, r, 3)
    s.rows("zimbra.current_volumes")[0]["next_mailbox_id"] = 4203
    plain_mail(s, ada, r, 2)
    for row in chen.items(MESSAGE):  # the index catches up: in no change number, and nothing else here
        row["index_id"] = row["id"] + 7
    for row in ada.own("tombstone")[:1]:  # old tombstones go
        ada.t("tombstone").remove(row)
    dora.row["tracking_sync"] = 1  # a phone: in the mailbox's row only
    s.ldap("dn: %s\nchangetype: modify\nreplace: userPassword\nuserPassword: {SSHA512}%s\n-\nreplace: zimbraAccountStatus\nzimbraAccountStatus: active\n"
           % (entry_dn("chen@example.test"), base64.b64encode(hashlib.sha512(b"new" + b"pepper00").digest() + b"pepper00").decode()))
    logins(s, 4)


def day(s, n):
    if s.state["day"] != n - 1:
        raise Life("it is day %d" % s.state["day"])
    s.state["day"] = n
    s.now = T0 + 86400 * n + 43200
    {1: day1, 2: day2, 3: day3, 4: day4}[n](s)
    s.commit()


def rush(s, rounds):
    """Everything that can happen between a row and its blob."""
    r = random.Random(99 + s.state["day"])
    s.now = T0 + 86400 * (s.state["day"] + 1)
    names = ["ada@example.test", "bjoern@example.test"]
    for n in range(rounds):
        box = s.box(names[n % 2])
        mail = box.items(MESSAGE, folder=2)
        with box.change():
            drafts = box.items(MESSAGE, folder=6)
            raw = message("rush %d" % n, date=s.now + n, body=text_of(r, 5), ident="rush.%d.%d" % (s.state["day"], s.now + n))
            if n % 5 == 0 or not mail:
                box.deliver(raw, "rush %d" % n)
            elif n % 5 == 1 and drafts:
                box.rewrite(drafts[0], raw, "rush %d" % n)
            elif n % 5 == 2:
                box.delete(r.choice(mail), dumpster=n % 2 == 0)
            elif n % 5 == 3:
                box.move(r.choice(mail), 3)
        if n % 5 == 4:
            row = r.choice(mail)
            box.move_volume(row, 3 if row["locator"] != "3" else 4)
        s.commit()


# ---------------------------------------------------------------------------------------------------------------- damage


def folder_path(rows, number):
    """Names joined as Zimbra has them, from the users' root."""
    by_id = {r["id"]: r for r in rows if r["type"] in (FOLDER, SEARCH, MOUNTPOINT)}
    parts = []
    while number in by_id and number not in (1, 11) and len(parts) < 100:
        parts.append(by_id[number]["name"])
        number = by_id[number]["folder_id"]
    return "/" + "/".join(reversed(parts))


DAMAGE = {
    "missing": "a blob that is not there", "short": "a blob cut short", "empty": "a blob of no bytes", "wrong-digest": "a row with another digest", "wrong-bytes": "a blob with one byte changed",
    "shared": "a blob with one byte changed, of which there are good copies in other files",
    "wrong-size": "a row with another size", "gzip": "a compressed blob with broken data", "no-volume": "a locator of a volume that is not there", "external": "an item on a volume that is not local",
    "locator": "a locator that is not a number", "directory": "a directory where the blob should be", "symlink": "a symbolic link that leads nowhere", "orphan": "a blob without a row (not an error)",
    "old-name": "a blob under the name of old servers, without a change number (not an error)",
    "stray-mailbox": "a mailbox whose account is not in the directory", "no-mailbox": "an account that was used and has no mailbox", "metadata": "a contact's metadata that is neither form",
    "folder-loop": "two folders, each in the other", "folder-lost": "a folder whose parent is not there", "item-lost": "a message in a folder that is not there", "tag-nul": "tag names with a NUL too many",
    "older-schema": "columns of 2022 are not there", "newer-schema": "columns and a table that nobody knows",
    "mixed-schema": "a table that only one of the groups has",
}


def damage(s, kind):
    if kind not in DAMAGE:
        print("\n".join("%-14s %s" % x for x in DAMAGE.items()))
        return
    box = s.box("ada@example.test" if kind in ("gzip", "shared") else "bjoern@example.test")
    hit = {(d["mailbox"], d.get("item_id")) for d in s.state["damaged"]}
    same = {}
    for b in s.boxes():
        for x in b.own("mail_item"):
            same.setdefault(x["blob_digest"], []).append(x)
    mail = []
    if not kind.endswith("-schema"):  # of content that nobody else has; "shared": of content that there is elsewhere, in another file
        mail = [x for x in box.items(MESSAGE) if (box.id, x["id"]) not in hit and (len({s.path_of(y).split("/")[0] for y in same[x["blob_digest"]]}) > 1 if kind == "shared" else len(same[x["blob_digest"]]) == 1)]
    row = mail[0] if mail else None
    said = {"kind": kind, "what": DAMAGE[kind], "account": box.row["comment"], "mailbox": box.id}
    group = "mboxgroup%d" % box.row["group_id"]
    where = "mailbox_id=%d AND id=%d" % (box.id, row["id"] if row else 0)
    path = os.path.join(s.home, s.path_of(row)) if row else None

    def update(what):
        s.run_sql("SET FOREIGN_KEY_CHECKS=0; UPDATE %s.mail_item SET %s WHERE %s;" % (group, what, where))

    if kind == "missing":
        os.unlink(path)
    elif kind in ("short", "empty"):
        os.truncate(path, os.path.getsize(path) // 2 if kind == "short" else 0)
    elif kind == "wrong-digest":
        update("blob_digest='%s'" % digest_of(b"something else"))
    elif kind in ("wrong-bytes", "shared"):
        with open(path, "rb") as f:  # a file of its own: no other name of it is hit
            data = f.read()
        os.unlink(path)
        with open(path, "wb") as f:
            f.write(data)
        with open(path, "r+b") as f:
            f.seek(10)
            c = f.read(1)
            f.seek(10)
            f.write(bytes([c[0] ^ 1]))
    elif kind == "wrong-size":
        update("size=size+1")
    elif kind == "gzip":
        row = next(x for x in mail if x["locator"] in "34" and os.path.getsize(os.path.join(s.home, s.path_of(x))) < x["size"])
        path = os.path.join(s.home, s.path_of(row))
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            f.write(b"\xff" * 16)
    elif kind == "no-volume":
        update("locator='99'")
    elif kind == "external":
        s.run_sql("INSERT IGNORE INTO zimbra.volume (id,type,name,path,file_bits,file_group_bits,mailbox_bits,mailbox_group_bits,compress_blobs,compression_threshold,store_type,store_manager_class) "
                  "VALUES (5,1,'bucket','bucket',12,8,12,8,0,4096,2,'com.zimbra.cs.store.external.S3');")
        update("locator='5@@key/of/the/object'")
    elif kind == "locator":
        update("locator='s3:whatever'")
    elif kind == "directory":
        os.unlink(path)
        os.mkdir(path)
    elif kind == "symlink":
        os.unlink(path)
        os.symlink("/nonexistent/blob", path)
    elif kind == "orphan":
        row = None
        with open(path.replace(".msg", "9.msg"), "wb") as f:
            f.write(b"orphan")
    elif kind == "old-name":
        os.rename(path, os.path.join(os.path.dirname(path), "%d.msg" % row["id"]))
    elif kind == "stray-mailbox":
        row = None
        s.state["accounts"]["stray"] = {"id": uuid("account stray"), "mailbox": 203}
        stray = s.new_box("stray", 203)
        with stray.change():
            stray.deliver(message("nobody's", date=s.now), "nobody's")
        stray.row["comment"] = "weg@example.test"
        s.commit()
        said.update(account=uuid("account stray"), mailbox=203)
    elif kind == "no-mailbox":
        row = None
        s.ldap(account_entry("neu@example.test", "Neu", DEFAULT, ["zimbraLastLogonTimestamp: 20260301120000Z"], uuid("account neu")), "ldapadd")
        s.state["accounts"]["neu@example.test"] = {"id": uuid("account neu"), "mailbox": None}
        said.update(account="neu@example.test", mailbox=None)
    elif kind == "metadata":
        with box.change():
            row = box.contact({"fullName": "Broken"})
        row["metadata"] = "d3:fl"
        s.commit()
    elif kind in ("folder-loop", "folder-lost"):
        with box.change():
            a = box.folder("loop a")
            b = box.folder("loop b", parent=a)
            row = box.deliver(message("in a loop", date=s.now), "in a loop", folder=b)
        s.commit()
        s.run_sql("SET FOREIGN_KEY_CHECKS=0; UPDATE %s.mail_item SET folder_id=%d, parent_id=folder_id WHERE mailbox_id=%d AND id=%d;" % (group, b if kind == "folder-loop" else 999999, box.id, a))
    elif kind == "item-lost":
        update("folder_id=888888, mod_metadata=mod_metadata+1")
    elif kind == "tag-nul":
        update("tag_names='\\0a\\0\\0b\\0', mod_metadata=mod_metadata+1")
    elif kind == "older-schema":
        s.run_sql("ALTER TABLE zimbra.volume DROP COLUMN store_type, DROP COLUMN store_manager_class; DROP TABLE zimbra.zmg_devices, zimbra.mobile_devices;")
    elif kind == "newer-schema":
        for g in sorted({"mboxgroup%d" % b.row["group_id"] for b in s.boxes()}):
            s.run_sql("ALTER TABLE %s.mail_item ADD COLUMN hue INT DEFAULT 7; CREATE TABLE %s.novelty (mailbox_id INT UNSIGNED NOT NULL, id INT NOT NULL, text BLOB, PRIMARY KEY (mailbox_id, id));" % (g, g))
        s.run_sql("INSERT INTO %s.novelty VALUES (%d, 1, X'00ff'); ALTER TABLE zimbra.mailbox ADD COLUMN new_one VARCHAR(10) DEFAULT 'x';" % (group, box.id))
    elif kind == "mixed-schema":
        s.run_sql("CREATE TABLE %s.only_here (mailbox_id INT UNSIGNED NOT NULL, id INT NOT NULL, PRIMARY KEY (mailbox_id, id)); INSERT INTO %s.only_here VALUES (%d, 1);" % (group, group, box.id))
    if row:
        said.update(item_id=row["id"], subject=row["subject"], folder=folder_path(box.own("mail_item"), row["folder_id"]), path=path)
    s.state["damaged"].append(said)
    with open(s.file, "w") as f:
        json.dump(s.state, f)
    print(json.dumps(said))


# ----------------------------------------------------------------------------------------------------------------- truth


def flags_of(row):
    return "".join(c for n, c in enumerate(FLAG_LETTERS) if row["flags"] >> n & 1 and c != "-") + ("u" if row["unread"] else "")


def item_truth(s, box, row, source):
    rows = box.own("mail_item")
    number = row.get("id", row.get("item_id"))
    out = {"table": source, "id": number, "date": row["date"], "size": row["size"], "digest": row["blob_digest"], "name": row["name"], "mod_metadata": row["mod_metadata"],
           "mod_content": row["mod_content"], "locator": row["locator"], "sha256": s.state["blobs"][s.path_of(row)] if row["locator"] else None, "version": row.get("version")}
    if "type" in row:
        out.update(type=row["type"], folder_id=row["folder_id"], folder=folder_path(rows, row["folder_id"]), subject=row["subject"], flags=flags_of(row), flag_mask=row["flags"], unread=row["unread"],
                   tags=[t for t in (row["tag_names"] or "").split("\0") if t], hidden=not below_root(rows, row["folder_id"]), metadata=row["metadata"], uuid=row["uuid"])
    return out


def below_root(rows, number):
    by_id = {r["id"]: r for r in rows if r["type"] == FOLDER}
    for _ in range(100):
        if number == 1:
            return True
        if number not in by_id or number == 11:
            return False
        number = by_id[number]["folder_id"]
    return False


def read_rows(s):
    """Every row of every table, each value as the hexadecimal of its text; None for NULL."""
    out = {}
    columns = {}
    for line in s.run_sql("SELECT table_schema,table_name,column_name FROM information_schema.columns WHERE table_schema='zimbra' OR table_schema LIKE 'mboxgroup%' "
                          "ORDER BY table_schema,table_name,ordinal_position", "-N", "-B").decode().splitlines():
        schema, table, column = line.split("\t")
        columns.setdefault(schema + "." + table, []).append(column)
    text = "SET time_zone='+00:00';\n"
    for table, names in columns.items():
        text += "SELECT '%s',%s FROM %s;\n" % (table, ",".join("IFNULL(HEX(CAST(`%s` AS BINARY)),'-')" % n for n in names), table)
        out[table] = {"columns": names, "rows": []}
    for line in s.run_sql(text, "-N", "-B").decode().splitlines():
        table, *values = line.split("\t")
        out[table]["rows"].append([None if v == "-" else v for v in values])
    for t in out.values():
        t["rows"].sort(key=lambda r: [v or "-" for v in r])
    return out


def truth(s, path):
    accounts = []
    names = {a["id"]: n for n, a in s.state["accounts"].items()}
    for box in s.boxes():
        rows = box.own("mail_item")
        name = names.get(box.row["account_id"], box.row["account_id"])
        items = [item_truth(s, box, r, t) for t in ("mail_item", "mail_item_dumpster", "revision", "revision_dumpster") for r in box.own(t) if r.get("type") not in (FOLDER, SEARCH, MOUNTPOINT)]
        accounts.append({"name": name if name != "stray" else box.row["account_id"], "id": box.row["account_id"], "mailbox": box.id, "group": box.row["group_id"], "change": box.mine["change"], "items": items,
                         "folders": [{"id": r["id"], "type": r["type"], "name": r["name"], "parent": r["folder_id"], "path": folder_path(rows, r["id"]), "hidden": not below_root(rows, r["id"])}
                                     for r in rows if r["type"] in (FOLDER, SEARCH, MOUNTPOINT)],
                         "tags": [{"id": t["id"], "name": t["name"], "color": t["color"]} for t in box.own("tag") if t["id"] > 0]})
    with open(path, "w") as f:
        json.dump({"day": s.state["day"], "accounts": accounts, "rows": read_rows(s), "blobs": s.state["blobs"], "volumes": {str(v["id"]): os.path.relpath(v["path"], s.home) for v in s.rows("zimbra.volume")},
                   "without_mailbox": sorted(n for n, a in s.state["accounts"].items() if not any(b.row["account_id"] == a["id"] for b in s.boxes())), "damaged": s.state["damaged"]}, f, indent=1)


def main(argv):
    if len(argv) < 3:
        sys.exit(__doc__)
    s = Server(argv[1])
    command, args = argv[2], argv[3:]
    try:
        if command == "init":
            init(s)
        elif command == "day":
            day(s, int(args[0]))
        elif command == "rush":
            rush(s, int(args[0]))
        elif command == "damage":
            damage(s, args[0] if args else "help")
        elif command == "truth":
            truth(s, args[0])
        else:
            sys.exit(__doc__)
    except Life as e:
        sys.exit("zimbra_life: %s" % e)


if __name__ == "__main__":
    main(sys.argv)
