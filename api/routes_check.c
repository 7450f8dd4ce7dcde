#include "routes_check.h"

#include "params_private.h"

#include <stdarg.h>
#include <stdio.h>

/*
 * Anybody may call these. A new public row has to be added here too, so that making something
 * public takes two deliberate lines, and the second is in a file reviewers watch.
 */
static const char *const reviewed_public[] = {
    "auth.register", "auth.login",    "auth.refresh", "token.obtain", "token.refresh",
    "token.verify",  "health.status", "health.live",  "health.ready", "api.schema",
};

static _Thread_local char complaint[256];

CW_PRINTF(2, 3)
static const char *complain(const struct route *route, const char *format, ...)
{
    int len =
        snprintf(complaint, sizeof complaint, "%s: ", route->name ? route->name : "(no name)");
    va_list args;

    if (len < 0 || (size_t)len >= sizeof complaint)
        len = 0;
    va_start(args, format);
    vsnprintf(complaint + len, sizeof complaint - (size_t)len, format, args);
    va_end(args);
    return complaint;
}

static bool is_blank(const char *text)
{
    return !text || !*text;
}

static bool is_reviewed_public(const char *name)
{
    for (size_t i = 0; i < sizeof reviewed_public / sizeof *reviewed_public; i++) {
        if (strcmp(name, reviewed_public[i]) == 0)
            return true;
    }
    return false;
}

static bool all_in(const char *text, const char *allowed)
{
    return strspn(text, allowed) == strlen(text);
}

static const char *check_identity(const struct route *route)
{
    if (is_blank(route->name) || !all_in(route->name, "abcdefghijklmnopqrstuvwxyz_."))
        return complain(route, "a name has a-z, _ and . only");
    if (is_blank(route->path) || route->path[0] != '/' || strstr(route->path, "//") ||
        !all_in(route->path, "abcdefghijklmnopqrstuvwxyz0123456789/-_{}"))
        return complain(route, "path \"%s\" is not /lower/case/segments",
                        route->path ? route->path : "");
    if (is_blank(route->summary))
        return complain(route, "no summary");
    if (!route->operation)
        return complain(route, "no operation");
    return NULL;
}

static const char *check_access(const struct route *route)
{
    if (route->permit == PERMIT_DENY)
        return complain(route, "no permission stated: nobody could call it");
    if (route->permit == PERMIT_PUBLIC && !is_reviewed_public(route->name))
        return complain(route, "public, but not on the reviewed list");
    if (route->accept == ACCEPT_SCRAPER &&
        (route->permit == PERMIT_PUBLIC || route->effect != EFFECT_READ))
        return complain(route, "for those who watch, but public or no read");
    if (route->accept == ACCEPT_OPTIONAL &&
        (route->permit != PERMIT_PUBLIC || route->effect != EFFECT_READ))
        return complain(route, "a credential is optional, but not public or no read");
    if ((limit_by(route->limit) == LIMIT_BY_USER || limit_by(route->limit) == LIMIT_BY_CALLER) &&
        route->permit != PERMIT_USER && route->permit != PERMIT_ENTRIES)
        return complain(route, "limit %s is for each user and needs permission user",
                        limit_name(route->limit));
    if (route->effect == EFFECT_UNSTATED)
        return complain(route, "effect is not stated");
    if (route->method != METHOD_GET && route->method != METHOD_POST &&
        route->method != METHOD_PUT && route->method != METHOD_DELETE &&
        route->method != METHOD_PATCH)
        return complain(route, "method %s is the edge's own", method_name(route->method));
    if (route->method == METHOD_GET && route->effect != EFFECT_READ)
        return complain(route, "a GET must be a read");
    if (route->method == METHOD_GET && route->body != BODY_IGNORED)
        return complain(route, "a GET must not read a body");
    return NULL;
}

static const char *check_error_format(const struct route *route)
{
    bool has_sentence = route->error_format == ERROR_FORMAT_CONTROL ||
                        route->error_format == ERROR_FORMAT_ADMIN_CLEAR ||
                        route->error_format == ERROR_FORMAT_MESSAGES ||
                        route->error_format == ERROR_FORMAT_ANALYTICS;

    if (has_sentence && is_blank(route->failure))
        return complain(route, "its error format needs a sentence for a failure");
    if (!has_sentence && route->failure)
        return complain(route, "its error format has no use for a sentence");
    return NULL;
}

static const char *check_repeats(const struct route *route, const struct param_spec *spec)
{
    bool is_text = spec->kind == PARAM_NAME || spec->kind == PARAM_TEXT || param_is_path_text(spec);

    if (spec->repeats && (!is_text || spec->place != PLACE_QUERY || spec->raw_only))
        return complain(route, "parameter %s: only texts in a query may repeat", spec->name);
    return NULL;
}

