/* The libconfig file: its groups walked against the rows of config.def. Beside it only read_value.c and
 * include.c know libconfig. */
#include "config/read_private.h"

#include <stdlib.h>

const char *config_reader_place(struct config_reader *reader, const char *included)
{
    return included ? config_include_place(reader->config, reader->folder, included)
                    : config_place(reader->config, reader->path);
}

static struct config_source source_of(struct config_reader *reader, const config_setting_t *setting)
{
    if (reader->is_default)
        return (struct config_source){.layer = CONFIG_DEFAULT};
    return (struct config_source){CONFIG_FILE,
                                  config_reader_place(reader, config_setting_source_file(setting)),
                                  config_setting_source_line(setting)};
}

/* libconfig frees its copies of the texts without wiping them. */
static void wipe_text(const config_setting_t *setting)
{
    bool is_list = config_setting_is_array(setting) || config_setting_is_list(setting);
    for (int i = 0; is_list && i < config_setting_length(setting); i++)
        wipe_text(config_setting_get_elem(setting, (unsigned)i));
    if (config_is_text(setting) && setting->value.sval)
        secret_wipe(setting->value.sval, strlen(setting->value.sval));
}

/* ---- groups ---- */

static const config_setting_t *member(const config_setting_t *group, const char *name,
                                      const char *suffix)
{
    char full[80];
    const char *dot = strrchr(name, '.');
    snprintf(full, sizeof full, "%s%s", dot ? dot + 1 : name, suffix);
    return config_setting_get_member(group, full);
}

/* A password, or a URL that has one. */
static bool is_secret_text(const struct setting *row, const config_setting_t *setting)
{
    const char *text = config_is_text(setting) ? config_setting_get_string(setting) : NULL;
    bool is_url = row->kind == KIND_URL || row->kind == KIND_DATABASE;

    if (row->kind == KIND_SECRETS)
        return text || config_setting_length(setting) > 0;
    return text && text[0] && (row->kind == KIND_SECRET || (is_url && strchr(text, '@')));
}

/* A file that everybody may read is fine until it holds a secret; one warning each. */
static void warn_of_mode(struct config_reader *reader, const struct setting *row,
                         const config_setting_t *setting, const struct config_source *source,
                         struct config_name name)
{
    struct config *config = reader->config;

    if (reader->is_default || !is_secret_text(row, setting) || source->place == config->warned_of ||
        !config_is_open_file(source->place))
        return;
    config->warned_of = source->place;
    if (setting_is_secret(row))
        config_warning(reader->report, source, name,
                       "stands in a file that everybody may read: chmod 640 it, or use %s%s_file",
                       name.prefix, name.name);
    else
        config_warning(reader->report, source, name,
                       "stands in a file that everybody may read: chmod 640 it");
}

static void read_setting(struct config_reader *reader, const struct group_target *target,
                         const struct setting *row, const config_setting_t *setting, bool in_file)
{
    if (reader->direct && target->base == reader->config && !(row->flags & DIRECT))
        return;
    struct config_source source = source_of(reader, setting);
    struct config_name name = {target->prefix, row->name};
    if (!in_file)
        warn_of_mode(reader, row, setting, &source, name);
    if (!in_file)
        config_read_value(reader, row, target->base, setting, &source, name);
    else if (member(config_setting_parent(setting), row->name, ""))
        config_error(reader->report, &source, name,
                     "is given twice: by itself and as %s_file; keep one", row->name);
    else if (config_is_text(setting))
        value_read_secret(row, target->base, config_setting_get_string(setting), &source, name,
                          reader->report);
    else
        config_error(reader->report, &source, name, "needs the name of a file, in quotes");
    if (target->base == reader->config)
        reader->config->sources[row - config_settings.rows] = source;
}

