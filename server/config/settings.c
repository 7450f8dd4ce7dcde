#include "config/config_private.h"
#include "config/suggest.h"

#define ANY              .min = 0
#define RANGE(low, high) .min = (low), .max = (high)
#define CHOICES(names)   .choices = (names)

static const struct setting rows[] = {
#define SETTING(name_, field_, kind_, default_, bounds_, environment_, flags_, help_) \
    {.name = (name_),                                                                 \
     .kind = KIND_##kind_,                                                            \
     .offset = offsetof(struct config, field_),                                       \
     .default_text = (default_),                                                      \
     .environment = (environment_),                                                   \
     .flags = (flags_),                                                               \
     .help = (help_),                                                                 \
     bounds_},
#include "config/config.def"
#undef SETTING
};

/* The bounds come last, because they have commas of their own. */
#define FIELD_ROW(offset_, name_, kind_, default_, flags_, help_, ...) \
    {.name = (name_),                                                  \
     .kind = KIND_##kind_,                                             \
     .offset = (offset_),                                              \
     .default_text = (default_),                                       \
     .flags = (flags_),                                                \
     .help = (help_),                                                  \
     __VA_ARGS__},

static const struct setting cache_rows[] = {
#define CACHE_FIELD(name_, field_, kind_, default_, bounds_, flags_, help_) \
    FIELD_ROW(offsetof(struct config_cache, field_), name_, kind_, default_, flags_, help_, bounds_)
#include "config/config.def"
#undef CACHE_FIELD
};
static const struct setting issuer_rows[] = {
#define ISSUER_FIELD(name_, field_, kind_, default_, bounds_, flags_, help_)                 \
    FIELD_ROW(offsetof(struct config_issuer, field_), name_, kind_, default_, flags_, help_, \
              bounds_)
#include "config/config.def"
#undef ISSUER_FIELD
};
static const struct setting route_rows[] = {
#define ROUTE_FIELD(name_, field_, kind_, default_, bounds_, flags_, help_) \
    FIELD_ROW(offsetof(struct config_route, field_), name_, kind_, default_, flags_, help_, bounds_)
#include "config/config.def"
#undef ROUTE_FIELD
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

const struct setting_table config_settings = {rows, COUNT(rows), sizeof(struct config)};
static const struct setting_table cache_fields = {cache_rows, COUNT(cache_rows),
                                                  sizeof(struct config_cache)};
static const struct setting_table issuer_fields = {issuer_rows, COUNT(issuer_rows),
                                                   sizeof(struct config_issuer)};
static const struct setting_table route_fields = {route_rows, COUNT(route_rows),
                                                  sizeof(struct config_route)};

const struct setting_table *setting_fields(enum setting_kind kind)
{
    switch (kind) {
    case KIND_CACHES:
        return &cache_fields;
    case KIND_ISSUERS:
        return &issuer_fields;
    case KIND_ROUTES:
        return &route_fields;
    default:
        return NULL;
    }
}

const struct setting *setting_find(const struct setting_table *table, struct str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (str_eq(str_from(table->rows[i].name), name))
            return &table->rows[i];
    return NULL;
}

const struct setting *setting_find_secret_file(const struct setting_table *table, struct str name)
{
    const struct str suffix = STR("_file");
    if (!str_ends(name, suffix))
        return NULL;
    const struct setting *row = setting_find(table, str_sub(name, 0, name.len - suffix.len));
    return row && setting_is_secret(row) ? row : NULL;
}

bool setting_is_group(const struct setting_table *table, struct str group)
{
    for (size_t i = 0; i < table->count; i++) {
        struct str name = str_from(table->rows[i].name);
        if (name.len > group.len && name.ptr[group.len] == '.' && str_starts(name, group))
            return true;
    }
    return false;
}

/* ---- the nearest name ---- */

static struct str last_part(struct str name)
{
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '.')
            return str_sub(name, i, name.len);
    return name;
}

const char *setting_suggest(const struct setting_table *table, struct str name)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < table->count; i++) {
        struct str known = str_from(table->rows[i].name);
        size_t whole = suggest_distance(known, name);
        /* The right name in the wrong group, or in none. */
        size_t tail = suggest_distance(last_part(known), last_part(name));
        size_t far = suggest_is_near(whole, name) ? whole : tail == 0 ? name.len : SIZE_MAX;
        if (far < best_distance) {
            best_distance = far;
            best = table->rows[i].name;
        }
    }
    return best;
}

const char *setting_suggest_variable(struct str name)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t far =
            rows[i].environment ? suggest_distance(str_from(rows[i].environment), name) : SIZE_MAX;
        if (suggest_is_near(far, name) && far < best_distance) {
            best_distance = far;
            best = rows[i].environment;
        }
    }
    return best;
}

/* ---- words for a row ---- */

static void describe_choices(struct str choices, struct strbuf *out)
{
    struct str choice;
    for (bool first = true; str_split(&choices, '|', &choice); first = false)
        strbuf_addf(out, "%s%.*s", first ? "" : " or ", STR_ARG(choice));
}

void setting_describe(const struct setting *row, struct strbuf *out)
{
    static const char *const words[] = {
        [KIND_TEXT] = "text",
        [KIND_SECRET] = "secret text",
        [KIND_SECRETS] = "list of secret texts",
        [KIND_URL] = "URL",
        [KIND_BOOLEAN] = "true or false",
        [KIND_TEXTS] = "list of texts",
        [KIND_CACHES] = "list of groups",
        [KIND_ISSUERS] = "list of groups",
        [KIND_ROUTES] = "list of groups",
    };
    if (row->kind == KIND_INTEGER)
        strbuf_addf(out, "%lld to %lld", (long long)row->min, (long long)row->max);
    else if (row->kind == KIND_DATABASE)
        strbuf_addf(out, "%lld to %lld, or a URL", (long long)row->min, (long long)row->max);
    else if (row->kind == KIND_CHOICE)
        describe_choices(str_from(row->choices), out);
    else
        strbuf_addf(out, "%s", words[row->kind]);
}
