/* What the files of `user` share. */
#ifndef SERVER_CLI_USER_H
#define SERVER_CLI_USER_H

#include "cli/cli.h"

/* Print an account, or a table of them; with --json as JSON. Exit statuses. */
int cli_show_user(const struct cli *cli, struct cli_services *services, const struct user *user);
int cli_list_users(const struct cli *cli, const struct user *users, size_t count);

#endif
