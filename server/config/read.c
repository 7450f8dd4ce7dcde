/* The libconfig file: its groups walked against the rows of config.def. Beside it only config/include.c
 * knows libconfig. */
#include "config/config_private.h"

#include <libconfig.h>

#include <stdlib.h>

struct reader {
    struct config *config;
    struct config_report *report;
    struct scan_findings findings;
    const char *path;
    const char *
        folder; /* of the file; libconfig takes includes from there and drops it from their names */
    bool direct; /* rows without DIRECT are left alone */
    bool is_default;
};

/* The struct that is being filled, and how its fields are called in messages. */
struct target {
    const struct setting_table *table;
    void *base;
    const char *prefix; /* "" or "caches[0]." */
};

/* `included` is NULL for the file itself. */
static const char *place_of(struct reader *reader, const char *included)
{
    return included ? config_include_place(reader->config, reader->folder, included)
                    : config_place(reader->config, reader->path);
}

static struct config_origin origin_of(struct reader *reader, const config_setting_t *setting)
{
    if (reader->is_default)
        return (struct config_origin){.source = CONFIG_DEFAULT};
    return (struct config_origin){CONFIG_FILE,
                                  place_of(reader, config_setting_source_file(setting)),
                                  config_setting_source_line(setting)};
}

/* ---- one value ---- */

static const char *kind_wanted(const struct setting *row)
{
    switch (row->kind) {
    case KIND_INTEGER:
        return "a whole number";
    case KIND_BOOLEAN:
        return "true or false, without quotes";
    case KIND_TEXTS:
        return "a list of texts: [ \"…\", \"…\" ]";
    case KIND_DATABASE:
        return "a whole number or a URL in quotes";
    case KIND_CACHES:
    case KIND_ISSUERS:
    case KIND_ROUTES:
        return "a list of groups: ( { … }, { … } )";
    default:
        return "a text in quotes";
    }
}

static const char *type_found(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a decimal point";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    case CONFIG_TYPE_STRING:
        return "a text";
    case CONFIG_TYPE_GROUP:
        return "a group";
    default:
        return "a list";
    }
}

static bool is_integer(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_INT ||
           config_setting_type(setting) == CONFIG_TYPE_INT64;
}

static bool is_text(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_STRING;
}

/* The number on this line that libconfig may have read as another one, or NULL. */
static struct scan_finding *find_number(struct reader *reader, const char *file, unsigned line)
{
    for (size_t i = 0; i < reader->findings.count; i++) {
        struct scan_finding *finding = &reader->findings.items[i];
        if (finding->file == place_of(reader, file) && finding->line == line && !finding->used &&
            finding->text[0])
            return finding;
    }
    return NULL;
}

static void read_integer(struct reader *reader, const struct setting *row, void *base,
                         const config_setting_t *setting, const struct config_origin *origin,
                         struct config_name name)
{
    struct scan_finding *finding = find_number(reader, config_setting_source_file(setting),
                                               config_setting_source_line(setting));
    if (finding) {
        finding->used = true;
        config_error(reader->report, origin, name,
                     "must be a whole number from %lld to %lld, not %s%s", (long long)row->min,
                     (long long)row->max, finding->text,
                     finding->has_zero ? "; write it without the 0 before it" : "");
        return;
    }
    int64_t value = config_setting_type(setting) == CONFIG_TYPE_INT
                        ? config_setting_get_int(setting)
                        : config_setting_get_int64(setting);
    value_set_integer(row, base, value, origin, name, reader->report);
}

static bool is_texts(const config_setting_t *setting)
{
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting))
        return is_text(setting);
    for (int i = 0; i < config_setting_length(setting); i++)
        if (!is_text(config_setting_get_elem(setting, (unsigned)i)))
            return false;
    return true;
}

