#!/usr/bin/python3
"""Mail on an IMAP server, for tests: what is appended, what is changed, and the truth of what is there.

imap_mail.py PORT USER PASSWORD COMMAND...
  fill SEED COUNT FOLDER...   COUNT messages of many kinds, spread over the folders (made if they are not there)
  many COUNT BYTES FOLDER     COUNT messages of about BYTES each, fast, on one connection
  put FOLDER FLAGS FILE       one message, as it is
  truth FILE                  JSON: for each folder its UIDVALIDITY and for each UID SHA-1, size, flags, INTERNALDATE (seconds)
  raw LINE...                 commands as they are; SELECT by "SELECT name"; the answers are printed
"""
import calendar, hashlib, imaplib, json, random, re, sys, time

imaplib._MAXLINE = 1 << 24


def utf7(name):
    out, run = "", ""
    def flush():
        nonlocal run
        r, run = run, ""
        import base64
        return "&" + base64.b64encode(r.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-" if r else ""
    for c in name:
        if " " <= c <= "~":
            out += flush() + ("&-" if c == "&" else c)
        else:
            run += c
    return out + flush()


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def message(rng, n):
    kind = n % 8
    head = "From: Sender %d <s%d@example.net>\r\nTo: user@example.com\r\nSubject: message %d of kind %d\r\nMessage-ID: <%d.%d@example.net>\r\n" % (
        n, n % 7, n, kind, n, rng.randrange(1 << 30))
    head += "Date: Mon, %02d Jan 2024 10:%02d:00 +0000\r\n" % (1 + n % 28, n % 60)
    words = lambda k: " ".join("".join(rng.choice("abcdefghij") for _ in range(rng.randrange(2, 9))) for _ in range(k))
    body = "\r\n".join(words(10) for _ in range(rng.randrange(1, 60))) + "\r\n"
    if kind == 1:
        body = "".join(chr(rng.randrange(0xa1, 0x2000)) for _ in range(2000)) + "\r\n"
    if kind == 2:
        return (head + "\r\n").encode() + bytes(rng.choice(list(range(1, 10)) + list(range(32, 256))) for _ in range(3000)) + b"\r\n"
    if kind == 3:
        import base64
        data = base64.b64encode(rng.randbytes(60000)).decode()
        lines = "\r\n".join(data[i:i + 76] for i in range(0, len(data), 76))
        head += "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b%d\"\r\n" % n
        body = "--b%d\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b%d--\r\n" % (n, lines, n)
    if kind == 4:
        body = ") OK {5}\r\nZ1 OK not the end\r\n* 5 FETCH (UID 9 BODY[] {3}\r\nabc)\r\n"
    if kind == 5:
        body = ""
    return (head + "\r\n" + body).encode("utf-8")


FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "$Label1", "work", "Project-X"]


class Mail:
    def __init__(self, port, user, password):
        self.c = imaplib.IMAP4("127.0.0.1", int(port))
        self.c.login(user, password)

    def ok(self, answer):
        if answer[0] != "OK":
            raise SystemExit("server: %r" % (answer,))
        return answer[1]

    def append(self, folder, flags, when, data):
        date = time.strftime('"%d-%b-%Y %H:%M:%S +0000"', time.gmtime(when))
        self.c.literal = data
        self.ok(self.c._simple_command("APPEND", folder, "(%s)" % " ".join(flags), date))

    def fill(self, seed, count, *folders):
        rng = random.Random(int(seed))
        for f in folders:
            if f != "INBOX":
                self.c._simple_command("CREATE", quoted(utf7(f)))
        for n in range(int(count)):
            flags = [f for f in FLAGS if rng.random() < 0.2]
            self.append(quoted(utf7(folders[n % len(folders)])), flags, 1700000000 + 3600 * n, message(rng, n))

    def many(self, count, size, folder):
        rng = random.Random(7)
        if folder != "INBOX":
            self.c._simple_command("CREATE", quoted(utf7(folder)))
        for n in range(int(count)):
            text = "From: a@b.c\r\nSubject: %d\r\nMessage-ID: <%d@many>\r\n\r\n" % (n, n)
            text += "".join("%076x\r\n" % rng.getrandbits(300) for _ in range(max(1, int(size) // 78)))
            self.append(quoted(utf7(folder)), ["\\Seen"] if n % 3 else [], 1600000000 + 60 * n, text.encode())

    def put(self, folder, flags, path):
        self.c._simple_command("CREATE", quoted(utf7(folder)))
        self.append(quoted(utf7(folder)), flags.split(), 1700000000, open(path, "rb").read())

    def folders(self):
        for line in self.ok(self.c.list()):
            if isinstance(line, tuple):
                yield quoted(line[1].decode("latin-1"))
                continue
            m = re.match(rb'\(([^)]*)\) (?:"(?:\\.|[^"])*"|NIL) (.*)', line)
            if b"noselect" not in m[1].lower() and b"nonexistent" not in m[1].lower():
                name = m[2].decode("latin-1")
                yield name if name.startswith('"') else quoted(name)

    def truth(self, path):
        out = {}
        for f in self.folders():
            count = int(self.ok(self.c.select(f, readonly=True))[0])
            entry = {"uidvalidity": int(self.c.response("UIDVALIDITY")[1][0]), "messages": {}}
            out[re.sub(r"\\(.)", r"\1", f[1:-1])] = entry
            for at in range(1, count + 1, 200):
                answer = self.ok(self.c.fetch("%d:%d" % (at, min(count, at + 199)), "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
                for part in answer:
                    if not isinstance(part, tuple):
                        continue
                    head = part[0].decode("latin-1")
                    uid = int(re.search(r"UID (\d+)", head)[1])
                    flags = sorted(x for x in re.search(r"FLAGS \(([^)]*)\)", head)[1].split() if x != "\\Recent")
                    when = calendar.timegm(imaplib.Internaldate2tuple(head.encode()) and time.gmtime(time.mktime(imaplib.Internaldate2tuple(head.encode()))))
                    entry["messages"][str(uid)] = {"sha1": hashlib.sha1(part[1]).hexdigest(), "size": len(part[1]), "flags": flags, "date": when}
        json.dump(out, open(path, "w"), indent=1, sort_keys=True)

    def raw(self, *lines):
        for line in lines:
            tag = self.c._new_tag().decode()
            self.c.send((tag + " " + line + "\r\n").encode("latin-1"))
            while True:
                answer = self.c.readline()
                sys.stdout.write(answer.decode("latin-1"))
                if answer.startswith(tag.encode()) or not answer:
                    break


if __name__ == "__main__":
    m = Mail(*sys.argv[1:4])
    getattr(m, sys.argv[4])(*sys.argv[5:])
    try:
        m.c.logout()
    except (OSError, imaplib.IMAP4.error):
        pass
