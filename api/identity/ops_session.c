/* Ending sessions: logging out, here or everywhere, and a new password, which ends the others. */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "cachewarden/log.h"
#include "identity/revoke.h"
#include "identity/session.h"
#include "keyspace.h"
#include "limits/password_attempts.h"
#include "redis_reply.h"

#include <inttypes.h>

/* The caller's token and its family, those of a refresh token that was given and of a session beside
 * the caller's token, and everything. */
enum { REVOCATIONS_MAX = 7 };

struct logout {
    struct call *call;
    const struct tokens *tokens;
    struct token_claims refresh; /* the one that was given; expires_at_s 0: none */
    struct revocation list[REVOCATIONS_MAX];
    bool is_page
        [REVOCATIONS_MAX]; /* the family of a browser's session: it may have no other tokens */
    size_t count;
    int64_t tokens_revoked;
    int64_t counted;      /* those of the account that Redis knows of */
    int64_t not_before_s; /* the account's tokens from before are void already */
};

/* Also one that is spent: whoever logs out wants its family gone. */
static enum err read_refresh(struct logout *logout)
{
    static const char *const known[] = {"refresh_token", NULL};
    struct call *call = logout->call;
    struct str text;
    enum err err = call_fields_only(call, known);

    if (err == ERR_OK)
        err = call_field_optional(call, "refresh_token", &text);
    if (err != ERR_OK || text.len == 0)
        return err;
    err = token_verify(logout->tokens, call_work(call), text, TOKEN_REFRESH, call->now_s,
                       &logout->refresh);
    if (err != ERR_OK && err != ERR_UNAUTHENTICATED)
        return err;
    if (err != ERR_OK || !logout->refresh.is_own || logout->refresh.id.len == 0 ||
        logout->refresh.user_id != call->principal.user_id ||
        !str_eq(logout->refresh.incarnation, call->principal.incarnation))
        return error_set(&call->error, ERR_BAD_INPUT,
                         "refresh_token: This is not a good refresh token of yours. Leave it out, "
                         "the one of this session is revoked anyway.");
    return ERR_OK;
}

static void add_token(struct logout *logout, struct str token_id, bool is_own, int64_t expires_at_s)
{
    logout->list[logout->count++] = (struct revocation){
        .kind = is_own ? REVOKED_TOKEN : REVOKED_FOREIGN,
        .name = token_id,
        .user_id = is_own ? 0 : logout->call->principal.user_id,
        .whose = is_own ? STR_NONE : logout->call->principal.issuer,
        .expires_at_s = expires_at_s + token_leeway_s(logout->tokens),
    };
    logout->tokens_revoked++;
}

static void add_family(struct logout *logout, struct str family)
{
    logout->list[logout->count++] = revocation_of_family(logout->call, family);
}

static void add_page(struct logout *logout, struct str family)
{
    logout->is_page[logout->count] = true;
    add_family(logout, family);
}

/* A family has one refresh token that is good; that of a page has one if Redis knows of it. An API key is not a
 * session: it is revoked by who made it. */
static void add_session(struct logout *logout)
{
    const struct principal *principal = &logout->call->principal;
    const struct token_claims *refresh = &logout->refresh;
    struct token_claims beside;
    bool has_family = principal->kind == PRINCIPAL_USER && principal->family.len > 0;

    if (principal->kind == PRINCIPAL_USER && principal->token_id.len > 0)
        add_token(logout, principal->token_id, has_family, principal->expires_at_s);
    if (has_family && principal->credential == CREDENTIAL_SESSION) {
        add_page(logout, principal->family);
    } else if (has_family) {
        add_family(logout, principal->family);
        logout->tokens_revoked++;
    }
    /* A cookie that came along is the caller's, or the request had been refused. */
    if (session_read(logout->call, &beside) && !str_eq(beside.family, principal->family)) {
        add_token(logout, beside.id, true, beside.expires_at_s);
        add_page(logout, beside.family);
    }
    if (refresh->expires_at_s == 0 || (has_family && str_eq(refresh->family, principal->family)))
        return;
    add_token(logout, refresh->id, true, refresh->expires_at_s);
    if (refresh->family.len > 0)
        add_family(logout, refresh->family);
}

/* ---- everywhere ---- */

static enum err read_not_before(struct logout *logout)
{
    struct call *call = logout->call;
    struct user user;

