/* The routes of the cache service. */
#include "cachewarden/entries.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "cachewarden/jobs.h"
#include "cachewarden/routes.h"
#include "entries/entries_private.h"
#include "entries/models.h"
#include "etag.h"
#include "jobs/service.h"
#include "ops.h"

/* ---- whose ---- */

static struct namespace own_namespace(const struct principal *who)
{
    bool is_key_of_app =
        who->kind == PRINCIPAL_API_KEY && (who->scopes & SCOPE_ENTRIES) != 0 && who->space.len > 0;

    return is_key_of_app ? namespace_of_app(who->space) : namespace_of_user(who->user_id);
}

static enum err choose_namespace(struct call *call, struct namespace *space_out)
{
    const struct param_value *named = call_param(call, "namespace");

    *space_out = (struct namespace){0};
    if (named->given)
        (void)namespace_parse_any(named->text, space_out);
    else
        *space_out = own_namespace(&call->principal);
    if (namespace_is_given(space_out))
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT,
                     "namespace: Name one, such as app:shop. This key was made for none.");
}

/* What the services are told; the label where the row has one, the models where it takes them. */
static enum err begin(struct call *call, bool has_label, bool has_models,
                      struct entry_request *request_out)
{
    *request_out = (struct entry_request){.app = call->app, .work = call_work(call)};
    if (has_label)
        request_out->label = call_param(call, "label")->text;
    if (has_models) {
        const struct param_value *models = call_param(call, "model");
        request_out->models = models->texts;
        request_out->model_count = models->text_count;
    }
    return choose_namespace(call, &request_out->space);
}

/* A write must not happen as if a condition had held that nobody looks at. */
static enum err refuse_conditions(struct call *call, bool takes_if_none_match)
{
    const char *field = NULL;

    if (call->has_if_match)
        field = "If-Match";
    else if (call->has_if_unmodified)
        field = "If-Unmodified-Since";
    else if (call->if_none_match.len > 0 && !takes_if_none_match)
        field = "If-None-Match";
    if (!field)
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT,
                     "%s: Not taken here. The only condition of a write is If-None-Match: * of a "
                     "PUT.",
                     field);
}

/* As begin, of what changes something. */
static enum err begin_write(struct call *call, bool has_label, bool has_models,
                            struct entry_request *request_out)
{
    enum err err = begin(call, has_label, has_models, request_out);

    return err == ERR_OK ? refuse_conditions(call, false) : err;
}

/* A user's namespace has a switch and a version that users know; an application's has neither. version 0: it is not
 * told. */
static void show_state(struct call *call, const struct namespace *space, bool is_enabled,
                       int64_t version)
{
    if (space->user_id == 0)
        return;
    call->reply.cache_enabled = is_enabled ? YES : NO;
    call->reply.cache_version = is_enabled ? version : 0;
}

static int64_t ttl_of(const struct call *call, const struct entry_request *request,
                      const struct param_value *ttl)
{
    int64_t usual_s = call->app->entries->default_ttl_s;

    if (ttl->given)
        return ttl->integer;
    return request->model_count > 0 && usual_s > ENTRY_MODEL_TTL_MAX_S ? ENTRY_MODEL_TTL_MAX_S
                                                                       : usual_s;
}

/* ---- one entry ---- */

static enum err answer_found(struct call *call, const struct entry_found *found)
{
    struct reply *reply = &call->reply;

    reply->lease = found->lease;
    reply->cache_result = found->is_hit ? CACHE_RESULT_HIT : CACHE_RESULT_MISS;
    if (!found->is_hit) {
        reply->outcome = OUTCOME_MISS;
        return ERR_OK;
    }
    reply->age_s = found->age_s;
    reply->ttl_s = found->ttl_s;
    reply->etag = found->etag;
    reply->is_refresh = found->is_refresh;
    enum etag_answer has = etag_compare(call->if_none_match, found->etag);
    if (has == ETAG_ANY || has == ETAG_MATCHES)
        reply->outcome = OUTCOME_NOT_MODIFIED;
    else
        call_give_content(call, found->body, found->content_type);
    return ERR_OK;
}

enum err op_entries_get(struct call *call)
{
    struct entry_request request;
    struct entry_found found;
    enum err err = begin(call, true, true, &request);

    request.wait_ms = call_param(call, "wait_ms")->integer;
    request.is_question = call->is_head;
    if (err == ERR_OK)
        err = entries_get(&request, &found);
    if (err != ERR_OK)
        return err;
    show_state(call, &request.space, found.is_enabled, found.version);
    return answer_found(call, &found);
}

