/*
 * The settings of the program: read from the command line, the environment, a libconfig file and
 * the defaults of config.def, in that order of strength; checked as a whole, with every problem
 * reported and its place named. A struct config is read-only once it is loaded; whoever reloads
 * loads a second one and compares.
 *
 * libconfig itself stays inside read.c, read_value.c and include.c.
 */
#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include "cachewarden/app.h"
#include "cachewarden/error.h"
#include "cachewarden/gateway.h"
#include "cachewarden/json.h"
#include "cachewarden/redis.h"
#include "http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_DEFAULT_FILE "/etc/cachewarden/cachewarden.conf"

/* ---- the values ---- */

struct config_texts {
    char **items;
    size_t count;
};

/* A database by number, or with a Redis of its own by URL. */
struct config_database {
    bool given;
    int64_t number; /* of a URL too, once it is checked */
    char *url;      /* NULL: by number */
};

/* `items` are structs of the kind the setting says: config_cache, config_issuer, config_route. */
struct config_list {
    void *items;
    size_t count;
};

#define CONFIG_TYPE_TEXT     char *
#define CONFIG_TYPE_SECRET   char *
#define CONFIG_TYPE_SECRETS  struct config_texts
#define CONFIG_TYPE_URL      char *
#define CONFIG_TYPE_INTEGER  int64_t
#define CONFIG_TYPE_BOOLEAN  bool
#define CONFIG_TYPE_CHOICE   int
#define CONFIG_TYPE_TEXTS    struct config_texts
#define CONFIG_TYPE_DATABASE struct config_database
#define CONFIG_TYPE_CACHES   struct config_list
#define CONFIG_TYPE_ISSUERS  struct config_list
#define CONFIG_TYPE_ROUTES   struct config_list

/* What CHOICE fields hold, in the order of their CHOICES. log.level and log.format are as in log.h,
 * log.access as in http/access_log.h. */
enum config_topology { TOPOLOGY_STANDALONE, TOPOLOGY_SENTINEL, TOPOLOGY_CLUSTER };
enum config_registration { REGISTRATION_CLOSED, REGISTRATION_OPEN };
enum config_shared_accounts { SHARED_NONE, SHARED_LOCAL };
enum config_route_scope { ROUTE_USER, ROUTE_PUBLIC };
enum config_flush_permission { FLUSH_ADMIN, FLUSH_AUTHENTICATED };

enum config_layer {
    CONFIG_UNSET,
    CONFIG_DEFAULT,
    CONFIG_FILE,
    CONFIG_ENVIRONMENT,
    CONFIG_COMMAND_LINE
};

/* Where a value came from, so that a complaint can name the place. */
struct config_source {
    enum config_layer layer;
    const char *place; /* the file, the variable or the option; lives as long as the config */
    unsigned line;     /* CONFIG_FILE */
};

struct config_cache {
    struct config_source source;
#define CACHE_FIELD(name, field, kind, ...) CONFIG_TYPE_##kind field;
#include "config/config.def"
#undef CACHE_FIELD
};

struct config_issuer {
    struct config_source source;
#define ISSUER_FIELD(name, field, kind, ...) CONFIG_TYPE_##kind field;
#include "config/config.def"
#undef ISSUER_FIELD
};

struct config_route {
    struct config_source source;
#define ROUTE_FIELD(name, field, kind, ...) CONFIG_TYPE_##kind field;
#include "config/config.def"
#undef ROUTE_FIELD
};

/* Rows of config.def: SETTING_server_threads, …; index of config->sources. */
enum setting_id {
#define SETTING(name, field, ...) SETTING_##field,
#include "config/config.def"
#undef SETTING
    SETTING_COUNT
};

/* Texts are NULL where there is none. */
struct config {
#define SETTING(name, field, kind, ...) CONFIG_TYPE_##kind field;
#include "cachewarden/audit.h"
#include "config/config.def"
#undef SETTING

    /* What is made of the settings above. */
    struct redis_address redis;    /* of redis.url and its parts */
    struct listen_address *listen; /* of server.listen, in its order */
    size_t listen_count;
    struct cidr *proxies; /* of server.trusted_proxies */
    size_t proxy_count;

    char *file; /* the one that was named, or the default one if it is there; or NULL */
    struct config_texts files; /* all that were read: this one, then those of conf.d beside it */
    /* Borrowed. Not NULL: the services are opened with this named cache and no other. */
    const char *only_cache;
    struct config_source sources[SETTING_COUNT];
    struct config_texts places; /* owns what sources name */
    const char *warned_of;      /* the file whose mode was warned of last; one of `places` */
};

/* ---- loading ---- */

enum config_severity { CONFIG_ERROR, CONFIG_WARNING };

struct config_problem {
    enum config_severity severity;
    /* "cachewarden.conf:12: server.threads must be …", without line feed; never a secret */
    char *text;
};