static void read_texts(struct reader *reader, const struct setting *row, void *base,
                       const config_setting_t *setting, const struct config_origin *origin,
                       struct config_name name)
{
    struct config_texts texts = {0};
    int count = is_text(setting) ? 1 : config_setting_length(setting);
    for (int i = 0; i < count; i++) {
        const config_setting_t *item =
            is_text(setting) ? setting : config_setting_get_elem(setting, (unsigned)i);
        struct str text = str_from(config_setting_get_string(item));
        if (!str_is_utf8(text) || str_has_control(text) || text.len == 0)
            config_error(reader->report, origin, name,
                         "must hold texts that are not empty, in UTF-8 without control characters");
        else if (!texts_add(&texts, text))
            config_error(reader->report, origin, name, "cannot be kept: out of memory");
    }
    texts_fini(setting_field(row, base));
    *(struct config_texts *)setting_field(row, base) = texts;
}

static void read_list(struct reader *reader, const struct setting *row, void *base,
                      const config_setting_t *setting, struct config_name name);

static void read_value(struct reader *reader, const struct setting *row, void *base,
                       const config_setting_t *setting, const struct config_origin *origin,
                       struct config_name name)
{
    bool is_list = config_setting_is_list(setting) ||
                   (config_setting_is_array(setting) && config_setting_length(setting) == 0);
    if (row->kind == KIND_INTEGER && is_integer(setting))
        read_integer(reader, row, base, setting, origin, name);
    else if (row->kind == KIND_BOOLEAN && config_setting_type(setting) == CONFIG_TYPE_BOOL)
        value_set_boolean(row, base, config_setting_get_bool(setting));
    else if (row->kind == KIND_TEXTS && is_texts(setting))
        read_texts(reader, row, base, setting, origin, name);
    else if (row->kind == KIND_DATABASE && is_integer(setting))
        read_integer(reader, row, base, setting, origin, name);
    else if (setting_fields(row->kind) && is_list)
        read_list(reader, row, base, setting, name);
    else if (row->kind != KIND_INTEGER && row->kind != KIND_BOOLEAN && row->kind != KIND_TEXTS &&
             !setting_fields(row->kind) && is_text(setting))
        value_set_text(row, base, str_from(config_setting_get_string(setting)), origin, name,
                       reader->report);
    else
        config_error(reader->report, origin, name, "must be %s, not %s", kind_wanted(row),
                     type_found(setting));
}

/* libconfig frees its copies of the texts without wiping them. */
static void wipe_text(const config_setting_t *setting)
{
    if (is_text(setting) && setting->value.sval)
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

static void read_setting(struct reader *reader, const struct target *target,
                         const struct setting *row, const config_setting_t *setting, bool in_file)
{
    if (reader->direct && target->base == reader->config && !(row->flags & DIRECT))
        return;
    struct config_origin origin = origin_of(reader, setting);
    struct config_name name = {target->prefix, row->name};
    if (!in_file)
        read_value(reader, row, target->base, setting, &origin, name);
    else if (member(config_setting_parent(setting), row->name, ""))
        config_error(reader->report, &origin, name,
                     "is given twice: by itself and as %s_file; keep one", row->name);
    else if (is_text(setting))
        value_read_secret(row, target->base, config_setting_get_string(setting), &origin, name,
                          reader->report);
    else
        config_error(reader->report, &origin, name, "needs the name of a file, in quotes");
    if (target->base == reader->config)
        reader->config->origins[row - config_settings.rows] = origin;
}

static void report_unknown(struct reader *reader, const struct target *target,
                           const config_setting_t *setting, struct str full)
{
    struct config_origin origin = origin_of(reader, setting);
    const char *near = setting_suggest(target->table, full);
    char what[128];
    snprintf(what, sizeof what, "%s%.*s", target->prefix, STR_ARG(full));
    if (near)
        config_error(reader->report, &origin, NAMELESS,
                     "there is no setting %s; did you mean %s%s?", what, target->prefix, near);
    else
        config_error(reader->report, &origin, NAMELESS,
                     "there is no setting %s; `cachewarden help settings` lists them", what);
}

#define GROUP_NAME_MAX 96

/* `path` is the dotted name of the group with a final dot, or "" for the outermost one. */
static void read_group(struct reader *reader, const struct target *target,
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
            struct config_origin origin = origin_of(reader, setting);
            config_error(reader->report, &origin, (struct config_name){"", full},
                         "must be a group: %s: { … }", full);
        } else {
            full[name.len] = '.';
            full[name.len + 1] = '\0';
            read_group(reader, target, setting, full);
        }
    }
}

