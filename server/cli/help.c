/* `help`, and the words of every command's --help. */
#include "cli/cli.h"

#include <stdio.h>

/* ---- output ---- */

int cli_print(struct strbuf *text)
{
    int status = text->failed ? cli_fail("out of memory") : CLI_OK;
    if (status == CLI_OK && text->len > 0)
        fwrite(text->ptr, 1, text->len, stdout);
    strbuf_fini(text);
    return status;
}

void cli_pad(struct strbuf *out, struct str text, size_t width)
{
    size_t characters = 0;
    strbuf_add(out, text);
    for (size_t i = 0; i < text.len; i++)
        characters += ((unsigned char)text.ptr[i] & 0xc0) != 0x80; /* continuation bytes of UTF-8 */
    do
        strbuf_add_char(out, ' ');
    while (++characters < width);
}

/* ---- one command ---- */

static void print_option(struct strbuf *out, const struct cli_option *option)
{
    char name[64];
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(name, sizeof name, "  %s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    cli_pad(out, str_from(name), 26);
    strbuf_addf(out, "%s%s\n", option->help, option->repeats ? " (may be given again)" : "");
}

static void print_subcommands(struct strbuf *out, const struct cli_command *command,
                              const char *path)
{
    strbuf_addf(out, "Usage: cachewarden %s COMMAND\n\n%s\n\n", path, command->summary);
    for (const struct cli_command *sub = command->subcommands; sub->name; sub++) {
        char usage[96];
        snprintf(usage, sizeof usage, "  %s %s", sub->name, sub->arguments);
        strbuf_addf(out, "%s\n      %s\n", usage, sub->summary);
    }
}

void cli_print_command(struct strbuf *out, const struct cli_command *command, const char *path)
{
    if (command->subcommands) {
        print_subcommands(out, command, path);
        return;
    }
    strbuf_addf(out, "Usage: cachewarden %s%s%s\n\n%s\n", path, command->arguments[0] ? " " : "",
                command->arguments, command->summary);
    if (command->details)
        strbuf_addf(out, "\n%s\n", command->details);
    strbuf_addf(out, "\nOptions:\n");
    for (const struct cli_option *option = command->options; option && option->name; option++)
        print_option(out, option);
    for (const struct cli_option *option = cli_common_options; option->name; option++)
        print_option(out, option);
}

void cli_print_overview(struct strbuf *out)
{
    strbuf_addf(out, "Usage: cachewarden COMMAND [ARGUMENTS]\n\n"
                     "The service in front of Redis caches.\n\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        strbuf_addf(out, "  ");
        cli_pad(out, str_from(cli_commands[i]->name), 12);
        strbuf_addf(out, "%s\n", cli_commands[i]->summary);
    }
    strbuf_addf(out, "\nOften wanted:\n"
                     "  cachewarden serve --demo            try it out, with a Redis of its own\n"
                     "  cachewarden serve --check-config    what is wrong with the settings\n"
                     "  cachewarden flush messages          empty a cache (--dry-run: only count)\n"
                     "  cachewarden user add NAME --email E --superuser\n"
                     "  cachewarden key create NAME --scope flush\n"
                     "\nMore: cachewarden help COMMAND, cachewarden help settings\n");
}

/* ---- help [COMMAND] ---- */

static int print_settings(const struct cli *cli)
{
    const char *format = cli_value(cli, "format"), *prefix = cli_argument(cli, 1);
    struct strbuf text;
    strbuf_init(&text, NULL, 16384);
    if (!format || strcmp(format, "text") == 0) {
        if (!config_print_help(&text, prefix)) {
            strbuf_fini(&text);
            return cli_usage_error(cli, "there is no setting that begins with \"%.64s\"",
                                   prefix ? prefix : "");
        }
    } else if (strcmp(format, "conf") == 0 && !prefix) {
        config_print_example(&text);
    } else {
        strbuf_fini(&text);
        return cli_usage_error(cli, "--format is text or conf (all settings), not \"%.64s\"",
                               format);
    }
    return cli_print(&text);
}

static int run_help(struct cli *cli)
{
    const char *names[] = {cli_argument(cli, 0), cli_argument(cli, 1)};
    const struct cli_command *command = NULL;
    char path[CLI_PATH_SIZE];
    struct strbuf text;
    if (names[0] && strcmp(names[0], "settings") == 0)
        return print_settings(cli);
    if (cli_flag(cli, "format"))
        return cli_usage_error(cli, "--format goes with: help settings");
    int status = cli_find(names, !names[0] ? 0 : !names[1] ? 1 : 2, &command, path);
    if (status != CLI_OK)
        return status;
    strbuf_init(&text, NULL, 1024);
    if (command)
        cli_print_command(&text, command, path);
    else
        cli_print_overview(&text);
    return cli_print(&text);
}

const struct cli_command cli_help = {
    .name = "help",
    .arguments = "[COMMAND [SUBCOMMAND] | settings [PREFIX]]",
    .summary = "explains a command, or the settings",
    .details =
        "`help settings` lists every setting with its default, its variable and its meaning;\n"
        "`help settings redis.` those of one group; `--format conf` prints a commented\n"
        "configuration file.",
    .options =
        (const struct cli_option[]){{"format", 0, "FORMAT", false, "of settings: text or conf"},
                                    CLI_OPTIONS_END},
    .max_arguments = 2,
    .run = run_help,
};
