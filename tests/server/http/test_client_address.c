#include "http/client_address.h"

#include "suite.h"

#include "cachewarden/arena.h"

#include <arpa/inet.h>

static struct arena *arena;

static void open_arena(void)
{
    arena = arena_new(4096, 0);
}

static void close_arena(void)
{
    arena_free(&arena);
}

static struct cidr block(const char *address, int bits)
{
    struct cidr cidr = {.bits = bits};

    if (inet_pton(AF_INET6, address, cidr.bytes) != 1) {
        memset(cidr.bytes + 10, 0xff, 2);
        ck_assert_int_eq(inet_pton(AF_INET, address, cidr.bytes + 12), 1);
        cidr.bits = 96 + bits;
    }
    return cidr;
}

START_TEST(trust_goes_by_blocks)
{
    const struct cidr proxies[] = {block("10.0.0.0", 8), block("192.168.3.128", 25),
                                   block("127.0.0.1", 32), block("fd00::", 8),
                                   block("2001:db8::1", 128)};
    static const struct {
        const char *address;
        bool trusted;
    } rows[] = {
        {"10.0.0.0", true},       {"10.255.255.255", true},
        {"11.0.0.0", false},      {"9.255.255.255", false},
        {"192.168.3.128", true},  {"192.168.3.255", true},
        {"192.168.3.127", false}, {"127.0.0.1", true},
        {"127.0.0.2", false},     {"fd12:3456::1", true},
        {"fe80::1", false},       {"2001:db8::1", true},
        {"2001:db8::2", false},   {"::ffff:10.1.2.3", true},
        {"::1", false},           {"", false},
        {"10.0.0", false},        {"localhost", false},
        {"10.0.0.1:80", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(client_is_trusted(proxies, 5, str_from(rows[i].address)) == rows[i].trusted,
                      "%s", rows[i].address);
    ck_assert(!client_is_trusted(NULL, 0, STR("127.0.0.1")));
}
END_TEST

START_TEST(everybody_may_be_trusted)
{
    const struct cidr all = block("::", 0);

    ck_assert(client_is_trusted(&all, 1, STR("1.2.3.4")));
    ck_assert(client_is_trusted(&all, 1, STR("2001:db8::1")));
}
END_TEST

/* Values of X-Forwarded-For in the order they came. */
static struct str behind(const char *first, const char *second)
{
    const struct cidr proxies[] = {block("10.0.0.0", 8), block("fd00::", 8)};
    const struct http_field fields[] = {
        {STR("X-Forwarded-For"), str_from(first)},
        {STR("Host"), STR("a")},
        {STR("x-forwarded-for"), str_from(second)},
    };
    const struct http_request request = {.fields = fields, .field_count = second ? 3 : 2};

    return client_behind_proxies(proxies, 2, &request, STR("10.0.0.1"), arena);
}

START_TEST(the_nearest_stranger_is_the_client)
{
    static const struct {
        const char *first, *second, *client;
    } rows[] = {
        {"1.2.3.4", NULL, "1.2.3.4"},
        {"6.6.6.6, 1.2.3.4", NULL, "1.2.3.4"}, /* what the client wrote itself is not believed */
        {"1.2.3.4, 10.0.0.9", NULL, "1.2.3.4"},
        {"6.6.6.6, 1.2.3.4 ,10.0.0.9,10.0.0.8", NULL, "1.2.3.4"},
        {"6.6.6.6", "1.2.3.4, 10.0.0.9", "1.2.3.4"},
        {"1.2.3.4", "10.0.0.9", "1.2.3.4"},
        {"10.0.0.7, 10.0.0.8", NULL, "10.0.0.7"}, /* all ours: the farthest */
        {"1.2.3.4:5678", NULL, "1.2.3.4"},
        {"[2001:DB8::1]:5678", NULL, "2001:db8::1"},
        {"[2001:db8::1]", NULL, "2001:db8::1"},
        {"2001:db8:0::1", NULL, "2001:db8::1"},
        {"::ffff:1.2.3.4", NULL, "1.2.3.4"},
        {"1.2.3.4, fd00::7", NULL, "1.2.3.4"},
        {"1.2.3.4, unknown, 10.0.0.9", NULL, "10.0.0.9"}, /* who passed on the riddle */
        {"garbage", NULL, "10.0.0.1"},
        {"1.2.3.4,", NULL, "10.0.0.1"},
        {"", NULL, "10.0.0.1"},
        {"[", NULL, "10.0.0.1"},
        {"1.2.3.4\nX: y", NULL, "10.0.0.1"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str client = behind(rows[i].first, rows[i].second);
        ck_assert_msg(str_eq(client, str_from(rows[i].client)), "row %zu: %.*s", i,
                      STR_ARG(client));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http/client_address");
    TCase *tcase = tcase_create("client");

    tcase_add_checked_fixture(tcase, open_arena, close_arena);
    tcase_add_test(tcase, trust_goes_by_blocks);
    tcase_add_test(tcase, everybody_may_be_trusted);
    tcase_add_test(tcase, the_nearest_stranger_is_the_client);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