static enum err take_condition(struct call *call, bool *only_if_absent_out)
{
    enum etag_answer answer = etag_compare(call->if_none_match, STR_NONE);

    *only_if_absent_out = answer == ETAG_ANY;
    if (call->has_content_range)
        return error_set(&call->error, ERR_BAD_INPUT,
                         "Content-Range: A part is not taken here: send the whole of it.");
    if (answer == ETAG_ANY || answer == ETAG_NOT_ASKED)
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT,
                     "If-None-Match: Only * is taken here: store where nothing is.");
}

/* How much the user may still store; whoever may store any amount, and an application, is not asked. */
static void begin_to_store(struct call *call, struct entry_request *request,
                           struct entry_allowance *allowance)
{
    *allowance = (struct entry_allowance){0};
    if (call->principal.is_admin)
        return;
    allowance->is_used_up = limits_are_fills_used_up(call, &request->space);
    request->allowance = allowance;
}

static enum err end_to_store(struct call *call, const struct entry_request *request, enum err err,
                             int64_t ttl_s)
{
    if (request->allowance && request->allowance->kept > 0)
        limits_count_fill(call, &request->space, (int64_t)request->allowance->kept, ttl_s);
    return err == ERR_THROTTLED ? limits_refuse_fill(call, &request->space) : err;
}

enum err op_entries_put(struct call *call)
{
    struct entry_fill fill = {
        .body = call->body, .content_type = call->content_type, .lease = call->lease};
    struct entry_request request;
    struct entry_allowance allowance;
    struct entry_stored stored;
    enum err err = begin(call, true, true, &request);

    if (err != ERR_OK)
        return err;
    err = refuse_conditions(call, true);
    if (err == ERR_OK)
        err = take_condition(call, &fill.only_if_absent);
    if (err != ERR_OK) {
        entries_give_up(&request, fill.lease);
        return err;
    }
    fill.ttl_s = ttl_of(call, &request, call_param(call, "ttl"));
    begin_to_store(call, &request, &allowance);
    err = end_to_store(call, &request, entries_put(&request, &fill, &stored), fill.ttl_s);
    if (err != ERR_OK)
        return err;
    show_state(call, &request.space, stored.is_enabled, 0);
    call->reply.outcome =
        stored.was_there || !stored.is_enabled ? OUTCOME_NO_CONTENT : OUTCOME_CREATED;
    return call_finish(call);
}

void entries_refused(struct call *call, struct permit_target whose)
{
    struct entry_request request = {.app = call->app, .work = call_work(call)};

    if (call->route->operation != op_entries_put || call->lease.len == 0 ||
        call->param_count == 0 || !call_param(call, "label")->given)
        return;
    request.label = call_param(call, "label")->text;
    if (whose.app.len > 0)
        request.space = namespace_of_app(whose.app);
    else if (whose.user_id != 0)
        request.space = namespace_of_user(whose.user_id);
    else
        request.space = own_namespace(&call->principal);
    if (namespace_is_given(&request.space))
        entries_give_up(&request, call->lease);
}

/* {"<name>":true} or false */
static enum err answer_flag(struct call *call, const char *name, bool value)
{
    struct json_writer *json = &call->reply.json;

    json_open_object(json);
    json_add_bool(json, name, value);
    json_close_object(json);
    return call_finish(call);
}

enum err op_entries_delete(struct call *call)
{
    struct entry_request request;
    bool was_there;
    enum err err = begin_write(call, true, false, &request);

    if (err == ERR_OK)
        err = entries_delete(&request, &was_there);
    return err == ERR_OK ? answer_flag(call, "deleted", was_there) : err;
}

/* ---- counters ---- */

/* A whole number in the body; of a form it is text. Absent: as it is. */
static enum err take_integer(struct call *call, const char *name, int64_t min, int64_t max,
                             int64_t *value)
{
    const struct json *field = json_get(call->fields, name);
    enum json_kind kind = json_kind(field);
    int64_t number = json_integer(field);

    if (!field)
        return ERR_OK;
    bool is_number = kind == JSON_INTEGER ||
                     (kind == JSON_STRING && str_to_int64(json_string(field), min, max, &number));
    if (!is_number || number < min || number > max || number == 0)
        return error_set(&call->error, ERR_BAD_INPUT,
                         "%s: Must be a whole number from %lld to %lld%s.", name, (long long)min,
                         (long long)max, min < 0 ? ", and not 0" : "");
    *value = number;
    return ERR_OK;
}