static const char *check_param(const struct route *route, const struct param_spec *spec)
{
    if ((spec->kind == PARAM_FIELD) != (spec->place == PLACE_HEAD))
        return complain(route, "parameter %s: a field stands in the head, and nothing else does",
                        spec->name ? spec->name : "");
    if (spec->kind == PARAM_FIELD && (spec->required || spec->raw_only || spec->repeats))
        return complain(route, "parameter %s: a field is told of, and that is all", spec->name);
    if (is_blank(spec->name) ||
        (spec->kind != PARAM_FIELD && !all_in(spec->name, "abcdefghijklmnopqrstuvwxyz_")))
        return complain(route, "a parameter's name has a-z and _ only");
    if (is_blank(spec->help))
        return complain(route, "parameter %s has no help", spec->name);
    if (spec->kind == PARAM_INTEGER && (spec->min > spec->max || spec->default_value < spec->min ||
                                        spec->default_value > spec->max))
        return complain(route, "parameter %s: its default is not inside its range", spec->name);
    if (spec->kind == PARAM_BOOLEAN && spec->default_value != 0 && spec->default_value != 1)
        return complain(route, "parameter %s: its default is neither 0 nor 1", spec->name);
    if (spec->kind == PARAM_OWN_ID && route->permit != PERMIT_USER)
        return complain(route, "parameter %s: an own id needs permission user", spec->name);
    if (spec->kind == PARAM_NAMESPACE &&
        (route->permit != PERMIT_ENTRIES || spec->place != PLACE_QUERY || spec->raw_only))
        return complain(route, "parameter %s: a namespace needs permission entries and a query",
                        spec->name);
    for (const struct param_spec *other = route->params; other != spec; other++) {
        if (strcmp(other->name, spec->name) == 0)
            return complain(route, "parameter %s is there twice", spec->name);
    }
    return check_repeats(route, spec);
}

/* Moves *path behind its next "{name}" and gives the name; false when there is none. */
static bool next_placeholder(const char **path, struct str *name_out)
{
    const char *open = strchr(*path, '{');
    const char *close = open ? strchr(open, '}') : NULL;

    if (!close)
        return false;
    *name_out = (struct str){open + 1, (size_t)(close - open - 1)};
    *path = close + 1;
    return true;
}

/* Placeholders are whole segments and stand in the order of the path parameters. */
static const char *check_placeholders(const struct route *route)
{
    const char *path = route->path, *start;
    const struct param_spec *spec = route->params;
    struct str name;

    for (start = path; next_placeholder(&path, &name); start = path) {
        const char *open = name.ptr - 1;
        if (open == start || open[-1] != '/' || (*path != '/' && *path != '\0'))
            return complain(route, "{%.*s} is not a whole segment", STR_ARG(name));
        while (spec && spec->kind != PARAM_END && spec->place != PLACE_PATH)
            spec++;
        if (!spec || spec->kind == PARAM_END || !str_eq(name, str_from(spec->name)))
            return complain(route, "{%.*s} and the path parameters differ", STR_ARG(name));
        spec++;
    }
    if (strpbrk(start, "{}"))
        return complain(route, "an unpaired brace in the path");
    for (; spec && spec->kind != PARAM_END; spec++) {
        if (spec->place == PLACE_PATH)
            return complain(route, "path parameter %s is not in the path", spec->name);
    }
    return NULL;
}

static const char *check_params(const struct route *route)
{
    const char *wrong = NULL;
    size_t count = 0, raw_only = 0, in_query = 0;

    for (const struct param_spec *spec = route->params; spec && spec->kind != PARAM_END; spec++) {
        if (++count > CALL_MAX_PARAMS)
            return complain(route, "more than %d parameters", CALL_MAX_PARAMS);
        wrong = check_param(route, spec);
        if (wrong)
            return wrong;
        raw_only += spec->raw_only ? 1 : 0;
        in_query += spec->place == PLACE_QUERY ? 1 : 0;
        if (spec->raw_only && spec->place != PLACE_QUERY)
            return complain(route, "parameter %s: raw_only is for the query", spec->name);
    }
    if (raw_only > 0 && count > 1)
        return complain(route, "raw_only wants to be the only parameter");
    if (route->body == BODY_NO_PARAMS && in_query == 0)
        return complain(route, "there is no parameter that its body could name");
    return check_placeholders(route);
}

/* Whether some path could belong to both: a placeholder may stand for any segment. */
static bool paths_overlap(const char *a, const char *b)
{
    while (*a && *b) {
        if (*a == '{' || *b == '{') {
            a += strcspn(a, "/");
            b += strcspn(b, "/");
        } else if (*a++ != *b++) {
            return false;
        }
    }
    /* A trailing slash in the table means with and without it. */
    return strcmp(a, *a == '/' ? "/" : "") == 0 && strcmp(b, *b == '/' ? "/" : "") == 0;
}

static const char *check_against(const struct route *route, const struct route *others,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(route->name, others[i].name) == 0)
            return complain(route, "there are two rows of this name");
        if (route->method == others[i].method && paths_overlap(route->path, others[i].path))
            return complain(route, "%s %s is also %s", method_name(route->method), route->path,
                            others[i].name);
    }
    return NULL;
}

const char *routes_check_rows(const struct route *rows, size_t count)
{
    const char *wrong = NULL;

    for (size_t i = 0; i < count && !wrong; i++) {
        wrong = check_identity(&rows[i]);
        if (!wrong)
            wrong = check_access(&rows[i]);
        if (!wrong)
            wrong = check_error_format(&rows[i]);
        if (!wrong)
            wrong = check_params(&rows[i]);
        if (!wrong)
            wrong = check_against(&rows[i], rows, i);
    }
    return wrong;
}

const char *routes_check(void)
{
    size_t count;
    const struct route *rows = routes_table(&count);

    return routes_check_rows(rows, count);
}
