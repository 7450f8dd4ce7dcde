/*
 * A Redis that is guarded as docs/redis.md says: TLS that asks for a client certificate, and a user
 * with exactly the rights of the ACL line that stands there. With the variable CW_STAND_GUARDED set,
 * every stand plays on one (ctest's http_guarded/…); its tests talk to it over a plain port as the
 * default user, who may do everything.
 */
#ifndef SUPPORT_GUARDED_REDIS_H
#define SUPPORT_GUARDED_REDIS_H

#include "redis_server.h"

#define GUARDED_REDIS_PASSWORD "a-password-for-tests-only"

bool guarded_redis_is_wanted(void);
/* `directory` takes the certificates and the ACL file. */
struct redis_server *guarded_redis_start(const char *directory,
                                         const struct redis_server_options *options);

enum { GUARDED_REDIS_VARIABLES = 4 };
/* Writes "NAME=value" for the program: the address and the files; the caller frees each. */
void guarded_redis_environment(const struct redis_server *redis, const char *directory,
                               char *variables_out[GUARDED_REDIS_VARIABLES]);
/* Ends the test when the user has been refused anything since the start: prints ACL LOG. */
void guarded_redis_expect_no_refusals(const struct redis_server *redis);
/* The line of docs/redis.md behind "ACL SETUSER cachewarden"; the caller frees it. */
char *guarded_redis_rights(void);

#endif
