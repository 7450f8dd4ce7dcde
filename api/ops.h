/*
 * The operations behind the rows of routes.def, one a row. Each reads typed parameters, asks a
 * service, writes its answer into call->reply and returns an error code; permission, parameters
 * and status codes are other people's business.
 */
#ifndef API_OPS_H
#define API_OPS_H

#include "cachewarden/call.h"

/* control/ops.c */
enum err op_cache_status(struct call *call);
enum err op_cache_enable(struct call *call);
enum err op_cache_disable(struct call *call);
enum err op_cache_clear(struct call *call);
enum err op_cache_check(struct call *call);
enum err op_admin_clear(struct call *call);

/* caches/ops.c */
enum err op_messages_flush(struct call *call);
enum err op_search_clear(struct call *call);
enum err op_caches_list(struct call *call);
enum err op_caches_flush(struct call *call);

/* audit/ops.c */
enum err op_audit_list(struct call *call);

/* identity/ops.c */
enum err op_auth_register(struct call *call);
enum err op_auth_login(struct call *call);
enum err op_auth_me(struct call *call);

/* identity/ops_subjects.c */
enum err op_subjects_find(struct call *call);

/* identity/ops_token.c */
enum err op_auth_refresh(struct call *call);
enum err op_token_obtain(struct call *call);
enum err op_token_refresh(struct call *call);
enum err op_token_verify(struct call *call);

/* identity/ops_session.c */
enum err op_auth_logout(struct call *call);
enum err op_auth_password(struct call *call);

/* health/ops.c */
enum err op_health(struct call *call);
enum err op_health_live(struct call *call);
enum err op_health_ready(struct call *call);
enum err op_redis_test(struct call *call);

/* health/ops_edge.c */
enum err op_metrics(struct call *call);
enum err op_schema(struct call *call);

#endif
