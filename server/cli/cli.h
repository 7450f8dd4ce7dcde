/*
 * The command line: one table of commands, one parser for all of them. A command gets its parsed
 * arguments, does its work, and returns the exit status of the program.
 *
 * Data goes to standard output; complaints go to standard error. No option takes a secret: what
 * stands in arguments can be read by every user of the machine.
 */
#ifndef SERVER_CLI_CLI_H
#define SERVER_CLI_CLI_H

#include "config/config.h"
#include "reference/command.h"

#include "cachewarden/work.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 64 /* EX_USAGE of sysexits.h */ };

/* Every command, in the order help lists them; ends with NULL. Each is in a file of its own. */
extern const struct cli_command *const cli_commands[];
extern const struct cli_command cli_serve, cli_flush, cli_user, cli_key, cli_cache, cli_entry,
    cli_job, cli_audit_search, cli_gateway, cli_backup, cli_health, cli_routes, cli_doctor,
    cli_version, cli_docs, cli_help;

/* The same for those who describe the command line. */
extern const struct cli_program cli_program;

/* The option of every command that prints data. */
#define CLI_JSON                             \
    {                                        \
        "json", 0, NULL, false, "print JSON" \
    }

#define CLI_OPTIONS_END            \
    {                              \
        NULL, 0, NULL, false, NULL \
    }

/* The whole program: exit status. */
int cli_main(int argc, char **argv);

/* ---- what a command was given ---- */

/* Argument `index`, or NULL. */
const char *cli_argument(const struct cli *cli, int index);
bool cli_flag(const struct cli *cli, const char *option);
/* The last value of the option, or NULL. */
const char *cli_value(const struct cli *cli, const char *option);
/* Value `index` of an option that repeats, or NULL. */
const char *cli_value_at(const struct cli *cli, const char *option, size_t index);
/* Says what is wrong and how to get help; returns CLI_USAGE. */
int cli_usage_error(const struct cli *cli, const char *format, ...) CW_PRINTF(2, 3);
/* Says what failed; returns CLI_FAILED. */
int cli_fail(const char *format, ...) CW_PRINTF(1, 2);

/* Finds a command by its words: CLI_OK, or CLI_USAGE after a complaint. No words: *command_out is
 * NULL. */
enum { CLI_PATH_SIZE = 64 };
int cli_find(const char *const *names, int count, const struct cli_command **command_out,
             char path_out[CLI_PATH_SIZE]);

/* Options of every command; ends with a row without name. */
extern const struct cli_option cli_common_options[];

/* ---- output ---- */

/* Writes it to standard output and finishes the buffer; returns CLI_OK, or CLI_FAILED when memory
 * was out. */
int cli_print(struct strbuf *text);
/* Help for a command: usage, what it does, its options. `path` is its full name, "user add". */
void cli_print_command(struct strbuf *out, const struct cli_command *command, const char *path);
void cli_print_overview(struct strbuf *out);
/* Pads with blanks up to a column, by characters, at least one blank. */
void cli_pad(struct strbuf *out, struct str text, size_t width);

/* ---- the services, for commands that need them (services.c) ---- */

struct cli_services {
    struct config *config;
    struct app *app;
    struct arena *arena;
    struct principal principal; /* the person at the keyboard */
    pid_t
        other_process; /* that had the users database open when this was opened; see users_other_process */
};

/* Loads the settings as --config says; complains on standard error. False: exit with CLI_FAILED. */
bool cli_load_config(const struct cli *cli, bool direct, struct config **config_out);
/* Settings and services. Complains on standard error; false: exit with CLI_FAILED. */
bool cli_open(const struct cli *cli, struct cli_services *services_out);
/* The same for a command that changes something: not while the control data in Redis is another
 * installation's. */
bool cli_open_to_change(const struct cli *cli, struct cli_services *services_out);
/* What emptying the named cache takes: no users database, no secret, and none of the other caches,
 * so that nothing about those is in its way. `name` must outlive the services. */
bool cli_open_cache(const struct cli *cli, const char *name, struct cli_services *services_out);
/* Writes out the audit. */
void cli_close(struct cli_services *services);
/* For one operation on Redis: with the memory of the services, and a deadline from now on. */
struct work cli_work(const struct cli_services *services, struct error *error);
/* Writes an audit record of the operator; count < 0: none. Returns err. */
enum err cli_audit(struct cli_services *services, const char *route, struct str target,
                   enum err err, int64_t count, bool is_flush);
/* Complains about a failed operation, returns CLI_FAILED. */
int cli_fail_with(enum err err, const struct error *error);

/* "process 12 (cachewarden)", for users_other_process, or that it is in another container. */
enum { CLI_PROCESS_SIZE = 64 };
void cli_name_process(pid_t pid, char out[CLI_PROCESS_SIZE]);

/* ---- passwords (password_input.c) ---- */

/*
 * Reads a new password: from --password-file (a file, or "-" for standard input), else from a prompt, twice.
 * False after a complaint. The password is wiped by cli_password_fini.
 */
bool cli_password_read(const struct cli *cli, char **password_out);
void cli_password_fini(char **password);

#endif
