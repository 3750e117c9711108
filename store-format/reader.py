#!/usr/bin/python3
"""A second reader of zstore repositories, written from the chapters beside it and from nothing else.

  reader.py REPO SECRET [--from-packs] snapshots            list snapshots
  reader.py REPO SECRET [--from-packs] ls SNAPSHOT          list entries
  reader.py REPO SECRET [--from-packs] extract SNAPSHOT DIR write them below DIR, which must be empty or absent
  reader.py REPO SECRET [--from-packs] cat SNAPSHOT PATH    one file's content
  reader.py vectors DIR                                     compare DIR/valid and DIR/invalid with the decoders

SECRET is --key-file F, --passphrase-file F (its first line) or --recovery-code-file F.  SNAPSHOT is the first digits of a
name, or `latest`.  With --from-packs index objects are not read: what is where is taken from the directories of the packs.

It exists to prove that the chapters are complete and to have another opinion about a repository; it is not fast.  Each
section names the chapter that it follows.  Needs Debian's python3-nacl, python3-zstandard and python3-xxhash.
"""
import argparse, base64, collections, contextlib, datetime, hashlib, json, os, stat, struct, sys

import nacl.bindings as sodium
import nacl.exceptions
import xxhash
import zstandard

U64 = 2**64 - 1
CHUNK_MAX, BLOCK_MAX, NODE_MAX, OBJECT_MAX = 1 << 20, 8 << 20, 768 << 10, 1 << 16
KINDS = ("", "file", "dir", "symlink", "fifo", "socket", "chardev", "blockdev")

class Refused(Exception):
    """What no writer produces (cause "corrupt"), or only a later version's (cause "version")."""

    def __init__(self, message, cause="corrupt"):
        super().__init__(message)
        self.message, self.cause = message, cause

class Failure(Exception):
    """What is no fault of the repository: a wrong key, an unknown snapshot."""

class Id(bytes):
    """Bytes of fixed length: ids, names, keys."""

def check(good, message):
    if not good:
        raise Refused(message)

def known(good, message):
    if not good:
        raise Refused(message, "version")

@contextlib.contextmanager
def within(where):
    try:
        yield
    except Refused as e:
        e.message = where + ": " + e.message
        raise

def show(data):
    """Bytes of others for a terminal: what is not printable is escaped."""
    def escaped(c):
        return c if c.isprintable() and c != "\\" else "".join("\\x%02x" % b for b in c.encode("utf-8", "surrogateescape"))

    return "".join(map(escaped, bytes(data).decode("utf-8", "surrogateescape")))


# ---- fields.md