static void report_unknown(struct config_reader *reader, const struct group_target *target,
                           const config_setting_t *setting, struct str full)
{
    struct config_source source = source_of(reader, setting);
    const char *near = setting_suggest(target->table, full);
    char what[128];
    snprintf(what, sizeof what, "%s%.*s", target->prefix, STR_ARG(full));
    if (near)
        config_error(reader->report, &source, NAMELESS,
                     "there is no setting %s; did you mean %s%s?", what, target->prefix, near);
    else
        config_error(reader->report, &source, NAMELESS,
                     "there is no setting %s; `cachewarden help settings` lists them", what);
}

#define GROUP_NAME_MAX 96

/* `path` is the dotted name of the group with a final dot, or "" for the outermost one. */
static void read_group(struct config_reader *reader, const struct group_target *target,
                       const config_setting_t *group, const char *path)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        char full[GROUP_NAME_MAX];
        int size = snprintf(full, sizeof full - 1, "%s%s", path, config_setting_name(setting));
        struct str name = {full, (size_t)size < sizeof full - 1 ? (size_t)size : sizeof full - 2};
        const struct setting *row = setting_find(target->table, name);
        const struct setting *secret = row ? NULL : setting_find_secret_file(target->table, name);
        if (row || secret) {
            read_setting(reader, target, row ? row : secret, setting, !row);
            if (row && setting_is_secret(row))
                wipe_text(setting);
        } else if (!setting_is_group(target->table, name)) {
            report_unknown(reader, target, setting, name);
        } else if (!config_setting_is_group(setting)) {
            struct config_source source = source_of(reader, setting);
            config_error(reader->report, &source, (struct config_name){"", full},
                         "must be a group: %s: { … }", full);
        } else {
            full[name.len] = '.';
            full[name.len + 1] = '\0';
            read_group(reader, target, setting, full);
        }
    }
}

/* ---- lists of groups ---- */

static void set_defaults(const struct group_target *target, struct config_report *report)
{
    const struct config_source source = {.layer = CONFIG_DEFAULT};
    for (size_t i = 0; i < target->table->count; i++) {
        const struct setting *row = &target->table->rows[i];
        if (row->default_text)
            value_parse(row, target->base, str_from(row->default_text), &source,
                        (struct config_name){target->prefix, row->name}, report);
    }
}

static bool is_empty_list(const config_setting_t *setting)
{
    return config_setting_is_aggregate(setting) && config_setting_length(setting) == 0;
}

static void require_fields(struct config_reader *reader, const struct group_target *target,
                           const config_setting_t *group)
{
    struct config_source source = source_of(reader, group);
    for (size_t i = 0; i < target->table->count; i++) {
        const struct setting *row = &target->table->rows[i];
        const config_setting_t *setting = config_setting_get_member(group, row->name);
        if (row->flags & MUST && (!setting || is_empty_list(setting)))
            config_error(reader->report, &source, (struct config_name){target->prefix, row->name},
                         setting ? "must not be empty" : "is missing");
    }
}

static void read_item(struct config_reader *reader, const struct setting_table *fields, void *item,
                      const char *prefix, const config_setting_t *setting)
{
    struct config_source source = source_of(reader, setting);
    const struct group_target target = {fields, item, prefix};
    *(struct config_source *)item = source; /* every item begins with it */
    set_defaults(&target, reader->report);
    if (!config_setting_is_group(setting)) {
        config_error(reader->report, &source, NAMELESS, "%.*s must be a group: { … }",
                     (int)(strlen(prefix) - 1), prefix);
        return;
    }
    read_group(reader, &target, setting, "");
    require_fields(reader, &target, setting);
}

void config_read_list(struct config_reader *reader, const struct setting *row, void *base,
                      const config_setting_t *setting, struct config_name name)
{
    const struct setting_table *fields = setting_fields(row->kind);
    size_t count = (size_t)config_setting_length(setting);
    struct config_list *list = setting_field(row, base);
    value_fini(row, base);
    list->items = count ? calloc(count, fields->item_size) : NULL;
    if (count && !list->items) {
        config_error(reader->report, NULL, name, "cannot be kept: out of memory");
        return;
    }
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        char prefix[GROUP_NAME_MAX];
        snprintf(prefix, sizeof prefix, "%s%s[%zu].", name.prefix, name.name, i);
        read_item(reader, fields, (char *)list->items + i * fields->item_size, prefix,
                  config_setting_get_elem(setting, (unsigned)i));
    }
}

