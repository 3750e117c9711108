#!/usr/bin/python3
"""A small made organisation's mail, day by day: sample data for the demo, the tests and, scaled up, the benchmark.

  make_sample.py OUT [--users N] [--messages N] [--seed N]      day 1
  make_sample.py OUT --next-day                                 change OUT as one day of use does

The staged layout: accounts/<user@domain>/<Folder>/msg-<id>.eml, .meta beside each, folders.json.  Everything is invented
here; the same arguments give the same bytes and times.  Python's standard library only.
"""
import argparse, base64, hashlib, json, os, random, zlib

WORDS = """account agreement archive balance boiler budget calendar carrier cellar claim colour contract copper courier damage
dealer delivery deposit design dinner draft engine estimate evening factory fee ferry figure filter folder forecast garden gravel
harbour heating holiday invoice journey kettle kitchen ladder ledger letter licence limit lorry lumber machine margin market
meeting member minutes mirror mortar notice number offer office order outline packet paint parcel payment pencil permit plaster
policy postage printer project pump quarter query rebate receipt record refund rental repair reply report request roof sample
schedule season server shelf shipment signal site sketch slate station stone storage supplier survey table tariff ticket timber
timetable train transfer trench update valve vendor visit voucher wagon warranty window winter workshop yard""".split()
NAMES = ["Ada Brandt", "Béla Kovács", "Chloé Martin", "Dörte Lang", "Emil Sørensen", "Fatma Yıldız", "Goran Petrović", "Hana Novák"]
FLAGS = ["seen", "flagged", "replied", "forwarded", "draft"]
TAGS = ["todo", "customer", "Projekt Brücke"]
EPOCH = 1_700_000_000


def slug(name):
    out = name.lower()
    for a, b in zip("éáçõøðöüışćč", "eacooooouiscc"):
        out = out.replace(a, b)
    return "".join(c if c.isascii() and c.isalnum() else "." if c == " " else "" for c in out)


def encoded_word(text):
    if text.isascii():
        return text
    return "=?UTF-8?B?" + base64.b64encode(text.encode()).decode() + "?="


