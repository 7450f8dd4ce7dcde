/* What a value of each kind must look like, and what is said of one that does not. */
#include "params_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/entries.h"

#include <inttypes.h>

/* ---- texts ---- */

static bool is_text(struct str text, size_t max)
{
    return text.len >= 1 && text.len <= max && str_is_utf8(text) && !str_has_control(text);
}

static bool is_name(struct str s)
{
    if (s.len == 0 || s.len > 64)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* Redis would take more forms ("5", "+"); one canonical form is enough and cannot surprise. 0-0 is no
 * entry's id, and Redis refuses to look before it. */
static bool is_stream_id(struct str s)
{
    struct str ms, rest = s;
    int64_t time_ms, sequence;

    return str_split(&rest, '-', &ms) && str_to_int64(ms, 0, INT64_MAX, &time_ms) &&
           str_to_int64(rest, 0, INT64_MAX, &sequence) && (time_ms > 0 || sequence > 0);
}

bool param_takes_namespace(const struct param_spec *spec, struct str text,
                           struct namespace *space_out)
{
    return spec->takes_gateway ? namespace_parse_any(text, space_out)
                               : namespace_parse(text, space_out);
}

static bool is_namespace(const struct param_spec *spec, struct str text, int64_t *user_id_out)
{
    struct namespace space;
    bool is_one = param_takes_namespace(spec, text, &space);

    *user_id_out = is_one ? space.user_id : 0;
    return is_one;
}

/* ---- all ---- */

bool param_fits(const struct param_spec *spec, struct str text, int64_t *integer_out)
{
    switch (spec->kind) {
    case PARAM_ID:
    case PARAM_OWN_ID:
        return str_to_int64(text, 1, INT64_MAX, integer_out);
    case PARAM_INTEGER:
        return str_to_int64(text, spec->min, spec->max, integer_out);
    case PARAM_BOOLEAN:
        *integer_out = str_eq(text, STR("true"));
        return *integer_out || str_eq(text, STR("false"));
    case PARAM_NAME:
        return is_name(text);
    case PARAM_STREAM_ID:
        return is_stream_id(text);
    case PARAM_TIME:
        return clock_read(text, integer_out);
    case PARAM_TEXT:
        return is_text(text, 255);
    case PARAM_LABEL:
        return spec->place == PLACE_PATH ? entry_is_label(text) : is_text(text, ENTRY_LABEL_MAX);
    case PARAM_MODEL:
        return entry_is_model(text);
    case PARAM_NAMESPACE:
        return is_namespace(spec, text, integer_out);
    case PARAM_FIELD:
    case PARAM_END:
        break;
    }
    return false;
}

static const char *form_of(const struct param_spec *spec)
{
    switch (spec->kind) {
    case PARAM_ID:
    case PARAM_OWN_ID:
        return "one positive whole number";
    case PARAM_BOOLEAN:
        return "true or false";
    case PARAM_NAME:
        return "1 to 64 letters, digits, dots, underscores or hyphens";
    case PARAM_STREAM_ID:
        return "an id such as 1700000000000-0, taken from an earlier answer";
    case PARAM_TIME:
        return "a time such as 2026-01-31T12:00:00Z, or seconds since 1970";
    case PARAM_TEXT:
        return "1 to 255 bytes of UTF-8 without control characters";
    case PARAM_LABEL:
        return spec->place != PLACE_PATH
                   ? "1 to 512 bytes of UTF-8 without control characters"
                   : "1 to 512 bytes of UTF-8, percent-encoded, without control characters and "
                     "without a part that is . or ..";
    case PARAM_MODEL:
        return "1 to 128 bytes of UTF-8, percent-encoded, without control characters and slashes, "
               "and neither . nor ..";
    case PARAM_NAMESPACE:
        return spec->takes_gateway ? "user:<id>, app:<name> or gateway" : "user:<id> or app:<name>";
    case PARAM_INTEGER:
    case PARAM_FIELD:
    case PARAM_END:
        break;
    }
    return NULL;
}

enum err param_refuse(struct call *call, const struct param_spec *spec)
{
    const char *form = form_of(spec);

    if (spec->kind == PARAM_INTEGER)
        return error_set(&call->error, ERR_BAD_INPUT,
                         "%s: Must be a whole number from %" PRId64 " to %" PRId64 ".", spec->name,
                         spec->min, spec->max);
    if (!form)
        return error_set_detail(&call->error, ERR_INTERNAL, "%s: a parameter without a kind",
                                spec->name);
    return error_set(&call->error, ERR_BAD_INPUT, "%s: Must be %s.", spec->name, form);
}

bool param_is_path_text(const struct param_spec *spec)
{
    return spec->kind == PARAM_LABEL || spec->kind == PARAM_MODEL;
}
