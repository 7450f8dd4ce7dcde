#include "cli/cli.h"
#include "config/suggest.h"

#include "cachewarden/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct cli_command *const cli_commands[] = {
    &cli_serve,  &cli_flush,        &cli_user,    &cli_key,    &cli_cache,  &cli_entry,
    &cli_job,    &cli_audit_search, &cli_gateway, &cli_backup, &cli_health, &cli_doctor,
    &cli_routes, &cli_version,      &cli_docs,    &cli_help,   NULL,
};

enum { ARGUMENTS_MAX = 32, OPTIONS_MAX = 64 };

struct given {
    const struct cli_option *option;
    const char *value;
};

struct cli {
    const struct cli_command *command;
    char path[CLI_PATH_SIZE]; /* "user add" */
    const char *arguments[ARGUMENTS_MAX];
    int argument_count;
    struct given given[OPTIONS_MAX];
    size_t given_count;
};

const struct cli_option cli_common_options[] = {
    {"config", 0, "FILE", false, "read settings from FILE (default " CONFIG_DEFAULT_FILE ")"},
    {"help", 'h', NULL, false, "print this help"},
    CLI_OPTIONS_END,
};

const struct cli_program cli_program = {cli_commands, cli_common_options, &cli_serve, &cli_help};

/* ---- complaints ---- */

