#include "identity/session.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/session.h"
#include "identity/revoke.h"

bool session_read(struct call *call, struct token_claims *claims_out)
{
    struct error ignored = {0};

    return call->session_cookie.len > 0 &&
           token_verify(identity_tokens(call->app->identity), call->arena, call->session_cookie,
                        TOKEN_SESSION, call->now_s, claims_out, &ignored) == ERR_OK;
}

/* Its whole family: who signs in anew has no use for the tokens of the last time. */
static void end_former(struct call *call)
{
    struct token_claims former;
    struct error error = {0};

    if (!session_read(call, &former))
        return;
    const struct revocation revocation = revocation_of_family(call, former.family);
    /* Waiting for a place to hash may have used up the call's budget. */
    call->deadline_ns = clock_deadline_ns(call->app->budget_ms);
    if (revoke_all(call, &revocation, 1, REVOKE_ANYWAY, &error) != ERR_OK)
        log_event(LOG_LEVEL_WARN, "auth.session_end_untold", LOG_INT("user_id", former.user_id),
                  LOG_CSTR("error", err_name(error.code)), LOG_CSTR("detail", error.detail),
                  LOG_STR("request_id", call->request_id));
}

enum err session_begin(struct call *call, const struct user *user, const struct token_pair *pair)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);
    struct reply_session begun = {.change = SESSION_BEGUN};
    struct token_claims claims = {
        .user_id = user->id,
        .subject = user->username,
        .family = pair->family,
        .issued_at_s = pair->issued_at_s,
    };

    enum err err = token_issue_session(tokens, call->arena, call->now_s, &claims, &begun.token);
    if (err == ERR_OK)
        err = session_xsrf(call->arena, claims.id, &begun.xsrf);
    if (err != ERR_OK)
        return error_set_detail(&call->error, err, "a session could not be made");
    end_former(call);
    call->reply.session = begun;
    return ERR_OK;
}

void session_keep(struct call *call)
{
    const struct principal *principal = &call->principal;
    struct reply_session renewed = {.change = SESSION_RENEWED};
    struct token_claims claims = {
        .user_id = principal->user_id,
        .subject = principal->name,
        .id = principal->token_id,
        .family = principal->family,
        .issued_at_s = principal->issued_at_s,
    };

    if (principal->credential != CREDENTIAL_SESSION)
        return;
    const struct tokens *tokens = identity_tokens(call->app->identity);
    if (!token_session_is_stale(tokens, principal->issued_at_s, principal->expires_at_s,
                                call->now_s))
        return;
    /* Without memory the old one goes on, and the next request tries again. */
    if (token_issue_session(tokens, call->arena, call->now_s, &claims, &renewed.token) == ERR_OK)
        call->reply.session = renewed;
}
