/* What the files of `doctor` share: the findings, and the patients. One thread; all in one arena. */
#ifndef SERVER_CLI_DOCTOR_H
#define SERVER_CLI_DOCTOR_H

#include "config/config.h"

#include "cachewarden/arena.h"

#include <stddef.h>

enum doctor_verdict {
    DOCTOR_OK,
    DOCTOR_UNKNOWN, /* cannot tell, or was not looked at */
    DOCTOR_WARNING, /* works, and will not always */
    DOCTOR_FAILURE  /* exit status 1 */
};

struct doctor_finding {
    const char *check; /* "redis eviction": the same word for the same check, for scripts */
    enum doctor_verdict verdict;
    struct str text; /* never a secret */
    const char *fix; /* what to do, or NULL */
};

enum { DOCTOR_FINDINGS_MAX = 256 };

struct doctor {
    struct arena *arena;
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t count; /* of findings; more than there is room for are counted and not kept */
    size_t failures;
    bool knows_all; /* all settings are good, not only those of Redis */
};

/* Adds a finding; check and fix have to last. */
void doctor_say(struct doctor *doctor, enum doctor_verdict verdict, const char *check,
                const char *fix, const char *format, ...) CW_PRINTF(5, 6);

/*
 * Asks the Redis of the control data, and those of the named caches; nothing stays written. All of it is over in
 * about ten seconds, whatever they answer (doctor_redis.c).
 */
void doctor_check_redis(struct doctor *doctor, const struct config *config);
/* Whether the user of Redis may do what is needed with the default settings (doctor_rights.c). */
struct redis;
void doctor_check_rights(struct doctor *doctor, const struct config *config, struct redis *redis,
                         int64_t deadline_ns);
/* Whose the control data is, whether a key can be written beside it, and whether other issuers have keys for us
 * (doctor_others.c). */
void doctor_check_installation(struct doctor *doctor, const struct config *config,
                               struct redis *redis, int64_t deadline_ns);
void doctor_check_issuers(struct doctor *doctor, const struct config *config);
/* What the server that runs here says of its stores, and "development" under systemd (doctor_server.c). */
void doctor_check_server(struct doctor *doctor, const struct config *config);
/* The routes of the gateway: whether their upstreams can be connected to, until when their certificates are good, and
 * settings that make a route useless (doctor_gateway.c). All of it is over in about ten seconds. */
void doctor_check_gateway(struct doctor *doctor, const struct config *config);
/* Secret, modes of files, certificates, room on disk (doctor_files.c). */
void doctor_check_files(struct doctor *doctor, const struct config *config);

/* Whether a backup can be made, and whether a good one is overdue (doctor_backups.c). */
void doctor_check_backups(struct doctor *doctor, const struct config *config);

#endif
