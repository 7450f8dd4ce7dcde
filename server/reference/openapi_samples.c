/*
 * Samples of a route: those of api/examples.def, and the errors that follow from its columns. What an
 * error looks like is asked of the code that answers it (params.h, status.h), on a made-up request.
 */
#include "cachewarden/redis_error.h"
#include "reference/openapi_private.h"

#include "http/status.h"

#include "cachewarden/examples.h"

#include <stdlib.h>

enum {
    SAMPLES_MAX = 32,
    THROTTLED_S = 60,
    USUAL_MAX_BODY = 1048576 /* server.max_body, where nobody set it */
};

struct maker {
    const struct route *route;
    struct arena *arena;
    struct exchange *exchange; /* of the error that is being made */
    const struct route_example *first;
    struct sample *samples;
    size_t count;
    bool failed;
};

/* ---- callers ---- */

static const char *const caller_names[] = {
    [AS_NOBODY] = "nobody", [AS_USER] = "user", [AS_ADMIN] = "admin",
    [AS_KEY] = "key",       [AS_PAGE] = "page", [AS_SESSION] = "session"};

static const char *const given_names[] = {[GIVEN_NOTHING] = NULL,
                                          [GIVEN_REDIS_DOWN] = "redis_down",
                                          [GIVEN_ENTRY] = "entry_stored",
                                          [GIVEN_JOB] = "job_running",
                                          [GIVEN_BACKUP] = "backup_under_way",
                                          [GIVEN_STARTING] = "starting"};

static const char *allowed_caller(const struct route *route)
{
    switch (route->permit) {
    case PERMIT_PUBLIC:
        return "nobody";
    case PERMIT_USER:
    case PERMIT_ENTRIES:
        return "user";
    case PERMIT_SCOPE_FLUSH:
    case PERMIT_FLUSH_MESSAGES:
        return "key";
    case PERMIT_DENY:
    case PERMIT_ADMIN:
    case PERMIT_SCOPE_METRICS:
    case PERMIT_STARTER:
        break;
    }
    return "admin";
}

/* ---- adding ---- */

static struct sample *add(struct maker *maker, const char *label, const char *summary)
{
    if (maker->count == SAMPLES_MAX) {
        maker->failed = true;
        maker->count--;
    }
    struct sample *sample = &maker->samples[maker->count++];
    *sample = (struct sample){
        .label = label,
        .summary = summary,
        .as = allowed_caller(maker->route),
        .target = str_from(maker->first->target ? maker->first->target : maker->route->path),
        .body = maker->first->body};
    sample->content_type = sample->body ? "application/json" : NULL;
    return sample;
}

/* An exchange that has come as far as the route. */
static struct exchange *begin(struct maker *maker)
{
    struct exchange *exchange = maker->exchange;

    *exchange = (struct exchange){.response = {.cache_enabled = UNKNOWN}};
    call_init(&exchange->call, NULL, maker->route, maker->arena);
    return exchange;
}

/* The answer of the exchange becomes the sample's. */
static void take(struct sample *sample, const struct exchange *exchange)
{
    sample->status = exchange->response.status;
    sample->media_type = exchange->response.media_type;
    sample->reply = exchange->response.body;
}

/* ---- errors by columns ---- */

static void add_denied(struct maker *maker)
{
    struct sample *sample;

    if (maker->route->permit == PERMIT_PUBLIC)
        return;
    sample = add(maker, "not_signed_in", "No credential, or none that is good.");
    sample->as = "nobody";
    status_denied(begin(maker), PERMIT_NO_CREDENTIAL);
    take(sample, maker->exchange);

    sample = add(maker, "session_over", "A browser's session that is good for nothing any more.");
    sample->as = "ended_session";
    status_denied(begin(maker), PERMIT_NO_CREDENTIAL);
    take(sample, maker->exchange);

    sample = add(maker, "not_allowed", "A caller without the permission.");
    sample->as = maker->route->permit == PERMIT_USER || maker->route->permit == PERMIT_ENTRIES
                     ? "key"
                     : "user";
    status_denied(begin(maker), PERMIT_NO);
    take(sample, maker->exchange);
}

