/*
 * What the invalid vectors are made of.  Never edit one: add another.
 */
#ifndef ZSTORE_TEST_VECTORS_INVALID_H
#define ZSTORE_TEST_VECTORS_INVALID_H

#include "zstore/base.h"

struct invalid_vector {
	const char *name, *meaning;
	enum zs_cause cause;
	const char *hex;
};

/* config: tag 3 (block) 65536, tag 5 (pack) 1 MiB; 24 and 32 bytes for ids and names. */
#define C_BLOCK "0303808004"
#define C_PACK "0503808040"
#define H24 "101112131415161718191a1b1c1d1e1f2021222324252627"
#define H32 "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define Z32 "0000000000000000000000000000000000000000000000000000000000000000"
#define SLOT_SALT "071001020304050607080102030405060708"

static const struct invalid_vector invalid_vectors[] = {
    {"config-cut", "the last field is cut short", ZS_CORRUPT, C_BLOCK "05038080"},
    {"config-pack-missing", "no pack size", ZS_CORRUPT, C_BLOCK},
    {"config-odd-tag", "unknown odd tag 7", ZS_VERSION, C_BLOCK C_PACK "0700"},
    {"config-tag-zero", "tag 0", ZS_CORRUPT, "0000" C_BLOCK C_PACK},
    {"config-order", "tags do not ascend", ZS_CORRUPT, C_PACK C_BLOCK},
    {"config-twice", "a field that stands once stands twice", ZS_CORRUPT, C_BLOCK C_BLOCK C_PACK},
    {"config-overlong-tag", "a tag in a longer form than needed", ZS_CORRUPT, "830003808004" C_PACK},
    {"config-overlong-value", "a value in a longer form than needed", ZS_CORRUPT, "030480808400" C_PACK},
    {"config-explicit-zero", "level 0 is written though it is the default", ZS_CORRUPT, C_BLOCK C_PACK "060100"},
    {"config-bytes-after-value", "a byte after a number within its field", ZS_CORRUPT, C_BLOCK C_PACK "06020301"},
    {"config-block-small", "block size below 64 KiB", ZS_CORRUPT, "0303ffff03" C_PACK},
    {"config-level-20", "compression level beyond 19", ZS_CORRUPT, C_BLOCK C_PACK "060114"},
    {"config-kind-new", "chunk sizes of a kind beyond 7", ZS_VERSION, "010408404040" C_BLOCK C_PACK},
    {"config-kinds-order", "chunk sizes of kinds that do not ascend", ZS_CORRUPT,
	"010404404040010402404040" C_BLOCK C_PACK},
    {"config-average", "average chunk size is no power of two", ZS_CORRUPT, "010404404143" C_BLOCK C_PACK},
    {"config-varint-too-big", "a number beyond 64 bits", ZS_CORRUPT, C_BLOCK C_PACK "080affffffffffffffffff02"},
    {"config_object-magic", "wrong magic number", ZS_CORRUPT, "5a53434701000000" H32 "0100000041"},
    {"config_object-newer", "version 2", ZS_VERSION, "5a53434602000000" H32 "0100000041"},
    {"config_object-version-zero", "version 0", ZS_CORRUPT, "5a53434600000000" H32 "0100000041"},
    {"config_object-reserved", "reserved bytes are not zero", ZS_CORRUPT, "5a53434601000100" H32 "0100000041"},
    {"config_object-length", "the box is longer than said", ZS_CORRUPT, "5a53434601000000" H32 "010000004142"},
    {"config_object-no-box", "no box", ZS_CORRUPT, "5a53434601000000" H32 "00000000"},
    {"slot-memory", "Argon2id memory beyond 4 GiB", ZS_CORRUPT,
	"5a534b5301000000"
	"22000000"
	"030101"
	"050101" SLOT_SALT "090101"
	"0b0481808002"
	"41"},
    {"slot-secret-new", "a type of secret beyond 3", ZS_VERSION,
	"5a534b5301000000"
	"1e000000"
	"030104"
	"050101" SLOT_SALT "090101"
	"0b0108"
	"41"},
    {"slot-head-cut", "the head is longer than what is there", ZS_CORRUPT,
	"5a534b5301000000"
	"1f000000"
	"030101"
	"050101" SLOT_SALT "090101"
	"0b0108"},
    {"slot-no-box", "no box", ZS_CORRUPT,
	"5a534b5301000000"
	"1e000000"
	"030101"
	"050101" SLOT_SALT "090101"
	"0b0108"},
    {"slot-label-nul", "a NUL within the label", ZS_CORRUPT,
	"5a534b5301000000"
	"22000000"
	"01026100"
	"030101"
	"050101" SLOT_SALT "090101"
	"0b0108"
	"41"},
    {"slot_keys-missing", "no metadata key", ZS_CORRUPT, "0120" H32 "0320" H32 "0720" H32},
    {"slot_keys-zero", "a key that is zero", ZS_CORRUPT, "0120" H32 "0320" H32 "0520" Z32 "0720" H32},
    {"slot_keys-short", "a key of one byte", ZS_CORRUPT, "0120" H32 "0320" H32 "0520" H32 "070141"},
    {"block_head-algo-new", "unknown compression", ZS_VERSION, "020500000068656c6c6f"},
    {"block_head-length", "an uncompressed block that is shorter than said", ZS_CORRUPT, "000600000068656c6c6f"},
    {"block_head-empty", "a block of no bytes", ZS_CORRUPT, "0100000000ff"},
    {"block_head-too-long", "a block beyond 8 MiB", ZS_CORRUPT, "0101008000ff"},
    {"pack_dir-count", "more chunks than can be there", ZS_CORRUPT,
	"01ffffff7f"
	"023202"
	"4040" H24 H24},
    {"pack_dir-chunk-empty", "a chunk of no bytes", ZS_CORRUPT,
	"0101"
	"023201"
	"00" H24},
    {"pack_dir-chunk-long", "a chunk beyond 1 MiB", ZS_CORRUPT,
	"0101"
	"023201"
	"818040" H24},
    {"pack_dir-block-empty", "a block of no chunks", ZS_CORRUPT,
	"0101"
	"023200"
	"40" H24},
    {"pack_dir-sum", "blocks have fewer chunks than said in front", ZS_CORRUPT,
	"0102"
	"023201"
	"4040" H24 H24},
    {"pack_dir-kind-new", "a kind beyond 7", ZS_VERSION,
	"0101"
	"083201"
	"40" H24},
    {"pack_dir-kind-zero", "kind 0", ZS_CORRUPT,
	"0101"
	"003201"
	"40" H24},
    {"pack_dir-odd-tag", "unknown odd tag 3 behind the ids", ZS_VERSION,
	"0101"
	"023201"
	"40" H24 "0300"},
    {"pack_dir-cut", "the last id is cut short", ZS_CORRUPT,
	"0101"
	"023201"
	"40"
	"101112131415161718191a1b1c1d1e1f20212223242526"},
    {"pack_trailer-short", "31 bytes", ZS_CORRUPT, "00000003000000007011010030000000 80f0fa0200000000800f0500000000"},
    {"pack_trailer-reserved", "reserved bytes are not zero", ZS_VERSION,
	"0000000300000000701101003000000080f0fa0200000000800f050001000000"},
    {"pack_trailer-offset", "an offset beyond 63 bits", ZS_CORRUPT,
	"0000000300000080701101003000000080f0fa0200000000800f050000000000"},
    {"index-no-name", "a pack without a name", ZS_CORRUPT,
	"0107"
	"050132"
	"09020000"},
    {"index-no-dir", "a pack without a directory", ZS_CORRUPT,
	"0125"
	"0120" H32 "050132"},
    {"index-odd-tag", "unknown odd tag 3", ZS_VERSION, "0300"},
    {"snapshot-no-root", "no root", ZS_CORRUPT, "030102"},
    {"snapshot-nul", "a NUL within the host", ZS_CORRUPT, "0118" H24 "0403610062"},
    {"snapshot-flag-new", "an unknown flag", ZS_VERSION, "0118" H24 "0f0102"},
    {"snapshot-empty-text", "an empty text is written though it is the default", ZS_CORRUPT, "0118" H24 "0400"},
    {"snapshot-totals", "more files than entries", ZS_CORRUPT, "0118" H24 "120401020000"},
    {"session-no-role", "no role", ZS_CORRUPT, "030161"},
    {"session-role-new", "a role beyond 2", ZS_VERSION, "010103"},
    {"session-machine-short", "a machine id of one byte", ZS_CORRUPT, "010101050141"},
    {"condemned-length", "packs are no multiple of 32 bytes", ZS_CORRUPT, "0121" H32 "00"},
    {"condemned-none", "an empty list of packs is written", ZS_CORRUPT, "0100"},
    {"removal-length", "snapshots are no multiple of 32 bytes", ZS_CORRUPT,
	"011f0102030405060708090a0b0c0d0e0f10111213141516"
	"1718191a1b1c1d1e1f"},
    {"entry-short", "4 bytes", ZS_CORRUPT, "02000000"},
    {"entry-kind-zero", "kind 0", ZS_CORRUPT, "0000000000"},
    {"entry-kind-new", "a kind beyond 7", ZS_VERSION, "0800000000"},
    {"entry-uid-alone", "uid without mode", ZS_CORRUPT, "020200000001"},
    {"entry-nanos-alone", "nanoseconds of a date that is not there", ZS_CORRUPT, "020080000001000000"},
    {"entry-zero-mtime", "seconds of mtime are written though they are zero", ZS_CORRUPT, "022000000000"},
    {"entry-nanos", "a billion nanoseconds", ZS_CORRUPT, "024000000000ca9a3b"},
    {"entry-mode", "mode beyond 07777", ZS_CORRUPT,
	"0201000000"
	"8020"},
    {"entry-no-content", "a file of 6 bytes without content", ZS_CORRUPT,
	"0180000000"
	"06"},
    {"entry-odd-tag-file", "unknown odd tag 1 behind the content", ZS_VERSION,
	"0180000008"
	"02"
	"6869"
	"0100"},
    {"entry-mode-wide", "mode beyond 32 bits", ZS_CORRUPT,
	"0201000000"
	"a483808010"},
    {"entry-inline-long", "inline content that is cut short", ZS_CORRUPT,
	"0180000008"
	"06"
	"6869"},
    {"entry-both-contents", "inline content and a recipe", ZS_CORRUPT,
	"0180000028"
	"01"
	"41"
	"020201"},
    {"entry-dir-content", "a directory with content", ZS_CORRUPT,
	"0280000008"
	"01"
	"41"},
    {"entry-no-target", "a symbolic link without target", ZS_CORRUPT, "0300000000"},
    {"entry-depth-9", "depth of the recipe beyond 4", ZS_CORRUPT,
	"0180000030"
	"02"
	"09"
	"020202"},
    {"entry-depth-5", "depth of the recipe beyond 4", ZS_CORRUPT,
	"0180000030"
	"02"
	"05"
	"020202"},
    {"entry-empty-group", "an empty group is written", ZS_CORRUPT, "021000000000"},
    {"entry-odd-tag", "unknown odd tag 3 behind the row", ZS_VERSION, "02000000000300"},
    {"entry-extra-order", "unknown tags do not ascend", ZS_CORRUPT, "020000000004000200"},
    {"entry-time-overflow", "mtime beyond 64 bits of nanoseconds", ZS_CORRUPT,
	"0220000000"
	"8af48bdc44"},
    {"entry-zero-sum", "a sum that is zero is written", ZS_CORRUPT,
	"0200000080"
	"0000000000000000"},
    {"xattrs-order", "names do not ascend", ZS_CORRUPT,
	"016200"
	"016100"},
    {"xattrs-twice", "the same name twice", ZS_CORRUPT,
	"016100"
	"016100"},
    {"xattrs-empty-name", "an empty name", ZS_CORRUPT, "0000"},
    {"xattrs-cut", "a value that is cut short", ZS_CORRUPT, "01610241"},
    {"recipe-op-new", "unknown type of op", ZS_VERSION, "0601"},
    {"recipe-flags", "flags on an op that has none", ZS_VERSION, "0a01"},
    {"recipe-empty-op", "a take of no bytes", ZS_CORRUPT, "0200"},
    {"recipe-long-chunk", "a chunk beyond 1 MiB", ZS_CORRUPT, "03818040" H24},
    {"recipe-line-76", "line length 76 is written out", ZS_CORRUPT, "444c01"},
    {"recipe-line-999", "line length beyond 998", ZS_CORRUPT, "44e70701"},
    {"recipe-chunks-1", "one chunk is written out", ZS_CORRUPT, "240101"},
    {"recipe-more-chunks", "more chunks than bytes", ZS_CORRUPT, "240203"},
    {"recipe-cut", "an id that is cut short", ZS_CORRUPT, "030110111213"},
    {"node-level", "level beyond 15", ZS_CORRUPT,
	"2001"
	"000161" H24 "01000000"},
    {"node-level-16", "level beyond 15", ZS_CORRUPT,
	"1001"
	"000161" H24 "01000000"},
    {"node-inner-empty", "an inner node of no rows", ZS_CORRUPT, "0100"},
    {"node-order", "paths do not ascend", ZS_CORRUPT,
	"0002"
	"0001620141"
	"0001610141"},
    {"node-equal", "the same path twice", ZS_CORRUPT,
	"0002"
	"0001610141"
	"01000141"},
    {"node-slash-order", "a/b after a! (slash sorts first)", ZS_CORRUPT,
	"0002"
	"000261210141"
	"01022f620141"},
    {"node-prefix", "more in common with the path before than said", ZS_CORRUPT,
	"0002"
	"0001610141"
	"000261620141"},
    {"node-prefix-long", "more in common than the path before has", ZS_CORRUPT,
	"0002"
	"0001610141"
	"0201620141"},
    {"node-dots", "a component that is ..", ZS_CORRUPT,
	"0001"
	"0004612f2e2e0141"},
    {"node-absolute", "a path that begins with a slash", ZS_CORRUPT,
	"0001"
	"00022f610141"},
    {"node-nul", "a NUL within a path", ZS_CORRUPT,
	"0001"
	"00036100620141"},
    {"node-no-entry", "a leaf row of an empty entry", ZS_CORRUPT,
	"0001"
	"00016100"},
    {"node-rows", "more rows than bytes", ZS_CORRUPT,
	"00ff01"
	"0001610141"},
    {"node-row-missing", "fewer rows than said", ZS_CORRUPT,
	"0002"
	"0001610141"},
    {"node-trailing", "bytes after the last row", ZS_CORRUPT,
	"0001"
	"0001610141"
	"00"},
    {"node-totals", "more messages than files", ZS_CORRUPT,
	"0101"
	"000161" H24 "05010200"},
    {"node-totals-overflow", "bytes of all rows exceed 64 bits", ZS_CORRUPT,
	"0102"
	"000161" H24 "010100ffffffffffffffffff01"
	"000162" H24 "01010001"},
    {"node-no-entries", "an inner row with no entries below", ZS_CORRUPT,
	"0101"
	"000161" H24 "00000000"},
};

#endif
