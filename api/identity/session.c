#include "identity/session.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/session.h"
#include "cachewarden/xsrf.h"
#include "identity/revoke.h"

bool session_read(struct call *call, struct token_claims *claims_out)
{
    struct error ignored = {0};

    return call->session_cookie.len > 0 &&
           token_verify(identity_tokens(call->app->identity),
                        (struct work){.arena = call->arena, .error = &ignored},
                        call->session_cookie, TOKEN_SESSION, call->now_s, claims_out) == ERR_OK;
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

static enum err begin(struct call *call, const struct user *user, struct str family,
                      int64_t issued_at_s, struct reply_session *begun_out)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);
    struct token_claims claims = {
        .user_id = user->id,
        .subject = user->username,
        .family = family,
        .incarnation = user->incarnation,
        .issued_at_s = issued_at_s,
    };

    *begun_out = (struct reply_session){.change = SESSION_BEGUN};
    enum err err =
        token_issue_session(tokens, call->arena, call->now_s, &claims, &begun_out->token);
    if (err == ERR_OK)
        err = xsrf_of_session(call->arena, claims.id, &begun_out->xsrf);
    return err == ERR_OK ? err : error_set_detail(&call->error, err, "a session could not be made");
}

enum err session_begin(struct call *call, const struct user *user, const struct token_pair *pair)
{
    struct reply_session begun;

    enum err err = begin(call, user, pair->family, pair->issued_at_s, &begun);
    if (err != ERR_OK)
        return err;
    end_former(call);
    call->reply.session = begun;
    return ERR_OK;
}

static enum err begin_alone(struct call *call, const struct user *user,
                            struct reply_session *begun_out)
{
    struct str family = sign_in_new_family(call->arena);

    if (!family.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a session");
    return begin(call, user, family, sign_in_issue_time_s(call, user), begun_out);
}

enum err session_begin_alone(struct call *call, const struct user *user)
{
    struct reply_session begun;

    enum err err = begin_alone(call, user, &begun);
    if (err != ERR_OK)
        return err;
    tally_add(call->app->tallies, TALLY_SIGN_INS);
    end_former(call);
    call->reply.session = begun;
    return ERR_OK;
}

void session_replace(struct call *call)
{
    struct reply_session begun;
    struct token_claims former;
    struct user user;

    if (!session_read(call, &former))
        return;
    enum err err =
        users_find_by_id(call->app->users, call->arena, former.user_id, &user, &call->error);
    if (err == ERR_OK)
        err = begin_alone(call, &user, &begun);
    if (err == ERR_OK) {
        call->reply.session = begun;
        return;
    }
    log_event(LOG_LEVEL_WARN, "auth.session_not_replaced", LOG_INT("user_id", former.user_id),
              LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", call->error.detail),
              LOG_STR("request_id", call->request_id));
    error_clear(&call->error);
    call->reply.session = (struct reply_session){.change = SESSION_ENDED};
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
        .incarnation = principal->incarnation,
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
