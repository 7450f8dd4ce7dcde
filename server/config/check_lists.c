#include "config/config_private.h"

#include <stdio.h>
#include <stdlib.h>

/* The limits for names in paths (PARAM_NAME). */
#define CACHE_NAME_MAX 64

static struct config_name field_name(char buffer[96], const char *list, size_t index,
                                     const char *field)
{
    snprintf(buffer, 96, "%s[%zu].", list, index);
    return (struct config_name){buffer, field};
}

static bool is_cache_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
                    name.ptr[i]))
            return false;
    return name.len > 0 && name.len <= CACHE_NAME_MAX;
}

/* ---- named caches ---- */

static void check_cache_name(const struct config_cache *caches, size_t index,
                             struct config_report *report)
{
    const struct config_cache *cache = &caches[index];
    char buffer[96];
    struct config_name name = field_name(buffer, "caches", index, "name");
    if (!cache->name)
        return; /* reported as missing */
    if (!is_cache_name(str_from(cache->name)))
        config_error(report, &cache->source, name,
                     "must be 1 to %d of a-z A-Z 0-9 . _ -, not \"%.64s\"", CACHE_NAME_MAX,
                     cache->name);
    for (size_t i = 0; i < index; i++)
        if (caches[i].name && strcmp(caches[i].name, cache->name) == 0)
            config_error(report, &cache->source, name,
                         "is \"%s\", like that of caches[%zu]; names must differ", cache->name, i);
}

/* A database by URL: the number is the URL's, and the server too. */
static void check_cache_database(struct config_cache *cache, size_t index,
                                 struct config_report *report)
{
    char buffer[96];
    struct config_name name = field_name(buffer, "caches", index, "database");
    struct redis_address address;
    if (!cache->database.url)
        return;
    if (cache->redis_url)
        config_error(report, &cache->source, name,
                     "is a URL, and redis_url is given too; keep one");
    if (!config_parse_redis(str_from(cache->database.url), &cache->source, name, &address, report))
        return;
    cache->database.number = address.database;
    redis_address_fini(&address);
}

static void check_cache_url(const struct config_cache *cache, size_t index,
                            struct config_report *report)
{
    char buffer[96];
    struct config_name name = field_name(buffer, "caches", index, "redis_url");
    struct redis_address address;
    if (!cache->redis_url ||
        !config_parse_redis(str_from(cache->redis_url), &cache->source, name, &address, report))
        return;
    redis_address_fini(&address);
}

static void check_cache(struct config_cache *caches, size_t index, struct config_report *report)
{
    struct config_cache *cache = &caches[index];
    check_cache_name(caches, index, report);
    int kinds = (cache->keys.count > 0) + cache->database.given + (cache->prefix != NULL);
    if (kinds != 1)
        config_error(report, &cache->source, NAMELESS,
                     "caches[%zu] must have one of keys, database and prefix, not %s", index,
                     kinds == 0 ? "none" : "several");
    check_cache_database(cache, index, report);
    check_cache_url(cache, index, report);
}

/* ---- */

/* Fields that this version reads but cannot honour. */
static void refuse_fields(const struct setting_table *fields, const struct config_list *list,
                          const char *list_name, struct config_report *report)
{
    void *blank = calloc(1, fields->item_size);
    for (size_t i = 0; blank && i < list->count * fields->count; i++) {
        const struct setting *row = &fields->rows[i % fields->count];
        const void *item = (const char *)list->items + i / fields->count * fields->item_size;
        char buffer[96];
        if (row->flags & REFUSED && !value_equal(row, item, blank))
            config_error(report, item, field_name(buffer, list_name, i / fields->count, row->name),
                         "is not available in this version; take it out");
    }
    free(blank);
}

void config_check_lists(struct config *config, const struct config_input *input,
                        struct config_report *report)
{
    for (size_t i = 0; i < config->caches.count; i++)
        check_cache(config->caches.items, i, report);
    refuse_fields(setting_fields(KIND_CACHES), &config->caches, "caches", report);
    if (!input->direct)
        config_check_issuers(config, input->is_strict, report);
}
