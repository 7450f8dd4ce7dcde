#include "gateway/rules/http_date.h"

struct date_parts {
    int64_t year, month, day, hour, minute, second; /* month 0 … 11 */
};

static const struct str months[] = {
    STR("jan"), STR("feb"), STR("mar"), STR("apr"), STR("may"), STR("jun"),
    STR("jul"), STR("aug"), STR("sep"), STR("oct"), STR("nov"), STR("dec"),
};
static const struct str days[] = {
    STR("mon"), STR("tue"), STR("wed"), STR("thu"), STR("fri"), STR("sat"), STR("sun"),
};
static const struct str long_days[] = {
    STR("monday"), STR("tuesday"),  STR("wednesday"), STR("thursday"),
    STR("friday"), STR("saturday"), STR("sunday"),
};

static bool take_text(struct str *rest, struct str text)
{
    if (!str_eq_nocase(str_sub(*rest, 0, text.len), text))
        return false;
    *rest = str_sub(*rest, text.len, rest->len);
    return true;
}

/* Exactly that many digits. */
static bool take_number(struct str *rest, size_t digits, int64_t *number_out)
{
    int64_t number = 0;

    if (rest->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9')
            return false;
        number = number * 10 + (rest->ptr[i] - '0');
    }
    *rest = str_sub(*rest, digits, rest->len);
    *number_out = number;
    return true;
}

static bool take_name(struct str *rest, const struct str *names, size_t count, int64_t *index_out)
{
    for (size_t i = 0; i < count; i++)
        if (take_text(rest, names[i])) {
            *index_out = (int64_t)i;
            return true;
        }
    return false;
}

static bool take_month(struct str *rest, struct date_parts *date)
{
    return take_name(rest, months, sizeof months / sizeof *months, &date->month);
}

static bool take_time(struct str *rest, struct date_parts *date)
{
    return take_number(rest, 2, &date->hour) && take_text(rest, STR(":")) &&
           take_number(rest, 2, &date->minute) && take_text(rest, STR(":")) &&
           take_number(rest, 2, &date->second);
}

static bool read_fixdate(struct str rest, struct date_parts *date)
{
    int64_t day;

    return take_name(&rest, days, sizeof days / sizeof *days, &day) &&
           take_text(&rest, STR(", ")) && take_number(&rest, 2, &date->day) &&
           take_text(&rest, STR(" ")) && take_month(&rest, date) && take_text(&rest, STR(" ")) &&
           take_number(&rest, 4, &date->year) && take_text(&rest, STR(" ")) &&
           take_time(&rest, date) && take_text(&rest, STR(" GMT")) && rest.len == 0;
}

/* The year is one of two digits still. */
static bool read_rfc850(struct str rest, struct date_parts *date)
{
    int64_t day;

    return take_name(&rest, long_days, sizeof long_days / sizeof *long_days, &day) &&
           take_text(&rest, STR(", ")) && take_number(&rest, 2, &date->day) &&
           take_text(&rest, STR("-")) && take_month(&rest, date) && take_text(&rest, STR("-")) &&
           take_number(&rest, 2, &date->year) && take_text(&rest, STR(" ")) &&
           take_time(&rest, date) && take_text(&rest, STR(" GMT")) && rest.len == 0;
}

static bool read_asctime(struct str rest, struct date_parts *date)
{
    int64_t day;

    return take_name(&rest, days, sizeof days / sizeof *days, &day) && take_text(&rest, STR(" ")) &&
           take_month(&rest, date) && take_text(&rest, STR(" ")) &&
           (take_text(&rest, STR(" ")) ? take_number(&rest, 1, &date->day)
                                       : take_number(&rest, 2, &date->day)) &&
           take_text(&rest, STR(" ")) && take_time(&rest, date) && take_text(&rest, STR(" ")) &&
           take_number(&rest, 4, &date->year) && rest.len == 0;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_sound(const struct date_parts *date)
{
    static const int64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int64_t length = lengths[date->month] + (date->month == 1 && is_leap(date->year));

    /* A minute may have a leap second. */
    return date->day >= 1 && date->day <= length && date->hour <= 23 && date->minute <= 59 &&
           date->second <= 60;
}

/* 1970-01-01 by the count of seconds_of() */
#define DAYS_TO_1970 INT64_C(865260)

static int64_t seconds_of(const struct date_parts *date)
{
    static const int64_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const int64_t past = date->year + 399; /* whole years before it, counted from one of 400 */
    int64_t number =
        past * 365 + past / 4 - past / 100 + past / 400 + before[date->month] + date->day;

    number += date->month > 1 && is_leap(date->year);
    return (((number - DAYS_TO_1970) * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

/* RFC 9110 has a two-digit year be the last such year that is at most 50 years ahead. */
static void widen_year(struct date_parts *date, int64_t now_s)
{
    const int64_t latest_s = now_s + INT64_C(50) * 31556952;

    for (date->year += 1900; date->year < 9900; date->year += 100) {
        struct date_parts next = *date;

        next.year += 100;
        if (seconds_of(&next) > latest_s)
            break;
    }
}

bool http_date_parse(struct str text, int64_t now_s, int64_t *seconds_out)
{
    struct date_parts date = {0};

    if (read_rfc850(text, &date))
        widen_year(&date, now_s);
    else if (!read_fixdate(text, &date) && !read_asctime(text, &date))
        return false;
    if (!is_sound(&date))
        return false;
    *seconds_out = seconds_of(&date);
    return true;
}

bool fields_date(const struct http_fields *fields, struct str name, int64_t now_s,
                 int64_t *seconds_out)
{
    int64_t first_s = 0, seconds;
    size_t found = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (!str_eq_nocase(fields->items[i].name, name))
            continue;
        if (!http_date_parse(str_trim(fields->items[i].value), now_s, &seconds) ||
            (found > 0 && seconds != first_s))
            return false;
        first_s = seconds;
        found++;
    }
    if (found > 0)
        *seconds_out = first_s;
    return found > 0;
}
