#include "backup/archive.h"

#include "cachewarden/clock.h"
#include "cachewarden/random.h"

#include <stdio.h>
#include <time.h>

static const struct {
    const char *folder, *name;
} kinds[ARCHIVE_KINDS] = {
    [ARCHIVE_ACCOUNTS] = {"users", "accounts"}, [ARCHIVE_GROUPS] = {"users", "groups"},
    [ARCHIVE_SUBJECTS] = {"users", "subjects"}, [ARCHIVE_API_KEYS] = {"users", "api_keys"},
    [ARCHIVE_SWITCHES] = {"users", "switches"}, [ARCHIVE_FACTS] = {"users", "facts"},
    [ARCHIVE_ENTRIES] = {"cache", "entries"},   [ARCHIVE_CONTROL] = {"control", "data"},
};

const char *archive_kind_name(enum archive_kind kind)
{
    return kinds[kind].name;
}

void archive_member_name(char name_out[ARCHIVE_NAME_SIZE], enum archive_kind kind, int number)
{
    snprintf(name_out, ARCHIVE_NAME_SIZE, "%s/%s-%06d.jsonl", kinds[kind].folder, kinds[kind].name,
             number);
}

static bool is_named(struct str name, enum archive_kind kind, int number)
{
    char wanted[ARCHIVE_NAME_SIZE];

    archive_member_name(wanted, kind, number);
    return str_eq(name, str_from(wanted));
}

bool archive_member_follows(struct str name, const struct archive_member *last,
                            struct archive_member *next_out)
{
    /* Of each kind any number of members, also none: either the next of this kind, or the first of a later one. */
    int first = last ? (int)last->kind + 1 : 0;

    if (last && is_named(name, last->kind, last->number + 1)) {
        *next_out = (struct archive_member){.kind = last->kind, .number = last->number + 1};
        return true;
    }
    for (int kind = first; kind < ARCHIVE_KINDS; kind++)
        if (is_named(name, (enum archive_kind)kind, 1)) {
            *next_out = (struct archive_member){.kind = (enum archive_kind)kind, .number = 1};
            return true;
        }
    return false;
}

/* ---- ids ---- */

enum { TIME_SIZE = 16, RANDOM_BYTES = 4 };

/* "20260131T000000Z" */
static void put_time(char out[TIME_SIZE + 1], int64_t at_s)
{
    char text[CLOCK_RFC3339_SIZE];
    size_t length = 0;

    clock_rfc3339(at_s * 1000, text);
    for (const char *c = text; *c && *c != '.' && length < TIME_SIZE - 1; c++)
        if (*c != '-' && *c != ':')
            out[length++] = *c;
    out[length++] = 'Z';
    out[length] = '\0';
}

void archive_id_make(char id_out[ARCHIVE_ID_SIZE], int64_t created_at_s)
{
    unsigned char random[RANDOM_BYTES];
    char time[TIME_SIZE + 1];

    random_bytes(random, sizeof random);
    put_time(time, created_at_s);
    snprintf(id_out, ARCHIVE_ID_SIZE, "%s-%02x%02x%02x%02x", time, random[0], random[1], random[2],
             random[3]);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The digits [from, from + count) as a number; -1: they are none. */
static int number_at(struct str id, size_t from, size_t count)
{
    int number = 0;

    for (size_t i = from; i < from + count; i++) {
        if (id.ptr[i] < '0' || id.ptr[i] > '9')
            return -1;
        number = number * 10 + (id.ptr[i] - '0');
    }
    return number;
}

bool archive_id_read(struct str id, int64_t *created_at_s_out)
{
    char again[TIME_SIZE + 1];

    if (id.len != ARCHIVE_ID_SIZE - 1)
        return false;
    for (size_t i = TIME_SIZE + 1; i < id.len; i++)
        if (!is_hex(id.ptr[i]))
            return false;

    struct tm parts_of_time = {
        .tm_year = number_at(id, 0, 4) - 1900,
        .tm_mon = number_at(id, 4, 2) - 1,
        .tm_mday = number_at(id, 6, 2),
        .tm_hour = number_at(id, 9, 2),
        .tm_min = number_at(id, 11, 2),
        .tm_sec = number_at(id, 13, 2),
    };
    int64_t at_s = timegm(&parts_of_time);
    /* What is no date, or has another character in it, is not the same once it is written again. */
    put_time(again, at_s);
    if (!str_eq(str_sub(id, 0, TIME_SIZE), str_from(again)) || id.ptr[TIME_SIZE] != '-')
        return false;
    *created_at_s_out = at_s;
    return true;
}
