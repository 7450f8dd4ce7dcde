#include "identity/sign_in.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/random.h"
#include "keyspace.h"
#include "limits/attempt.h"

#include <inttypes.h>

/* 128 bits: a family is never guessed and never meets another. */
enum { FAMILY_BYTES = 16 };

enum err check_password(struct call *call, struct str name, bool by_email, struct str password,
                        struct user *user_out)
{
    struct limit_attempt attempt;
    enum err err = limits_attempt(call, name, by_email, &attempt);

    if (err != ERR_OK)
        return err;
    err = identity_login(call->app->identity, call->arena, name, by_email, password,
                         call->deadline_ns, user_out, &call->error);
    err = limits_attempted(call, &attempt, err);
    if (err == ERR_UNAUTHENTICATED)
        return error_set(&call->error, err,
                         "No active account found with the given credentials");
    if (err == ERR_BUSY)
        return error_set(&call->error, err, "too many sign-ins at once");
    return err;
}

/* What Redis holds for a token: enough to tell that this very token was issued by us. */
static struct str record_of(struct arena *arena, const struct token_claims *claims)
{
    return str_format(arena, "%s:%.*s:%" PRId64, claims->use == TOKEN_REFRESH ? "refresh" : "access",
                      STR_ARG(claims->family), claims->user_id);
}

static enum err add_record(struct call *call, struct pipeline *pipeline,
                           const struct token_claims *claims)
{
    struct key key = key_token(claims->id);
    struct str record = record_of(call->arena, claims);
    struct str lifetime_s = str_format(call->arena, "%" PRId64, claims->expires_at_s - call->now_s);

    if (!record.ptr || !lifetime_s.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), key_str(&key), record, STR("EX"), lifetime_s);
    return ERR_OK;
}

/* The claims behind a pair, for its records. */
struct issued {
    struct token_claims access, refresh;
};

static enum err record_pair(struct call *call, const struct issued *issued, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    /* A budget of its own: waiting for a place to hash may have used up the call's. */
    int64_t deadline_ns = clock_deadline_ns(call->app->budget_ms);

    enum err err = add_record(call, pipeline, &issued->access);
    if (err == ERR_OK)
        err = add_record(call, pipeline, &issued->refresh);
    if (err != ERR_OK)
        return error_set_detail(error, err, "no memory for a token's record");
    return pipeline_run(call->app->control, pipeline, deadline_ns, error);
}

static enum err sign_pair(struct call *call, const struct user *user, struct str family,
                          struct issued *issued_out, struct token_pair *pair_out)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);
    struct token_claims claims = {.user_id = user->id, .subject = user->username, .family = family};

    *issued_out = (struct issued){claims, claims};
    issued_out->access.use = TOKEN_ACCESS;
    issued_out->refresh.use = TOKEN_REFRESH;
    enum err err = token_issue(tokens, call->arena, call->now_s, &issued_out->access,
                               &pair_out->access);
    if (err == ERR_OK)
        err = token_issue(tokens, call->arena, call->now_s, &issued_out->refresh,
                          &pair_out->refresh);
    if (err != ERR_OK)
        return error_set_detail(&call->error, err, "tokens could not be signed");
    return ERR_OK;
}

enum err sign_in(struct call *call, const struct user *user, struct token_pair *pair_out)
{
    struct str family = random_hex(call->arena, FAMILY_BYTES);
    struct error unrecorded = {0};
    struct issued issued;

