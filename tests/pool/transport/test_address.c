#include "cachewarden/redis.h"

#include "suite.h"

#include <string.h>

struct good {
    const char *url, *host, *path, *user, *password, *description;
    int port, database;
    bool tls;
};

static const struct good good[] = {
    {"redis://localhost", "localhost", NULL, NULL, NULL, "localhost:6379/0", 6379, 0, false},
    {"redis://localhost/", "localhost", NULL, NULL, NULL, "localhost:6379/0", 6379, 0, false},
    {"REDIS://LOCALHOST:1/0", "LOCALHOST", NULL, NULL, NULL, "LOCALHOST:1/0", 1, 0, false},
    {"redis://10.0.0.1:65535/15", "10.0.0.1", NULL, NULL, NULL, "10.0.0.1:65535/15", 65535, 15,
     false},
    {"rediss://cache.example.org/3", "cache.example.org", NULL, NULL, NULL,
     "cache.example.org:6379/3", 6379, 3, true},
    {"redis://:secret@h", "h", NULL, NULL, "secret", "h:6379/0", 6379, 0, false},
    {"redis://app:secret@h:7000/2", "h", NULL, "app", "secret", "h:7000/2", 7000, 2, false},
    {"redis://app:s%40e%2Fc%3Ar%25t@h", "h", NULL, "app", "s@e/c:r%t", "h:6379/0", 6379, 0, false},
    {"redis://a%20b:p:q@h", "h", NULL, "a b", "p:q", "h:6379/0", 6379, 0, false},
    {"redis://:p@ss@h", "h", NULL, NULL, "p@ss", "h:6379/0", 6379, 0, false},
    {"redis://[::1]", "::1", NULL, NULL, NULL, "[::1]:6379/0", 6379, 0, false},
    {"redis://u:p@[2001:db8::7]:6380/1", "2001:db8::7", NULL, "u", "p", "[2001:db8::7]:6380/1",
     6380, 1, false},
    {"unix:///run/redis.sock", NULL, "/run/redis.sock", NULL, NULL, "/run/redis.sock/0", 0, 0,
     false},
    {"unix:///run/redis.sock?db=4", NULL, "/run/redis.sock", NULL, NULL, "/run/redis.sock/4", 0, 4,
     false},
    {"unix://u:p%23w@/run/my%20redis.sock?db=0", NULL, "/run/my redis.sock", "u", "p#w",
     "/run/my redis.sock/0", 0, 0, false},
};

static void same_text(const char *got, const char *expected)
{
    ck_assert_int_eq(got != NULL, expected != NULL);
    if (got && expected)
        ck_assert_str_eq(got, expected);
}

START_TEST(every_good_url_is_read_and_described)
{
    const struct good *g = &good[_i];
    struct redis_address a, b;
    struct error error;
    char text[64];

    ck_assert_msg(redis_address_parse(str_from(g->url), &a, &error) == ERR_OK, "%s: %s", g->url,
                  error.caller);
    ck_assert_int_eq(redis_address_copy(&a, &b), ERR_OK);
    redis_address_fini(&a);
    same_text(b.host, g->host);
    same_text(b.unix_path, g->path);
    same_text(b.username, g->user);
    same_text(b.password, g->password);
    ck_assert_int_eq(b.database, g->database);
    ck_assert_int_eq(b.tls, g->tls);
    if (g->host)
        ck_assert_int_eq(b.port, g->port);
    redis_address_describe(&b, text, sizeof text);
    ck_assert_str_eq(text, g->description);
    redis_address_fini(&b);
    ck_assert_ptr_null(b.password);
}
END_TEST

