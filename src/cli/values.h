/* What values of options and of the configuration file look like. All: 0, or -1 ZS_USAGE naming the text. */
#ifndef ZS_CLI_VALUES_H
#define ZS_CLI_VALUES_H

#include "zstore/base.h"

int parse_number(const char *text, int64_t min, int64_t max, int64_t *out, struct zs_err *err) ZS_MUST_USE;
int parse_flag(const char *text, int *out, struct zs_err *err) ZS_MUST_USE; /* yes, no */
int parse_timeout(const char *text, int64_t *out_s, struct zs_err *err) ZS_MUST_USE; /* "90", "90s", "10m", "2h"; 0: none */
/* "64K", "1.5MiB", "2G": binary multiples */
int parse_size(const char *text, uint64_t *out, struct zs_err *err) ZS_MUST_USE;
int parse_compression(const char *text, int *out_level, struct zs_err *err) ZS_MUST_USE; /* "none", "zstd", "zstd:9" */
int parse_within(const char *text, int64_t *out_ns, struct zs_err *err) ZS_MUST_USE; /* "36h", "14d", "1y6m" */
int parse_groups(const char *text, unsigned *out, struct zs_err *err) ZS_MUST_USE; /* "host,paths", "none": ZS_GROUP_* */
int parse_unused(const char *text, uint64_t *out_bytes, unsigned *out_percent, struct zs_err *err) ZS_MUST_USE; /* "5%", "1G", "unlimited" */

#endif
