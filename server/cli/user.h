/* What the files of `user` share. */
#ifndef SERVER_CLI_USER_H
#define SERVER_CLI_USER_H

#include "cli/cli.h"

/* Print an account, or a table of them; with --json as JSON. Exit statuses. */
int cli_show_user(const struct cli *cli, struct cli_services *services, const struct user *user);
/* After a change: reads it anew into *user, and prints it, or says that it was changed and cannot be
 * shown. One that was deleted is not shown. */
int cli_show_changed(const struct cli *cli, struct cli_services *services, struct user *user);
int cli_list_users(const struct cli *cli, const struct user *users, size_t count);

/* Finds the account, does `change` to it, records that, and shows what has become of it, unless `change`
 * says that it is deleted. Exit status. */
int cli_change_user(struct cli *cli, const char *route,
                    enum err (*change)(struct cli_services *services, struct cli *cli,
                                       struct user *user, struct error *error));

/* ---- user_rights.c ---- */

bool cli_user_is_admin(const struct cli_services *services, const struct user *user);
/* Nobody is locked out of the shell by it, but who took the last one's rights away wants to know. */
void cli_warn_without_admin(struct cli_services *services);
/* The values of --group, in the arena. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err cli_take_groups(const struct cli *cli, struct arena *arena,
                                       const struct str **groups_out, size_t *count_out);
int cli_grant_user(struct cli *cli);
int cli_revoke_user(struct cli *cli);

/* ---- user_migrate.c ---- */

extern const struct cli_option cli_migrate_options[];
int cli_migrate_users(struct cli *cli);

#endif
