#include "config/config_private.h"

#include <stdio.h>
#include <stdlib.h>

const char *config_place(struct config *config, const char *text)
{
    for (size_t i = 0; i < config->places.count; i++)
        if (strcmp(config->places.items[i], text) == 0)
            return config->places.items[i];
    return texts_add(&config->places, str_from(text))
               ? config->places.items[config->places.count - 1]
               : "";
}

/* ---- defaults ---- */

void config_set_defaults(struct config *config, struct config_report *report)
{
    const struct config_source source = {.layer = CONFIG_DEFAULT};
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        if (!row->default_text)
            continue;
        if (setting_fields(row->kind))
            config_read_default_list(config, row, report);
        else
            value_parse(row, config, str_from(row->default_text), &source,
                        (struct config_name){"", row->name}, report);
        config->sources[i] = source;
    }
}

/* ---- the environment ---- */

/* The value of a variable that is there and not empty, else NULL. */
static const char *variable(const struct config_input *input, const char *name, const char *suffix)
{
    size_t name_size = strlen(name), suffix_size = strlen(suffix);
    for (const char *const *item = input->environment; item && *item; item++)
        if (strncmp(*item, name, name_size) == 0 &&
            strncmp(*item + name_size, suffix, suffix_size) == 0 &&
            (*item)[name_size + suffix_size] == '=') {
            const char *value = *item + name_size + suffix_size + 1;
            return *value ? value : NULL;
        }
    return NULL;
}

/* Kubernetes sets REDIS_PORT=tcp://10.0.0.1:6379 in every pod beside a Service named redis. */
static bool is_service_link_value(const struct setting *row, const char *value)
{
    return row->kind == KIND_INTEGER && str_starts(str_from(value), STR("tcp://"));
}

/* Somebody has said where Redis is, so that nothing is guessed where the port is not known. */
static bool is_redis_given(const struct config *config, const struct config_input *input)
{
    return variable(input, "REDIS_URL", "") || variable(input, "REDIS_URL", "_FILE") ||
           config->sources[SETTING_redis_url].layer > CONFIG_DEFAULT ||
           config->sources[SETTING_redis_port].layer > CONFIG_DEFAULT;
}

static void load_variable(struct config *config, const struct config_input *input,
                          const struct setting *row, struct config_report *report)
{
    const char *value = variable(input, row->environment, "");
    const char *file = setting_is_secret(row) ? variable(input, row->environment, "_FILE") : NULL;
    if (!value && !file)
        return;
    char name[80];
    snprintf(name, sizeof name, "%s%s", row->environment, file ? "_FILE" : "");
    struct config_source source = {.layer = CONFIG_ENVIRONMENT,
                                   .place = config_place(config, name)};
    struct config_name setting = {"", row->name};
    if (is_service_link_value(row, value) && is_redis_given(config, input)) {
        config_warning(report, &source, setting,
                       "is not used: Kubernetes sets this variable for a Service of that name, and "
                       "Redis is named elsewhere; enableServiceLinks: false stops it");
        return;
    }
    if (value && file)
        config_error(report, &source, setting, "is given twice: by %s and by %s; keep one",
                     row->environment, name);
    else if (file)
        value_read_secret(row, config, file, &source, setting, report);
    else
        value_parse(row, config, str_from(value), &source, setting, report);
    config->sources[row - config_settings.rows] = source;
}

static bool is_variable_of(const struct setting *row, struct str name)
{
    struct str base = str_from(row->environment);
    if (setting_is_secret(row) && str_starts(name, base) &&
        str_eq(str_sub(name, base.len, name.len), STR("_FILE")))
        return true;
    return str_eq(name, base);
}

/* Kubernetes sets variables of these forms for a Service named cachewarden. */
static bool is_service_link(struct str name)
{
    return str_starts(name, STR("CACHEWARDEN_SERVICE_")) ||
           str_starts(name, STR("CACHEWARDEN_PORT"));
}

