/*
 * What the files of the configuration share: values by row, and the
 * collecting of problems. One thread loads a configuration; nothing here takes locks.
 */
#ifndef SERVER_CONFIG_CONFIG_PRIVATE_H
#define SERVER_CONFIG_CONFIG_PRIVATE_H

#include "config/settings.h"

/* ---- problems (config/report.c) ---- */

/* A name in messages: `prefix` is "" or that of a list item, "caches[0]." */
struct config_name {
    const char *prefix;
    const char *name;
};

/* Each adds "place: NAME what"; the name is left out when it is NULL. Never quote a secret. */
void config_error(struct config_report *report, const struct config_source *source,
                  struct config_name name, const char *format, ...) CW_PRINTF(4, 5);
void config_warning(struct config_report *report, const struct config_source *source,
                    struct config_name name, const char *format, ...) CW_PRINTF(4, 5);
#define NAMELESS ((struct config_name){NULL, NULL})

/* ---- values by row (config/value.c); `base` is the struct the row's offset is for ---- */

static inline void *setting_field(const struct setting *row, void *base)
{
    return (char *)base + row->offset;
}
static inline const void *setting_field_const(const struct setting *row, const void *base)
{
    return (const char *)base + row->offset;
}

/*
 * Each sets the field, in place of what it held, or reports an error and leaves it as it was.
 * Texts are copied. An empty text is "none" where the row has no default, else an error.
 */
void value_set_text(const struct setting *row, void *base, struct str text,
                    const struct config_source *source, struct config_name name,
                    struct config_report *report);
void value_set_integer(const struct setting *row, void *base, int64_t integer,
                       const struct config_source *source, struct config_name name,
                       struct config_report *report);
void value_set_boolean(const struct setting *row, void *base, bool boolean);
/* From words as they stand in the environment: numbers, true and false, comma lists. */
void value_parse(const struct setting *row, void *base, struct str text,
                 const struct config_source *source, struct config_name name,
                 struct config_report *report);
/* Reads the file a secret is in; reports what is wrong with it. */
void value_read_secret(const struct setting *row, void *base, const char *path,
                       const struct config_source *source, struct config_name name,
                       struct config_report *report);
/* One more text at the end of a list. False when memory is out. */
bool texts_add(struct config_texts *texts, struct str text);
void texts_fini(struct config_texts *texts);

bool value_equal(const struct setting *row, const void *a, const void *b);
/* The same, whatever user and password URLs have before their '@'. */
bool value_equal_but_login(const struct setting *row, const void *a, const void *b);
void value_fini(const struct setting *row, void *base);
void values_fini(const struct setting_table *table, void *base);

/* ---- the file (config/read.c) ---- */

/* Reads `text`, NUL-terminated, as a libconfig file into the config. `path` is for messages and the
 * folder of includes. */
void config_read_text(struct config *config, struct str text, const char *path, bool direct,
                      struct config_report *report);
/* Reads the default of a list of groups, which is libconfig text. */
void config_read_default_list(struct config *config, const struct setting *row,
                              struct config_report *report);

/* ---- which files there are (config/files.c) ---- */

/* Reads them all, the later ones over the earlier. */
void config_load_files(struct config *config, const struct config_input *input,
                       struct config_report *report);
/* The whole file, NUL-terminated, cut at a megabyte; the caller wipes and frees it. NULL with errno. */
char *config_file_text(const char *path, size_t *size_out);
/* Whether everybody may read it. */
bool config_is_open_file(const char *path);
/* What to do about the errno of a path that could not be read: "; run this as root or …", or "". */
const char *config_read_fix(const char *path, int why);

/* ---- what libconfig does not tell (config/scan.c, config/include.c) ---- */

