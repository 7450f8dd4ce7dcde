/*
 * Whose control data it is, for what reads or changes something beside versions: named caches and
 * their list, the audit, accounts on the shell. What is written as control data passes the gate of the
 * pool anyway.
 *
 * Only what is known to be another installation's is refused. Where Redis or the users database does not
 * tell, nobody is kept from emptying a cache: a Redis that is full has to be emptied, too.
 */
#ifndef API_CONTROL_INSTALLATION_H
#define API_CONTROL_INSTALLATION_H

#include "cachewarden/pipeline.h"

struct app;

/* Adds one command to a pipeline that reads control data; its reply is installation_check's. */
void installation_ask(struct pipeline *pipeline);
/* ERR_UPSTREAM_REFUSED: it is another's, and what was read is not to be shown. */
CW_MUST_CHECK enum err installation_check(struct app *app, const struct value *reply,
                                          struct error *error);

/*
 * Before something is changed: ERR_UPSTREAM_REFUSED as above. *replication_id_out: the Redis this holds for, for
 * pipeline_require; 0: any. Costs nothing while a server has agreed to the control data, else one round
 * trip; `missed` is a replication id that the connection did not lead to, or 0.
 */
CW_MUST_CHECK enum err installation_admit(struct app *app, struct work work, uint64_t missed,
                                          uint64_t *replication_id_out);

#endif
