/* What the call of a route leaves in the audit, if anything. */
#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/audit.h"
#include "cachewarden/call.h"
#include "cachewarden/routes.h"

#include <inttypes.h>

/* Nothing was done, and whoever asked may ask again at once, for as long as they like. */
static bool is_refusal(enum err outcome)
{
    switch (outcome) {
    case ERR_BAD_INPUT:
    case ERR_UNAUTHENTICATED:
    case ERR_FORBIDDEN:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_PRECONDITION:
    case ERR_TOO_LARGE:
    case ERR_UNSUPPORTED_TYPE:
    case ERR_THROTTLED:
    case ERR_BUSY:
        return true;
    default:
        return false;
    }
}

/* An application clears all day long; so may everybody where the row, or the policy, lets them. */
enum audit_part audit_part_of(const struct call *call)
{
    const struct permit_policy *policy = &call->app->policy;
    bool is_anybodys =
        call->route->permit == PERMIT_USER || call->route->permit == PERMIT_ENTRIES ||
        (call->route->permit == PERMIT_FLUSH_MESSAGES && policy->flush_for_authenticated);

    return is_anybodys || call->principal.kind == PRINCIPAL_API_KEY ? AUDIT_CLEARS : AUDIT_CHANGES;
}

static struct audit_record record_of(const struct call *call, enum audit_part part,
                                     struct str target, enum err outcome, int64_t count)
{
    return (struct audit_record){
        .part = part,
        .principal = &call->principal,
        .client_address = call->client_address,
        .request_id = call->request_id,
        .route = call->route->name,
        .target = target,
        .result = err_name(outcome),
        .count = count,
    };
}

void audit_call(const struct call *call, struct str target, enum err outcome, int64_t count)
{
    struct audit_record record = record_of(call, AUDIT_CHANGES, target, outcome, count);

    if (!is_refusal(outcome))
        audit_write(call->app, &record);
}

void audit_reuse(const struct call *call, int64_t user_id, enum err outcome)
{
    struct str target = str_format(call->arena, "user:%" PRId64, user_id);
    struct audit_record record = record_of(call, AUDIT_CHANGES, target, outcome, -1);

    audit_write(call->app, &record);
}

void audit_clear(const struct call *call, struct str target, enum err outcome, int64_t count)
{
    struct audit_record record = record_of(call, audit_part_of(call), target, outcome, count);

    if (!is_refusal(outcome))
        audit_write(call->app, &record);
}

/* As often as the caller likes: among the clears, and not where it would push out what operators did. */
void audit_logout(const struct call *call, struct str target, enum err outcome, int64_t count)
{
    struct audit_record record = record_of(call, AUDIT_CLEARS, target, outcome, count);

    if (!is_refusal(outcome))
        audit_write(call->app, &record);
}

void audit_flush(const struct call *call, struct str cache, enum err outcome, int64_t removed)
{
    struct audit_record record = record_of(call, audit_part_of(call), cache, outcome, removed);

    record.is_flush = outcome == ERR_OK;
    if (!is_refusal(outcome))
        audit_write(call->app, &record);
}

void audit_sign_in(const struct call *call, const struct user *user, struct str name_digest,
                   enum err outcome)
{
    struct audit_record record = record_of(call, AUDIT_SIGN_INS, STR_NONE, outcome, -1);
    const struct principal who = {
        .kind = PRINCIPAL_USER, .user_id = user->id, .name = user->username};

    record.target = user->id > 0 ? str_format(call->arena, "user:%" PRId64, user->id)
                                 : str_format(call->arena, "name:%.*s", STR_ARG(name_digest));
    if (outcome == ERR_OK)
        record.principal = &who;
    audit_write(call->app, &record);
}