class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        check(n <= self.left(), "cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def rest(self):
        return self.take(self.left())

    def end(self):
        check(self.left() == 0, "bytes behind the end")

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def varint(self, high=U64):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                check(byte or not shift, "integer is not in its shortest form")
                check(value <= U64 and value <= high, "integer is too large")
                return value
        raise Refused("integer is too long")

    def id(self):
        return Id(self.take(24))

    def head(self, magic):
        check(self.take(4) == magic, "magic number is not " + magic.decode())
        version, reserved = struct.unpack("<HH", self.take(4))
        known(version <= 1, "version %d" % version)
        check(version == 1 and reserved == 0, "version or reserved bytes")

def zigzag(v):
    return (v >> 1) ^ -(v & 1)

class Fields:
    """A record of fields.  once: tags that stand once; many: repeatable ones."""

    def __init__(self, data, once=(), many=()):
        self.values, last, c = {}, 0, Cursor(data)
        while c.left():
            tag = c.varint()
            value = c.take(c.varint())
            check(tag > last or (tag == last > 0 and tag not in once), "field %d is out of order" % tag)
            last = tag
            if tag in once:
                self.values[tag] = value
            elif tag in many:
                self.values.setdefault(tag, []).append(value)
            else:
                known(tag % 2 == 0, "unknown field %d" % tag)

    def value(self, tag, need=False):
        """The bytes of a field, which are not empty where it stands; none if it does not."""
        check(tag in self.values or not need, "field %d is needed" % tag)
        check(self.values.get(tag) != b"", "field %d has its default" % tag)
        return self.values.get(tag, b"")

    def number(self, tag, need=False, low=1, high=U64):
        value = self.value(tag, need)
        if not value:
            return 0
        c = Cursor(value)
        v = c.varint()
        c.end()
        check(v != 0, "field %d has its default" % tag)
        check(low <= v <= high, "field %d is out of range" % tag)
        return v

    def code(self, tag, highest, need=False):
        v = self.number(tag, need)
        known(v <= highest, "field %d has the unknown code %d" % (tag, v))
        return v

    def signed(self, tag):
        return zigzag(self.number(tag))

    def text(self, tag, high=65535):
        return text(self.value(tag), high)

    def texts(self, tag, most):
        values = self.values.get(tag, [])
        check(len(values) <= most, "field %d stands too often" % tag)
        return [text(v) for v in values]

    def fixed(self, tag, n, need=False):
        value = self.value(tag, need)
        if not value:
            return Id(n)
        check(len(value) == n, "field %d has not %d bytes" % (tag, n))
        check(any(value), "field %d has its default" % tag)
        return Id(value)

    def names(self, tag):
        value = self.value(tag)
        check(len(value) % 32 == 0, "names are no multiple of 32 bytes")
        return [Id(value[i:i + 32]) for i in range(0, len(value), 32)]

def text(value, high=65535):
    check(len(value) <= high and 0 not in value, "text is too long or has a NUL")
    return value


# ---- keys.md: derived keys, names, boxes

def derive(key, label, context=b""):
    return hashlib.blake2b(label + context, key=key, digest_size=32).digest()

def unseal(data, associated, nonce, key):
    try:
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(bytes(data), associated, nonce, key)
    except (nacl.exceptions.CryptoError, ValueError, TypeError):
        raise Refused("seal is broken: damage, forgery, or from another place") from None

def padme(n):
    e = n.bit_length() - 1
    mask = (1 << (e - e.bit_length())) - 1
    return n + mask & ~mask

class WrongKey(Refused):
    pass

def open_box(data, magic, key, context):
    c = Cursor(data)
    c.head(magic)
    salt, commitment = c.take(32), c.take(32)
    box_key = derive(key, b"zstore box", salt + magic)
    if derive(box_key, b"commit") != commitment:
        raise WrongKey("commitment is of another key")
    plain = unseal(c.rest(), data[:72] + context, bytes(24), derive(box_key, b"seal"))
    c = Cursor(plain)
    n = c.u32()
    record = c.take(n)
    check(len(plain) == padme(4 + n) and not any(c.rest()), "padding of a box")
    return record


# ---- config.md

def decode_config_object(data):
    check(len(data) <= OBJECT_MAX, "object is too long")
    c = Cursor(data)
    c.head(b"ZSCF")
    repo_id, n = Id(c.take(32)), c.u32()
    check(1 <= n <= 65536 and n == c.left(), "length of the box")
    return dict(repo_id=repo_id, box=c.rest())

def decode_config(data):
    f = Fields(data, (3, 5, 6, 8), (1,))
    sizes = []
    for value in f.values.get(1, []):
        c = Cursor(value)
        kind, low, avg, high = c.u8(), c.varint(), c.varint(), c.varint()
        c.end()
        known(kind <= 7, "sizes of kind %d" % kind)
        check(kind > (sizes[-1]["kind"] if sizes else 0), "kinds do not ascend")
        check(64 <= low <= avg <= high <= CHUNK_MAX and avg & (avg - 1) == 0, "chunk sizes")
        sizes.append(dict(kind=kind, min_bytes=low, avg_bytes=avg, max_bytes=high))
    return dict(sizes=sizes, block_bytes=f.number(3, True, 65536, BLOCK_MAX), pack_bytes=f.number(5, True, 1 << 20, 1 << 30),
                level=f.number(6, high=19), created_ns=f.number(8))


# ---- slot.md

def decode_slot(data):
    check(len(data) <= OBJECT_MAX, "object is too long")
    c = Cursor(data)
    c.head(b"ZSKS")
    n = c.u32()
    check(n <= 4096, "length of the fields")
    f = Fields(c.take(n), (1, 3, 5, 7, 9, 11, 12))
    check(1 <= c.left() <= 65536, "length of the box")
    return dict(label=f.text(1, 63), secret=f.code(3, 3, True), role=f.code(5, 2, True), salt=f.fixed(7, 16, True),
                ops=f.number(9, True, high=64), mem_kib=f.number(11, True, 8, 4194304), created_ns=f.number(12), box=c.rest())

def decode_slot_keys(data):
    f = Fields(data, (1, 3, 5, 7, 9))
    return dict(chunk_id=f.fixed(1, 32, True), seed=f.fixed(3, 32, True), meta=f.fixed(5, 32, True),
                data_public=f.fixed(7, 32, True), data_secret=f.fixed(9, 32))

def recovery_digits(typed):
    """What is typed as a recovery code, to the bytes of the secret."""
    code = typed.upper().translate(bytes.maketrans(b"OIL", b"011"), b" \t\r\n-")
    s = 0
    for digit in code:
        d = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(digit)
        if d < 0:
            raise Failure("a recovery code has no digit '%s'" % show(bytes([digit])))
        s <<= 1
        s = (s ^ 0b100101 if s & 32 else s) ^ d
    if len(code) != 30 or s:
        raise Failure("not a recovery code: it has not 30 digits, or one is mistyped")
    return code

def read_secret(args):
    """The kind of secret and its bytes."""
    for kind, path in enumerate((args.passphrase_file, args.key_file, args.recovery_code_file), 1):
        if path:
            with open(path, "rb") as f:
                data = f.read()
            if kind == 1:
                data = data.split(b"\n")[0].removesuffix(b"\r")
            if kind == 3:
                data = recovery_digits(data)
            if len(data) < (1, 32, 30)[kind - 1]:
                raise Failure("the secret is too short")
            return kind, data
    raise Failure("give --key-file, --passphrase-file or --recovery-code-file")


# ---- pack.md

def decode_block_head(data):
    c = Cursor(data)
    algo, plain = c.u8(), c.u32()
    known(algo <= 1, "compression %d" % algo)
    check(1 <= plain <= BLOCK_MAX and c.left() >= 1, "length of a block")
    check(algo == 1 or c.left() == plain, "length of an uncompressed block")
    return dict(algo=algo, plain_bytes=plain, payload=c.rest())

def block_plain(sealed_content):
    """The plain bytes of a block."""
    b = decode_block_head(sealed_content)
    if b["algo"] == 0:
        return b["payload"]
    try:
        check(b["payload"][:4] == b"\x28\xb5\x2f\xfd", "payload is no zstd frame")
        check(zstandard.get_frame_parameters(b["payload"]).content_size == b["plain_bytes"], "zstd frame of another size")
        plain = zstandard.ZstdDecompressor().decompress(b["payload"], max_output_size=b["plain_bytes"], allow_extra_data=False)
    except zstandard.ZstdError as e:
        raise Refused("zstd: %s" % e) from None
    check(len(plain) == b["plain_bytes"], "length of a decompressed block")
    return plain

def decode_pack_dir(data):
    c = Cursor(data)
    block_count, chunk_count = c.varint(), c.varint()
    check(3 * block_count + 25 * chunk_count <= c.left(), "more blocks or chunks than there are bytes")
    heads = []
    for _ in range(block_count):
        kind, stored, count = c.u8(), c.varint(), c.varint()
        known(kind <= 7, "kind %d of a block" % kind)
        check(kind >= 1 and 1 <= stored <= BLOCK_MAX + 64 and count >= 1, "a block's row")
        heads.append((kind, stored, count))
    check(sum(h[2] for h in heads) == chunk_count, "blocks' chunks do not add up")
    sizes = [c.varint(CHUNK_MAX) for _ in range(chunk_count)]
    check(0 not in sizes, "a chunk of no bytes")
    ids = [c.id() for _ in range(chunk_count)]
    Fields(c.rest())
    blocks, first = [], 0
    for kind, stored, count in heads:
        own = range(first, first + count)
        plain = sum(sizes[i] for i in own)
        check(plain <= BLOCK_MAX, "a block is too long")
        blocks.append(dict(kind=kind, stored_bytes=stored, plain_bytes=plain, chunks=[dict(id=ids[i], bytes=sizes[i]) for i in own]))
        first += count
    return dict(blocks=blocks)

def decode_pack_trailer(data):
    c = Cursor(data)
    t = dict(dir_offset=c.u64(), dir_stored_bytes=c.u32(), block_count=c.u32(), padding_offset=c.u64(), padding_stored_bytes=c.u32())
    known(c.u32() == 0, "reserved bytes of the trailer")
    c.end()
    check(max(t["dir_offset"], t["padding_offset"]) < 1 << 63, "offset beyond 63 bits")
    return t

class Pack:
    """An open pack.  Opening reads and verifies all of it but the content of its blocks."""

    def __init__(self, repo, name):
        self.repo, self.name, self.size = repo, name, 0
        hashed = hashlib.blake2b(digest_size=32)
        with repo.open_object("packs", name) as f:
            while part := f.read(1 << 20):
                hashed.update(part)
                self.size += len(part)
        check(hashed.digest() == name, "name is not the hash of the content")
        keys, repo_id = repo.keys, repo.repo_id
        c = Cursor(self.read(0, 120))
        c.head(b"ZSPK")
        try:
            pack_key = sodium.crypto_box_seal_open(bytes(c.take(80)), keys["data_public"], keys["data_secret"])
        except nacl.exceptions.CryptoError:
            raise Refused("pack key does not open") from None
        check(len(pack_key) == 32, "length of the pack key")
        self.tag = c.take(32)
        body_key = derive(pack_key, b"zstore pack", repo_id + derive(keys["meta"], b"zstore pack author"))
        check(derive(body_key, b"commit") == self.tag, "commitment of the pack: forged, damaged, or of another repository")
        self.key = derive(body_key, b"seal")
        t = decode_pack_trailer(self.part(4, U64, self.size - 48, 48))
        check(t["dir_offset"] + t["dir_stored_bytes"] + 48 == self.size, "directory does not end at the trailer")
        check(t["padding_offset"] + t["padding_stored_bytes"] == t["dir_offset"], "padding does not end at the directory")
        self.dir = self.part(3, U64 - 1, t["dir_offset"], t["dir_stored_bytes"])
        self.blocks = decode_pack_dir(self.dir)["blocks"]
        check(t["block_count"] == len(self.blocks), "number of blocks")
        self.offsets = [120]
        for block in self.blocks:
            self.offsets.append(self.offsets[-1] + block["stored_bytes"])
        check(self.offsets[-1] == t["padding_offset"], "blocks do not fill the pack up to the padding")
        check(not any(self.part(2, U64 - 2, t["padding_offset"], t["padding_stored_bytes"])), "padding is not zero")

    def read(self, offset, n):
        check(0 <= offset and offset + n <= self.size, "cut short")
        with self.repo.open_object("packs", self.name) as f:
            f.seek(offset)
            return f.read(n)

    def part(self, part_type, number, offset, n):
        return unseal(self.read(offset, n), bytes([part_type]) + self.repo.repo_id, struct.pack("<Q", number) + bytes(16), self.key)

    def block(self, i):
        with within("block %d" % i):
            plain = block_plain(self.part(1, i, self.offsets[i], self.blocks[i]["stored_bytes"]))
            check(len(plain) == self.blocks[i]["plain_bytes"], "its chunks do not add up to it")
            return plain


# ---- index.md

def decode_index(data):
    packs = []
    for record in Fields(data, (), (1,)).values.get(1, []):
        f = Fields(record, (1, 3, 5, 7, 9))
        dir_bytes = f.value(9, True)
        packs.append(dict(name=f.fixed(1, 32, True), tag=f.fixed(3, 32), stored_bytes=f.number(5, True), writer=f.fixed(7, 32),
                          dir=dir_bytes, **decode_pack_dir(dir_bytes)))
    return dict(packs=packs)


# ---- snapshot.md

def decode_totals(c):
    entries, files, messages, size = (c.varint() for _ in range(4))
    check(messages <= files <= entries, "totals: more messages than files, or files than entries")
    return dict(entries=entries, files=files, messages=messages, bytes=size)

def decode_snapshot(data):
    f = Fields(data, (1, 3, 4, 6, 8, 15, 16, 18, 20, 21, 23, 25, 27, 28), (10, 12, 14))
    totals = dict(entries=0, files=0, messages=0, bytes=0)
    if f.value(18):
        c = Cursor(f.value(18))
        totals = decode_totals(c)
        c.end()
        check(totals["entries"] or totals["bytes"], "totals have their default")
    manifest = f.value(28)
    check(len(manifest) <= 16777216, "manifest is too long")
    return dict(root=f.fixed(1, 24, True), time_ns=f.signed(3), host=f.text(4), user=f.text(6), program=f.text(8), tags=f.texts(10, 65536),
                paths=f.texts(12, 65536), reasons=f.texts(14, 100), flags=f.code(15, 1), skipped=f.number(16), totals=totals,
                added_bytes=f.number(20), previous=f.fixed(21, 32), newest_seen=f.fixed(23, 32), writer=f.fixed(25, 32),
                sequence=f.number(27), manifest=manifest)


# ---- session.md (a reader needs removal records only)

def decode_session(data):
    f = Fields(data, (1, 3, 5, 7, 9, 11, 12))
    return dict(role=f.code(1, 2, True), host=f.text(3), machine=f.fixed(5, 16), boot=f.fixed(7, 16), pid=f.number(9),
                pid_start=f.number(11), time_ns=f.signed(12))

def decode_condemned(data):
    f = Fields(data, (1, 3))
    waits = f.names(3) if f.values.get(3) else ([] if 3 in f.values else None)
    return dict(packs=f.names(1), waits_for=waits)

def decode_removal(data):
    f = Fields(data, (1, 3, 4, 6))
    return dict(snapshots=f.names(1), highest_sequence=f.number(3), time_ns=f.signed(4), host=f.text(6))


# ---- node.md

def path_valid(path):
    return 1 <= len(path) <= 65535 and 0 not in path and all(1 <= len(c) <= 255 and c not in (b".", b"..") for c in path.split(b"/"))

def order(path):
    """A key that sorts paths as the format does: '/' before every other byte (NUL does not occur in paths)."""
    return path.replace(b"/", b"\0")

def decode_node(data):
    check(len(data) <= NODE_MAX, "node is too long")
    c = Cursor(data)
    level, count = c.u8(), c.varint()
    check(level <= 15, "level beyond 15")
    check(count <= c.left() and (count or not level), "number of rows")
    rows, path, sums = [], b"", [0] * 4
    for i in range(count):
        common, tail = c.varint(), c.take(c.varint())
        check(common <= len(path), "more in common than the path before has")
        check(common == len(path) or path[common:common + 1] != tail[:1], "more in common than said")
        before, path = path, path[:common] + tail
        check(path_valid(path), "invalid path " + show(path))
        check(i == 0 or order(path) > order(before), "paths do not ascend at " + show(path))
        if level:
            child, totals = c.id(), decode_totals(c)
            check(totals["entries"], "a row with nothing below")
            sums = [a + b for a, b in zip(sums, totals.values())]
            check(max(sums) <= U64, "totals exceed 64 bits")
            rows.append(dict(path=path, child=child, totals=totals))
        else:
            n = c.varint()
            check(n >= 1, "an empty entry")
            rows.append(dict(path=path, entry=c.take(n)))
    c.end()
    return dict(level=level, rows=rows)


# ---- entry.md

MASK_NEEDS = ((1, 0), (2, 0), (15, 14), (17, 16), (18, 17), (19, 16), (20, 16), (21, 16), (27, 7), (28, 29))
UNKNOWN_TIME = -2**63

def decode_entry(data):
    check(len(data) <= NODE_MAX, "entry is too long")
    c = Cursor(data)
    kind, mask = c.u8(), c.u32()
    check(kind >= 1, "kind 0")
    known(kind <= 7, "kind %d" % kind)

    def bit(n):
        return mask >> n & 1

    def number(n, high=U64):  # a varint that is not 0 if it is there
        v = c.varint(high) if bit(n) else 0
        check(v or not bit(n), "a zero is written (bit %d)" % n)
        return v

    def wide(n, read, high=U64):
        v = read() if bit(n) else 0
        check(not bit(n) or 1 <= v <= high, "a number out of range (bit %d)" % n)
        return v

    def span(n):
        v = c.take(c.varint()) if bit(n) else b""
        check(v or not bit(n), "an empty span (bit %d)" % n)
        return v

    def time(seconds, n_ns, low):
        t = seconds * 10**9 + wide(n_ns, c.u32, 999999999)
        check(low <= t < 2**63, "a time beyond 64 bits")
        return t

    def date(n, n_ns):
        return time(seconds + zigzag(c.varint()), n_ns, UNKNOWN_TIME + 1) if bit(n) else None

    check(all(bit(b) for a, b in MASK_NEEDS if bit(a)), "a bit without the one that it needs")
    e = dict(kind=kind, has_mode=bit(0), message=bit(8), unstable=bit(9), has_item=bit(16))
    e["mode"] = c.varint(4095) if bit(0) else 0
    e["uid"], e["gid"] = number(1, 2**32 - 1), number(2, 2**32 - 1)
    e["user"], e["group"] = span(3), span(4)
    seconds = zigzag(number(5))
    e["mtime_ns"] = time(seconds, 6, UNKNOWN_TIME)
    e["size"] = number(7)
    e["rdev"] = number(10)
    e["link_dev"] = c.varint() if bit(11) else 0
    e["link_ino"] = number(11)
    e["target"], e["xattrs"] = span(12), span(13)
    e["date_ns"] = date(14, 15)
    e["item_id"] = c.varint() if bit(16) else 0
    e["item_date_ns"] = date(17, 18)
    for n, name in enumerate(("item_folder", "item_flags", "item_tags", "from", "to", "subject", "message_id", "attachments"), 19):
        e[name] = span(n)
    e["inline_data"] = c.take(e["size"]) if bit(27) else b""
    e["recipe_depth"] = wide(28, c.u8, 4)
    e["recipe"] = span(29)
    e["identity"], e["sum"] = wide(30, c.u64), wide(31, c.u64)
    e["extra"] = c.rest()
    Fields(e["extra"])
    check(kind == 1 or not (bit(8) or bit(27) or bit(29)), "content of what is no file")
    check(bit(27) + bit(29) == (kind == 1 and e["size"] > 0), "content is missing, or there twice")
    check(len(e["inline_data"]) <= 1024, "inline content is too long")
    check(bit(12) == (kind == 3) and (kind >= 6 or not bit(10)), "target or device number of another kind")
    return e

def decode_xattrs(data):
    c, out = Cursor(data), []
    while c.left():
        name = c.take(c.varint())
        value = c.take(c.varint())
        check(1 <= len(name) <= 255 and 0 not in name and (not out or name > out[-1]["name"]), "extended attributes")
        out.append(dict(name=name, value=value))
    return dict(xattrs=out)


# ---- recipe.md

OPS = ("", "skeleton", "take", "raw", "b64", "hole")

def decode_op(c):
    head = c.u8()
    op_type, flags = head & 7, head & 0xf8
    known(1 <= op_type <= 5 and not flags & (0x80 if op_type == 4 else 0xf8), "op 0x%02x" % head)
    op = dict(op=OPS[op_type])
    if op_type != 4:
        op["bytes"] = c.varint(CHUNK_MAX if op_type in (1, 3) else U64)
        check(op["bytes"] >= 1, "an op of no bytes")
        if op_type in (1, 3):
            op["id"] = c.id()
        return op
    line = 76 if flags & 0x20 else c.varint()
    check(1 <= line <= 998 and (flags & 0x20 or line != 76), "base64 line of %d" % line)
    op.update(bytes=c.varint(), line=line, crlf=flags >> 3 & 1, tail=flags >> 4 & 1, chunks=1 if flags & 0x40 else c.varint())
    check(1 <= op["chunks"] <= op["bytes"] and (flags & 0x40 or op["chunks"] != 1), "chunks of base64")
    return op

def decode_ops(pieces):
    """Ops from a sequence of bytes: one may straddle pieces, none has more than 64 bytes."""
    data = b""
    for piece in pieces:
        c = Cursor(data + piece)
        while c.left() >= 64:
            yield decode_op(c)
        data = c.rest()
    c = Cursor(data)
    while c.left():
        yield decode_op(c)

def decode_recipe(data):
    return dict(ops=list(decode_ops([data])))


# ---- splitting.md: joining

def base64_text(pieces, op):
    """The text of a b64 extent, in parts; its line ends stand between lines, and if tail is set behind the last."""
    line, end = op["line"], b"\r\n" if op["crlf"] else b"\n"
    plain = chars = b""

    def lines(n):
        return b"".join(chars[i:i + line] + end for i in range(0, n, line))

    for piece in pieces:
        plain += piece
        whole = len(plain) // 3 * 3
        chars, plain = chars + base64.b64encode(plain[:whole]), plain[whole:]
        n = max(len(chars) - 1, 0) // line * line  # a character follows each of these lines
        yield lines(n)
        chars = chars[n:]
    chars += base64.b64encode(plain)
    n = (len(chars) - 1) // line * line
    yield lines(n) + chars[n:] + (end if op["tail"] else b"")

class Content:
    """The content of an entry: iterating gives bytes, and a number where as many zeros are a hole."""

    def __init__(self, repo, entry):
        self.repo, self.entry = repo, entry

    def ops(self):
        pieces = [self.entry["recipe"]]
        for _ in range(self.entry["recipe_depth"]):
            pieces = self.joined(decode_ops(pieces))
        return decode_ops(pieces)

    def joined(self, ops):
        for op in ops:
            check(op["op"] == "raw", "op '%s' in a recipe of a recipe" % op["op"])
            self.repo.seen["raw of recipe"] += 1
            yield self.repo.chunk(op["id"], op["bytes"])

    def raws(self, ops, op):
        total = 0
        for _ in range(op["chunks"]):
            raw = next(ops, None)
            check(raw and raw["op"] == "raw", "b64 without its raws")
            total += raw["bytes"]
            check(total <= op["bytes"], "the raws of a b64 are longer than it")
            yield self.repo.chunk(raw["id"], raw["bytes"])
        check(total == op["bytes"], "the raws of a b64 are shorter than it")

    def pieces(self):
        if not self.entry["recipe"]:
            yield self.entry["inline_data"]
            return
        skeleton, used, ops = b"", 0, self.ops()
        for op in ops:
            what, n = op["op"], op["bytes"]
            self.repo.seen[what + (" crlf" * op["crlf"] + " tail" * op["tail"] if what == "b64" else "")] += 1
            if what == "skeleton":
                check(used == len(skeleton), "a skeleton is not used up")
                skeleton, used = self.repo.chunk(op["id"], n), 0
            elif what == "take":
                check(used + n <= len(skeleton), "a skeleton is too short")
                yield skeleton[used:used + n]
                used += n
            elif what == "raw":
                yield self.repo.chunk(op["id"], n)
            elif what == "hole":
                yield n
            else:
                yield from base64_text(self.raws(ops, op), op)
        check(used == len(skeleton), "the last skeleton is not used up")

    def __iter__(self):
        total, hashed = 0, xxhash.xxh3_64(seed=0)
        for piece in self.pieces():
            hole = isinstance(piece, int)
            total += piece if hole else len(piece)
            check(total <= self.entry["size"], "content is longer than the entry says")
            for n in range(piece if hole else 0, 0, -CHUNK_MAX):
                hashed.update(bytes(min(n, CHUNK_MAX)))
            if not hole:
                hashed.update(piece)
            yield piece
        check(total == self.entry["size"], "content is shorter than the entry says")
        check(hashed.intdigest() == self.entry["sum"], "content does not have the entry's checksum")


# ---- layout.md: the local backend, and the way from a secret to a tree (README.md)

class Repository:
    LIMITS = dict(config=OBJECT_MAX, keys=OBJECT_MAX, index=256 << 20, snapshots=64 << 20, removed=64 << 20)

    def __init__(self, top, secret, from_packs):
        self.top, self.from_packs = top, from_packs
        self.packs, self.rows, self.where, self.cache, self.seen = {}, {}, None, collections.OrderedDict(), collections.Counter()
        with within("config"):
            config = decode_config_object(self.read_object("config"))
            self.repo_id = config["repo_id"]
        self.keys = self.unlock(*secret)
        with within("config"):
            self.config = decode_config(open_box(config["box"], b"ZSCB", self.keys["meta"], b"config" + self.repo_id))

    def open_object(self, kind, name=b""):
        path = os.path.join(self.top, kind, *[name.hex()[:2]] * (kind == "packs"), *[name.hex()] * (name != b""))
        f = open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NOFOLLOW | os.O_NONBLOCK))
        if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
            raise Refused(path + " is no regular file")
        return f

    def read_object(self, kind, name=b""):
        with self.open_object(kind, name) as f:
            check(os.fstat(f.fileno()).st_size <= self.LIMITS[kind], "object is too long")
            return f.read()

    def list(self, kind):
        """The names of a type's objects; names of another form are passed over."""
        def digits(names, n):
            return sorted(x for x in names if len(x) == n and set(x) <= set("0123456789abcdef"))

        path = os.path.join(self.top, kind)
        dirs = [(os.path.join(path, d), d) for d in digits(os.listdir(path), 2)] if kind == "packs" else [(path, "")]
        return [Id(bytes.fromhex(x)) for d, start in dirs for x in digits(os.listdir(d), 64) if x.startswith(start)]

    def unlock(self, kind, secret):
        """The keys, from the first slot that opens; a damaged one keeps no other from it."""
        names, damage = self.list("keys"), None
        check(1 <= len(names) <= 64, "%d key slots" % len(names))
        for name in names:
            try:
                with within("keys/" + name.hex()):
                    data = self.read_object("keys", name)
                    slot = decode_slot(data)
                    if slot["secret"] == kind:
                        return self.open_slot(name, data, slot, secret)
            except WrongKey:
                pass
            except Refused as e:
                damage = e
        raise damage or Failure("no key slot opens with this secret")

    def open_slot(self, name, data, slot, secret):
        known(slot["mem_kib"] <= 1 << 20, "asks for more than 1 GiB of memory")
        key = sodium.crypto_pwhash_alg(32, secret, slot["salt"], slot["ops"], slot["mem_kib"] * 1024, sodium.crypto_pwhash_ALG_ARGON2ID13)
        context = b"key" + self.repo_id + name + data[:len(data) - len(slot["box"])]
        return decode_slot_keys(open_box(slot["box"], b"ZSKB", key, context))

    def hashed_object(self, kind, name):
        data = self.read_object(kind, name)
        check(hashlib.blake2b(data, digest_size=32).digest() == name, "name is not the hash of the content")
        return data

    def snapshots(self):
        """All snapshots, oldest first."""
        out = []
        for name in self.list("snapshots"):
            with within("snapshots/" + name.hex()):
                record = open_box(self.hashed_object("snapshots", name), b"ZSSN", self.keys["meta"], b"snapshot" + self.repo_id)
                out.append(dict(name=name, **decode_snapshot(record)))
        return sorted(out, key=lambda s: (s["sequence"], s["time_ns"], s["name"]))

    def removed(self):
        out = set()
        for name in self.list("removed"):
            with within("removed/" + name.hex()):
                record = open_box(self.read_object("removed", name), b"ZSRM", self.keys["meta"], b"removal" + self.repo_id + name)
                out.update(decode_removal(record)["snapshots"])
        return out

    def snapshot(self, wanted):
        all_of_them = self.snapshots()
        found = all_of_them[-1:] if wanted == "latest" else [s for s in all_of_them if wanted and s["name"].hex().startswith(wanted)]
        if len(found) != 1:
            raise Failure("%s snapshot '%s'" % ("more than one" if found else "no", wanted))
        return found[0]

    def locate(self):
        """Where chunks are: id -> pack, block, offset in the block's plain bytes, length."""
        self.where = {}
        if self.from_packs:
            for name in self.list("packs"):
                self.add_pack(name, self.pack(name).blocks)
            return
        for name in self.list("index"):
            with within("index/" + name.hex()):
                record = open_box(self.hashed_object("index", name), b"ZSIX", self.keys["meta"], b"index" + self.repo_id)
                for row in decode_index(record)["packs"]:
                    self.rows.setdefault(row["name"], []).append(row)
                    self.add_pack(row["name"], row["blocks"])

    def add_pack(self, name, blocks):
        for i, block in enumerate(blocks):
            offset = 0
            for chunk in block["chunks"]:
                self.where.setdefault(chunk["id"], (name, i, offset, chunk["bytes"]))
                offset += chunk["bytes"]

    def pack(self, name):
        if name not in self.packs:
            with within("pack " + name.hex()):
                pack = Pack(self, name)
                for row in self.rows.get(name, []):
                    check(row["stored_bytes"] == pack.size, "size is not the index object's")
                    check(row["tag"] == pack.tag or not any(row["tag"]), "tag is not the index object's")
                    check(row["dir"] == pack.dir, "directory is not the index object's")
                self.packs[name] = pack
        return self.packs[name]

    def block(self, name, i):
        if (name, i) in self.cache:
            self.cache.move_to_end((name, i))
        else:
            pack = self.pack(name)
            with within("pack " + name.hex()):
                self.cache[name, i] = pack.block(i)
            if len(self.cache) > 16:
                self.cache.popitem(last=False)
        return self.cache[name, i]

    def chunk(self, wanted, length=None):
        if not any(self.keys["data_secret"]):
            raise Failure("this secret is write-only: it reads no data")
        if self.where is None:
            self.locate()
        with within("chunk " + wanted.hex()):
            check(wanted in self.where, "is in no pack")
            name, i, offset, n = self.where[wanted]
            check(length in (None, n), "has not the length that its op says")
            data = self.block(name, i)[offset:offset + n]
            check(hashlib.blake2b(data, key=self.keys["chunk_id"], digest_size=24).digest() == wanted, "does not hash to its id")
            return data

    # ---- tree.md

    def walk(self, snapshot, start=b""):
        """(path, entry) of a snapshot in order, from the first whose path is not before start."""
        root = self.node(snapshot["root"])
        check(not root["level"] or len(root["rows"]) >= 2, "the root has a single child")
        check(self.totals(root) == snapshot["totals"], "totals of the snapshot are not its root's")
        yield from self.below(root, b"", start)

    def below(self, node, after, start):
        for row in node["rows"]:
            check(not after or order(row["path"]) > order(after), "paths do not ascend from node to node at " + show(row["path"]))
            if order(row["path"]) >= order(start):
                if node["level"]:
                    child = self.node(row["child"])
                    check(child["level"] == node["level"] - 1, "level of a child")
                    check(child["rows"] and child["rows"][-1]["path"] == row["path"], "a node does not end where its parent says")
                    check(self.totals(child) == row["totals"], "totals are not those of the parent's row")
                    yield from self.below(child, after, start)
                else:
                    yield row["path"], row["decoded"]
            after = row["path"]

    def node(self, wanted):
        data = self.chunk(wanted)
        with within("node " + wanted.hex()):
            node = decode_node(data)
            for row in node["rows"] if not node["level"] else ():
                with within(show(row["path"])):
                    row["decoded"] = decode_entry(row["entry"])
            return node

    @staticmethod
    def totals(node):
        if node["level"]:
            return {k: sum(row["totals"][k] for row in node["rows"]) for k in ("entries", "files", "messages", "bytes")}
        files = [row["decoded"] for row in node["rows"] if row["decoded"]["kind"] == 1]
        messages = sum(e["message"] for e in files)
        return dict(entries=len(node["rows"]), files=len(files), messages=messages, bytes=sum(e["size"] for e in files))