/* A misspelt variable would be ignored in silence, as the environment is full of what is none of
 * our business. */
static void warn_unknown_variables(struct config *config, const struct config_input *input,
                                   struct config_report *report)
{
    for (const char *const *item = input->environment; item && *item; item++) {
        struct str name = {*item, strcspn(*item, "=")};
        bool known = !str_starts(name, STR("CACHEWARDEN_")) || is_service_link(name);
        for (size_t i = 0; i < SETTING_COUNT && !known; i++)
            known = config_settings.rows[i].environment &&
                    is_variable_of(&config_settings.rows[i], name);
        if (known)
            continue;
        char text[128];
        snprintf(text, sizeof text, "%.*s", STR_ARG(name));
        const struct config_source source = {.layer = CONFIG_ENVIRONMENT,
                                             .place = config_place(config, text)};
        const char *near = setting_suggest_variable(name);
        if (near)
            config_warning(report, &source, NAMELESS,
                           "no setting is read from this variable; did you mean %s?", near);
        else
            config_warning(report, &source, NAMELESS, "no setting is read from this variable");
    }
}

static void load_environment(struct config *config, const struct config_input *input,
                             struct config_report *report)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        if (row->environment && (!input->direct || row->flags & DIRECT))
            load_variable(config, input, row, report);
    }
    warn_unknown_variables(config, input, report);
}

/* ---- the command line ---- */

static void load_overrides(struct config *config, const struct config_input *input,
                           struct config_report *report)
{
    for (size_t i = 0; i < input->override_count; i++) {
        const struct config_override *override = &input->overrides[i];
        const struct setting *row = setting_find(&config_settings, str_from(override->name));
        struct config_source source = {.layer = CONFIG_COMMAND_LINE,
                                       .place = config_place(config, override->option)};
        if (!row) {
            config_error(report, &source, NAMELESS, "there is no setting %s", override->name);
            continue;
        }
        value_parse(row, config, str_from(override->value), &source,
                    (struct config_name){"", row->name}, report);
        config->sources[row - config_settings.rows] = source;
    }
}

/* ---- all of it ---- */

enum err config_load(const struct config_input *input, struct config **config_out,
                     struct config_report *report_out)
{
    *config_out = NULL;
    *report_out = (struct config_report){0};
    struct config *config = calloc(1, sizeof *config);
    if (!config)
        return ERR_NO_MEMORY;
    config_set_defaults(config, report_out);
    config_merge_redis(config, CONFIG_DEFAULT, report_out);
    config_load_files(config, input, report_out);
    config_merge_redis(config, CONFIG_FILE, report_out);
    load_environment(config, input, report_out);
    config_merge_redis(config, CONFIG_ENVIRONMENT, report_out);
    load_overrides(config, input, report_out);
    config_merge_redis(config, CONFIG_COMMAND_LINE, report_out);
    config_check(config, input, report_out);
    if (report_out->errors > 0) {
        config_free(&config);
        return ERR_BAD_INPUT;
    }
    *config_out = config;
    return ERR_OK;
}

void config_free(struct config **config)
{
    struct config *old = *config;
    *config = NULL;
    if (!old)
        return;
    values_fini(&config_settings, old);
    redis_address_fini(&old->redis);
    for (size_t i = 0; i < old->listen_count; i++)
        free((char *)(uintptr_t)old->listen[i].host);
    free(old->listen);
    free(old->proxies);
    texts_fini(&old->places);
    texts_fini(&old->files);
    free(old->file);
    free(old);
}

void config_compare(const struct config *before, const struct config *after,
                    void (*fn)(const char *name, bool reloadable, void *arg), void *arg)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings.rows[i];
        bool is_login = row->flags & LOGIN && value_equal_but_login(row, before, after);
        if (!value_equal(row, before, after))
            fn(row->name, row->flags & RELOAD || is_login, arg);
    }
}
