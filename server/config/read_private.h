/* What the files share that read a libconfig file. */
#ifndef SERVER_CONFIG_READ_PRIVATE_H
#define SERVER_CONFIG_READ_PRIVATE_H

#include "config/config_private.h"

#include <libconfig.h>

struct config_reader {
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
struct group_target {
    const struct setting_table *table;
    void *base;
    const char *prefix; /* "" or "caches[0]." */
};

/* Where that is, for messages; `included` is NULL for the file itself. */
const char *config_reader_place(struct config_reader *reader, const char *included);

/* ---- read_value.c ---- */

bool config_is_text(const config_setting_t *setting);
/* The number on this line that libconfig may have read as another one, or NULL. */
struct scan_finding *config_find_number(struct config_reader *reader, const char *file,
                                        unsigned line);
/* Sets the field of `base`, or reports what is wrong with the value. */
void config_read_value(struct config_reader *reader, const struct setting *row, void *base,
                       const config_setting_t *setting, const struct config_source *source,
                       struct config_name name);

/* ---- read.c ---- */

/* A list of groups, in place of what the field held. */
void config_read_list(struct config_reader *reader, const struct setting *row, void *base,
                      const config_setting_t *setting, struct config_name name);

#endif