class Org:
    def __init__(self, out, seed, users=5):
        self.out, self.rng = out, random.Random(seed)
        self.users = [(n, slug(n) + "@example.org") for n in (NAMES * (users // len(NAMES) + 1))[:users]]
        self.users = [(n, m if i < len(NAMES) else m.replace("@", "%d@" % i)) for i, (n, m) in enumerate(self.users)]
        self.next_id = {m: 257 for _, m in self.users}
        self.documents = []

    def sentence(self):
        words = [self.rng.choice(WORDS) for _ in range(self.rng.randint(5, 14))]
        return " ".join(words).capitalize() + "."

    def text(self, paragraphs):
        return "\n\n".join(" ".join(self.sentence() for _ in range(self.rng.randint(2, 6))) for _ in range(paragraphs))

    def document(self):
        """Text that compresses, then deflated (as in a PDF), or plain: 5 to 200 kB."""
        plain = self.text(self.rng.randint(20, 300)).encode()
        if self.rng.random() < 0.6:
            return "report-%d.pdf" % len(self.documents), b"%PDF-1.4\n" + zlib.compress(plain) + self.rng.randbytes(20000)
        return "table-%d.csv" % len(self.documents), plain

    def body(self, subject, attachment, width, boundary):
        crlf = "\r\n"
        text = (self.text(self.rng.randint(1, 5)) + "\n").replace("\n", crlf)
        if not attachment:
            return "Content-Type: text/plain; charset=utf-8" + crlf + "Content-Transfer-Encoding: 8bit" + crlf * 2 + text
        name, data = attachment
        b64 = base64.b64encode(data).decode()
        lines = crlf.join(b64[i:i + width] for i in range(0, len(b64), width))
        return ('Content-Type: multipart/mixed; boundary="%s"' % boundary + crlf * 2 + "--" + boundary + crlf +
                "Content-Type: text/plain; charset=utf-8" + crlf * 2 + text + "--" + boundary + crlf +
                'Content-Type: application/octet-stream; name="%s"' % name + crlf +
                'Content-Disposition: attachment; filename="%s"' % name + crlf +
                "Content-Transfer-Encoding: base64" + crlf * 2 + lines + crlf + "--" + boundary + "--" + crlf)

    def message(self, when, sender, recipients, folder="Inbox"):
        subject = self.sentence()[:-1][:60] + (" für Übersee" if self.rng.random() < 0.2 else "")
        attachment = None
        if self.rng.random() < 0.35:
            if not self.documents or self.rng.random() < 0.4:
                self.documents.append(self.document())
            attachment = self.rng.choice(self.documents)
        mid = hashlib.sha256(self.rng.randbytes(16)).hexdigest()[:24]
        body = self.body(subject, attachment, self.rng.choice([60, 64, 72, 76]), "=_" + mid[:16])
        for name, mail in recipients:
            head = "".join("Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\r\n\tby store.example.org for <%s>; id %s\r\n"
                           % (h, h, h, mail, self.rng.randbytes(5).hex()) for h in (1, 2))
            head += "From: %s <%s>\r\nTo: %s <%s>\r\nSubject: %s\r\n" % (encoded_word(sender[0]), sender[1], encoded_word(name), mail, encoded_word(subject))
            head += "Message-ID: <%s@example.org>\r\nDate: %s\r\nMIME-Version: 1.0\r\n" % (mid, self.rfc_date(when))
            self.store(mail, folder, (head + body).encode(), when)

    @staticmethod
    def rfc_date(when):
        import time
        return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(when))

    def store(self, mail, folder, data, when):
        number = self.next_id[mail]
        self.next_id[mail] += 1
        directory = os.path.join(self.out, "accounts", mail, folder)
        os.makedirs(directory, exist_ok=True)
        stem = os.path.join(directory, "msg-%d" % number)
        flags = sorted(f for f in FLAGS[:4] if self.rng.random() < 0.3)
        tags = sorted(t for t in TAGS if self.rng.random() < 0.1)
        meta = {"id": number, "folder": folder, "flags": flags, "tags": tags, "date": self.iso(when), "size": len(data)}
        for path, content in ((stem + ".eml", data), (stem + ".meta", json.dumps(meta, ensure_ascii=False).encode())):
            with open(path, "wb") as f:
                f.write(content)
            os.utime(path, (when, when))

    @staticmethod
    def iso(when):
        import time
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))

    def deliver(self, count, first, span):
        for _ in range(count):
            sender = self.rng.choice(self.users)
            others = self.rng.sample(self.users, self.rng.choice([1, 1, 1, 2, min(4, len(self.users))]))
            self.message(first + self.rng.randrange(span), sender, others, self.rng.choice(["Inbox", "Inbox", "Inbox", "Archive/2023", "Projects"]))

    def folders(self):
        for _, mail in self.users:
            base = os.path.join(self.out, "accounts", mail)
            os.makedirs(base, exist_ok=True)
            rows = [{"path": os.path.relpath(d, base), "messages": sum(f.endswith(".eml") for f in fs)}
                    for d, _, fs in sorted(os.walk(base)) if d != base]
            with open(os.path.join(base, "folders.json"), "w", encoding="utf-8") as f:
                json.dump({"account": mail, "folders": rows}, f, indent=1)

    def save(self):
        with open(self.out + ".state.json", "w") as f:
            json.dump({"users": self.users, "next_id": self.next_id}, f)

    def next_day(self):
        with open(self.out + ".state.json") as f:
            state = json.load(f)
        self.users = [tuple(u) for u in state["users"] if os.path.isdir(os.path.join(self.out, "accounts", u[1]))]
        self.next_id = state["next_id"]
        metas = sorted(os.path.join(d, f) for d, _, fs in os.walk(os.path.join(self.out, "accounts")) for f in fs if f.endswith(".meta"))
        for path in metas:
            chance = self.rng.random()
            if chance < 0.02:
                os.unlink(path)
                os.unlink(path[:-5] + ".eml")
            elif chance < 0.07:
                with open(path, encoding="utf-8") as f:
                    meta = json.load(f)
                meta["flags"] = sorted(set(meta["flags"]) ^ {"seen"})
                with open(path, "w", encoding="utf-8") as f:
                    json.dump(meta, f, ensure_ascii=False)
        self.deliver(max(3, len(metas) // 20), EPOCH + 30 * 86400, 86400)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("--users", type=int, default=5)
    p.add_argument("--messages", type=int, default=120)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--next-day", action="store_true")
    a = p.parse_args()
    org = Org(a.out.rstrip("/"), a.seed + (1000 if a.next_day else 0), a.users)
    if a.next_day:
        org.next_day()
    else:
        org.deliver(a.messages, EPOCH, 30 * 86400)
    org.folders()
    org.save()


if __name__ == "__main__":
    main()