# ---- extracting: below one directory only, whatever a tree says

class Target:
    """Writes entries in path order.  Directories are kept open on a stack, entered without following links, and get their
    mode and time when they are left."""

    def __init__(self, top):
        os.makedirs(top, exist_ok=True)
        if os.listdir(top):
            raise Failure(os.fsdecode(top) + " is not empty")
        self.stack = [(b"", os.open(top, os.O_RDONLY | os.O_DIRECTORY), None)]
        self.links = {}

    def leave(self, depth):
        while len(self.stack) > depth:
            _, fd, entry = self.stack.pop()
            if entry:
                self.finish(fd, entry)
            os.close(fd)

    def enter(self, components, entry=None):
        """Makes and opens the directory of these components; the file descriptor."""
        depth = 1
        while depth < len(self.stack) and depth <= len(components) and self.stack[depth][0] == components[depth - 1]:
            depth += 1
        self.leave(depth)
        for name in components[depth - 1:]:
            parent = self.stack[-1][1]
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
            try:
                fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            except OSError:
                raise Refused("an entry below what is no directory") from None
            self.stack.append((name, fd, None))
        if entry:
            self.stack[-1] = self.stack[-1][:2] + (entry,)
        return self.stack[-1][1]

    def finish(self, fd, entry, name=None):
        """Owner (as root), extended attributes, mode and time; of what is not open: its directory's fd and its name."""
        how = {} if name is None else dict(dir_fd=fd, follow_symlinks=False)
        what = fd if name is None else name
        if entry["has_mode"] and os.geteuid() == 0:
            os.chown(what, entry["uid"], entry["gid"], **how)
        for x in decode_xattrs(entry["xattrs"])["xattrs"]:
            try:
                where = fd if name is None else b"/proc/self/fd/%d/%s" % (fd, name)
                os.setxattr(where, x["name"], x["value"], follow_symlinks=name is None)
            except OSError as e:
                print("reader.py: extended attribute %s: %s" % (show(x["name"]), e.strerror), file=sys.stderr)
        if entry["has_mode"] and entry["kind"] != 3:
            os.chmod(what, entry["mode"], **(dict(dir_fd=fd) if name is not None else {}))
        os.utime(what, ns=(entry["mtime_ns"],) * 2, **how)

    def write(self, path, entry, content):
        *parents, name = path.split(b"/")
        kind = entry["kind"]
        if kind == 2:
            self.enter(parents + [name], entry)
            return True
        parent = self.enter(parents)
        # names of one file; where their content differs it changed between the two, and each gets its own
        link = kind, entry["link_dev"], entry["link_ino"], entry["size"], entry["sum"], entry["inline_data"], entry["recipe"]
        if entry["link_ino"] and link in self.links:
            os.link(self.links[link], name, src_dir_fd=self.stack[0][1], dst_dir_fd=parent, follow_symlinks=False)
            return True
        if kind == 1:
            self.write_file(parent, name, entry, content)
        elif kind == 3:
            check(0 not in entry["target"], "a link's target has a NUL")
            os.symlink(entry["target"], name, dir_fd=parent)
        elif kind == 4:
            os.mkfifo(name, 0o600, dir_fd=parent)
        else:
            print("reader.py: %s: a %s is not made" % (show(path), KINDS[kind]), file=sys.stderr)
            return False
        if kind != 1:
            self.finish(parent, entry, name)
        if entry["link_ino"]:
            self.links[link] = path
        return True

    def write_file(self, parent, name, entry, content):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
        try:
            with open(fd, "wb", closefd=False) as f:
                for piece in content:
                    if isinstance(piece, int):
                        f.seek(piece, os.SEEK_CUR)
                    else:
                        f.write(piece)
                f.truncate()
            self.finish(fd, entry)
        except BaseException:
            os.unlink(name, dir_fd=parent)
            raise
        finally:
            os.close(fd)


