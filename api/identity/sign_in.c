#include "identity/sign_in.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/limits.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/random.h"
#include "control/observation.h"
#include "control/version_guard.h"
#include "identity/record.h"
#include "identity/refresh.h"
#include "identity/revoke.h"
#include "keyspace.h"
#include "limits/password_attempts.h"

/* 128 bits: a family is never guessed and never meets another. */
enum { FAMILY_BYTES = 16 };

/* Redis may be lost again while a pair is recorded; not for ever. */
enum { RECORD_TRIES = 3 };

/* The term is asked for beside no account's numbers. */
static const struct namespace nobody;

enum err sign_in_check_password(struct call *call, struct str name, bool by_email,
                                struct str password, struct user *user_out)
{
    struct limit_password_attempt attempt;
    enum err err = limits_password_attempt(call, name, by_email, &attempt);

    if (err != ERR_OK)
        return err;
    err = identity_login(call->app->identity, call_work(call), name, by_email, password, user_out);
    err = limits_password_attempted(call, &attempt, err);
    if (err == ERR_OK || err == ERR_UNAUTHENTICATED)
        audit_sign_in(call, user_out, limits_name_digest(call, name), err);
    if (err == ERR_UNAUTHENTICATED)
        tally_add(call->app->tallies, TALLY_SIGN_INS_REFUSED);
    if (err == ERR_UNAUTHENTICATED)
        return error_set(&call->error, err, "No active account found with the given credentials");
    if (err == ERR_BUSY)
        return error_set(&call->error, err, "too many sign-ins at once");
    return err;
}

struct str sign_in_new_family(struct arena *arena)
{
    return random_hex(arena, FAMILY_BYTES);
}

static enum err no_memory(struct call *call)
{
    return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a token");
}

/* Whoever voids an account's tokens dates that a second ahead, so that it covers a whole second: the
 * next ones begin there (users.h). */
int64_t sign_in_issue_time_s(const struct call *call, const struct user *user)
{
    return user->tokens_not_before_s > call->now_s ? user->tokens_not_before_s : call->now_s;
}

/* `term` is that of its record; of one without, `unrecorded` is the control data it belongs to. */
static enum err sign_pair(struct call *call, const struct user *user, struct str family,
                          struct str unrecorded, int64_t term, struct issued *issued_out,
                          struct token_pair *pair_out)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);
    struct token_claims claims = {.user_id = user->id,
                                  .subject = user->username,
                                  .family = family,
                                  .incarnation = user->incarnation};
    int64_t now_s = sign_in_issue_time_s(call, user);

    *issued_out = (struct issued){claims, claims};
    issued_out->access.use = TOKEN_ACCESS;
    issued_out->refresh.use = TOKEN_REFRESH;
    issued_out->refresh.unrecorded = unrecorded;
    issued_out->refresh.recorded_term = term;
    enum err err = token_issue(tokens, call->arena, now_s, &issued_out->access, &pair_out->access);
    if (err == ERR_OK)
        err = token_issue(tokens, call->arena, now_s, &issued_out->refresh, &pair_out->refresh);
    if (err != ERR_OK)
        return error_set_detail(&call->error, err, "tokens could not be signed");
    pair_out->family = family;
    pair_out->issued_at_s = now_s;
    return ERR_OK;
}

/* A pair that says itself that its record is missing, in place of one that Redis did not take. */
static enum err sign_unrecorded(struct call *call, const struct user *user, struct str family,
                                const struct error *why, struct token_pair *pair_out)
{
    struct str dataset = version_guard_last_dataset(call->app->guard, call->arena);
    struct issued issued;

    tally_add(call->app->tallies, TALLY_UNRECORDED);
    log_event(LOG_LEVEL_WARN, "auth.token_unrecorded", LOG_CSTR("error", err_name(why->code)),
              LOG_CSTR("detail", why->detail), LOG_INT("user_id", user->id),
              LOG_STR("request_id", call->request_id));
    if (!dataset.ptr)
        return no_memory(call);
    return sign_pair(call, user, family, dataset, 0, &issued, pair_out);
}

/* Looks behind the records that are written, at the data they are written to. */
static void ask_term(struct pipeline *pipeline)
{
    observation_ask(pipeline, &nobody, 0);
}

/*
 * Whether a record came into the term that its token names. If not, this node has not heard of the one that there
 * is, or the data was lost: then what was wrong is repaired, and the pair is to be made anew. Else a token would name
 * a term that may be over, and be refused in the next one.
 */
