/* What an operation takes and gives: parameters, bodies, answers with their examples. */
#include "reference/openapi_private.h"

#include "http/status.h"

#include <stdio.h>

#define MEDIA_ANY "*/*"

void openapi_write_type(struct json_writer *json, const char *type)
{
    json_name(json, "schema");
    json_open_object(json);
    json_add_string(json, "type", str_from(type));
    json_close_object(json);
}

/* ---- answers ---- */

static bool is_json(struct str media_type)
{
    return str_ends(media_type, STR("json"));
}

/* JSON as a value; what is no JSON as a string. */
static void write_text(const struct openapi_writer *writer, struct str text, bool is_value)
{
    const struct json *value;

    if (!is_value)
        json_write_string(writer->json, text);
    else if (json_parse(writer->arena, text, &value, NULL) == ERR_OK)
        openapi_write_value(writer->json, value);
    else
        writer->json->out->failed = true;
}

static void write_request(const struct openapi_writer *writer, const struct sample *sample)
{
    struct json_writer *json = writer->json;

    json_open_object(json);
    json_add_string(json, "as", str_from(sample->as));
    if (sample->given)
        json_add_string(json, "given", str_from(sample->given));
    if (sample->header)
        json_add_string(json, "header", str_from(sample->header));
    json_add_string(json, "target", sample->target);
    if (sample->content_type)
        json_add_string(json, "content_type", str_from(sample->content_type));
    if (sample->body_size > 0)
        json_add_integer(json, "body_size", (int64_t)sample->body_size);
    if (sample->body) {
        json_name(json, "body");
        write_text(writer, str_from(sample->body), sample->body[0] == '{');
    }
    json_close_object(json);
}

static void write_example(const struct openapi_writer *writer, const struct sample *sample)
{
    struct json_writer *json = writer->json;

    json_name(json, sample->label);
    json_open_object(json);
    json_add_string(json, "summary", str_from(sample->summary));
    json_name(json, "value");
    write_text(writer, sample->reply, is_json(sample->media_type));
    json_name(json, "x-request");
    write_request(writer, sample);
    json_close_object(json);
}

/* The shape of the answers' bodies, or with `of_requests` of the bodies that were sent. */
static void write_schema(const struct openapi_writer *writer, const struct sample *samples,
                         size_t count, bool of_requests)
{
    const struct json **values = arena_alloc(writer->arena, count * sizeof *values);
    size_t found = 0;

    for (size_t i = 0; values && i < count; i++) {
        struct str text = of_requests ? str_from(samples[i].body) : samples[i].reply;
        if (text.len > 0 && json_parse(writer->arena, text, &values[found], NULL) == ERR_OK)
            found++;
    }
    json_name(writer->json, "schema");
    if (found > 0)
        openapi_write_shape(writer->json, writer->arena, values, found, of_requests);
    else
        writer->json->out->failed = true;
}

/* Bytes of any kind have no type: where they are JSON, a string would be said of an object. */
static void write_any_schema(struct json_writer *json)
{
    json_name(json, "schema");
    json_open_object(json);
    json_close_object(json);
}

static void write_content(const struct openapi_writer *writer, const struct sample *samples,
                          size_t count)
{
    struct json_writer *json = writer->json;
    char name[64];

    snprintf(name, sizeof name, "%.*s", STR_ARG(samples[0].media_type));
    json_name(json, name);
    json_open_object(json);
    if (is_json(samples[0].media_type))
        write_schema(writer, samples, count, false);
    else if (str_eq(samples[0].media_type, STR(MEDIA_ANY)))
        write_any_schema(json);
    else
        openapi_write_type(json, "string");
    json_name(json, "examples");
    json_open_object(json);
    for (size_t i = 0; i < count; i++)
        write_example(writer, &samples[i]);
    json_close_object(json);
    json_close_object(json);
}

/* An answer without a body has nowhere to hang its examples on but itself. */
static void write_bare_examples(const struct openapi_writer *writer, const struct sample *samples,
                                size_t count)
{
    struct json_writer *json = writer->json;

    json_name(json, "x-requests");
    json_open_object(json);
    for (size_t i = 0; i < count; i++) {
        json_name(json, samples[i].label);
        write_request(writer, &samples[i]);
    }
    json_close_object(json);
}

/* All samples of one status; they have one media type. */
static void write_response(const struct openapi_writer *writer, const struct route *route,
                           const struct sample *samples, size_t count)
{
    struct json_writer *json = writer->json;
    char status[16];

    snprintf(status, sizeof status, "%d", samples[0].status);
    json_name(json, status);
    json_open_object(json);
    json_add_string(json, "description", str_from(status_phrase(samples[0].status)));
    openapi_write_headers(json, route, samples[0].status);
    if (samples[0].reply.len > 0 && route->method != METHOD_HEAD) {
        json_name(json, "content");
        json_open_object(json);
        write_content(writer, samples, count);
        json_close_object(json);
    } else {
        write_bare_examples(writer, samples, count);
    }
    json_close_object(json);
}

void openapi_write_responses(const struct openapi_writer *writer, const struct route *route,
                             const struct sample *samples, size_t count)
{
    json_name(writer->json, "responses");
    json_open_object(writer->json);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && samples[next].status == samples[i].status;)
            next++;
        write_response(writer, route, &samples[i], next - i);
    }
    json_close_object(writer->json);
}

/* ---- requests ---- */

static void write_text_schema(struct json_writer *json, int64_t max)
{
    json_add_string(json, "type", STR("string"));
    json_add_integer(json, "minLength", 1);
    json_add_integer(json, "maxLength", max);
}