# ---- commands

def time_text(ns):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=ns // 1000)).strftime("%Y-%m-%dT%H:%M:%SZ")

def command_snapshots(repo, args):
    snapshots, removed = repo.snapshots(), repo.removed()
    there = {s["name"] for s in snapshots} | removed
    for s in snapshots:
        print(s["name"].hex(), time_text(s["time_ns"]), show(s["host"]), *("%s=%d" % t for t in s["totals"].items()),
              *(["partial=%d" % s["skipped"]] if s["flags"] & 1 else []), *map(show, s["paths"]))
        for r in s["reasons"]:
            print("   ", show(r))
        for link in ("previous", "newest_seen"):
            if any(s[link]) and s[link] not in there:
                print("reader.py: snapshot %s, which %s names, was lost" % (s[link].hex(), s["name"].hex()), file=sys.stderr)

def command_ls(repo, args):
    for path, e in repo.walk(repo.snapshot(args.snapshot)):
        how = "inline" if e["inline_data"] else "recipe+%d" % e["recipe_depth"] if e["recipe"] else "-"
        notes = "".join(n for n in ("message", "unstable") if e[n]) or "-"
        target = " -> " + show(e["target"]) if e["kind"] == 3 else ""
        mode = "%04o" % e["mode"] if e["has_mode"] else "----"
        print(KINDS[e["kind"]], mode, e["uid"], e["gid"], e["size"], time_text(e["mtime_ns"]), how, notes, show(path) + target, sep="\t")

