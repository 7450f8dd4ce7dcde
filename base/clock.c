#include "cachewarden/clock.h"

#include "text.h"

#include <limits.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60, RFC3339_LENGTH = 24 };

/* The years RFC 3339 and RFC 9110 can write: 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
#define FIRST_SECOND INT64_C(-62167219200)
#define LAST_SECOND  INT64_C(253402300799)

int64_t clock_mono_ns(void)
{
    struct timespec now;

    /* Cannot fail with a clock every Linux has. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

int64_t clock_wall_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int clock_left_ms(int64_t deadline_ns)
{
    int64_t now_ns = clock_mono_ns();

    if (deadline_ns <= now_ns)
        return 0;
    /* Rounded up: poll must not return before the deadline, or its caller spins on 0. */
    int64_t left_ms = (deadline_ns - now_ns - 1) / NS_PER_MS + 1;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

struct calendar {
    unsigned year, month, day; /* 0-9999, 1-12, 1-31 */
    unsigned hour, minute, second;
    unsigned weekday; /* 0: Sunday */
};

/*
 * UTC, proleptic Gregorian. Not gmtime_r: glibc takes a lock of the time zone database there,
 * and every log line comes by. Works on years that begin in March, so that the leap day is the
 * last day of its year and each month's first day follows from one multiplication.
 */
static struct calendar calendar_of(int64_t wall_s)
{
    if (wall_s < FIRST_SECOND)
        wall_s = FIRST_SECOND;
    if (wall_s > LAST_SECOND)
        wall_s = LAST_SECOND;

    /* Days since 0000-03-01, one cycle of 400 years later, so that nothing is negative. */
    enum { CYCLE_DAYS = 146097, EPOCH = 719468 };
    uint64_t seconds = (uint64_t)(wall_s + (int64_t)(EPOCH + CYCLE_DAYS) * DAY_S);
    unsigned days = (unsigned)(seconds / DAY_S);
    unsigned second = (unsigned)(seconds % DAY_S);

    unsigned cycle = days / CYCLE_DAYS;
    unsigned day_of_cycle = days % CYCLE_DAYS;
    unsigned year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
    unsigned day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153; /* 0: March */
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    unsigned year = cycle * 400 + year_of_cycle + (month <= 2 ? 1 : 0) - 400;

    return (struct calendar){
        .year = year,
        .month = month,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
        .weekday = (days + 3) % 7, /* 0000-03-01 was a Wednesday */
    };
}

static void put_rfc3339(char *buffer, int64_t wall_s)
{
    static const char pattern[] = "0000-00-00T00:00:00.000Z";
    struct calendar at = calendar_of(wall_s);

    memcpy(buffer, pattern, sizeof pattern);
    text_put_digits(buffer, at.year, 4);
    text_put_digits(buffer + 5, at.month, 2);
    text_put_digits(buffer + 8, at.day, 2);
    text_put_digits(buffer + 11, at.hour, 2);
    text_put_digits(buffer + 14, at.minute, 2);
    text_put_digits(buffer + 17, at.second, 2);
}

/* All but the last digits changes once a second: each thread keeps the text of the second it wrote last. */
struct str clock_rfc3339(int64_t wall_ms, char buffer[CLOCK_RFC3339_SIZE])
{
    static _Thread_local int64_t kept_s = INT64_MIN;
    static _Thread_local char kept[CLOCK_RFC3339_SIZE];

    if (wall_ms < FIRST_SECOND * 1000)
        wall_ms = FIRST_SECOND * 1000;
    if (wall_ms > LAST_SECOND * 1000 + 999)
        wall_ms = LAST_SECOND * 1000 + 999;
    /* Rounded down to seconds, before 1970 too. */
    int64_t ms = (wall_ms % 1000 + 1000) % 1000;
    int64_t wall_s = (wall_ms - ms) / 1000;

    if (wall_s != kept_s) {
        put_rfc3339(kept, wall_s);
        kept_s = wall_s;
    }
    memcpy(buffer, kept, RFC3339_LENGTH + 1);
    text_put_digits(buffer + 20, (uint64_t)ms, 3);
    return (struct str){buffer, RFC3339_LENGTH};
}

struct str clock_http_date(int64_t wall_s, char buffer[CLOCK_RFC3339_SIZE])
{
    static const char pattern[] = "Day, 00 Mon 0000 00:00:00 GMT";
    static const char weekdays[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct calendar at = calendar_of(wall_s);

    memcpy(buffer, pattern, sizeof pattern);
    memcpy(buffer, weekdays + 3 * at.weekday, 3);
    text_put_digits(buffer + 5, at.day, 2);
    memcpy(buffer + 8, months + 3 * (at.month - 1), 3);
    text_put_digits(buffer + 12, at.year, 4);
    text_put_digits(buffer + 17, at.hour, 2);
    text_put_digits(buffer + 20, at.minute, 2);
    text_put_digits(buffer + 23, at.second, 2);
    return (struct str){buffer, sizeof pattern - 1};
}