static void write_value_schema(struct json_writer *json, const struct param_spec *spec)
{
    json_open_object(json);
    switch (spec->kind) {
    case PARAM_ID:
    case PARAM_OWN_ID:
        json_add_string(json, "type", STR("integer"));
        json_add_string(json, "format", STR("int64"));
        json_add_integer(json, "minimum", 1);
        break;
    case PARAM_INTEGER:
        json_add_string(json, "type", STR("integer"));
        json_add_integer(json, "minimum", spec->min);
        json_add_integer(json, "maximum", spec->max);
        json_add_integer(json, "default", spec->default_value);
        break;
    case PARAM_BOOLEAN:
        json_add_string(json, "type", STR("boolean"));
        json_add_bool(json, "default", spec->default_value != 0);
        break;
    case PARAM_NAME:
        json_add_string(json, "type", STR("string"));
        json_add_string(json, "pattern", STR("^[A-Za-z0-9._-]{1,64}$"));
        break;
    case PARAM_STREAM_ID:
        json_add_string(json, "type", STR("string"));
        json_add_string(json, "pattern", STR("^[0-9]+-[0-9]+$"));
        break;
    case PARAM_TIME:
        json_add_string(json, "type", STR("string"));
        json_add_string(json, "pattern",
                        STR("^([0-9]{1,11}|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:]{8}([.][0-9]+)?"
                            "([Zz]|[+-][0-9]{2}:[0-9]{2}))$"));
        break;
    case PARAM_TEXT:
        write_text_schema(json, 255);
        break;
    case PARAM_LABEL:
        write_text_schema(json, 512);
        break;
    case PARAM_MODEL:
        write_text_schema(json, 128);
        break;
    case PARAM_NAMESPACE:
        json_add_string(json, "type", STR("string"));
        json_add_string(json, "pattern",
                        spec->takes_gateway
                            ? STR("^(user:[1-9][0-9]*|app:[A-Za-z0-9._-]{1,64}|gateway)$")
                            : STR("^(user:[1-9][0-9]*|app:[A-Za-z0-9._-]{1,64})$"));
        break;
    case PARAM_FIELD:
        json_add_string(json, "type", STR("string"));
        break;
    case PARAM_END:
        break;
    }
    json_close_object(json);
}

/* One that repeats is `model=a&model=b`: an array, exploded, as is the standard's default for a query. */
static void write_param_schema(struct json_writer *json, const struct param_spec *spec)
{
    json_name(json, "schema");
    if (!spec->repeats) {
        write_value_schema(json, spec);
        return;
    }
    json_open_object(json);
    json_add_string(json, "type", STR("array"));
    json_add_integer(json, "maxItems", PARAM_REPEATS_MAX);
    json_name(json, "items");
    write_value_schema(json, spec);
    json_close_object(json);
}

void openapi_write_parameters(struct json_writer *json, const struct route *route)
{
    static const char *const places[] = {
        [PLACE_QUERY] = "query", [PLACE_PATH] = "path", [PLACE_HEAD] = "header"};

    if (!route->params)
        return;
    json_name(json, "parameters");
    json_open_array(json);
    for (const struct param_spec *spec = route->params; spec->kind != PARAM_END; spec++) {
        json_open_object(json);
        json_add_string(json, "name", str_from(spec->name));
        json_add_string(json, "in", str_from(places[spec->place]));
        json_add_string(json, "description", str_from(spec->help));
        json_add_bool(json, "required", spec->place == PLACE_PATH || spec->required);
        write_param_schema(json, spec);
        json_close_object(json);
    }
    json_close_array(json);
}

/* Of those that went well; they come first. */
static void write_body_examples(const struct openapi_writer *writer, const struct sample *samples,
                                size_t count, bool is_value)
{
    struct json_writer *json = writer->json;

    json_name(json, "examples");
    json_open_object(json);
    for (size_t i = 0; i < count; i++) {
        if (!samples[i].body)
            continue;
        json_name(json, samples[i].label);
        json_open_object(json);
        json_add_string(json, "summary", str_from(samples[i].summary));
        json_name(json, "value");
        write_text(writer, str_from(samples[i].body), is_value);
        json_close_object(json);
    }
    json_close_object(json);
}

static void write_fields(const struct openapi_writer *writer, const struct sample *samples,
                         size_t count)
{
    static const char *const types[] = {"application/json", "application/x-www-form-urlencoded"};

    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        json_name(writer->json, types[t]);
        json_open_object(writer->json);
        write_schema(writer, samples, count, true);
        write_body_examples(writer, samples, count, true);
        json_close_object(writer->json);
    }
}

static void write_raw(const struct openapi_writer *writer, const struct sample *samples,
                      size_t count)
{
    json_name(writer->json, MEDIA_ANY);
    json_open_object(writer->json);
    write_any_schema(writer->json);
    write_body_examples(writer, samples, count, false);
    json_close_object(writer->json);
}

void openapi_write_request_body(const struct openapi_writer *writer, const struct route *route,
                                const struct sample *samples, size_t count)
{
    struct json_writer *json = writer->json;
    bool is_needed = route->body == BODY_FIELDS;
    size_t good = 0; /* those that succeed come first */

    if (route->body != BODY_FIELDS && route->body != BODY_RAW && route->body != BODY_STREAM)
        return;
    for (; good < count && samples[good].status < 300; good++)
        is_needed = is_needed && samples[good].body;
    json_name(json, "requestBody");
    json_open_object(json);
    json_add_bool(json, "required", is_needed);
    json_name(json, "content");
    json_open_object(json);
    if (route->body == BODY_FIELDS)
        write_fields(writer, samples, good);
    else
        write_raw(writer, samples, good);
    json_close_object(json);
    json_close_object(json);
}