def command_extract(repo, args):
    target, counts = Target(os.fsencode(args.dir)), collections.Counter()
    try:
        for path, entry in repo.walk(repo.snapshot(args.snapshot)):
            with within(show(path)):
                counts[KINDS[entry["kind"]] if target.write(path, entry, Content(repo, entry)) else "not made"] += 1
    finally:
        target.leave(0)
    for name, counted in (("entries", counts), ("ops", repo.seen)):
        print(name + ":", ", ".join("%s %d" % n for n in sorted(counted.items())))

def command_cat(repo, args):
    wanted = os.fsencode(args.path).strip(b"/")
    path, entry = next(repo.walk(repo.snapshot(args.snapshot), wanted), (None, None))
    if path != wanted or entry["kind"] != 1:
        raise Failure("no file '%s'" % show(wanted))
    with within(show(path)):
        for piece in Content(repo, entry):
            for n in range(piece, 0, -CHUNK_MAX) if isinstance(piece, int) else ():
                sys.stdout.buffer.write(bytes(min(n, CHUNK_MAX)))
            if not isinstance(piece, int):
                sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


# ---- README.md: vectors

def as_json(value):
    if isinstance(value, dict):
        return {k: as_json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_json(v) for v in value]
    if not isinstance(value, bytes):
        return value
    plain = not isinstance(value, Id) and not value.startswith(b"hex:") and all(32 <= b <= 126 and b not in b'"\\' for b in value)
    return value.decode() if plain else "hex:" + value.hex()

