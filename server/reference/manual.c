#include "reference/manual.h"

#include "config/settings.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- man(7) ---- */

/* Text as it is to be read: hyphens that can be pasted, no escapes, no requests at a line's start. */
static void put(struct strbuf *out, struct str text)
{
    bool at_start = true;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (at_start && (c == '.' || c == '\''))
            strbuf_addf(out, "\\&");
        if (c == '\\')
            strbuf_addf(out, "\\e");
        else if (c == '-')
            strbuf_addf(out, "\\-");
        else if (c == '\'')
            strbuf_addf(out, "\\(aq");
        else
            strbuf_add_char(out, c);
        at_start = c == '\n';
    }
}

static void put_line(struct strbuf *out, const char *text)
{
    put(out, str_from(text));
    strbuf_add_char(out, '\n');
}

static void put_bold(struct strbuf *out, const char *text)
{
    strbuf_addf(out, "\\fB");
    put(out, str_from(text));
    strbuf_addf(out, "\\fR");
}

static void begin_page(struct strbuf *out, const char *name, const char *section,
                       const char *summary)
{
    strbuf_addf(out, ".TH %s %s \"\" \"Cachewarden %s\" \"Cachewarden\"\n.SH NAME\n", name, section,
                CW_VERSION);
    put(out, str_from(name));
    strbuf_addf(out, " \\- %s\n", summary);
}

static void section(struct strbuf *out, const char *name)
{
    strbuf_addf(out, ".SH %s\n", name);
}

/* A term and what it means. */
static void put_term(struct strbuf *out, const char *term, const char *text)
{
    strbuf_addf(out, ".TP\n");
    put_bold(out, term);
    strbuf_add_char(out, '\n');
    put_line(out, text);
}

/* ---- commands ---- */