static enum err check_term(struct call *call, const struct pipeline *pipeline,
                           const struct version_knowledge *known, struct work work,
                           bool *is_current_out)
{
    struct version_guard *guard = call->app->guard;
    struct observation seen;
    enum err err =
        observation_take(pipeline, pipeline_count(pipeline) - 1, &nobody, &seen, work.error);

    *is_current_out = err == ERR_OK && version_guard_trusts(guard, known, &seen);
    return err != ERR_OK || *is_current_out
               ? err
               : version_guard_reconcile(guard, VERSION_GUARD_REPAIRS, work);
}

/* Once. What fails has been recorded nowhere, or nobody knows where. */
static enum err sign_and_record(struct call *call, const struct user *user, struct str family,
                                struct work work, struct token_pair *pair_out, bool *is_current_out)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    struct version_knowledge known;
    struct issued issued;
    enum err err = version_guard_know(call->app->guard, VERSION_GUARD_REPAIRS, work, &known);

    if (err == ERR_OK)
        err = sign_pair(call, user, family, STR_NONE, known.term, &issued, pair_out);
    if (err == ERR_OK)
        err = record_add(call, pipeline, &issued);
    if (err != ERR_OK)
        return err;
    ask_term(pipeline);
    err = redis_run(call->app->control, pipeline, work);
    return err == ERR_OK ? check_term(call, pipeline, &known, work, is_current_out) : err;
}

/* A pair that Redis has recorded, in the term that it names; or one that says that it is not. */
static enum err sign_recorded(struct call *call, const struct user *user, struct str family,
                              struct token_pair *pair_out)
{
    /* A budget of its own: waiting for a place to hash may have used up the call's. */
    struct error why = {0};
    struct work work = {call->arena, clock_deadline_ns(call->app->budget_ms), &why};
    bool is_current = false;
    enum err err = ERR_OK;

    for (int i = 0; err == ERR_OK && !is_current && i < RECORD_TRIES; i++)
        err = sign_and_record(call, user, family, work, pair_out, &is_current);
    if (is_current)
        return ERR_OK;
    if (err == ERR_OK)
        (void)error_set_detail(&why, ERR_UPSTREAM_REFUSED,
                               "the control data was lost again and again");
    return sign_unrecorded(call, user, family, &why, pair_out);
}

enum err sign_in(struct call *call, const struct user *user, struct token_pair *pair_out)
{
    struct str family = sign_in_new_family(call->arena);

    if (!family.ptr)
        return no_memory(call);
    tally_add(call->app->tallies, TALLY_SIGN_INS);
    return sign_recorded(call, user, family, pair_out);
}

static enum err refuse(struct call *call, const char *why)
{
    return error_set_detail(&call->error, ERR_UNAUTHENTICATED, "the refresh token %s", why);
}

/* What this node knows to be revoked stays so, whatever Redis says or does not. */
static enum err check_revoked(struct call *call, const struct token_claims *claims)
{
    struct revocations *known = identity_revocations(call->app->identity);
    const struct revocation_subject subject = {
        .token_id = claims->id,
        .family = claims->family,
        .is_own = true,
        .user_id = claims->user_id,
        .incarnation = claims->incarnation,
        .issued_at_s = claims->issued_at_s,
    };

    app_await_watch(call->app);
    bool is_known = revocations_are_known(known);

    if (revocations_cover(known, &subject))
        return refuse(call, "is revoked");
    return is_known ? ERR_OK
                    : error_set_detail(&call->error, ERR_BUSY, "what is revoked is not known yet");
}

static bool is_too_old(const struct token_claims *claims, const struct user *user)
{
    bool is_kept =
        user->tokens_kept_family.len > 0 && str_eq(claims->family, user->tokens_kept_family);

    return claims->issued_at_s < user->tokens_not_before_s && !is_kept;
}

/* Signature and claims, then the account. The reason of a refusal is for the log alone. */
static enum err verify_refresh(struct call *call, struct str refresh,
                               struct token_claims *claims_out, struct user *user_out)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);
    enum err err =
        token_verify(tokens, call_work(call), refresh, TOKEN_REFRESH, call->now_s, claims_out);

    if (err != ERR_OK)
        return err;
    if (!claims_out->is_own || claims_out->user_id <= 0 || !key_is_token_id(claims_out->id))
        return refuse(call, "is not one of ours");
    err = check_revoked(call, claims_out);
    if (err != ERR_OK)
        return err;
    err = users_find_by_id(call->app->users, call->arena, claims_out->user_id, user_out,
                           &call->error);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && (user_out->is_deleted || !user_out->is_active)))
        return refuse(call, "is of an account that is gone or inactive");
    if (err == ERR_OK && !str_eq(claims_out->incarnation, user_out->incarnation))
        return refuse(call, "is of another account of this id, or from before it was deactivated");
    if (err == ERR_OK && is_too_old(claims_out, user_out))
        return refuse(call, "is from before those of its account were ended (a new password, a "
                            "logout everywhere, a deactivation, or a users database put back)");
    return err;
}

