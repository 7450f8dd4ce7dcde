/* Which control data is in Redis, and whom a token without a record may still believe. */
#include "identity/marker.h"

#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <unistd.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "0123456789abcdef0123456789abcdef"
/* What follows the time: whose it is, where it was written, its era and floor. */
#define REST ":" C ":9223372036854775807:3:4000"

static struct users *users;
static struct arena *arena;
static char directory[64];

static void open_all(void)
{
    char url[128];
    struct error error = {0};
    snprintf(directory, sizeof directory, "/tmp/cw-marker-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(url, sizeof url, "sqlite:%s/users.db", directory);
    ck_assert_int_eq(users_open(str_from(url), &users, &error), ERR_OK);
    arena = arena_new(4096, 0);
}

static void close_all(void)
{
    static const char *const files[] = {"users.db", "users.db-wal", "users.db-shm"};
    char path[128];
    arena_free(&arena);
    users_close(&users);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    rmdir(directory);
}

START_TEST(whom_it_allows)
{
    static const struct {
        const char *value, *id;
        int64_t issued_at_s;
        bool is_allowed;
    } cases[] = {
        {A ":" B ":1000" REST, A, 0, true},
        {A ":" B ":1000" REST, A, 5000, true},
        {A ":" B ":1000" REST, B, 999,
         false}, /* it may have been spent: Redis was there a second later */
        {A ":" B ":1000" REST, B, 1000, true},
        {A ":" B ":1000" REST, B, 1001, true},
        {A ":" B ":1000" REST, C, 1001, false},
        {A ":" B ":1000" REST, "", 1001, false},
        {A ":" B ":1000" REST, "A", 1001, false},
        {A ":" B ":-1" REST, A, 1001, false},
        {A ":" B ":" REST, A, 1001, false},
        {A ":" B ":1000", A, 1001, false},
        {A ":" B ":1000" REST ":", A, 1001, false},
        {A ":" B ":1000:x:1:3:4000", A, 1001, false},
        {A ":" B ":1000:" C ":-1:3:4000", A, 1001, false},
        {A ":" B ":1000:" C ":1:3:", A, 1001, false},
        {A ":" B, A, 1001, false},
        {A "::1000" REST, A, 1001, false},
        {A "x:" B ":1000", A, 1001, false},
        {A, A, 1001, false},
        {"", "", 1001, false},
        {"x", A, 1001, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(marker_allows(str_from(cases[i].value), str_from(cases[i].id),
                                    cases[i].issued_at_s) == cases[i].is_allowed,
                      "case %zu", i);
}
END_TEST

static struct marker *open_marker(void)
{
    struct marker *marker;
    ck_assert_int_eq(marker_new(users, &marker), ERR_OK);
    return marker;
}

static const char *id_of(struct marker *marker)
{
    return marker_id(marker, arena).ptr;
}

static enum err see(struct marker *marker, const char *text, int64_t now_s, bool *is_new)
{
    struct value value = {.kind = text ? VALUE_STRING : VALUE_NIL, .text = str_from(text)};
    struct error error = {0};
    return marker_see(marker, &value, now_s, is_new, &error);
}

START_TEST(it_is_known_again)
{
    struct marker *first = open_marker(), *second = open_marker();
    ck_assert_str_eq(id_of(first), id_of(second)); /* from the users database */
    bool is_new;
    ck_assert_int_eq(see(first, A ":" B ":5" REST, 100, &is_new), ERR_OK);
    ck_assert(is_new);
    ck_assert_int_eq(see(first, A ":" B ":5" REST, 200, &is_new), ERR_OK);
    ck_assert(!is_new);
    ck_assert_int_eq(see(first, NULL, 300, &is_new), ERR_NOT_FOUND);
    ck_assert_str_eq(id_of(first), A);
    marker_free(&first);
    marker_free(&second);
}
END_TEST

START_TEST(what_is_written)
{
    bool is_new;
    struct marker *marker = open_marker();
    struct marker_facts facts = {.install = STR(C), .origin = 7, .era = 3, .floor = 4000}, read;
    ck_assert_int_eq(see(marker, A ":" B ":5" REST, 200, &is_new), ERR_OK);
    struct str fresh = marker_write(marker, arena, &facts);
    ck_assert_msg(marker_parse(fresh, &read), "%s", fresh.ptr);
    ck_assert(!str_eq(read.id, STR(A)));
    ck_assert(str_eq(read.before, STR(A)));
    ck_assert_int_eq(read.seen_at_s, 200);
    ck_assert(str_eq(read.install, STR(C)));
    ck_assert_uint_eq(read.origin, 7);
    ck_assert_int_eq(read.era, 3);
    ck_assert_int_eq(read.floor, 4000);
    /* The same control data. */
    facts = (struct marker_facts){.id = STR(B),
                                  .before = STR(C),
                                  .seen_at_s = 9,
                                  .install = STR(A),
                                  .origin = UINT64_MAX / 2,
                                  .era = 4,
                                  .floor = 5000};
    ck_assert_str_eq(marker_write(marker, arena, &facts).ptr,
                     B ":" C ":9:" A ":9223372036854775807:4:5000");
    marker_free(&marker);
}
END_TEST

START_TEST(it_outlives_the_node)
{
    bool is_new;
    struct marker *marker = open_marker();
    ck_assert_int_eq(see(marker, C ":" B ":5" REST, 100, &is_new), ERR_OK);
    marker_free(&marker);
    marker = open_marker();
    ck_assert_str_eq(id_of(marker), C);
    ck_assert_int_eq(see(marker, C ":" B ":5" REST, 100, &is_new), ERR_OK);
    ck_assert(!is_new);
    marker_free(&marker);
}
END_TEST

START_TEST(what_is_no_marker)
{
    bool is_new;
    struct marker *marker = open_marker();
    const char *before = id_of(marker);
    ck_assert_int_eq(see(marker, "nonsense", 100, &is_new), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(id_of(marker), before);
    marker_free(&marker);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/marker");
    TCase *pure = tcase_create("allows");
    tcase_add_test(pure, whom_it_allows);
    suite_add_tcase(suite, pure);
    TCase *tcase = tcase_create("marker");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, it_is_known_again);
    tcase_add_test(tcase, what_is_written);
    tcase_add_test(tcase, it_outlives_the_node);
    tcase_add_test(tcase, what_is_no_marker);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