static void add_unknown_parameter(struct maker *maker)
{
    struct sample *sample = add(maker, "unknown_parameter", "The route has no such parameter.");
    struct exchange *exchange = begin(maker);
    struct str values[CALL_MAX_PARAMS];
    struct str rest = sample->target, path;
    size_t count = 0;

    if (!str_split(&rest, '?', &path))
        path = sample->target;
    sample->target = str_format(maker->arena, "%.*s?nonsense=1", STR_ARG(path));
    for (const struct param_spec *spec = maker->route->params; spec && spec->kind != PARAM_END;
         spec++)
        if (spec->place == PLACE_PATH)
            values[count++] = spec->kind == PARAM_ID ? STR("1") : STR("messages");
    status_render(exchange, params_read(&exchange->call, (struct query){STR("nonsense=1"), true},
                                        values, count));
    take(sample, exchange);
}

static void add_unknown_member(struct maker *maker)
{
    static const char *const none[] = {NULL};
    struct sample *sample = add(maker, "unknown_member", "The body has a member nobody asked for.");
    struct exchange *exchange = begin(maker);

    sample->body = "{\"nonsense\":true}";
    sample->content_type = "application/json";
    exchange->call.body = str_from(sample->body);
    enum err err = params_read_body(&exchange->call, STR("application/json"));
    if (err == ERR_OK)
        err = call_fields_only(&exchange->call, none);
    status_render(exchange, err);
    take(sample, exchange);
}

static void add_wrong_type(struct maker *maker)
{
    struct sample *sample = add(maker, "wrong_type", "A body of a type that is not taken.");
    struct exchange *exchange = begin(maker);

    sample->body = "nonsense";
    sample->content_type = "text/plain";
    exchange->call.body = str_from(sample->body);
    status_render(exchange, params_read_body(&exchange->call, str_from(sample->content_type)));
    take(sample, exchange);
}

static void add_too_large(struct maker *maker)
{
    struct sample *sample = add(maker, "too_large", "A body over the limit.");
    size_t limit = maker->route->body_limit;

    sample->body = NULL;
    sample->content_type = "application/json";
    sample->body_size = (limit > 0 ? limit : USUAL_MAX_BODY) + 1;
    status_body_refused(begin(maker), 413);
    take(sample, maker->exchange);
}

static void add_coded(struct maker *maker)
{
    struct sample *sample = add(maker, "compressed", "A body that is coded.");

    sample->header = "Content-Encoding: gzip";
    sample->body = "nonsense";
    sample->content_type = "text/plain";
    status_coding_refused(begin(maker));
    take(sample, maker->exchange);
}

static bool has_status(const struct maker *maker, int status)
{
    for (size_t i = 0; i < maker->count; i++)
        if (maker->samples[i].status == status)
            return true;
    return false;
}

/* Who is calling is asked of the users database, and what they send may find no room. */
static void add_unavailable(struct maker *maker)
{
    bool is_asked = maker->route->permit != PERMIT_PUBLIC || route_reads_body(maker->route);
    struct sample *sample;

    if (!is_asked || has_status(maker, 503))
        return;
    sample = add(maker, "unavailable", "The users database is away, or there is no room.");
    sample->given = "users_database_down";
    status_identity_failed(begin(maker), error_set_detail(&maker->exchange->call.error,
                                                          ERR_UPSTREAM_DOWN, "not asked"));
    take(sample, maker->exchange);
}

/* Of a row that may start a job: the request that does. */
static const char *target_of_job(const struct route *route)
{
    size_t count;
    const struct route_example *examples = routes_examples(&count);

    for (size_t i = 0; i < count; i++)
        if (examples[i].status == 202 && strcmp(examples[i].route, route->name) == 0)
            return examples[i].target;
    return route->path;
}