def vector_fields(record, data):
    fields = globals()["decode_" + record](data)
    if record == "entry":
        flags = [fields.pop(n) << i for i, n in enumerate(("message", "unstable", "has_mode", "has_item"))]
        fields["flags"] = sum(flags)
    for pack in fields.get("packs", []) if record == "index" else ():
        del pack["dir"]
    return as_json(fields)

def command_vectors(top):
    agreed = total = 0
    for kind in ("valid", "invalid"):
        names = sorted(n[:-4] for n in os.listdir(os.path.join(top, kind)) if n.endswith(".hex"))
        for name in names:
            path = os.path.join(top, kind, name)
            with open(path + ".hex", encoding="ascii") as h, open(path + ".json", encoding="ascii") as j:
                data, said = bytes.fromhex(h.read()), json.load(j)
            try:
                got = "fields", vector_fields(said["record"], data)
            except Refused as e:
                got = "cause", e.cause
            except Exception as e:
                got = "crash", repr(e)
            good = got[0] == ("fields" if kind == "valid" else "cause") and said[got[0]] == got[1] and name.startswith(said["record"] + "-")
            agreed, total = agreed + good, total + 1
            if not good:
                print("%s/%s: %s, but got %s %s" % (kind, name, said["meaning"], *got))
    print("%d of %d vectors agree" % (agreed, total))
    return 0 if total and agreed == total else 1

def main():
    if len(sys.argv) == 3 and sys.argv[1] == "vectors":
        return command_vectors(sys.argv[2])
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("repo")
    secret = p.add_mutually_exclusive_group(required=True)
    for name in ("key-file", "passphrase-file", "recovery-code-file"):
        secret.add_argument("--" + name, metavar="F")
    p.add_argument("--from-packs", action="store_true")
    commands = p.add_subparsers(dest="command", required=True)
    table = (command_snapshots,), (command_ls, "snapshot"), (command_extract, "snapshot", "dir"), (command_cat, "snapshot", "path")
    for run, *operands in table:
        c = commands.add_parser(run.__name__[len("command_"):])
        c.set_defaults(run=run)
        for operand in operands:
            c.add_argument(operand)
    args = p.parse_args()
    try:
        args.run(Repository(args.repo, read_secret(args), args.from_packs), args)
    except Refused as e:
        print("reader.py: %s: %s" % ("corrupt" if e.cause == "corrupt" else "of a newer version", e.message), file=sys.stderr)
        return 1
    except (Failure, OSError) as e:
        print("reader.py: %s" % e, file=sys.stderr)
        return 1

if __name__ == "__main__":
    sys.exit(main())