/* By way of the log, which never waits long for a reader: the server complains like this, too. */
CW_PRINTF(3, 0)
static void complain(const char *path, const char *after, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        return;
    log_say("cachewarden%s%s: %s\n%s", path[0] ? " " : "", path, text, after);
    free(text);
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain("", "", format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_usage_error(const struct cli *cli, const char *format, ...)
{
    char hint[CLI_PATH_SIZE + 32];
    va_list args;
    snprintf(hint, sizeof hint, "Try: cachewarden help%s%s\n", cli->path[0] ? " " : "", cli->path);
    va_start(args, format);
    complain(cli->path, hint, format, args);
    va_end(args);
    return CLI_USAGE;
}

/* ---- options ---- */

static bool is_named(const struct cli_option *option, struct str name)
{
    return str_eq(str_from(option->name), name) ||
           (name.len == 1 && option->letter && option->letter == name.ptr[0]);
}

static const struct cli_option *find_in(const struct cli_option *options, struct str name)
{
    for (; options && options->name; options++)
        if (is_named(options, name))
            return options;
    return NULL;
}

static const struct cli_option *find_option(const struct cli *cli, struct str name)
{
    const struct cli_option *option = cli->command ? find_in(cli->command->options, name) : NULL;
    return option ? option : find_in(cli_common_options, name);
}

static const char *suggest_option(const struct cli *cli, struct str name)
{
    const struct cli_option *lists[] = {cli->command ? cli->command->options : NULL,
                                        cli_common_options};
    for (size_t i = 0; i < 2; i++)
        for (const struct cli_option *option = lists[i]; option && option->name; option++)
            if (suggest_is_near(suggest_distance(str_from(option->name), name), name))
                return option->name;
    return NULL;
}

/* Whether it looks like an option of some program, so that it may be repeated. */
static bool is_plain_name(struct str name, bool is_long)
{
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz-", name.ptr[i]))
            return false;
    return name.len == 1 || is_long;
}

/* An option, or its value, may be a secret that somebody mistook for one: it is not repeated. */
static int unknown_option(const struct cli *cli, struct str name, bool is_long)
{
    const char *dashes = is_long ? "--" : "-", *near = suggest_option(cli, name);
    int size = (int)(name.len < 64 ? name.len : 64);
    if (str_starts(name, STR("password")) || str_starts(name, STR("secret")))
        return cli_usage_error(cli,
                               "there is no option %s%.*s: what stands in arguments can be read by "
                               "every user of this machine; use --password-file FILE, or - for "
                               "standard input, where a command takes one",
                               dashes, size, name.ptr);
    if (near)
        return cli_usage_error(cli, "there is no option %s%.*s; did you mean --%s?", dashes, size,
                               name.ptr, near);
    if (!is_plain_name(name, is_long))
        return cli_usage_error(cli, "there is no option of that name");
    return cli_usage_error(cli, "there is no option %s%.*s", dashes, size, name.ptr);
}

static int add_option(struct cli *cli, const struct cli_option *option, const char *value)
{
    if (cli->given_count == OPTIONS_MAX)
        return cli_usage_error(cli, "too many options");
    if (!option->repeats && (option->value ? cli_value(cli, option->name) != NULL : false))
        return cli_usage_error(cli, "--%s is given twice", option->name);
    cli->given[cli->given_count++] = (struct given){option, value};
    return CLI_OK;
}

/* Takes the option at argv[*at], with its value, and moves on. */
static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
    bool is_long = argv[*at][1] == '-';
    struct str text = str_from(argv[(*at)++] + (is_long ? 2 : 1));
    ptrdiff_t equals = is_long ? str_find(text, '=') : -1;
    struct str name = equals < 0 ? text : str_sub(text, 0, (size_t)equals);
    const struct cli_option *option = find_option(cli, name);
    if (!option || (is_long && name.len == 1) || (!is_long && name.len != 1))
        return unknown_option(cli, name, is_long);
    if (!option->value && equals >= 0)
        return cli_usage_error(cli, "--%s takes no value", option->name);
    if (!option->value)
        return add_option(cli, option, "");
    const char *value = equals < 0 ? (*at < argc ? argv[(*at)++] : NULL) : text.ptr + equals + 1;
    if (!value || !*value)
        return cli_usage_error(cli, "--%s needs a value: --%s %s", option->name, option->name,
                               option->value);
    return add_option(cli, option, value);
}

static int parse(struct cli *cli, int argc, char **argv)
{
    bool options_end = false;
    for (int at = 0; at < argc;) {
        if (!options_end && strcmp(argv[at], "--") == 0) {
            options_end = true;
            at++;
        } else if (!options_end && argv[at][0] == '-' && argv[at][1]) {
            int status = take_option(cli, argc, argv, &at);
            if (status != CLI_OK)
                return status;
        } else if (cli->argument_count == cli->command->max_arguments ||
                   cli->argument_count == ARGUMENTS_MAX) {
            /* It may be a password: it is not repeated, here or below. */
            return cli_usage_error(cli, "does not know what to do with argument %d; it takes: %s",
                                   cli->argument_count + 1,
                                   cli->command->arguments ? cli->command->arguments : "none");
        } else {
            cli->arguments[cli->argument_count++] = argv[at++];
        }
    }
    if (cli->argument_count < cli->command->min_arguments && !cli_flag(cli, "help"))
        return cli_usage_error(cli, "needs more: %s", cli->command->arguments);
    return CLI_OK;
}

const char *cli_argument(const struct cli *cli, int index)
{
    return index < cli->argument_count ? cli->arguments[index] : NULL;
}

const char *cli_value_at(const struct cli *cli, const char *option, size_t index)
{
    for (size_t i = 0; i < cli->given_count; i++)
        if (strcmp(cli->given[i].option->name, option) == 0 && index-- == 0)
            return cli->given[i].value;
    return NULL;
}

const char *cli_value(const struct cli *cli, const char *option)
{
    return cli_value_at(cli, option, 0);
}

bool cli_flag(const struct cli *cli, const char *option)
{
    return cli_value(cli, option) != NULL;
}

/* ---- commands ---- */

static const struct cli_command *find_command(struct str name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (str_eq(str_from(cli_commands[i]->name), name))
            return cli_commands[i];
    return NULL;
}

static const struct cli_command *find_subcommand(const struct cli_command *command, struct str name)
{
    for (const struct cli_command *sub = command->subcommands; sub && sub->name; sub++)
        if (str_eq(str_from(sub->name), name))
            return sub;
    return NULL;
}

static const char *suggest_command(const struct cli_command *parent, struct str name)
{
    for (size_t i = 0; !parent && cli_commands[i]; i++)
        if (suggest_is_near(suggest_distance(str_from(cli_commands[i]->name), name), name))
            return cli_commands[i]->name;
    for (const struct cli_command *sub = parent ? parent->subcommands : NULL; sub && sub->name;
         sub++)
        if (suggest_is_near(suggest_distance(str_from(sub->name), name), name))
            return sub->name;
    return NULL;
}

static int unknown_command(const struct cli *cli, const char *name)
{
    const char *near = suggest_command(cli->command, str_from(name));
    if (near)
        return cli_usage_error(cli, "there is no command \"%.64s\"; did you mean %s?", name, near);
    return cli_usage_error(cli, "there is no command of that name");
}

static void enter(struct cli *cli, const struct cli_command *command)
{
    size_t used = strlen(cli->path);
    snprintf(cli->path + used, sizeof cli->path - used, "%s%s", used ? " " : "", command->name);
    cli->command = command;
}

int cli_find(const char *const *names, int count, const struct cli_command **command_out,
             char path_out[CLI_PATH_SIZE])
{
    struct cli cli = {0};
    for (int i = 0; i < count; i++) {
        const struct cli_command *next = cli.command
                                             ? find_subcommand(cli.command, str_from(names[i]))
                                             : find_command(str_from(names[i]));
        if (!next)
            return unknown_command(&cli, names[i]);
        enter(&cli, next);
    }
    *command_out = cli.command;
    snprintf(path_out, CLI_PATH_SIZE, "%s", cli.path);
    return CLI_OK;
}

static int print_help(const struct cli *cli)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 1024);
    if (cli->command)
        cli_print_command(&text, cli->command, cli->path);
    else
        cli_print_overview(&text);
    return cli_print(&text);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool is_common_option(const char *word)
{
    struct str text = str_from(word), name;
    if (!str_starts(text, STR("-")) || is_help(word))
        return is_help(word);
    return str_starts(text, STR("--")) && str_split(&text, '=', &name) &&
           find_in(cli_common_options, str_sub(name, 2, name.len));
}