    if (!family.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a token");
    enum err err = sign_pair(call, user, family, &issued, pair_out);
    if (err != ERR_OK)
        return err;
    if (record_pair(call, &issued, &unrecorded) != ERR_OK)
        log_event(LOG_LEVEL_WARN, "auth.token_unrecorded",
                  LOG_CSTR("error", err_name(unrecorded.code)),
                  LOG_CSTR("detail", unrecorded.detail), LOG_INT("user_id", user->id),
                  LOG_STR("request_id", call->request_id));
    return ERR_OK;
}

/* Signature and claims, then the account. The reason of a refusal is for the log alone. */
static enum err check_refresh(struct call *call, struct str refresh,
                              struct token_claims *claims_out, struct user *user_out)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);
    enum err err = token_verify(tokens, call->arena, refresh, TOKEN_REFRESH, call->now_s,
                                claims_out, &call->error);

    if (err != ERR_OK)
        return err;
    if (!claims_out->is_own || claims_out->user_id <= 0 || !key_is_token_id(claims_out->id))
        return error_set_detail(&call->error, ERR_UNAUTHENTICATED, "not a refresh token of ours");
    err = users_find_by_id(call->app->users, call->arena, claims_out->user_id, user_out,
                           &call->error);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && (user_out->is_deleted || !user_out->is_active)))
        return error_set_detail(&call->error, ERR_UNAUTHENTICATED,
                                "the refresh token's account is gone or inactive");
    if (err == ERR_OK && claims_out->issued_at_s < user_out->tokens_not_before_s)
        return error_set_detail(&call->error, ERR_UNAUTHENTICATED,
                                "the refresh token is older than the password");
    return err;
}

/* Whether Redis holds exactly what was recorded when this token was issued. */
static enum err check_record(struct call *call, const struct token_claims *claims,
                             const struct value *held)
{
    struct str record = record_of(call->arena, claims);

    if (!record.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a token");
    if (held->kind != VALUE_STRING || !str_eq(held->text, record))
        return error_set_detail(&call->error, ERR_UNAUTHENTICATED,
                                "the refresh token is spent, or was never recorded");
    return ERR_OK;
}

/* Looks the token's record up with `command`: GET leaves it, GETDEL spends it. */
static enum err look_up(struct call *call, const struct token_claims *claims, struct str command,
                        enum pipeline_effect effect)
{
    struct key key = key_token(claims->id);
    struct pipeline *pipeline = pipeline_new(call->arena, effect);

    PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, command, key_str(&key));
    enum err err = pipeline_run(call->app->control, pipeline, call->deadline_ns, &call->error);
    if (err != ERR_OK)
        return err;
    return check_record(call, claims, pipeline_value(pipeline, 0));
}

enum err sign_in_again(struct call *call, struct str refresh, struct token_pair *pair_out)
{
    struct token_claims claims;
    struct issued issued;
    struct user user;
    enum err err = check_refresh(call, refresh, &claims, &user);

    /* A spent token must not cost us records. */
    if (err == ERR_OK)
        err = look_up(call, &claims, STR("GET"), PIPELINE_READ);
    /* The next pair first: a Redis that is full still removes, and would leave the caller with the
     * old token spent and a new one that nobody knows. */
    if (err == ERR_OK)
        err = sign_pair(call, &user, claims.family, &issued, pair_out);
    if (err == ERR_OK)
        err = record_pair(call, &issued, &call->error);
    /* Read and removed in one command (Redis 6.2): of two that come at once, one finds it. The
     * other's pair was never handed out and expires. */
    if (err == ERR_OK)
        err = look_up(call, &claims, STR("GETDEL"), PIPELINE_WRITE);
    return err;
}

enum err sign_in_would(struct call *call, struct str refresh)
{
    struct token_claims claims;
    struct user user;
    enum err err = check_refresh(call, refresh, &claims, &user);

    if (err == ERR_OK)
        err = look_up(call, &claims, STR("GET"), PIPELINE_READ);
    return err;
}

void write_user(struct json_writer *json, const struct user *user)
{
    json_open_object(json);
    json_add_integer(json, "id", user->id);
    json_add_string(json, "username", user->username);
    json_add_string(json, "email", user->email);
    json_add_bool(json, "is_superuser", user->is_superuser);
    json_name(json, "groups");
    json_open_array(json);
    for (size_t i = 0; i < user->group_count; i++)
        json_write_string(json, user->groups[i]);
    json_close_array(json);
    json_close_object(json);
}
