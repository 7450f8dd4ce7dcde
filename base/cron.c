#include "cachewarden/cron.h"

#include <stdio.h>
#include <time.h>

enum { MINUTE_S = 60, DAY_MINUTES = 24 * 60, FIELD_SHOWN = 24 };

/* ---- the words ---- */

struct field_rule {
    const char *name;
    int min, max;
    const char *names; /* of three letters each, from `first_name` on; NULL: none */
    int first_name;
};

static const struct field_rule rules[CRON_FIELDS] = {
    [CRON_MINUTE] = {"minute", 0, 59, NULL, 0},
    [CRON_HOUR] = {"hour", 0, 23, NULL, 0},
    [CRON_DAY] = {"day of the month", 1, 31, NULL, 0},
    [CRON_MONTH] = {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1},
    [CRON_WEEKDAY] = {"day of the week", 0, 7, "sunmontuewedthufrisat", 0},
};

static const struct {
    struct str word, meaning;
} shorthands[] = {
    {{"@hourly", 7}, {"0 * * * *", 9}},   {{"@daily", 6}, {"0 0 * * *", 9}},
    {{"@midnight", 9}, {"0 0 * * *", 9}}, {{"@weekly", 7}, {"0 0 * * 0", 9}},
    {{"@monthly", 8}, {"0 0 1 * *", 9}},  {{"@yearly", 7}, {"0 0 1 1 *", 9}},
    {{"@annually", 9}, {"0 0 1 1 *", 9}},
};

#define SHOWN(s) (int)((s).len < FIELD_SHOWN ? (s).len : FIELD_SHOWN), ((s).ptr ? (s).ptr : "")

static enum err refuse(const struct field_rule *rule, struct str item, const char *why,
                       struct error *error)
{
    return error_set(error, ERR_BAD_INPUT, "the %s \"%.*s\" %s", rule->name, SHOWN(item), why);
}

static enum err refuse_value(const struct field_rule *rule, struct str item, struct error *error)
{
    char why[80];

    if (item.len == 0)
        return error_set(error, ERR_BAD_INPUT, "the %s has an empty part", rule->name);
    if (str_eq(item, STR("?")))
        return refuse(rule, item, "is of other schedulers: write \"*\"", error);
    snprintf(why, sizeof why, "is not a number from %d to %d%s", rule->min, rule->max,
             !rule->names                 ? ""
             : rule == &rules[CRON_MONTH] ? ", nor \"jan\" to \"dec\""
                                          : ", nor \"sun\" to \"sat\"");
    return refuse(rule, item, why, error);
}

/* One or two digits: people write "05". */
static bool take_digits(struct str text, int *value_out)
{
    int value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        value = value * 10 + (text.ptr[i] - '0');
        if (value > 99)
            return false;
    }
    *value_out = value;
    return text.len == 1 || text.len == 2;
}

static bool take_name(const struct field_rule *rule, struct str text, int *value_out)
{
    struct str names = str_from(rule->names);

    for (size_t i = 0; i < names.len && text.len == 3; i += 3) {
        if (str_eq_nocase(text, str_sub(names, i, 3))) {
            *value_out = rule->first_name + (int)(i / 3);
            return true;
        }
    }
    return false;
}

static bool take_value(const struct field_rule *rule, struct str text, int *value_out)
{
    return (take_digits(text, value_out) || take_name(rule, text, value_out)) &&
           *value_out >= rule->min && *value_out <= rule->max;
}

/* ---- a part of a field: what stands between commas ---- */

struct span {
    int from, to, step;
};

static enum err take_step(const struct field_rule *rule, struct str item, struct str step,
                          bool is_single, struct span *span, struct error *error)
{
    char why[80];

    if (is_single) {
        snprintf(why, sizeof why, "has a step but no range: write \"%d-%d/%.*s\"", span->from,
                 rule->max, SHOWN(step));
        return refuse(rule, item, why, error);
    }
    if (take_digits(step, &span->step) && span->step > 0 && span->step <= rule->max)
        return ERR_OK;
    snprintf(why, sizeof why, "has a step that is not a number from 1 to %d", rule->max);
    return refuse(rule, item, why, error);
}

static enum err take_range(const struct field_rule *rule, struct str item, struct str first,
                           struct str last, struct span *span, struct error *error)
{
    char why[80];

