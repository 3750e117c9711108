#!/usr/bin/python3
"""A directory with everything that exports lose: make_ldif.py SUFFIX [PEOPLE] (seeded; LDIF for ldapadd on standard output)."""
import base64, random, re, sys

suffix, people = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
rnd = random.Random(7)


def entry(dn, *pairs):
    lines = []
    for name, value in (("dn", dn),) + pairs:
        raw = value if isinstance(value, bytes) else value.encode()
        safe = all(0x20 <= c <= 0x7e for c in raw) and not raw[:1] in (b" ", b":", b"<") and not raw.endswith(b" ")
        lines.append("%s:%s" % (name, (" " + raw.decode() if raw else "") if safe else ": " + base64.b64encode(raw).decode()))
    print("\n".join(lines) + "\n")


def oc(*names):
    return tuple(("objectClass", n) for n in names)


def unescaped(value):
    return re.sub(r"\\([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), value)


def person(uid, where, *more):
    entry("uid=%s,%s" % (uid, where), *oc("inetOrgPerson", "zimbraAccount"), ("uid", unescaped(uid)), ("cn", "Person %s" % uid), ("sn", "Ünï %s" % uid),
          ("mail", "%s@example.org" % "".join(c for c in uid if c.isalnum() and c.isascii())), ("userPassword", "{SSHA}%040x" % rnd.getrandbits(160)), *more)


entry(suffix, *oc("organization", "dcObject"), ("o", "Example"), ("dc", suffix.split(",")[0].split("=")[1]))
for ou in ("people", "groups", "odd", "policies"):
    entry("ou=%s,%s" % (ou, suffix), *oc("organizationalUnit"), ("ou", ou))
entry("cn=default,ou=policies," + suffix, *oc("person", "pwdPolicy"), ("cn", "default"), ("sn", "default"), ("pwdAttribute", "userPassword"),
      ("pwdInHistory", "3"), ("userPassword", "none"))
for i in range(people):
    extra = (("zimbraLastLogonTimestamp", "20260301120000Z"), ("zimbraAuthTokens", "token %d" % rnd.getrandbits(60))) if i % 3 == 0 else ()
    person("user%05d" % i, "ou=people," + suffix, *extra)
odd = "ou=odd," + suffix
person("bytes", odd, ("testBytes", bytes(range(256))), ("testBytes", b"\0"), ("testBytes", b"trail "), ("testBytes", b" lead"), ("testBytes", b":colon"), ("testBytes", b"<less"),
       ("testBytes", b"tab\there"), ("testBytes", b"line\nend"), ("testBytes", b"del\x7f"), ("testBytes", b"plain"), ("testBytes", b"x" * 15000))
person("many", odd, *[("description", "value %d %030x" % (i, rnd.getrandbits(120))) for i in range(3000)])
person("tags", odd, ("cn;lang-de", "Schlüssel"), ("cn;lang-fr", "clé"), ("description;lang-en", "with an option"))
person(r"comma\2C and \22quote\22", odd)
person(r"ends with blank\20", odd)
person(r"line\0Aend", odd)
person("Grüße", odd)
person(r"a\2Bb\3D\3Cc\3E\3B#", odd)
entry("ou=elsewhere," + odd, *oc("referral", "extensibleObject"), ("ou", "elsewhere"), ("ref", "ldap://other.example.invalid/dc=other"))
entry("cn=alias," + odd, *oc("alias", "extensibleObject"), ("cn", "alias"), ("aliasedObjectName", "uid=user00000,ou=people," + suffix))
entry("ou=old," + odd, *oc("organizationalUnit"), ("ou", "old"))
person("below", "ou=old," + odd)
members = [("member", "uid=user%05d,ou=people,%s" % (i, suffix)) for i in range(0, people, 2)]
entry("cn=big,ou=groups," + suffix, *oc("groupOfNames"), ("cn", "big"), *members)
entry("cn=a first by name,ou=groups," + suffix, *oc("groupOfUniqueNames"), ("cn", "a first by name"), ("uniqueMember", "uid=user00001,ou=people," + suffix))
entry("cn=dynamic,ou=groups," + suffix, *oc("groupOfURLs"), ("cn", "dynamic"), ("memberURL", "ldap:///ou=people,%s??sub?(uid=user0000*)" % suffix))