static void put_option(struct strbuf *out, const struct cli_option *option)
{
    char term[96], letter[8] = "";

    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(term, sizeof term, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    strbuf_addf(out, ".TP\n");
    put_bold(out, term);
    strbuf_add_char(out, '\n');
    put(out, str_from(option->help));
    strbuf_addf(out, "%s\n", option->repeats ? " (may be given again)" : "");
}

static void put_options(struct strbuf *out, const struct cli_option *options)
{
    for (; options && options->name; options++)
        put_option(out, options);
}

static void put_command(struct strbuf *out, const struct cli_command *command, const char *parent)
{
    strbuf_addf(out, ".SS \"");
    put(out, str_from(parent));
    put(out, str_from(command->name));
    strbuf_add_char(out, ' ');
    for (const char *c = command->arguments; *c; c++)
        strbuf_addf(out, *c == '-' ? "\\-" : "%c", *c);
    strbuf_addf(out, "\"\n");
    put(out, str_from(command->summary));
    strbuf_addf(out, ".\n");
    if (command->details) {
        strbuf_addf(out, ".PP\n");
        put_line(out, command->details);
    }
    put_options(out, command->options);
    for (const struct cli_command *sub = command->subcommands; sub && sub->name; sub++) {
        char path[64];
        snprintf(path, sizeof path, "%s%s ", parent, command->name);
        put_command(out, sub, path);
    }
}

void manual_write_commands(const struct cli_program *program, struct strbuf *out)
{
    begin_page(out, "cachewarden", "1", "looks after caches in Redis");
    section(out, "SYNOPSIS");
    strbuf_addf(out, "\\fBcachewarden\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n");
    section(out, "DESCRIPTION");
    strbuf_addf(out, "Cachewarden is the service in front of Redis caches: a user clears their own "
                     "view, an operator\nempties one cache or all, a browser learns that its copy "
                     "is old. The commands do for an operator\nwhat the service does over HTTP, "
                     "with the same settings.\n");
    section(out, "OPTIONS OF EVERY COMMAND");
    put_options(out, program->common_options);
    section(out, "COMMANDS");
    for (size_t i = 0; program->commands[i]; i++)
        put_command(out, program->commands[i], "");
    section(out, "EXIT STATUS");
    put_term(out, "0", "It is done.");
    put_term(out, "1", "It failed; standard error says why.");
    put_term(out, "64", "The command line is wrong.");
    section(out, "FILES");
    put_term(out, CONFIG_DEFAULT_FILE,
             "The settings, where it is there and --config names no other.");
    section(out, "SEE ALSO");
    strbuf_addf(out, ".BR cachewarden.conf (5),\n.BR cachewarden\\-serve (8)\n");
}

void manual_write_server(const struct cli_program *program, struct strbuf *out)
{
    begin_page(out, "cachewarden-serve", "8", "the Cachewarden server");
    section(out, "SYNOPSIS");
    strbuf_addf(out, "\\fBcachewarden serve\\fR ");
    put_line(out, program->serve->arguments);
    section(out, "DESCRIPTION");
    strbuf_addf(out, "Runs in the foreground, logs to standard error, and tells a service manager\n"
                     "that listens (NOTIFY_SOCKET) when it is ready, reloading and stopping.\n");
    section(out, "OPTIONS");
    put_options(out, program->serve->options);
    put_options(out, program->common_options);
    section(out, "SIGNALS");
    put_term(
        out, "SIGTERM, SIGINT",
        "Stop: answers close their connections, requests under way may end. A second one: now.");
    put_term(out, "SIGHUP",
             "Read the settings again, and certificates. A file with mistakes changes nothing; the "
             "log says what is wrong, and which changes need a restart.");
    section(out, "ENDPOINTS");
    strbuf_addf(out, "\\fBcachewarden routes\\fR lists them, \\fBcachewarden routes "
                     "\\-\\-openapi\\fR describes them in full.\n");
    section(out, "EXIT STATUS");
    strbuf_addf(out, "0 after a signal to stop, 1 when it could not start or go on, 64 when the "
                     "command line is wrong.\n");
    section(out, "SEE ALSO");
    strbuf_addf(out, ".BR cachewarden (1),\n.BR cachewarden.conf (5)\n");
}

/* ---- settings ---- */

static void put_fields(struct strbuf *out, const struct setting *row)
{
    const struct setting_table *fields = setting_fields(row->kind);

    if (!fields)
        return;
    strbuf_addf(out, ".RS\n");
    for (size_t i = 0; i < fields->count; i++)
        put_term(out, fields->rows[i].name, fields->rows[i].help);
    strbuf_addf(out, ".RE\n");
}

static void put_setting(struct strbuf *out, const struct setting *row, const struct config *plain)
{
    struct strbuf words;

    strbuf_init(&words, NULL, 256);
    strbuf_addf(out, ".TP\n");
    put_bold(out, row->name);
    strbuf_add_char(out, '\n');
    put_line(out, row->help);
    strbuf_addf(out, ".br\n");
    setting_explain(row, &words);
    strbuf_addf(&words, "; default ");
    value_print(&words, row, plain);
    put(out, strbuf_str(&words));
    strbuf_addf(out, ".\n");
    out->failed = out->failed || words.failed;
    strbuf_fini(&words);
    put_fields(out, row);
}

void manual_write_settings(struct strbuf *out)
{
    struct config *plain = calloc(1, sizeof *plain);
    struct config_report report = {0};

    if (!plain) {
        out->failed = true;
        return;
    }
    config_set_defaults(plain, &report);
    begin_page(out, "cachewarden.conf", "5", "settings of Cachewarden");
    section(out, "DESCRIPTION");
    strbuf_addf(out,
                "A libconfig file. The dots in the names below are groups:\n.PP\n.EX\nlog: {\n"
                "  level = \"warn\";\n};\n.EE\n.PP\nThe command line beats the environment, the "
                "environment beats the file, and the file beats the\ndefaults. An unknown "
                "name, a wrong type or a number out of range is an error;\n\\fBcachewarden "
                "serve \\-\\-check\\-config\\fR tells all of them.\n");
    section(out, "SETTINGS");
    for (size_t i = 0; i < SETTING_COUNT; i++)
        put_setting(out, &config_settings.rows[i], plain);
    section(out, "FILES");
    put_term(out, CONFIG_DEFAULT_FILE, "Where it is looked for.");
    section(out, "SEE ALSO");
    strbuf_addf(out, ".BR cachewarden (1),\n.BR cachewarden\\-serve (8)\n");
    config_free(&plain);
    config_report_fini(&report);
}