/* libconfig 1.5 takes integers modulo 2^32 without a word, so we look at the text ourselves. */
struct scan_finding {
    const char *file; /* a config_place */
    unsigned line;
    bool used;
    char text[40]; /* the number as written, cut; "" for a NUL escape or byte */
    bool has_zero; /* before its other digits; otherwise it is too large */
};
struct scan_include {
    const char *file; /* that has the line, a config_place */
    unsigned line;
    char *path; /* as written */
    size_t scope;
};
/* A name that is given a value, and the group it stands in. */
struct scan_name {
    const char *file; /* a config_place */
    unsigned line;
    size_t scope; /* index of `scopes` */
    char *name;
    bool is_group;
};
struct scan_findings {
    struct scan_finding *items;
    size_t count;
    struct scan_include *includes;
    size_t include_count;
    struct scan_name *names;
    size_t name_count;
    char **scopes; /* the dotted name of each group with a final dot; of the outermost "" */
    size_t scope_count;
};
/* `scope`: of the group that the text stands in. */
void config_scan(struct str text, const char *file, size_t scope, struct scan_findings *findings);
/* The scope of a file that is not included. */
size_t config_scan_outermost(struct scan_findings *findings);
/* Reports names that stand twice in one group, with both places; false: there is none. */
bool config_scan_report_twice(const struct scan_findings *findings, struct config_report *report);
/* The same for the text of the file `path` and all that it includes. False: one of those cannot be read,
 * which is reported. */
bool config_scan_all(struct config *config, struct str text, const char *path, const char *folder,
                     struct scan_findings *findings, struct config_report *report);
void config_scan_fini(struct scan_findings *findings);
/* Where libconfig finds what a file in `folder` includes: a config_place. `included` is as it was written,
 * or as libconfig names it afterwards. */
const char *config_include_place(struct config *config, const char *folder, const char *included);

/* ---- putting it together (config/load.c, config/redis.c, config/check.c) ---- */

/* Copies a place's name so that sources may point to it. */
const char *config_place(struct config *config, const char *text);
/* Takes what `layer` said about redis.url and its parts into config->redis. */
void config_merge_redis(struct config *config, enum config_layer layer,
                        struct config_report *report);
/* Whether the text is a Redis URL; reports what is wrong with it. The address is the caller's to
 * finish. */
bool config_parse_redis(struct str url, const struct config_source *source, struct config_name name,
                        struct redis_address *address_out, struct config_report *report);
/* The files for TLS, if any Redis is reached over it; hands them to config->redis. After the lists. */
void config_check_redis_tls(struct config *config, struct config_report *report);
/* Whether any Redis is reached over TLS: that of the control data, or a named cache's own. */
bool config_uses_redis_tls(const struct config *config);
/* "host:port" with IPv6 in brackets; false unless it is one. The host is a fresh text, without
 * brackets. */
bool config_parse_endpoint(struct str text, int64_t min_port, char **host_out, int *port_out);
/* Listeners, proxies, hosts, origins, TLS files (config/check_server.c). */
void config_check_server(struct config *config, struct config_report *report);
/* Named caches, issuers (config/check_lists.c). */
void config_check_lists(struct config *config, const struct config_input *input,
                        struct config_report *report);
/* Other issuers of tokens, with the files they name (config/issuers.c). */
void config_check_issuers(const struct config *config, bool is_strict,
                          struct config_report *report);
/* What redis.topology needs; after the address of Redis, which it may replace (config/check_topology.c). */
void config_check_topology(struct config *config, struct config_report *report);
/* The routes of the gateway; after the server's listeners (config/gateway.c). */
void config_check_gateway(struct config *config, struct config_report *report);
/* All hosts that are to be looked up, of whatever setting (check_names.c). */
void config_check_names(const struct config *config, struct config_report *report);
/* What needs more than one setting, or more than its form; fills what is made of the settings. */
void config_check(struct config *config, const struct config_input *input,
                  struct config_report *report);

/* ---- the secret made at the first start (config/secret.c) ---- */

/* Whether it is there, readable or not. */
bool config_secret_exists(const char *database);
/*
 * The secret in DATABASE.secret, made (mode 0600) when there is none. Processes that start at once agree
 * on one. *secret_out is the caller's to wipe and free. ERR_BAD_INPUT: too short; ERR_UPSTREAM_DOWN:
 * cannot be read or made.
 */
CW_MUST_CHECK enum err config_secret_open(const char *database, char **secret_out,
                                          struct config_report *report, struct error *error);

#endif