struct config_report {
    struct config_problem *items;
    size_t count, errors, warnings;
};
void config_report_fini(struct config_report *report);
/* "error: …" and "warning: …" lines on standard error. */
void config_report_print(const struct config_report *report);

/* A setting from the command line; these beat everything. */
struct config_override {
    const char *name;   /* dotted */
    const char *value;  /* as it would stand in the environment */
    const char *option; /* what to blame: "--listen" */
};

struct config_input {
    const char
        *file; /* --config FILE, which must exist; NULL: the default one where there is one */
    const char *default_file;       /* NULL: CONFIG_DEFAULT_FILE */
    bool no_default_file;           /* without `file` none is read at all */
    const char *const *environment; /* NAME=value, NULL-terminated: environ */
    const struct config_override *overrides;
    size_t override_count;
    /* only what commands need that work straight on Redis: problems elsewhere are not looked for */
    bool direct;
    /* Files of others (issuers' keys) that cannot be used are errors; else they are warnings, and the
     * issuer's tokens are refused until they can */
    bool is_strict;
};

/*
 * Reads and checks everything. ERR_BAD_INPUT: there are errors, all of them in the report; *config_out is
 * NULL. Warnings are in the report in both cases; config_report_fini is the caller's. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err config_load(const struct config_input *input, struct config **config_out,
                                   struct config_report *report_out);
/* Wipes the secrets. */
void config_free(struct config **config);

/* ---- from settings to the services (config/app.c) ---- */

/*
 * Opens the users database and finds or makes auth.secret, then opens the app; `direct` leaves out
 * both, for commands that work straight on Redis. Connects nothing. ERR_BAD_INPUT,
 * ERR_UPSTREAM_DOWN, ...: error->caller is one line that says what is wrong and what to do. Warnings are added
 * to the report.
 */
CW_MUST_CHECK enum err config_open_app(const struct config *config, bool direct,
                                       struct config_report *report, struct app **app_out,
                                       struct error *error);
/*
 * Looks at what config_open_app would open of this machine's files, the SQLite database and the secret beside
 * it, and makes nothing. Errors as config_open_app.
 */
CW_MUST_CHECK enum err config_check_files(const struct config *config, struct config_report *report,
                                          struct error *error);
/* The path behind "sqlite:", or NULL where the users database is none of SQLite's. */
const char *config_sqlite_path(const struct config *config);
/*
 * The secret that stands in a file beside the SQLite database, DATABASE.secret; makes none. *secret_out is
 * the caller's to wipe and free. ERR_NOT_FOUND: there is no such file yet; others as config_open_app.
 */
CW_MUST_CHECK enum err config_secret_read(const char *database, char **secret_out,
                                          struct config_report *report, struct error *error);
/* The secrets that sign and prove tokens. `current`: that beside the SQLite database, where the settings have none.
 * Borrows from both. */
struct secrets config_secrets(const struct config *config, const char *current);
/*
 * Users and passwords of Redis and of the users database, as `now` has them, where all else of them is as in `start`:
 * else those of `start`. Borrows from both; named caches in the arena. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err config_logins(const struct config *start, const struct config *now,
                                     struct arena *arena, struct app_logins *logins_out);
/* The issuers beside our own, in the arena; texts borrow from the config. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err config_issuer_specs(const struct config *config, struct arena *arena,
                                           const struct issuer_spec **specs_out, size_t *count_out);
/* The routes of the gateway, in the arena; texts borrow from the config. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err config_gateway_options(const struct config *config, struct arena *arena,
                                              struct gateway_options *options_out);
/* How long a request may wait for an upstream of the gateway while nothing moves. */
int64_t config_gateway_silence_ms(const struct config *config);
/* Borrows from the config; listeners, limits and files only, `app` is the caller's to set. */
void config_http_options(const struct config *config, struct http_options *options_out);
/* The pool of control data. Borrows from the config. */
void config_redis_options(const struct config *config, struct redis_options *options_out);
void config_limit_settings(const struct config *config, struct limit_settings *settings_out);
void config_audit_keep(const struct config *config, int64_t keep_out[AUDIT_PARTS]);

/* ---- reloading ---- */

/* Calls fn for each setting whose value is not the same in both. */
void config_compare(const struct config *before, const struct config *after,
                    void (*fn)(const char *name, bool reloadable, void *arg), void *arg);

/* ---- showing (config/print.c) ---- */

/* The commented example file: every setting with its help and default. */
void config_print_example(struct strbuf *out);
/* A page for people, of all settings or of those that begin with `prefix`. False when none does. */
bool config_print_help(struct strbuf *out, const char *prefix);
/* The settings in force with where each came from; secrets as "(set)". */
void config_print_effective(const struct config *config, struct strbuf *out);
/* The same as members of an object that the caller has opened and closes. */
void config_write_effective(const struct config *config, struct json_writer *json);

#endif
