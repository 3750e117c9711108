#!/usr/bin/python3
"""Two LDIF files entry by entry: keyed by entryUUID (or the DN), values of an attribute in their order.

  ldif_compare.py ONE TWO [--without ATTRIBUTE,...] [--parents-first] [--any-order]

Prints what differs and fails if anything does.  --parents-first: also fails if an entry of TWO stands before its parent.
--any-order: an attribute's values may stand in any order (its number and each of them still count).  What is no LDIF fails.
"""
import base64, re, sys

LINE = re.compile(rb"([A-Za-z0-9.-]+(?:;[A-Za-z0-9-]+)*):(:?)( ?)(.*)", re.S)


class Bad(Exception):
    pass


def value_of(line):
    m = LINE.fullmatch(line)
    if not m:
        raise Bad("no attribute: %r" % line[:80])
    name, is_base64, _, value = m.groups()
    if is_base64:
        if not value:
            raise Bad("nothing behind two colons: %r" % line[:80])
        value = base64.b64decode(value, validate=True)
    elif any(c < 0x20 or c > 0x7e for c in value) or value[:1] in (b" ", b":", b"<") or value.endswith(b" "):
        raise Bad("a value that should be base64: %r" % line[:80])
    return name.lower(), value


def entry_of(record):
    lines = [value_of(l) for l in record.split(b"\n") if not l.startswith(b"#")]
    if not lines:
        return None
    if lines[0][0] != b"dn" or any(name == b"dn" for name, _ in lines[1:]):
        raise Bad("not one dn at the beginning: %r" % record[:80])
    e = {}
    for name, value in lines:
        e.setdefault(name, []).append(value)
    return e


def entries(path):
    """Entries by key, and DNs in the order of the file."""
    out, order = {}, []
    with open(path, "rb") as f:
        text = f.read()
    if text and not text.endswith(b"\n"):
        raise Bad("the last line has no end")
    for record in text.replace(b"\n ", b"").strip(b"\n").split(b"\n\n"):
        e = entry_of(record.strip(b"\n")) if record.strip(b"\n") else None
        if e is None:
            continue
        key = e.get(b"entryuuid", e[b"dn"])[0].lower()
        if key in out:
            raise Bad("%r twice" % key)
        out[key] = e
        order.append(e[b"dn"][0])
    return out, order


def parent_of(dn):
    """What is behind the first comma that is not escaped; a backslash has two digits or one character behind it."""
    m = re.match(rb"(?:[^,\\]|\\[0-9A-Fa-f]{2}|\\.)*,", dn, re.S)
    return dn[m.end():] if m else b""


def before_their_parents(order):
    known, seen = {dn.lower() for dn in order}, set()
    for dn in order:
        if parent_of(dn.lower()) in known and parent_of(dn.lower()) not in seen:
            yield dn
        seen.add(dn.lower())


def compare(a, b, without, any_order):
    def seen(e):
        return {n: sorted(v) if any_order else v for n, v in e.items() if n not in without}
    for key in sorted(set(a) | set(b)):
        x, y = seen(a.get(key, {})), seen(b.get(key, {}))
        if x != y:
            yield "%r %s" % (key, {n: (x.get(n), y.get(n)) for n in set(x) | set(y) if x.get(n) != y.get(n)})


def main(arguments):
    without = set()
    if "--without" in arguments:
        at = arguments.index("--without")
        without = {a.strip().lower().encode() for a in arguments[at + 1].split(",")}
        del arguments[at:at + 2]
    one, two = [a for a in arguments if not a.startswith("--")]
    (a, _), (b, order) = entries(one), entries(two)
    found = list(compare(a, b, without, "--any-order" in arguments))
    if "--parents-first" in arguments:
        found += ["before its parent: %r" % dn for dn in before_their_parents(order)]
    for text in found[:10]:
        print(text[:2000])
    print("%d and %d entries, %d differ" % (len(a), len(b), len(found)))
    return 1 if found or not a else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Bad, ValueError) as e:
        sys.exit("ldif_compare: %s" % e)
