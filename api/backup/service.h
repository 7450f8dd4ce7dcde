/* The life of backups, and what other folders ask of them. */
#ifndef API_BACKUP_SERVICE_H
#define API_BACKUP_SERVICE_H

#include "cachewarden/app.h"
#include "cachewarden/json.h"
#include "cachewarden/work.h"

/* Of options: backup, node_name, tokens.secret. `app` is borrowed, and complete when a backup is made. Not without
 * users. */
CW_MUST_CHECK enum err backups_open(struct app *app, const struct app_options *options,
                                    struct backups **backups_out, struct error *error);
/* Makes backups at the ticks of the schedule from here on, if there is one. */
CW_MUST_CHECK enum err backups_watch(struct backups *backups, struct error *error);
/* archive_key_set_secrets; what is known of archives is looked at anew. `backups` may be NULL. */
CW_MUST_CHECK enum err backups_set_secrets(struct backups *backups, const struct secrets *secrets,
                                           struct error *error);
/* Ends what is under way. */
void backups_close(struct backups **backups);

/* For GET /metrics. */
void backups_write_metrics(struct backups *backups, struct strbuf *out);
/* For GET /health of an admin: a member `backups`. */
void backups_write_health(struct backups *backups, struct work work, struct json_writer *json);

#endif
