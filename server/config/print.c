/* Values in words, and what is in force. */
#include "config/config_private.h"

#include <stdlib.h>

/* ---- values, as they would stand in the file ---- */

static void print_quoted(struct strbuf *out, struct str text)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, text.ptr[i]);
    }
    strbuf_add_char(out, '"');
}

/* What of a URL may be seen: all but user, password and query, wherever a stray '@' puts them. */
static void redact(struct strbuf *out, struct str url)
{
    size_t query = 0, host = 0;
    while (query < url.len && url.ptr[query] != '?')
        query++;
    for (size_t i = 0; i < query; i++)
        if (url.ptr[i] == '@')
            host = i + 1;
    ptrdiff_t colon = str_find(url, ':');
    if (host > 0 && colon > 0 && str_starts(str_sub(url, (size_t)colon, 3), STR("://")))
        strbuf_addf(out, "%.*s://***@", (int)colon, url.ptr);
    else if (host > 0 && !str_starts(url, STR("sqlite:")))
        strbuf_addf(out, "***@");
    else
        host = 0;
    strbuf_add(out, str_sub(url, host, query - host));
    if (query < url.len)
        strbuf_addf(out, "?***");
}

static struct str choice_at(const struct setting *row, int index)
{
    struct str choices = str_from(row->choices), choice = STR_NONE;
    for (int i = 0; i <= index && str_split(&choices, '|', &choice); i++)
        continue;
    return choice;
}

/* The text of a field that holds one: what may be seen of it. In a buffer the caller finishes. */
static void show_text(struct strbuf *out, const struct setting *row, const void *base)
{
    const char *text = row->kind == KIND_DATABASE
                           ? ((const struct config_database *)setting_field_const(row, base))->url
                           : *(char *const *)setting_field_const(row, base);
    if (row->kind == KIND_SECRET)
        strbuf_addf(out, "%s", text ? "(set)" : "");
    else if (row->kind == KIND_URL || row->kind == KIND_DATABASE)
        redact(out, str_from(text));
    else
        strbuf_add(out, str_from(text));
}

/* What is empty, or off, is not told, unless it is on by itself. */
static bool is_left_out(const struct setting *row, const void *item, const void *blank)
{
    return value_equal(row, item, blank) &&
           !(row->kind == KIND_BOOLEAN && str_eq(str_from(row->default_text), STR("true")));
}

static void print_list(struct strbuf *out, const struct setting *row,
                       const struct config_list *list)
{
    const struct setting_table *fields = setting_fields(row->kind);
    strbuf_addf(out, "(");
    for (size_t i = 0; i < list->count; i++) {
        const char *item = (const char *)list->items + i * fields->item_size;
        void *blank = calloc(1, fields->item_size);
        strbuf_addf(out, "%s {", i ? "," : "");
        for (size_t j = 0; blank && j < fields->count; j++) {
            if (is_left_out(&fields->rows[j], item, blank))
                continue;
            strbuf_addf(out, " %s = ", fields->rows[j].name);
            value_print(out, &fields->rows[j], item);
            strbuf_add_char(out, ';');
        }
        free(blank);
        strbuf_addf(out, " }");
    }
    strbuf_addf(out, " )");
}

/* What may be seen of one of a list. */
static struct str shown_item(const struct setting *row, const char *item)
{
    return row->kind == KIND_SECRETS ? STR("(set)") : str_from(item);
}

static void print_texts(struct strbuf *out, const struct setting *row,
                        const struct config_texts *texts)
{
    strbuf_addf(out, "[");
    for (size_t i = 0; i < texts->count; i++) {
        strbuf_addf(out, "%s ", i ? "," : "");
        print_quoted(out, shown_item(row, texts->items[i]));
    }
    strbuf_addf(out, " ]");
}