/* ---- lists of groups ---- */

static void set_defaults(const struct target *target, struct config_report *report)
{
    const struct config_origin origin = {.source = CONFIG_DEFAULT};
    for (size_t i = 0; i < target->table->count; i++) {
        const struct setting *row = &target->table->rows[i];
        if (row->default_text)
            value_parse(row, target->base, str_from(row->default_text), &origin,
                        (struct config_name){target->prefix, row->name}, report);
    }
}

static void require_fields(struct reader *reader, const struct target *target,
                           const config_setting_t *group)
{
    struct config_origin origin = origin_of(reader, group);
    for (size_t i = 0; i < target->table->count; i++) {
        const struct setting *row = &target->table->rows[i];
        if (row->flags & MUST && !config_setting_get_member(group, row->name))
            config_error(reader->report, &origin, (struct config_name){target->prefix, row->name},
                         "is missing");
    }
}

static void read_item(struct reader *reader, const struct setting_table *fields, void *item,
                      const char *prefix, const config_setting_t *setting)
{
    struct config_origin origin = origin_of(reader, setting);
    const struct target target = {fields, item, prefix};
    *(struct config_origin *)item = origin; /* every item begins with it */
    set_defaults(&target, reader->report);
    if (!config_setting_is_group(setting)) {
        config_error(reader->report, &origin, NAMELESS, "%.*s must be a group: { … }",
                     (int)(strlen(prefix) - 1), prefix);
        return;
    }
    read_group(reader, &target, setting, "");
    require_fields(reader, &target, setting);
}

static void read_list(struct reader *reader, const struct setting *row, void *base,
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

static void report_number(struct reader *reader, const struct config_origin *origin,
                          const struct scan_finding *finding)
{
    config_error(reader->report, origin, NAMELESS, "the number %s %s", finding->text,
                 finding->has_zero ? "has a 0 before it; write it without" : "is too large");
}

static void report_findings(struct reader *reader)
{
    for (size_t i = 0; i < reader->findings.count; i++) {
        const struct scan_finding *finding = &reader->findings.items[i];
        const struct config_origin origin = {CONFIG_FILE, finding->file, finding->line};
        if (finding->used)
            continue;
        if (finding->text[0])
            report_number(reader, &origin, finding);
        else
            config_error(reader->report, &origin, NAMELESS,
                         "there is a NUL byte; a text cannot hold one");
    }
}

/* The mend for the mistake that is most easily made. */
static const char *syntax_mend(const char *text, int line)
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

static void parse(struct reader *reader, config_t *file, const char *text)
{
    if (config_read_string(file, text) == CONFIG_TRUE) {
        const struct target target = {&config_settings, reader->config, ""};
        read_group(reader, &target, config_root_setting(file), "");
        report_findings(reader);
        return;
    }
    /* Some versions say no more than "syntax error" of a number that cannot be read. */
    const char *included = config_error_file(file);
    struct config_origin origin = {CONFIG_FILE, place_of(reader, included),
                                   (unsigned)config_error_line(file)};
    const struct scan_finding *finding = find_number(reader, included, origin.line);
    if (finding)
        report_number(reader, &origin, finding);
    else
        config_error(reader->report, &origin, NAMELESS, "%s%s", config_error_text(file),
                     included ? "" : syntax_mend(text, config_error_line(file)));
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
    struct reader reader = {.config = config,
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
    struct reader reader = {.config = config, .report = report, .is_default = true};
    struct strbuf text;
    strbuf_init(&text, NULL, 256);
    strbuf_addf(&text, "%s = %s;", row->name, row->default_text);
    strbuf_add_char(&text, '\0');
    config_t file;
    config_init(&file);
    if (!text.failed && config_read_string(&file, text.ptr) == CONFIG_TRUE) {
        struct config_name name = {"", row->name};
        read_list(&reader, row, config, config_setting_get_elem(config_root_setting(&file), 0),
                  name);
    } else {
        config_error(report, NULL, (struct config_name){"", row->name},
                     "has a default that cannot be read: %s",
                     text.failed ? "out of memory" : config_error_text(&file));
    }
    config_destroy(&file);
    strbuf_fini(&text);
}
