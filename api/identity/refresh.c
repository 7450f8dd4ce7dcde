#include "identity/refresh.h"

#include "cachewarden/app.h"
#include "cachewarden/revocations.h"
#include "control/dataset.h"
#include "control/version_guard.h"
#include "identity/record.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>

enum refresh_verdict refresh_judge(const struct refresh_facts *facts)
{
    if (facts->is_revoked)
        return REFRESH_REFUSED;
    if (facts->is_spent)
        return facts->now_ms - facts->spent_at_ms > REFRESH_GRACE_MS ? REFRESH_REUSED
                                                                     : REFRESH_REFUSED;
    if (facts->may_be_lost)
        return REFRESH_REFUSED;
    if (facts->is_recorded || facts->may_be_unrecorded)
        return REFRESH_GOOD;
    return facts->is_forgotten ? REFRESH_REUSED : REFRESH_REFUSED;
}

/* ---- what is asked, and what is made of the answers ---- */

enum {
    ASK_RECORD,
    ASK_TOKEN,
    ASK_FAMILY,
    ASK_LIVING,
    ASK_IDS,
    /* and before the token is spent: */ ASK_TIME
};

static enum err ask_revoked(struct call *call, struct pipeline *pipeline, enum revocation_kind kind,
                            struct str name)
{
    const struct revocation revocation = {.kind = kind, .name = name};
    struct str member = revocation_write(call->arena, &revocation);
    struct key key = key_revoked();

    if (!member.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("ZSCORE"), key_str(&key), member);
    return ERR_OK;
}

/* Up to ASK_IDS. Redis is asked for revocations, too: another node's may be a moment old. */
static enum err ask(struct call *call, struct pipeline *pipeline, const struct token_claims *claims)
{
    struct key key = key_token(claims->id), families = key_user_families(claims->user_id);

    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), RECORD_FIELD, SPENT_FIELD);
    enum err err = ask_revoked(call, pipeline, REVOKED_TOKEN, claims->id);
    if (err == ERR_OK)
        err = ask_revoked(call, pipeline, REVOKED_FAMILY, claims->family);
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("ZSCORE"), key_str(&families), claims->family);
    dataset_ask_ids(pipeline);
    return err;
}

static enum err read_answers(struct call *call, const struct pipeline *pipeline, size_t first,
                             const struct token_claims *claims, struct refresh_facts *facts)
{
    const struct value *fields = pipeline_value(pipeline, first + ASK_RECORD);
    struct str record = record_of(call->arena, claims);

    if (!record.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a token");
    if (fields->kind != VALUE_ARRAY || fields->count != 2)
        return refuse_reply(&call->error, "the record of a token has another shape");
    const struct value *held = &fields->items[0], *spent = &fields->items[1];
    facts->is_recorded = held->kind == VALUE_STRING && str_eq(held->text, record);
    facts->is_forgotten = held->kind == VALUE_NIL && claims->unrecorded.len == 0 &&
                          pipeline_value(pipeline, first + ASK_LIVING)->kind != VALUE_NIL;
    facts->may_be_lost =
        claims->unrecorded.len == 0 &&
        !dataset_is_intact(pipeline_value(pipeline, first + ASK_IDS), claims->recorded_term);
    facts->is_spent = spent->kind != VALUE_NIL;
    if (facts->is_spent && (spent->kind != VALUE_STRING ||
                            !str_to_int64(spent->text, 0, INT64_MAX, &facts->spent_at_ms)))
        return refuse_reply(&call->error, "a token was spent at no time");
    facts->is_revoked =
        pipeline_value(pipeline, first + ASK_TOKEN)->kind != VALUE_NIL ||
        (claims->family.len > 0 && pipeline_value(pipeline, first + ASK_FAMILY)->kind != VALUE_NIL);
    return ERR_OK;
}

/* Seconds, and the microseconds of the next one. */
static enum err read_time(struct call *call, const struct value *time, int64_t *now_ms_out)
{
    int64_t seconds, microseconds;

    if (time->kind != VALUE_ARRAY || time->count != 2 ||
        !str_to_int64(time->items[0].text, 0, INT32_MAX * INT64_C(1000), &seconds) ||
        !str_to_int64(time->items[1].text, 0, 999999, &microseconds))
        return refuse_reply(&call->error, "TIME answered no time");
    *now_ms_out = seconds * 1000 + microseconds / 1000;
    return ERR_OK;
}

/* The first to ask after control data was lost may come before the node has noticed. */
static enum err judge_unrecorded(struct call *call, const struct value *ids,
                                 const struct token_claims *claims, struct refresh_facts *facts)
{
    bool is_there;

    facts->may_be_unrecorded =
        dataset_allows(ids, claims->unrecorded, claims->issued_at_s, &is_there);
    if (is_there)
        return ERR_OK;
    enum err err =
        version_guard_reconcile(call->app->guard, VERSION_GUARD_REPAIRS, call_work(call));
    if (err != ERR_OK)
        return err;
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_READ);
    dataset_ask_ids(pipeline);
    err = redis_run(call->app->control, pipeline, call_work(call));
    facts->may_be_unrecorded =
        err == ERR_OK && dataset_allows(pipeline_value(pipeline, 0), claims->unrecorded,
                                        claims->issued_at_s, &is_there);
    return err;
}