void value_print(struct strbuf *out, const struct setting *row, const void *base)
{
    const void *field = setting_field_const(row, base);
    if (row->kind == KIND_INTEGER) {
        strbuf_add_int64(out, *(const int64_t *)field);
    } else if (row->kind == KIND_BOOLEAN) {
        strbuf_addf(out, "%s", *(const bool *)field ? "true" : "false");
    } else if (row->kind == KIND_CHOICE) {
        print_quoted(out, choice_at(row, *(const int *)field));
    } else if (row->kind == KIND_TEXTS || row->kind == KIND_SECRETS) {
        print_texts(out, row, field);
    } else if (setting_fields(row->kind)) {
        print_list(out, row, field);
    } else if (row->kind == KIND_DATABASE && !((const struct config_database *)field)->url) {
        strbuf_add_int64(out, ((const struct config_database *)field)->number);
    } else {
        struct strbuf text;
        strbuf_init(&text, NULL, 64);
        show_text(&text, row, base);
        print_quoted(out, strbuf_str(&text));
        strbuf_fini(&text);
    }
}

/* ---- what is in force ---- */

static void describe_source(const struct config_source *source, struct strbuf *out)
{
    switch (source->layer) {
    case CONFIG_FILE:
        strbuf_addf(out, "%s:%u", source->place, source->line);
        break;
    case CONFIG_ENVIRONMENT:
    case CONFIG_COMMAND_LINE:
        strbuf_addf(out, "%s", source->place);
        break;
    case CONFIG_UNSET:
    case CONFIG_DEFAULT:
        strbuf_addf(out, "default");
        break;
    }
}

void config_print_effective(const struct config *config, struct strbuf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        strbuf_addf(out, "%s = ", config_settings.rows[i].name);
        value_print(out, &config_settings.rows[i], config);
        strbuf_addf(out, "  # ");
        describe_source(&config->sources[i], out);
        strbuf_add_char(out, '\n');
    }
    char address[256];
    redis_address_describe(&config->redis, address, sizeof address);
    strbuf_addf(out, "# Redis is at %s\n", address);
}

static void write_value(struct json_writer *json, const struct setting *row, const void *base);

static void write_list(struct json_writer *json, const struct setting *row,
                       const struct config_list *list)
{
    const struct setting_table *fields = setting_fields(row->kind);
    json_open_array(json);
    for (size_t i = 0; i < list->count; i++) {
        json_open_object(json);
        for (size_t j = 0; j < fields->count; j++) {
            json_name(json, fields->rows[j].name);
            write_value(json, &fields->rows[j], (const char *)list->items + i * fields->item_size);
        }
        json_close_object(json);
    }
    json_close_array(json);
}

static void write_texts(struct json_writer *json, const struct setting *row,
                        const struct config_texts *texts)
{
    json_open_array(json);
    for (size_t i = 0; i < texts->count; i++)
        json_write_string(json, shown_item(row, texts->items[i]));
    json_close_array(json);
}

/* A text that is not there is null. */
static void write_text(struct json_writer *json, const struct setting *row, const void *base)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 64);
    show_text(&text, row, base);
    if (text.len > 0)
        json_write_string(json, strbuf_str(&text));
    else
        json_write_null(json);
    strbuf_fini(&text);
}

static void write_database(struct json_writer *json, const struct setting *row, const void *base)
{
    const struct config_database *database = setting_field_const(row, base);
    if (database->given && !database->url)
        json_write_integer(json, database->number);
    else
        write_text(json, row, base);
}

static void write_value(struct json_writer *json, const struct setting *row, const void *base)
{
    const void *field = setting_field_const(row, base);
    if (row->kind == KIND_INTEGER)
        json_write_integer(json, *(const int64_t *)field);
    else if (row->kind == KIND_BOOLEAN)
        json_write_bool(json, *(const bool *)field);
    else if (row->kind == KIND_CHOICE)
        json_write_string(json, choice_at(row, *(const int *)field));
    else if (row->kind == KIND_TEXTS || row->kind == KIND_SECRETS)
        write_texts(json, row, field);
    else if (row->kind == KIND_DATABASE)
        write_database(json, row, base);
    else if (setting_fields(row->kind))
        write_list(json, row, field);
    else
        write_text(json, row, base);
}

void config_write_effective(const struct config *config, struct json_writer *json)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct strbuf source;
        strbuf_init(&source, NULL, 64);
        describe_source(&config->sources[i], &source);
        json_name(json, config_settings.rows[i].name);
        json_open_object(json);
        json_name(json, "value");
        write_value(json, &config_settings.rows[i], config);
        json_add_string(json, "from", strbuf_str(&source));
        json_close_object(json);
        strbuf_fini(&source);
    }
}
