/* The settings as rows of config.def: for who reads, prints or explains them. */
#ifndef SERVER_CONFIG_SETTINGS_H
#define SERVER_CONFIG_SETTINGS_H

#include "config/config.h"

enum setting_kind {
    KIND_TEXT,
    KIND_SECRET,
    KIND_SECRETS, /* a list of texts */
    KIND_URL,
    KIND_INTEGER,
    KIND_BOOLEAN,
    KIND_CHOICE,
    KIND_TEXTS,
    KIND_DATABASE,
    KIND_CACHES, /* the kinds from here on are lists of groups */
    KIND_ISSUERS,
    KIND_ROUTES
};

enum setting_flag {
    RELOAD = 1u << 0,
    DIRECT = 1u << 1,
    LATER = 1u << 2,
    REFUSED = 1u << 3,
    MUST = 1u << 4,
    LOGIN = 1u << 5
};

struct setting {
    const char *name;
    enum setting_kind kind;
    size_t offset; /* of the field in its struct */
    const char *default_text;
    int64_t min, max;
    const char *choices;
    const char *environment;
    unsigned flags;
    const char *help;
};

/* The rows of one struct: of struct config, or of the items of a list. */
struct setting_table {
    const struct setting *rows;
    size_t count;
    size_t item_size;
};
extern const struct setting_table config_settings;
/* The fields of the groups in a list of that kind; NULL for other kinds. */
const struct setting_table *setting_fields(enum setting_kind kind);

/* NULL when there is none. */
const struct setting *setting_find(const struct setting_table *table, struct str name);
/* The row whose `_file` variant it is ("auth.secret_file" is that of auth.secret), or NULL. */
const struct setting *setting_find_secret_file(const struct setting_table *table, struct str name);
/* Whether some row's name begins with `group` and a dot. */
bool setting_is_group(const struct setting_table *table, struct str group);
/* The name nearest to a wrong one, or NULL when none is near. */
const char *setting_suggest(const struct setting_table *table, struct str name);
/* The same among environment variables. */
const char *setting_suggest_variable(struct str name);
static inline bool setting_is_secret(const struct setting *row)
{
    return row->kind == KIND_SECRET || row->kind == KIND_SECRETS || row->kind == KIND_URL;
}
/* "whole number, 1 to 4096": for help. */
void setting_describe(const struct setting *row, struct strbuf *out);
/* The same, then where it can come from and when a change counts. */
void setting_explain(const struct setting *row, struct strbuf *out);

/* Gives every field the default of its row. */
void config_set_defaults(struct config *config, struct config_report *report);
/* As it would stand in the file; of secrets only that they are set, of URLs no credentials. */
void value_print(struct strbuf *out, const struct setting *row, const void *base);

#endif