    if (call->principal.is_stranger)
        return ERR_OK;
    enum err err = users_find_by_id(call->app->users, call->arena, call->principal.user_id, &user,
                                    &call->error);
    if (err == ERR_OK)
        logout->not_before_s = user.tokens_not_before_s;
    return err;
}

/* One that does not say is before every cut. It would lock its owner out, with all later ones like it. */
static enum err check_dated(struct call *call)
{
    if (call->principal.kind != PRINCIPAL_USER || call->principal.issued_at_s > 0)
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT,
                     "all: This token does not say when it was issued, so every later one like it "
                     "would be refused as well. Let its maker add iat, or leave all out.");
}

/* One minted elsewhere may live longer than ours. */
static void add_everything(struct logout *logout)
{
    const struct principal *principal = &logout->call->principal;
    struct str whose = principal->is_stranger ? principal->issuer : principal->incarnation;
    int64_t ends_s = principal->kind == PRINCIPAL_USER ? principal->expires_at_s : 0;

    logout->list[logout->count++] = revocation_of_everything(logout->call, principal->user_id,
                                                             whose, logout->not_before_s, ends_s);
}

/*
 * How many tokens that Redis knows of are good until now: a family's score is when its refresh token
 * expires, so it also tells whether the access token issued with it can still be good.
 */
static enum err count_tokens(struct logout *logout)
{
    struct call *call = logout->call;
    struct key key = key_user_families(call->principal.user_id);
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_READ);
    int64_t refresh_ttl_s = token_refresh_ttl_s(logout->tokens);
    int64_t refresh_from_s = call->now_s + 1;
    int64_t access_from_s = call->now_s + 1 + refresh_ttl_s - token_access_ttl_s(logout->tokens);

    if (logout->not_before_s + refresh_ttl_s > refresh_from_s)
        refresh_from_s = logout->not_before_s + refresh_ttl_s;
    if (refresh_from_s > access_from_s)
        access_from_s = refresh_from_s;
    struct str refresh_from = str_format(call->arena, "%" PRId64, refresh_from_s);
    struct str access_from = str_format(call->arena, "%" PRId64, access_from_s);
    if (!TEXTS_MADE(refresh_from, access_from))
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a count of tokens");
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZCOUNT"), key_str(&key), refresh_from, STR("+inf"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZCOUNT"), key_str(&key), access_from, STR("+inf"));
    enum err err = redis_run(call->app->control, pipeline, call_work(call));
    if (err == ERR_OK)
        logout->counted =
            pipeline_value(pipeline, 0)->integer + pipeline_value(pipeline, 1)->integer;
    return err;
}

/* What is revoked is so without this. It dates the next tokens behind the cut, and outlives Redis. */
static void void_tokens(struct logout *logout)
{
    struct call *call = logout->call;
    struct error error = {0};
    enum err err = identity_void_tokens(call->app->identity, call->principal.user_id, &error);

    if (err != ERR_OK && err != ERR_NOT_FOUND)
        log_event(LOG_LEVEL_WARN, "auth.logout_undated",
                  LOG_INT("user_id", call->principal.user_id), LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail), LOG_STR("request_id", call->request_id));
}

/* ---- the operations ---- */

/*
 * The list of families is for counting: one that stays in it is counted once too often. One that is in it
 * has a refresh token, and is among those that were counted.
 */
static void forget_families(struct logout *logout)
{
    struct call *call = logout->call;
    struct key key = key_user_families(call->principal.user_id);
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    struct error error = {0};
    bool is_listed = false;

    for (size_t i = 0; i < logout->count; i++) {
        if (logout->list[i].kind == REVOKED_FAMILY)
            PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREM"), key_str(&key),
                         logout->list[i].name);
    }
    if (pipeline_count(pipeline) > 0 &&
        redis_run(call->app->control, pipeline,
                  (struct work){.deadline_ns = call->deadline_ns, .error = &error}) != ERR_OK)
        log_event(LOG_LEVEL_DEBUG, "auth.family_kept", LOG_CSTR("detail", error.detail));
    for (size_t i = 0, reply = 0; i < logout->count && error.code == ERR_OK; i++) {
        if (logout->list[i].kind != REVOKED_FAMILY)
            continue;
        bool was_there = pipeline_value(pipeline, reply++)->integer > 0;
        is_listed = is_listed || was_there;
        logout->tokens_revoked += logout->is_page[i] && was_there ? 1 : 0;
    }
    if (!is_listed)
        logout->tokens_revoked += logout->counted;
    else if (logout->counted > logout->tokens_revoked)
        logout->tokens_revoked = logout->counted;
}

