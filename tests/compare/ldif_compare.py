#!/usr/bin/python3
"""Two LDIF files entry by entry: keyed by entryUUID and DN, values of an attribute in their order.

  ldif_compare.py ONE TWO [--without ATTRIBUTE,...] [--parents-first]

Prints what differs and fails if anything does.  --parents-first: also fails if an entry of TWO stands before its parent.
"""
import base64, sys


def entries(path):
    out, order = {}, []
    with open(path, "rb") as f:
        text = f.read().replace(b"\n ", b"")
    for record in text.split(b"\n\n"):
        lines = [l for l in record.split(b"\n") if l and not l.startswith(b"#")]
        if not lines:
            continue
        e = {}
        for line in lines:
            name, _, value = line.partition(b":")
            if value.startswith(b":"):
                value = base64.b64decode(value[1:].strip(b" "), validate=True)
            else:
                value = value[1:] if value.startswith(b" ") else value
            e.setdefault(name.lower(), []).append(value)
        key = e.get(b"entryuuid", [b""])[0] + b" " + e[b"dn"][0]
        if key in out:
            raise SystemExit("%s: %r twice" % (path, key))
        out[key] = e
        order.append(e[b"dn"][0])
    return out, order


def main(arguments):
    without, first = set(), "--parents-first" in arguments
    if "--without" in arguments:
        at = arguments.index("--without")
        without = {a.strip().lower().encode() for a in arguments[at + 1].split(",")}
        del arguments[at:at + 2]
    one, two = [a for a in arguments if a != "--parents-first"]
    (a, _), (b, order) = entries(one), entries(two)
    bad = 0
    for key in sorted(set(a) | set(b)):
        x = {n: v for n, v in a.get(key, {}).items() if n not in without}
        y = {n: v for n, v in b.get(key, {}).items() if n not in without}
        if x != y:
            bad += 1
            if bad <= 10:
                print(key, {n: (x.get(n), y.get(n)) for n in set(x) | set(y) if x.get(n) != y.get(n)})
    if first:
        known = {dn.lower() for dn in order}
        seen = set()
        for dn in order:
            parent = dn.lower().split(b",", 1)[1] if b"," in dn else b""
            if parent in known and parent not in seen:
                bad += 1
                print("before its parent:", dn)
            seen.add(dn.lower())
    print("%d and %d entries, %d differ" % (len(a), len(b), bad))
    return 1 if bad or not a else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
