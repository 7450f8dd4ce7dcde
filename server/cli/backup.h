/* What the commands of `backup` share. */
#ifndef SERVER_CLI_BACKUP_H
#define SERVER_CLI_BACKUP_H

#include "cli/cli.h"

/* `backup restore`. */
extern const struct cli_option cli_backup_restore_options[];
int cli_backup_restore(struct cli *cli);

#endif
