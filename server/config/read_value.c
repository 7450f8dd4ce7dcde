/* One value of the libconfig file, taken as its row says. */
#include "config/read_private.h"

static const char *kind_wanted(const struct setting *row)
{
    switch (row->kind) {
    case KIND_INTEGER:
        return "a whole number";
    case KIND_BOOLEAN:
        return "true or false, without quotes";
    case KIND_TEXTS:
    case KIND_SECRETS:
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

/* A choice is named by its words, which tell more than their kind. */
static void refuse_kind(const struct setting *row, const config_setting_t *setting,
                        const struct config_source *source, struct config_name name,
                        struct config_report *report)
{
    struct strbuf words;
    strbuf_init(&words, NULL, 64);
    if (row->kind == KIND_CHOICE)
        setting_describe(row, &words);
    config_error(report, source, name, "must be %.*s%s%s, not %s", STR_ARG(strbuf_str(&words)),
                 row->kind == KIND_CHOICE ? ", in quotes" : "",
                 row->kind == KIND_CHOICE ? "" : kind_wanted(row), type_found(setting));
    strbuf_fini(&words);
}

static bool is_integer(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_INT ||
           config_setting_type(setting) == CONFIG_TYPE_INT64;
}

bool config_is_text(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_STRING;
}

struct scan_finding *config_find_number(struct config_reader *reader, const char *file,
                                        unsigned line)
{
    for (size_t i = 0; i < reader->findings.count; i++) {
        struct scan_finding *finding = &reader->findings.items[i];
        if (finding->file == config_reader_place(reader, file) && finding->line == line &&
            !finding->used && finding->text[0])
            return finding;
    }
    return NULL;
}

static void read_integer(struct config_reader *reader, const struct setting *row, void *base,
                         const config_setting_t *setting, const struct config_source *source,
                         struct config_name name)
{
    struct scan_finding *finding = config_find_number(reader, config_setting_source_file(setting),
                                                      config_setting_source_line(setting));
    if (finding) {
        finding->used = true;
        config_error(reader->report, source, name,
                     "must be a whole number from %lld to %lld, not %s%s", (long long)row->min,
                     (long long)row->max, finding->text,
                     finding->has_zero ? "; write it without the 0 before it" : "");
        return;
    }
    int64_t value = config_setting_type(setting) == CONFIG_TYPE_INT
                        ? config_setting_get_int(setting)
                        : config_setting_get_int64(setting);
    value_set_integer(row, base, value, source, name, reader->report);
}

static bool is_texts(const config_setting_t *setting)
{
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting))
        return config_is_text(setting);
    for (int i = 0; i < config_setting_length(setting); i++)
        if (!config_is_text(config_setting_get_elem(setting, (unsigned)i)))
            return false;
    return true;
}

static void read_texts(struct config_reader *reader, const struct setting *row, void *base,
                       const config_setting_t *setting, const struct config_source *source,
                       struct config_name name)
{
    struct config_texts texts = {0};
    int count = config_is_text(setting) ? 1 : config_setting_length(setting);
    for (int i = 0; i < count; i++) {
        const config_setting_t *item =
            config_is_text(setting) ? setting : config_setting_get_elem(setting, (unsigned)i);
        struct str text = str_from(config_setting_get_string(item));
        if (!str_is_utf8(text) || str_has_control(text) || text.len == 0)
            config_error(reader->report, source, name,
                         "must hold texts that are not empty, in UTF-8 without control characters");
        else if (!texts_add(&texts, text))
            config_error(reader->report, source, name, "cannot be kept: out of memory");
    }
    value_fini(row, base);
    *(struct config_texts *)setting_field(row, base) = texts;
}

void config_read_value(struct config_reader *reader, const struct setting *row, void *base,
                       const config_setting_t *setting, const struct config_source *source,
                       struct config_name name)
{
    bool is_list = config_setting_is_list(setting) ||
                   (config_setting_is_array(setting) && config_setting_length(setting) == 0);
    if (row->kind == KIND_INTEGER && is_integer(setting))
        read_integer(reader, row, base, setting, source, name);
    else if (row->kind == KIND_BOOLEAN && config_setting_type(setting) == CONFIG_TYPE_BOOL)
        value_set_boolean(row, base, config_setting_get_bool(setting));
    else if ((row->kind == KIND_TEXTS || row->kind == KIND_SECRETS) && is_texts(setting))
        read_texts(reader, row, base, setting, source, name);
    else if (row->kind == KIND_DATABASE && is_integer(setting))
        read_integer(reader, row, base, setting, source, name);
    else if (setting_fields(row->kind) && is_list)
        config_read_list(reader, row, base, setting, name);
    else if (row->kind != KIND_INTEGER && row->kind != KIND_BOOLEAN && row->kind != KIND_TEXTS &&
             row->kind != KIND_SECRETS && !setting_fields(row->kind) && config_is_text(setting))
        value_set_text(row, base, str_from(config_setting_get_string(setting)), source, name,
                       reader->report);
    else
        refuse_kind(row, setting, source, name, reader->report);
}
