#include "cachewarden/clock.h"

#include <time.h>

enum { SECONDS_LENGTH = 19 }; /* "2026-01-31T12:00:00" */

/* `count` digits of the text at `at`. */
static bool read_digits(struct str text, size_t at, size_t count, int *out)
{
    *out = 0;
    for (size_t i = at; i < at + count; i++) {
        if (i >= text.len || text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        *out = *out * 10 + (text.ptr[i] - '0');
    }
    return true;
}

/* The first three digits behind the point count, further ones may be there. */
static bool take_fraction(struct str *rest, int *ms_out)
{
    int place = 100;
    size_t i = 1;

    *ms_out = 0;
    if (rest->len == 0 || rest->ptr[0] != '.')
        return true;
    for (; i < rest->len && rest->ptr[i] >= '0' && rest->ptr[i] <= '9'; i++, place /= 10)
        *ms_out += place * (rest->ptr[i] - '0');
    *rest = str_sub(*rest, i, rest->len);
    return i > 1;
}

/* "Z", or how far the clock there is ahead: "+02:00". */
static bool read_zone(struct str text, int *ahead_s_out)
{
    int hours, minutes;

    *ahead_s_out = 0;
    if (str_eq_nocase(text, STR("Z")))
        return true;
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':' ||
        !read_digits(text, 1, 2, &hours) || !read_digits(text, 4, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *ahead_s_out = (hours * 3600 + minutes * 60) * (text.ptr[0] == '-' ? -1 : 1);
    return true;
}

static bool read_rfc3339(struct str text, int64_t *wall_ms_out)
{
    struct tm at = {0};
    char again[CLOCK_RFC3339_SIZE];
    struct str rest = str_sub(text, SECONDS_LENGTH, text.len);
    int ms, ahead_s;

    if (!read_digits(text, 0, 4, &at.tm_year) || !read_digits(text, 5, 2, &at.tm_mon) ||
        !read_digits(text, 8, 2, &at.tm_mday) || !read_digits(text, 11, 2, &at.tm_hour) ||
        !read_digits(text, 14, 2, &at.tm_min) || !read_digits(text, 17, 2, &at.tm_sec) ||
        !take_fraction(&rest, &ms) || !read_zone(rest, &ahead_s))
        return false;
    at.tm_year -= 1900;
    at.tm_mon -= 1;
    int64_t wall_ms = (int64_t)timegm(&at) * 1000;
    /* What is no date, or has another character in it, is not the same once it is written again. */
    if (!str_eq_nocase(str_sub(clock_rfc3339(wall_ms, again), 0, SECONDS_LENGTH),
                       str_sub(text, 0, SECONDS_LENGTH)))
        return false;
    *wall_ms_out = wall_ms + ms - (int64_t)ahead_s * 1000;
    return *wall_ms_out >= 0;
}

bool clock_read(struct str text, int64_t *wall_ms_out)
{
    enum { LAST_DIGITS = 11 };
    int64_t wall_s;

    if (text.len <= LAST_DIGITS && str_to_int64(text, 0, INT64_MAX, &wall_s)) {
        *wall_ms_out = wall_s * 1000;
        return true;
    }
    return read_rfc3339(text, wall_ms_out);
}