    if (!take_value(rule, first, &span->from))
        return refuse_value(rule, first, error);
    if (!take_value(rule, last, &span->to))
        return refuse_value(rule, last, error);
    /* A week may end with Sunday. */
    if (rule == &rules[CRON_WEEKDAY] && span->to == 0 && span->from > 0)
        span->to = 7;
    if (span->from <= span->to)
        return ERR_OK;
    snprintf(why, sizeof why, "runs backwards: write \"%d-%d,%d-%d\"", span->from,
             rule == &rules[CRON_WEEKDAY] ? 6 : rule->max, rule->min, span->to);
    return refuse(rule, item, why, error);
}

static enum err take_item(const struct field_rule *rule, struct str item, struct span *span,
                          struct error *error)
{
    struct str step = item, range, first, last;
    bool has_step = str_find(item, '/') >= 0;
    enum err err;

    (void)str_split(&step, '/', &range);
    *span = (struct span){rule->min, rule == &rules[CRON_WEEKDAY] ? 6 : rule->max, 1};
    last = range;
    (void)str_split(&last, '-', &first);
    bool is_range = str_find(range, '-') >= 0;
    if (str_eq(range, STR("*")))
        err = ERR_OK;
    else if (is_range)
        err = take_range(rule, item, first, last, span, error);
    else
        err = take_range(rule, item, range, range, span, error);
    if (err == ERR_OK && has_step)
        err = take_step(rule, item, step, !is_range && !str_eq(range, STR("*")), span, error);
    return err;
}

/* ---- fields ---- */

static enum err take_field(enum cron_field field, struct str text, struct cron *cron,
                           struct error *error)
{
    struct str item;
    struct span span;

    while (str_split(&text, ',', &item)) {
        enum err err = take_item(&rules[field], item, &span, error);
        if (err != ERR_OK)
            return err;
        for (int i = span.from; i <= span.to; i += span.step)
            cron->allowed[field] |= UINT64_C(1) << (field == CRON_WEEKDAY ? i % 7 : i);
    }
    return ERR_OK;
}

static bool next_word(struct str *rest, struct str *word_out)
{
    size_t length = 0;

    *rest = str_trim(*rest);
    while (length < rest->len && rest->ptr[length] != ' ' && rest->ptr[length] != '\t')
        length++;
    *word_out = str_sub(*rest, 0, length);
    *rest = str_sub(*rest, length, rest->len);
    return length > 0;
}

static enum err refuse_count(size_t count, struct error *error)
{
    return error_set(error, ERR_BAD_INPUT,
                     "it has %zu field%s, not five: minute, hour, day of the month, month, day of "
                     "the week%s",
                     count, count == 1 ? "" : "s",
                     count == 6 ? "; there are no seconds and no years" : "");
}

static enum err refuse_shorthand(struct str word, struct error *error)
{
    return error_set(error, ERR_BAD_INPUT,
                     "\"%.*s\" is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, "
                     "@annually",
                     SHOWN(word));
}

static bool is_in(uint64_t set, int number)
{
    return (set >> number & 1) != 0;
}

static bool takes_either_day(const struct cron *cron)
{
    return !cron->is_any_day && !cron->is_any_weekday;
}

/* Every date that there is falls on every day of the week within 400 years, so only the date can be
 * impossible. */
static enum err check_dates(const struct cron *cron, struct str day, struct str month,
                            struct error *error)
{
    static const int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (takes_either_day(cron))
        return ERR_OK;
    for (int i = 1; i <= 12; i++) {
        uint64_t days = (UINT64_C(2) << longest[i]) - 1;
        if (is_in(cron->allowed[CRON_MONTH], i) && (cron->allowed[CRON_DAY] & days))
            return ERR_OK;
    }
    return error_set(error, ERR_BAD_INPUT,
                     "it never comes: no month of \"%.*s\" has a day of the month \"%.*s\"",
                     SHOWN(month), SHOWN(day));
}

enum err cron_parse(struct str text, struct cron *cron_out, struct error *error)
{
    struct str rest = str_trim(text), word, words[CRON_FIELDS];
    struct cron cron = {0};
    size_t count = 0;

    for (size_t i = 0; i < sizeof shorthands / sizeof *shorthands; i++) {
        if (str_eq_nocase(rest, shorthands[i].word))
            rest = shorthands[i].meaning;
    }
    if (rest.len > 0 && rest.ptr[0] == '@')
        return refuse_shorthand(rest, error);
    for (; next_word(&rest, &word); count++) {
        if (count < CRON_FIELDS)
            words[count] = word;
    }
    if (count != CRON_FIELDS)
        return refuse_count(count, error);
    for (int i = 0; i < CRON_FIELDS; i++) {
        enum err err = take_field((enum cron_field)i, words[i], &cron, error);
        if (err != ERR_OK)
            return err;
    }
    cron.is_any_day = words[CRON_DAY].ptr[0] == '*';
    cron.is_any_weekday = words[CRON_WEEKDAY].ptr[0] == '*';
    enum err err = check_dates(&cron, words[CRON_DAY], words[CRON_MONTH], error);
    if (err == ERR_OK)
        *cron_out = cron;
    return err;
}

