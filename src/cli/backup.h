/* One run of backup, shared by its command and its report. */
#ifndef ZS_CLI_BACKUP_H
#define ZS_CLI_BACKUP_H

#include "sources.h"

struct backup_run {
	struct session *s;
	struct sources sources;
	struct zs_strings excludes;
	char host[256], user[128];
	int64_t time_ns, threads;
	int level, dry;
	unsigned flags;
	uint64_t began_ns;
	struct zs_backup_member *members;
	unsigned member_count;
	struct zs_backup_report report;
	char why[720]; /* it is partial */
};

void backup_report_json(const struct backup_run *b);
void backup_report_text(const struct backup_run *b);

#endif