/* Enters the command that argv[*at] and the words behind it name, and moves on. What every command
 * takes may stand between them: user --config FILE list. Ends early at --help. */
static int find_words(struct cli *cli, int argc, char **argv, int *at)
{
    while (!cli->command || cli->command->subcommands) {
        const char *word = *at < argc ? argv[*at] : "";
        if (is_common_option(word)) {
            int status = take_option(cli, argc, argv, at);
            if (status != CLI_OK || cli_flag(cli, "help"))
                return status;
            continue;
        }
        if (!cli->command && *at == argc)
            return cli_usage_error(cli, "needs a command");
        if (cli->command && (!word[0] || word[0] == '-'))
            return cli_usage_error(cli, "needs a command: %s", cli->command->arguments);
        /* What people try first. */
        if (!cli->command && strcmp(word, "--version") == 0)
            word = "version";
        const struct cli_command *next = cli->command
                                             ? find_subcommand(cli->command, str_from(word))
                                             : find_command(str_from(word));
        if (!next)
            return unknown_command(cli, word);
        enter(cli, next);
        (*at)++;
    }
    return CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    if (argc == 0) {
        struct strbuf text;
        strbuf_init(&text, NULL, 1024);
        cli_print_overview(&text);
        fprintf(stderr, "%.*s", STR_ARG(strbuf_str(&text)));
        strbuf_fini(&text);
        return CLI_USAGE;
    }
    int at = 0;
    int status = find_words(cli, argc, argv, &at);
    if (status != CLI_OK)
        return status;
    if (!cli->command || cli->command->subcommands)
        return print_help(cli);
    status = parse(cli, argc - at, argv + at);
    if (status != CLI_OK)
        return status;
    return cli_flag(cli, "help") ? print_help(cli) : cli->command->run(cli);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {0};
    int status = run(&cli, argc - 1, argv + 1);
    /* A full disk or a reader that has gone must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout))
        return status == CLI_OK ? cli_fail("cannot write to standard output") : status;
    return status;
}