/* ---- minutes of the wall clock ---- */

/* The calendar comes again after so many days: whoever finds nothing in them, finds nothing at all. */
enum { CYCLE_DAYS = 146097 };
#define FIRST_DAY INT64_C(-719528) /* 0000-01-01 */
#define LAST_DAY  INT64_C(2932896) /* 9999-12-31 */
#define DAY_S     (INT64_C(60) * DAY_MINUTES)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool fits_day(const struct cron *cron, int64_t day)
{
    time_t at = day * DAY_S;
    struct tm date;

    if (!gmtime_r(&at, &date) || !is_in(cron->allowed[CRON_MONTH], date.tm_mon + 1))
        return false;
    bool fits_date = is_in(cron->allowed[CRON_DAY], date.tm_mday);
    bool fits_weekday = is_in(cron->allowed[CRON_WEEKDAY], date.tm_wday);
    return takes_either_day(cron) ? fits_date || fits_weekday : fits_date && fits_weekday;
}

static bool fits_minute(const struct cron *cron, int minute)
{
    return is_in(cron->allowed[CRON_HOUR], minute / 60) &&
           is_in(cron->allowed[CRON_MINUTE], minute % 60);
}

/* The nearest that fits: `minute` itself, or in steps of +1 or -1 from it. */
static int64_t nearest(const struct cron *cron, int64_t minute, int step)
{
    int64_t day = floor_div(minute, DAY_MINUTES);
    int from = (int)(minute - day * DAY_MINUTES);

    for (int i = 0; i <= CYCLE_DAYS && day <= LAST_DAY; i++, day += step) {
        bool fits = fits_day(cron, day);
        for (int m = from; fits && m >= 0 && m < DAY_MINUTES; m += step) {
            if (fits_minute(cron, m))
                return day * DAY_MINUTES + m;
        }
        from = step > 0 ? 0 : DAY_MINUTES - 1;
    }
    return CRON_NEVER;
}

/* ---- moments ---- */

/* No clock is so far from UTC, with what it is set forward. */
#define FAR_S (INT64_C(16) * 60 * 60)

/* The first moment at which the wall clock shows that minute or, where it leaves it out, a later one. */
static int64_t moment_of(int64_t minute, cron_offset *offset)
{
    int64_t wall_s = minute * MINUTE_S, low = wall_s - FAR_S, high = wall_s + FAR_S;
    int64_t before_s = offset(low), after_s = offset(high);

    if (offset(wall_s - before_s) == before_s)
        return wall_s - before_s;
    if (offset(wall_s - after_s) == after_s)
        return wall_s - after_s;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (middle + offset(middle) >= wall_s)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* Ticks up to a moment are those of the minutes that a clock has shown, also before it was set back: so it is
 * not enough to look at what it shows now. */
static void find_around(const struct cron *cron, cron_offset *offset, int64_t at_s,
                        int64_t *last_out, int64_t *next_out)
{
    at_s = at_s < FIRST_DAY * DAY_S ? FIRST_DAY * DAY_S : at_s;
    at_s = at_s > (LAST_DAY + 1) * DAY_S ? (LAST_DAY + 1) * DAY_S : at_s;
    int64_t shown = floor_div(at_s + offset(at_s), MINUTE_S);
    int64_t last = CRON_NEVER, minute = nearest(cron, shown + 1, +1), moment;

    while (minute != CRON_NEVER && (moment = moment_of(minute, offset)) <= at_s) {
        last = moment;
        minute = nearest(cron, minute + 1, +1);
    }
    *next_out = minute == CRON_NEVER ? CRON_NEVER : moment_of(minute, offset);
    if (last == CRON_NEVER) {
        minute = nearest(cron, shown, -1);
        last = minute == CRON_NEVER ? CRON_NEVER : moment_of(minute, offset);
    }
    *last_out = last;
}

int64_t cron_next(const struct cron *cron, cron_offset *offset, int64_t after_s)
{
    int64_t last, next;

    find_around(cron, offset, after_s, &last, &next);
    return next;
}

int64_t cron_last(const struct cron *cron, cron_offset *offset, int64_t at_s)
{
    int64_t last, next;

    find_around(cron, offset, at_s, &last, &next);
    return last;
}