enum err op_entries_increment(struct call *call)
{
    static const char *const names[] = {"by", "ttl", NULL};
    struct json_writer *json = &call->reply.json;
    struct entry_request request;
    struct entry_allowance allowance;
    int64_t by = 1, ttl_s = call->app->entries->default_ttl_s, value = 0;
    bool is_enabled = true;
    enum err err = begin_write(call, true, false, &request);

    if (err == ERR_OK)
        err = call_fields_only(call, names);
    if (err == ERR_OK)
        err = take_integer(call, "by", INT64_MIN, INT64_MAX, &by);
    if (err == ERR_OK)
        err = take_integer(call, "ttl", 1, ENTRY_TTL_MAX_S, &ttl_s);
    if (err != ERR_OK)
        return err;
    begin_to_store(call, &request, &allowance);
    err = entries_increment(&request, by, ttl_s, &value, &is_enabled);
    err = end_to_store(call, &request, err, ttl_s);
    if (err != ERR_OK)
        return err;
    show_state(call, &request.space, is_enabled, 0);
    json_open_object(json);
    json_add_integer(json, "value", value);
    json_close_object(json);
    return call_finish(call);
}

/* ---- clears ---- */

/* What was started is recorded; what came of it is, when it ends. */
static enum err start_job(struct call *call, const struct namespace *space, struct str pattern)
{
    const struct job_order order = {
        .target = job_target_of_entries(call->arena, space),
        .pattern = pattern,
        .principal = &call->principal,
        .client_address = call->client_address,
        .request_id = call->request_id,
        .part = audit_part_of(call),
    };
    char target[JOB_AUDIT_TARGET_SIZE];
    struct job job;
    enum err err = limits_count_job(call);

    if (err != ERR_OK)
        return err;
    err = jobs_start(call->app, call_work(call), &order, &job);
    audit_clear(call, job_audit_target(namespace_text(call->arena, space), pattern, target), err,
                -1);
    return err == ERR_OK ? jobs_answer_started(call, &job) : err;
}

enum err op_entries_clear(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct entry_request request;
    int64_t generation = -1;
    enum err err = begin_write(call, false, false, &request);

    if (err != ERR_OK)
        return err;
    if (call_param(call, "pattern")->given && request.space.is_gateway)
        return error_set(&call->error, ERR_BAD_INPUT,
                         "pattern: What the gateway has stored has no labels. Drop a model of it.");
    if (call_param(call, "pattern")->given)
        return start_job(call, &request.space, call_param(call, "pattern")->text);
    err = entries_clear(&request, &generation);
    audit_clear(call, namespace_text(call->arena, &request.space), err,
                err == ERR_OK ? generation : -1);
    if (err != ERR_OK)
        return err;
    if (request.space.user_id > 0)
        tally_add(call->app->tallies, TALLY_CLEARS_USER);
    json_open_object(json);
    json_add_bool(json, "cleared", true);
    json_add_integer(json, "generation", generation);
    json_close_object(json);
    return call_finish(call);
}

/* "app:shop model:Product", "gateway model:Product soft" */
static struct str model_target(struct call *call, const struct namespace *space, struct str model,
                               bool is_soft)
{
    struct str text = namespace_text(call->arena, space);

    return str_format(call->arena, "%.*s model:%.*s%s", STR_ARG(text), STR_ARG(model),
                      is_soft ? " soft" : "");
}

/* Only what an upstream can be asked for again may be served once it is stale. */
static enum err take_soft(struct call *call, const struct entry_request *request, bool *is_soft_out)
{
    const struct param_value *soft = call_param(call, "soft");

    *is_soft_out = soft->integer != 0;
    if (!soft->given || request->space.is_gateway)
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT,
                     "soft: Only what the gateway has stored becomes stale: namespace=gateway.");
}

enum err op_models_clear(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct str model = call_param(call, "model")->text;
    struct entry_request request;
    int64_t generation = -1;
    bool is_soft = false;
    enum err err = begin_write(call, false, false, &request);

    if (err == ERR_OK)
        err = take_soft(call, &request, &is_soft);
    if (err != ERR_OK)
        return err;
    struct str name = is_soft ? models_soft_name(call->arena, model) : model;
    err = name.ptr ? entries_clear_model(&request, name, &generation) : ERR_NO_MEMORY;
    audit_clear(call, model_target(call, &request.space, model, is_soft), err,
                err == ERR_OK ? generation : -1);
    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_add_string(json, "model", model);
    json_add_bool(json, "cleared", true);
    json_add_integer(json, "generation", generation);
    json_close_object(json);
    return call_finish(call);
}