/* Of an earlier term, and what that one lost may not be known yet. */
static enum err wait_for_others(struct call *call, const struct token_claims *claims,
                                const struct refresh_facts *facts)
{
    struct version_guard *guard = call->app->guard;

    if (claims->unrecorded.len > 0 || facts->may_be_lost || !facts->is_recorded ||
        claims->recorded_term >= version_guard_basis(guard).term || version_guard_is_settled(guard))
        return ERR_OK;
    return error_set_detail(&call->error, ERR_UPSTREAM_DOWN,
                            "redis came back a moment ago, and what it lost is not known yet");
}

enum err refresh_look_up(struct call *call, const struct token_claims *claims,
                         struct refresh_facts *facts_out)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_READ);

    *facts_out = (struct refresh_facts){0};
    if (ask(call, pipeline, claims) != ERR_OK)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a token");
    pipeline_pass_gate(pipeline); /* elsewhere it would look like a token nobody recorded */
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("TIME"));
    enum err err = redis_run(call->app->control, pipeline, call_work(call));
    if (err == ERR_OK)
        err = read_answers(call, pipeline, 0, claims, facts_out);
    if (err == ERR_OK)
        err = read_time(call, pipeline_value(pipeline, ASK_TIME), &facts_out->now_ms);
    /* A copy of Redis that was put back may have the family of a token that is younger than the copy. */
    facts_out->is_forgotten =
        err == ERR_OK && facts_out->is_forgotten &&
        dataset_existed_at(pipeline_value(pipeline, ASK_IDS), claims->issued_at_s);
    if (err == ERR_OK)
        err = wait_for_others(call, claims, facts_out);
    if (err != ERR_OK || claims->unrecorded.len == 0)
        return err;
    return judge_unrecorded(call, pipeline_value(pipeline, ASK_IDS), claims, facts_out);
}

/* ---- spending ---- */

enum { SPEND, SPEND_EXPIRY, SPEND_COUNT, SPEND_ASK };

enum err refresh_add_spend(struct call *call, struct pipeline *pipeline,
                           const struct token_claims *claims, int64_t now_ms)
{
    struct key key = key_token(claims->id);
    struct str spent_at = str_format(call->arena, "%" PRId64, now_ms);
    struct str expiry = record_expiry(call, claims);
    struct str kept = str_format(call->arena, "%d", REFRESH_SPENT_KEPT_S);

    if (!TEXTS_MADE(spent_at, expiry, kept))
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSETNX"), key_str(&key), SPENT_FIELD, spent_at);
    /* One that says that it has no record would be good again without this. */
    if (claims->unrecorded.len > 0)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIREAT"), key_str(&key), expiry);
    else
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&key), kept);
    dataset_count_spent(pipeline);
    return ask(call, pipeline, claims);
}

enum err refresh_spent(struct call *call, const struct pipeline *pipeline,
                       const struct token_claims *claims, enum err run, bool *is_spent_out)
{
    const struct value *spent = pipeline_value(pipeline, SPEND);
    const struct value *count = pipeline_value(pipeline, SPEND_COUNT);
    struct refresh_facts facts = {0};

    *is_spent_out = false;
    if (count->kind == VALUE_INTEGER)
        version_guard_note_spent(call->app->guard, count->integer);
    if ((run != ERR_OK && run != ERR_UPSTREAM_REFUSED) || spent->kind != VALUE_INTEGER)
        return run != ERR_OK ? run : refuse_reply(&call->error, "HSETNX answered no integer");
    if (spent->integer != 1) {
        error_clear(&call->error);
        return ERR_OK;
    }
    enum err err = read_answers(call, pipeline, SPEND_ASK, claims, &facts);
    if (err != ERR_OK)
        return err;
    /* The record may have gone, or its family been revoked, since it was looked up. */
    error_clear(&call->error);
    *is_spent_out = !facts.is_revoked && !facts.may_be_lost &&
                    (facts.is_recorded || claims->unrecorded.len > 0);
    return ERR_OK;
}