/* ---- the whole file ---- */

static void report_number(struct config_reader *reader, const struct config_source *source,
                          const struct scan_finding *finding)
{
    config_error(reader->report, source, NAMELESS, "the number %s %s", finding->text,
                 finding->has_zero ? "has a 0 before it; write it without" : "is too large");
}

static void report_findings(struct config_reader *reader)
{
    for (size_t i = 0; i < reader->findings.count; i++) {
        const struct scan_finding *finding = &reader->findings.items[i];
        const struct config_source source = {CONFIG_FILE, finding->file, finding->line};
        if (finding->used)
            continue;
        if (finding->text[0])
            report_number(reader, &source, finding);
        else
            config_error(reader->report, &source, NAMELESS,
                         "there is a NUL byte; a text cannot hold one");
    }
}

/* What to do about the mistake that is most easily made. */
static const char *syntax_fix(const char *text, int line)
{
    for (int at = 1; at < line && text; at++)
        text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    if (!text)
        return "";
    text += strspn(text, " \t");
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    return name > 0 && text[name] == '.'
               ? "; names have no dots here: write group: { name = value; }"
               : "";
}

static void parse(struct config_reader *reader, config_t *file, const char *text)
{
    if (config_read_string(file, text) == CONFIG_TRUE) {
        const struct group_target target = {&config_settings, reader->config, ""};
        read_group(reader, &target, config_root_setting(file), "");
        report_findings(reader);
        return;
    }
    if (strcmp(config_error_text(file), "duplicate setting name") == 0 &&
        config_scan_report_twice(&reader->findings, reader->report))
        return;
    /* Some versions say no more than "syntax error" of a number that cannot be read. */
    const char *included = config_error_file(file);
    struct config_source source = {CONFIG_FILE, config_reader_place(reader, included),
                                   (unsigned)config_error_line(file)};
    const struct scan_finding *finding = config_find_number(reader, included, source.line);
    if (finding)
        report_number(reader, &source, finding);
    else
        config_error(reader->report, &source, NAMELESS, "%s%s", config_error_text(file),
                     included ? "" : syntax_fix(text, config_error_line(file)));
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

void config_read_text(struct config *config, struct str text, const char *path, bool direct,
                      struct config_report *report)
{
    char *folder = folder_of(path);
    struct config_reader reader = {.config = config,
                                   .report = report,
                                   .path = path,
                                   .folder = folder ? folder : ".",
                                   .direct = direct};
    config_t file;
    config_init(&file);
    config_set_include_dir(&file, reader.folder);
    if (config_scan_all(config, text, path, reader.folder, &reader.findings, report))
        parse(&reader, &file, text.ptr);
    config_scan_fini(&reader.findings);
    config_destroy(&file);
    free(folder);
}

void config_read_default_list(struct config *config, const struct setting *row,
                              struct config_report *report)
{
    struct config_reader reader = {.config = config, .report = report, .is_default = true};
    struct strbuf text;
    strbuf_init(&text, NULL, 256);
    strbuf_addf(&text, "%s = %s;", row->name, row->default_text);
    strbuf_add_char(&text, '\0');
    config_t file;
    config_init(&file);
    if (!text.failed && config_read_string(&file, text.ptr) == CONFIG_TRUE) {
        struct config_name name = {"", row->name};
        config_read_list(&reader, row, config,
                         config_setting_get_elem(config_root_setting(&file), 0), name);
    } else {
        config_error(report, NULL, (struct config_name){"", row->name},
                     "has a default that cannot be read: %s",
                     text.failed ? "out of memory" : config_error_text(&file));
    }
    config_destroy(&file);
    strbuf_fini(&text);
}