/* The second column is part of the message: what is wrong, or the remedy. */
static const struct {
    const char *url, *says;
} bad[] = {
    {"", "must begin with"},
    {"localhost:6379", "must begin with"},
    {"http://localhost", "must begin with"},
    {"redis:/localhost", "must begin with"},
    {"redis://", "host is missing"},
    {"redis://:6379", "host is missing"},
    {"redis:///0", "host is missing"},
    {"redis://h:", "port must be"},
    {"redis://h:0", "port must be"},
    {"redis://h:65536", "port must be"},
    {"redis://h:06379", "port must be"},
    {"redis://h:+1", "port must be"},
    {"redis://h:1x", "port must be"},
    {"redis://h/x", "database must be"},
    {"redis://h/-1", "database must be"},
    {"redis://h/01", "database must be"},
    {"redis://h/1/2", "database must be"},
    {"redis://h/99999999999", "database must be"},
    {"redis://::1", "in brackets"},
    {"redis://[::1", "']'"},
    {"redis://[::1]6379", "']'"},
    {"redis://[::1]:", "port must be"},
    {"redis://[localhost]", "no IPv6"},
    {"redis://[]", "no IPv6"},
    {"redis://h?db=1", "nothing may follow '?'"},
    {"redis://h/1?x=y", "nothing may follow '?'"},
    {"redis://h/0#f", "must be escaped"},
    {"redis://h o/0", "must be escaped"},
    {"redis://h\n", "must be escaped"},
    {"redis://-h", "no host name"},
    {"redis://h,i", "no host name"},
    {"redis://hunter2@h", "a user needs a password"},
    {"redis://@h", "a user needs a password"},
    {"redis://user:@h", "password is empty"},
    {"redis://:@h", "empty"},
    {"redis://user:hunter2%@h", "two hex digits"},
    {"redis://user:hunter2%4@h", "two hex digits"},
    {"redis://user:hunter2%zz@h", "two hex digits"},
    {"redis://user:hunter2%00@h", "NUL"},
    {"redis://us%0er:hunter2@h:port", "port must be"},
    {"redis://user:hunter2/x@h", "port must be"},
    {"redis://:hunter2/x@h", "host is missing"},
    {"redis://user:hunter2@h/hunter2", "database must be"},
    {"redis://user:hunter2@ho_st~hunter2", "no host name"},
    {"unix://", "path of the socket is missing"},
    {"unix:///", "path of the socket is missing"},
    {"unix://run/redis.sock", "has no host"},
    {"unix:///run/redis.sock?db=", "database must be"},
    {"unix:///run/redis.sock?database=1", "only db=N"},
    {"unix:///run/redis.sock?db=1&x=2", "database must be"},
    {"unix:///run/%0", "two hex digits"},
    {"unix:///0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
     "0123456789/0123456789/0123456789",
     "too long"},
};

START_TEST(every_bad_url_is_refused_without_quoting_it)
{
    struct redis_address address;
    struct error error;

    ck_assert_msg(redis_address_parse(str_from(bad[_i].url), &address, &error) == ERR_BAD_INPUT,
                  "%s", bad[_i].url);
    ck_assert_msg(strstr(error.caller, bad[_i].says), "%s: %s", bad[_i].url, error.caller);
    ck_assert_ptr_null(strstr(error.caller, "hunter2"));
    ck_assert_ptr_null(strstr(error.detail, "hunter2"));
}
END_TEST

START_TEST(a_url_without_end_is_refused)
{
    char url[5000];
    struct redis_address address;
    struct error error;

    memset(url, 'a', sizeof url);
    memcpy(url, "redis://", 8);
    ck_assert_int_eq(redis_address_parse((struct str){url, sizeof url}, &address, &error),
                     ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "too long"));
}
END_TEST

static bool same(const char *one, const char *other)
{
    struct redis_address a, b;

    ck_assert_int_eq(redis_address_parse(str_from(one), &a, NULL), ERR_OK);
    ck_assert_int_eq(redis_address_parse(str_from(other), &b, NULL), ERR_OK);
    bool is_same = redis_address_same_server(&a, &b);
    redis_address_fini(&a);
    redis_address_fini(&b);
    return is_same;
}

START_TEST(the_same_server_is_known_by_host_and_port_or_path)
{
    ck_assert(same("redis://h", "redis://u:p@H:6379/7"));
    ck_assert(!same("redis://h", "redis://h:6380"));
    ck_assert(!same("redis://h", "redis://i"));
    ck_assert(same("redis://LOCALHOST", "redis://127.0.0.1/1"));
    ck_assert(same("redis://[::1]:6380", "redis://127.0.0.2:6380"));
    ck_assert(!same("redis://localhost", "redis://127.0.0.1:6380"));
    ck_assert(!same("redis://localhost", "redis://h"));
    ck_assert(same("unix:///a?db=1", "unix:///a"));
    ck_assert(!same("unix:///a", "unix:///b"));
    ck_assert(!same("unix:///a", "redis://a"));
}
END_TEST

START_TEST(a_description_is_cut_at_its_size)
{
    struct redis_address address;
    char text[8];

    ck_assert_int_eq(redis_address_parse(str_from("redis://localhost"), &address, NULL), ERR_OK);
    redis_address_describe(&address, text, sizeof text);
    ck_assert_str_eq(text, "localho");
    redis_address_fini(&address);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tcase = tcase_create("address");

    tcase_add_loop_test(tcase, every_good_url_is_read_and_described, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, every_bad_url_is_refused_without_quoting_it, 0,
                        sizeof bad / sizeof *bad);
    tcase_add_test(tcase, a_url_without_end_is_refused);
    tcase_add_test(tcase, the_same_server_is_known_by_host_and_port_or_path);
    tcase_add_test(tcase, a_description_is_cut_at_its_size);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
