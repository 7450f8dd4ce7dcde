/* The certificates in use: taken note of at the start, and read anew at SIGHUP. */
#ifndef SERVER_PROCESS_RENEWAL_H
#define SERVER_PROCESS_RENEWAL_H

#include "config/config.h"
#include "http/certificates.h"

enum certificate_owner { OWNER_LISTENERS, OWNER_REDIS };

/* Takes note of those of one owner, who has just begun to use what their files hold. */
void renewal_note(struct certificates_in_use *in_use, enum certificate_owner owner,
                  const struct config *config);

/* SIGHUP: listeners and Redis read their files anew, each for itself. Logs what has changed, and what
 * cannot be used; in its place the old goes on. */
void renewal_run(struct certificates_in_use *in_use, const struct config *config, struct http *http,
                 struct app *app);

#endif