static enum err log_out(struct logout *logout, bool is_all)
{
    struct call *call = logout->call;
    enum err err = is_all ? check_dated(call) : ERR_OK;

    if (err == ERR_OK && is_all)
        err = read_not_before(logout);
    add_session(logout);
    if (err == ERR_OK && is_all)
        err = revoke_check_ahead(call, logout->not_before_s);
    if (err == ERR_OK && is_all) {
        add_everything(logout);
        /* Of a stranger no other token is known here. */
        if (!call->principal.is_stranger)
            err = count_tokens(logout);
    }
    if (err != ERR_OK)
        return err;
    if (logout->count == 0)
        return error_set(
            &call->error, ERR_BAD_INPUT,
            "This credential is not a session that could end. Give a refresh_token, or "
            "?all=true.");
    err = revoke_all(call, logout->list, logout->count, REVOKE_OR_FAIL, &call->error);
    if (err != ERR_OK)
        return err;
    if (is_all && !call->principal.is_stranger)
        void_tokens(logout);
    forget_families(logout);
    return ERR_OK;
}

enum err op_auth_logout(struct call *call)
{
    struct logout logout = {.call = call, .tokens = identity_tokens(call->app->identity)};
    struct json_writer *json = &call->reply.json;
    enum err err = read_refresh(&logout);

    if (err != ERR_OK)
        return err;
    err = log_out(&logout, call_param(call, "all")->integer != 0);
    if (err == ERR_BAD_INPUT || err == ERR_THROTTLED)
        return err;
    audit_logout(call, str_format(call->arena, "user:%" PRId64, call->principal.user_id), err,
                 err == ERR_OK ? logout.tokens_revoked : -1);
    if (err != ERR_OK)
        return err;
    tally_add(call->app->tallies, TALLY_LOGOUTS);
    if (call->session_cookie.len > 0)
        call->reply.session.change = SESSION_LEFT;
    json_open_object(json);
    json_add_string(json, "message", STR("Logged out"));
    json_add_integer(json, "tokens_revoked", logout.tokens_revoked);
    json_close_object(json);
    return call_finish(call);
}

/* The caller's tokens stay good. With a cookie the caller gets another session in their place. */
static struct str kept_family(const struct principal *principal)
{
    return principal->credential == CREDENTIAL_SESSION ? STR_NONE : principal->family;
}

/* A wrong old password counts as a failed sign-in: a stolen token is no way to guess it. */
static enum err change_password(struct call *call, struct str old_password, struct str new_password)
{
    const struct principal *principal = &call->principal;
    struct limit_password_attempt attempt;

    /* Its number may be an account's here. */
    if (principal->is_stranger)
        return error_set(&call->error, ERR_FORBIDDEN,
                         "The password of this account is not kept here.");
    enum err err = limits_password_attempt(call, principal->name, false, &attempt);

    if (err != ERR_OK)
        return err;
    err = identity_change_password(call->app->identity, call_work(call), principal->user_id,
                                   old_password, new_password, kept_family(principal));
    err = limits_password_attempted(call, &attempt, err);
    if (err == ERR_UNAUTHENTICATED)
        return error_set(&call->error, ERR_BAD_INPUT, "old_password: it is wrong.");
    if (err == ERR_BUSY)
        return error_set(&call->error, err, "too many sign-ins at once");
    return err;
}

enum err op_auth_password(struct call *call)
{
    static const char *const known[] = {"old_password", "new_password", NULL};
    struct str old_password, new_password;
    enum err err = call_fields_only(call, known);

    if (err == ERR_OK && call->principal.kind != PRINCIPAL_USER)
        err = error_set_detail(&call->error, ERR_FORBIDDEN, "an API key does not change passwords");
    if (err == ERR_OK)
        err = call_field_string(call, "old_password", &old_password);
    if (err == ERR_OK)
        err = call_field_string(call, "new_password", &new_password);
    if (err != ERR_OK)
        return err;
    err = change_password(call, old_password, new_password);
    audit_call(call, str_format(call->arena, "user:%" PRId64, call->principal.user_id), err, -1);
    if (err != ERR_OK)
        return err;
    session_replace(call);
    call->reply.outcome = OUTCOME_NO_CONTENT;
    return ERR_OK;
}