/* Somebody has a token that is not theirs. Nobody can tell who, so both are signed out, on this
 * node even if Redis cannot be told now. */
static void revoke_reused(struct call *call, const struct token_claims *claims)
{
    const struct revocation revocation = revocation_of_family(call, claims->family);
    struct error error = {0};

    tally_add(call->app->tallies, TALLY_REUSES);
    if (claims->family.len == 0)
        return;
    enum err err = revoke_all(call, &revocation, 1, REVOKE_ANYWAY, &error);
    log_event(LOG_LEVEL_WARN, "auth.refresh_reused", LOG_INT("user_id", claims->user_id),
              LOG_STR("family", claims->family), LOG_CSTR("revoked", err_name(err)),
              LOG_STR("address", call->client_address), LOG_STR("request_id", call->request_id));
    audit_reuse(call, claims->user_id, err);
}

/*
 * Spends the token and records the next pair, in one round trip: of two that come at once one
 * spends it. A Redis that takes the first and not the rest leaves a pair without records, which is
 * handed out as such.
 */
static enum err trade(struct call *call, const struct token_claims *claims, const struct user *user,
                      int64_t now_ms, struct token_pair *pair_out)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_WRITE);
    struct version_knowledge known;
    struct issued issued;
    bool is_spent = false, is_current = false;
    enum err err =
        version_guard_know(call->app->guard, VERSION_GUARD_REPAIRS, call_work(call), &known);

    if (err == ERR_OK)
        err = sign_pair(call, user, claims->family, STR_NONE, known.term, &issued, pair_out);
    if (err != ERR_OK)
        return err;
    if (refresh_add_spend(call, pipeline, claims, now_ms) != ERR_OK ||
        record_add(call, pipeline, &issued) != ERR_OK)
        return no_memory(call);
    ask_term(pipeline);
    enum err run = redis_run(call->app->control, pipeline, call_work(call));
    struct error why = call->error;
    err = refresh_spent(call, pipeline, claims, run, &is_spent);
    if (err != ERR_OK)
        return err;
    if (!is_spent)
        return refuse(call, "was spent, lost or revoked a moment ago");
    if (run != ERR_OK)
        return sign_unrecorded(call, user, claims->family, &why, pair_out);
    if (check_term(call, pipeline, &known, call_work(call), &is_current) == ERR_OK && is_current)
        return ERR_OK;
    error_clear(&call->error);
    return sign_recorded(call, user, claims->family, pair_out);
}

enum err refresh_trade(struct call *call, struct str refresh, struct token_pair *pair_out)
{
    struct refresh_facts facts;
    struct token_claims claims;
    struct user user;
    enum err err = verify_refresh(call, refresh, &claims, &user);

    if (err == ERR_OK)
        err = limits_check_family(call, claims.family, claims.user_id);
    /* A spent token must not cost us records. */
    if (err == ERR_OK)
        err = refresh_look_up(call, &claims, &facts);
    if (err != ERR_OK)
        return err;
    switch (refresh_judge(&facts)) {
    case REFRESH_GOOD:
        err = trade(call, &claims, &user, facts.now_ms, pair_out);
        if (err == ERR_OK)
            tally_add(call->app->tallies, TALLY_REFRESHES);
        return err;
    case REFRESH_REUSED:
        revoke_reused(call, &claims);
        return refuse(call, "was spent before: its family is revoked");
    case REFRESH_REFUSED:
        break;
    }
    return refuse(call, "is spent, revoked, or has no record");
}

enum err refresh_check(struct call *call, struct str refresh)
{
    struct refresh_facts facts;
    struct token_claims claims;
    struct user user;
    enum err err = verify_refresh(call, refresh, &claims, &user);

    if (err == ERR_OK)
        err = refresh_look_up(call, &claims, &facts);
    if (err == ERR_OK && refresh_judge(&facts) != REFRESH_GOOD)
        err = refuse(call, "is spent, revoked, or has no record");
    return err;
}

void sign_in_write_user_members(struct json_writer *json, const struct user *user)
{
    json_add_integer(json, "id", user->id);
    json_add_string(json, "username", user->username);
    json_add_string(json, "email", user->email);
    json_add_bool(json, "is_superuser", user->is_superuser);
    json_name(json, "groups");
    json_open_array(json);
    for (size_t i = 0; i < user->group_count; i++)
        json_write_string(json, user->groups[i]);
    json_close_array(json);
}

void sign_in_write_user(struct json_writer *json, const struct user *user)
{
    json_open_object(json);
    sign_in_write_user_members(json, user);
    json_close_object(json);
}
