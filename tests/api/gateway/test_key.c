/* Two requests have the same key only if they may have the same answer. */
#include "gateway/key.h"

#include "gateway/rules/fields_of.h"
#include "suite.h"

static struct arena *arena;

static void open_arena(void)
{
    arena = arena_new(65536, 0);
}

static void close_arena(void)
{
    arena_free(&arena);
}

static struct gateway_digest path_of(const struct gateway_key *key)
{
    struct gateway_digest digest;

    ck_assert_int_eq(gateway_key_path(key, arena, &digest), ERR_OK);
    return digest;
}

static struct gateway_digest variant_of(const struct gateway_key *key, const char *names)
{
    struct gateway_digest path = path_of(key), digest;

    ck_assert_int_eq(gateway_key_variant(key, arena, &path, str_from(names), &digest), ERR_OK);
    return digest;
}

/* None is another's, and each is its own the second time. Parts end in each place that they can. */
START_TEST(no_two_are_the_same)
{
    const struct gateway_key keys[] = {
        {.route = STR("/"), .host = STR("h"), .path = STR("/a")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/a"), .query = STR("")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/a"), .query = STR("b")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/ab")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/a?b")},
        {.route = STR("/"), .host = STR("h/"), .path = STR("a")},
        {.route = STR("/h"), .host = STR(""), .path = STR("/a")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/A")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/%61")},
        {.route = STR("/x"), .host = STR("h"), .path = STR("/a")},
        {.user_id = 1, .route = STR("/"), .host = STR("h"), .path = STR("/a")},
        {.user_id = 11, .route = STR("/"), .host = STR("h"), .path = STR("/a")},
        {.user_id = 1, .route = STR("1:/"), .host = STR("h"), .path = STR("/a")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/a"), .query = STR("x&y")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/a"), .query = STR("y&x")},
        {.route = STR("/"), .host = STR("h1:/"), .path = STR("a")},
        {.route = STR("/"), .host = STR("h"), .path = STR("/a-0:")},
        {.route = STR(""), .host = STR(""), .path = STR("")},
    };
    enum { COUNT = sizeof keys / sizeof *keys };
    struct gateway_digest digests[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        struct gateway_digest again = path_of(&keys[i]);
        digests[i] = path_of(&keys[i]);
        ck_assert(gateway_digest_eq(&digests[i], &again));
        for (size_t k = 0; k < i; k++)
            ck_assert_msg(!gateway_digest_eq(&digests[i], &digests[k]), "%zu and %zu", i, k);
    }
}
END_TEST

START_TEST(hosts_have_no_case)
{
    const struct gateway_key lower = {.host = STR("shop.example:80")},
                             upper = {.host = STR("SHOP.Example:80")};
    struct gateway_digest a = path_of(&lower), b = path_of(&upper);

    ck_assert(gateway_digest_eq(&a, &b));
}
END_TEST

START_TEST(variants)
{
    static const struct {
        const char *names, *request;
    } rows[] = {
        {"x", ""},       {"x", "X: "},         {"x", "X: 1"},         {"x", "X: 1\nY: 2"},
        {"x,y", "X: 1"}, {"x,y", "X: 1\nY: "}, {"x,y", "X: 1\nY: 2"}, {"x,y", "X: 12\nY: "},
        {"y", "X: 1"},   {"x", "X: 1,y"},
    };
    enum { COUNT = sizeof rows / sizeof *rows };
    struct gateway_digest digests[COUNT];
    const struct gateway_key path = {.path = STR("/a")};
    struct gateway_digest of_path = path_of(&path);

    for (size_t i = 0; i < COUNT; i++) {
        struct gateway_key key = path;
        key.request = fields_of(rows[i].request);
        digests[i] = variant_of(&key, rows[i].names);
        ck_assert(!gateway_digest_eq(&digests[i], &of_path));
        for (size_t k = 0; k < i; k++) {
            bool is_same = i == 3 && k == 2; /* what is not named makes no difference */
            ck_assert_msg(gateway_digest_eq(&digests[i], &digests[k]) == is_same, "%zu and %zu", i,
                          k);
        }
    }
    const struct gateway_key elsewhere = {.path = STR("/b")};
    struct gateway_digest other = variant_of(&elsewhere, "x");
    ck_assert(!gateway_digest_eq(&other, &digests[0]));
}
END_TEST

START_TEST(where_they_lie)
{
    const struct gateway_key users = {.user_id = 7}, everybody = {0};
    struct namespace space = gateway_key_space(&users);
    unsigned char digest[KEY_DIGEST_SIZE] = {0x01, 0xab, [15] = 0xff};
    struct key key = key_response(&space, digest);

    ck_assert(str_eq(key_str(&key), STR("cw:{u:7}:g:01ab00000000000000000000000000ff")));
    space = gateway_key_space(&everybody);
    key = key_response(&space, digest);
    ck_assert(str_eq(key_str(&key), STR("cw:{gateway}:g:01ab00000000000000000000000000ff")));
    key = key_fetch(&space, digest);
    ck_assert(str_eq(key_str(&key), STR("cw:{gateway}:w:01ab00000000000000000000000000ff")));
    key = key_refill(&space, digest);
    ck_assert(str_eq(key_str(&key), STR("cw:{gateway}:r:01ab00000000000000000000000000ff")));
    key = key_models(&space);
    ck_assert(str_eq(key_str(&key), STR("cw:{gateway}:m")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/key");
    TCase *tcase = tcase_create("pure");

    tcase_add_checked_fixture(tcase, open_arena, close_arena);
    tcase_add_test(tcase, no_two_are_the_same);
    tcase_add_test(tcase, hosts_have_no_case);
    tcase_add_test(tcase, variants);
    tcase_add_test(tcase, where_they_lie);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
