/* The settings explained: the example file, and the pages of `cachewarden help settings`. */
#include "config/config_private.h"

#include <stdlib.h>

#define WIDTH 98

/* ---- wrapped words ---- */

/* Every line begins with `indent` blanks and `mark`. */
static void print_wrapped(struct strbuf *out, int indent, const char *mark, struct str text)
{
    size_t column = WIDTH + 1;
    size_t start = (size_t)indent + strlen(mark);
    struct str word;
    while (str_split(&text, ' ', &word)) {
        if (column + 1 + word.len > WIDTH) {
            strbuf_addf(out, "%s%*s%s", column > WIDTH ? "" : "\n", indent, "", mark);
            column = start;
        } else {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add(out, word);
        column += word.len;
    }
    strbuf_add_char(out, '\n');
}

void setting_explain(const struct setting *row, struct strbuf *out)
{
    setting_describe(row, out);
    if (row->environment && setting_is_secret(row))
        strbuf_addf(out, "; variable %s, or %s_FILE for a file it is in (here: %s_file)",
                    row->environment, row->environment, strrchr(row->name, '.') + 1);
    else if (row->environment)
        strbuf_addf(out, "; variable %s", row->environment);
    if (row->flags & RELOAD)
        strbuf_addf(out, "; SIGHUP applies a change");
    if (row->flags & LOGIN)
        strbuf_addf(out, "; SIGHUP applies another user and password");
    if (row->flags & LATER)
        strbuf_addf(out, "; has no effect in this version");
    if (row->flags & REFUSED)
        strbuf_addf(out, "; not available in this version");
}

static void print_words(struct strbuf *out, int indent, const char *mark, const struct setting *row)
{
    struct strbuf words;
    strbuf_init(&words, NULL, 128);
    print_wrapped(out, indent, mark, str_from(row->help));
    setting_explain(row, &words);
    print_wrapped(out, indent, mark, strbuf_str(&words));
    strbuf_fini(&words);
}

/* The fields of a list of groups, one a line. */
static void print_fields(struct strbuf *out, int indent, const char *mark,
                         const struct setting *list)
{
    const struct setting_table *fields = setting_fields(list->kind);
    for (size_t i = 0; fields && i < fields->count; i++) {
        const struct setting *row = &fields->rows[i];
        struct strbuf words;
        strbuf_init(&words, NULL, 128);
        setting_describe(row, &words);
        strbuf_addf(&words, "; %s%s%s", row->help, row->flags & MUST ? " (required)" : "",
                    row->flags & REFUSED ? " (not available in this version)" : "");
        if (row->default_text)
            strbuf_addf(&words, " (default %s)", row->default_text);
        strbuf_addf(out, "%*s%s  %-24s %.*s\n", indent, "", mark, row->name,
                    STR_ARG(strbuf_str(&words)));
        strbuf_fini(&words);
    }
}

/* ---- the example file ---- */

/* How many leading bytes of `name` are groups that both names are in, dots included. */
static size_t shared_groups(struct str a, struct str b)
{
    size_t shared = 0;
    for (size_t i = 0; i < a.len && i < b.len && a.ptr[i] == b.ptr[i]; i++)
        if (a.ptr[i] == '.')
            shared = i + 1;
    return shared;
}

static int count_dots(struct str text)
{
    int dots = 0;
    for (size_t i = 0; i < text.len; i++)
        dots += text.ptr[i] == '.';
    return dots;
}

static void close_groups(struct strbuf *out, int from, int to)
{
    for (; from > to; from--)
        strbuf_addf(out, "%*s};\n", 2 * (from - 1), "");
}

/* `groups` is what is still to open, with a dot behind each: "tls." */
static void open_groups(struct strbuf *out, struct str groups, int depth)
{
    struct str group;
    while (str_split(&groups, '.', &group) && group.len > 0) {
        strbuf_addf(out, "%*s%.*s:\n%*s{\n", 2 * depth, "", STR_ARG(group), 2 * depth, "");
        depth++;
    }
}

/* Commented out: a default that a later version betters should reach those who never chose one. */
static void print_example_value(struct strbuf *out, const struct setting *row,
                                const struct config *plain, int depth)
{
    const char *dot = strrchr(row->name, '.');
    strbuf_addf(out, "%*s#%s = ", 2 * depth, "", dot ? dot + 1 : row->name);
    value_print(out, row, plain);
    strbuf_addf(out, ";\n");
}

void config_print_example(struct strbuf *out)
{
    struct config *plain = calloc(1, sizeof *plain);
    struct config_report report = {0};
    struct str last = STR_NONE;
    if (!plain) {
        out->failed = true;
        return;
    }
    config_set_defaults(plain, &report);
    strbuf_addf(
        out, "# Configuration of Cachewarden: every setting with its default, commented out.\n"
             "# Printed by `cachewarden help settings --format conf`; check yours with\n"
             "# `cachewarden serve --check-config --config FILE`.\n#\n"
             "# The command line beats the environment, the environment beats this file, and this\n"
             "# file beats the defaults. An empty variable counts as not given. @include \"FILE\"\n"
             "# takes FILE from the folder of this file.\n");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        struct str name = str_from(row->name);
        size_t shared = shared_groups(last, name);
        int depth = count_dots(str_sub(name, 0, shared));
        close_groups(out, count_dots(last), depth);
        strbuf_add_char(out, '\n');
        open_groups(
            out,
            str_sub(
                name, shared,
                (size_t)(strrchr(row->name, '.') ? strrchr(row->name, '.') + 1 - row->name : 0) -
                    shared),
            depth);
        depth = count_dots(name);
        print_words(out, 2 * depth, "# ", row);
        print_fields(out, 2 * depth, "# ", row);
        print_example_value(out, row, plain, depth);
        last = name;
    }
    close_groups(out, count_dots(last), 0);
    config_free(&plain);
    config_report_fini(&report);
}

/* ---- help ---- */

bool config_print_help(struct strbuf *out, const char *prefix)
{
    struct config *plain = calloc(1, sizeof *plain);
    struct config_report report = {0};
    bool found = false;
    if (!plain)
        return false;
    config_set_defaults(plain, &report);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        if (prefix && !str_starts(str_from(row->name), str_from(prefix)))
            continue;
        found = true;
        strbuf_addf(out, "%s = ", row->name);
        value_print(out, row, plain);
        strbuf_add_char(out, '\n');
        print_words(out, 4, "", row);
        print_fields(out, 4, "", row);
    }
    config_free(&plain);
    config_report_fini(&report);
    return found;
}