static void add_throttled(struct maker *maker)
{
    struct sample *sample = add(maker, "throttled", "Too many within a minute.");

    sample->given = "limit_used_up";
    /* Counted for the token that is sent. */
    if (limit_by(maker->route->limit) == LIMIT_BY_FAMILY) {
        sample->as = caller_names[maker->first->caller];
        sample->body = maker->first->body;
        sample->content_type = "application/json";
    }
    if (route_starts_jobs(maker->route)) {
        sample->target = str_from(target_of_job(maker->route));
        sample->as = caller_names[AS_KEY];
    }
    begin(maker)->call.reply.retry_after_s = THROTTLED_S;
    status_render(maker->exchange, ERR_THROTTLED);
    take(sample, maker->exchange);
}

static void add_errors(struct maker *maker)
{
    add_denied(maker);
    if (!route_ignores_query(maker->route))
        add_unknown_parameter(maker);
    if (maker->route->body == BODY_FIELDS) {
        add_unknown_member(maker);
        add_wrong_type(maker);
        add_too_large(maker);
    }
    if (maker->route->body == BODY_RAW || maker->route->body == BODY_STREAM)
        add_too_large(maker);
    if (route_reads_body(maker->route))
        add_coded(maker);
    add_unavailable(maker);
    if (route_counts_bytes(maker->route) || route_starts_jobs(maker->route) ||
        (maker->route->limit != LIMIT_NONE && limit_by(maker->route->limit) != LIMIT_BY_COMMON))
        add_throttled(maker);
}

/* ---- the table ---- */

/* An example that leaves its body to the row's error format. */
static void ask_error_format(struct maker *maker, struct sample *sample, enum example_given given)
{
    struct exchange *exchange = begin(maker);
    enum err err = ERR_BAD_INPUT;

    if (given == GIVEN_REDIS_DOWN)
        err = redis_error_set(&exchange->call.error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                              "not asked");
    status_render(exchange, err);
    take(sample, exchange);
}

static struct str media_type_of(const struct route_example *example)
{
    if (!example->reply)
        return STR_NONE;
    if (example->media_type)
        return str_from(example->media_type);
    if (example->reply[0] != '{')
        return STR("text/plain");
    return str_starts(str_from(example->reply), STR("{\"type\":\"about:blank\""))
               ? STR("application/problem+json")
               : STR("application/json");
}

static void add_example(struct maker *maker, const struct route_example *example)
{
    struct sample *sample = add(maker, example->label, example->summary);

    sample->as = caller_names[example->caller];
    sample->given = given_names[example->given];
    sample->header = example->header;
    sample->target = str_from(example->target ? example->target : maker->route->path);
    sample->body = example->body;
    sample->content_type = example->body ? "application/json" : NULL;
    sample->status = example->status;
    sample->media_type = media_type_of(example);
    sample->reply = str_from(example->reply);
    if (!example->reply && example->status >= 400)
        ask_error_format(maker, sample, example->given);
}

static int by_status(const void *a, const void *b)
{
    const struct sample *left = a, *right = b;

    if (left->status != right->status)
        return left->status < right->status ? -1 : 1;
    return strcmp(left->label, right->label);
}

size_t openapi_samples(const struct route *route, struct arena *arena, struct sample **samples_out)
{
    size_t count;
    const struct route_example *examples = routes_examples(&count);
    struct maker maker = {.route = route,
                          .arena = arena,
                          .exchange = arena_alloc(arena, sizeof *maker.exchange),
                          .samples = arena_alloc(arena, SAMPLES_MAX * sizeof *maker.samples)};

    *samples_out = maker.samples;
    if (!maker.exchange || !maker.samples)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(examples[i].route, route->name) != 0)
            continue;
        if (!maker.first)
            maker.first = &examples[i];
        add_example(&maker, &examples[i]);
    }
    if (!maker.first) /* a test says which row that is */
        return 0;
    add_errors(&maker);
    qsort(maker.samples, maker.count, sizeof *maker.samples, by_status);
    return maker.failed ? 0 : maker.count;
}
