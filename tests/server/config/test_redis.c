/* TLS to Redis: which files are asked for, and what is said of bad ones and of those without use. */
#include "certificates.h"
#include "config_case.h"

static char text[4096];

static void open_files(void)
{
    case_open();
    certificates_authority(one.directory, "ca");
    certificates_issue(one.directory, &(struct certificate){"client", "ca", NULL, 0, 0});
    certificates_issue(one.directory, &(struct certificate){"other", "ca", NULL, 0, 0});
}

/* Every '@' of `pattern` becomes the folder of the certificates. */
static const char *with_files(const char *pattern)
{
    size_t used = 0;
    for (const char *at; (at = strchr(pattern, '@')); pattern = at + 1)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s%s", (int)(at - pattern),
                                 pattern, one.directory);
    snprintf(text + used, sizeof text - used, "%s", pattern);
    return text;
}

START_TEST(the_files_arrive_at_the_address)
{
    case_load_well(with_files("redis: { url = \"rediss://cache.test:6380/2\";\n"
                              "tls_ca = \"@/ca.pem\"; tls_certificate = \"@/client.pem\";\n"
                              "tls_key = \"@/client.key\"; };"),
                   NULL);
    const struct redis_address *redis = &one.config->redis;
    ck_assert_str_eq(case_problems(), "");
    ck_assert(redis->tls);
    ck_assert_str_eq(redis->tls_ca_file, one.config->redis_tls_ca);
    ck_assert_str_eq(redis->tls_certificate_file, one.config->redis_tls_certificate);
    ck_assert_str_eq(redis->tls_key_file, one.config->redis_tls_key);
}
END_TEST

START_TEST(tls_may_be_said_in_several_ways)
{
    case_load_well(NULL, ENVIRONMENT("REDIS_HOST=h", "REDIS_TLS=true"));
    ck_assert(one.config->redis.tls);
    case_load_well(NULL, ENVIRONMENT("REDIS_URL=rediss://h"));
    ck_assert(one.config->redis.tls && !one.config->redis.tls_ca_file);
    case_load_well("redis: { url = \"redis://h\"; };", ENVIRONMENT("REDIS_TLS=true"));
    ck_assert(one.config->redis.tls);
    case_load_well("redis: { url = \"rediss://h\"; };", ENVIRONMENT("REDIS_TLS=false"));
    ck_assert(!one.config->redis.tls);
}
END_TEST

START_TEST(a_named_cache_may_be_reached_over_tls_alone)
{
    case_load_well(with_files("redis: { tls_ca = \"@/ca.pem\"; };\n"
                              "caches = ( { name = \"a\"; database = \"rediss://h/1\"; } );"),
                   NULL);
    ck_assert_str_eq(case_problems(), "");
    case_load_well(
        with_files("redis: { tls_ca = \"@/ca.pem\"; };\n"
                   "caches = ( { name = \"a\"; keys = [ \"k\" ]; redis_url = \"rediss://h/1\"; } "
                   ");"),
        NULL);
    ck_assert_str_eq(case_problems(), "");
}
END_TEST

/* '@' is the folder; the place of each problem is the line of the setting that names the file. */
static const struct {
    const char *text, *says;
} refusals[] = {
    {"redis: { tls = true;\n tls_ca = \"/nonexistent\"; };",
     ":2: redis.tls_ca cannot be read: /nonexistent: No such file or directory"},
    {"redis: { tls = true;\n tls_ca = \"@/ca.key\"; };",
     "; it must hold the certificates of authorities, in PEM"},
    {"redis: { tls = true;\n\n tls_certificate = \"@/client.pem\"; };",
     ":3: redis.tls_certificate needs redis.tls_key beside it"},
    {"redis: { tls = true;\n tls_key = \"@/client.key\"; };",
     ":2: redis.tls_key needs redis.tls_certificate beside it"},
    {"redis: { tls = true; tls_certificate = \"@/client.pem\";\n tls_key = \"@/other.key\"; };",
     ":2: redis.tls_key cannot be used: "},
    {"caches = ( { name = \"a\"; database = \"rediss://h/1\"; } );\n"
     "redis: {\n tls_ca = \"/nonexistent\"; };",
     ":3: redis.tls_ca cannot be read"},
    {"redis: { url = \"unix:///x/y\";\n tls_ca = \"@/ca.pem\"; };", ":2: redis.tls_ca is not used"},
};

START_TEST(files_that_will_not_do_are_named_with_their_line)
{
    enum err err = case_load(with_files(refusals[_i].text), NULL);
    ck_assert_msg(strstr(case_problems(), refusals[_i].says) != NULL, "%s\nexpected: %s",
                  case_problems(), refusals[_i].says);
    ck_assert_int_eq(err, strstr(refusals[_i].says, "not used") ? ERR_OK : ERR_BAD_INPUT);
}
END_TEST

START_TEST(a_unix_socket_and_tls_exclude_each_other)
{
    ck_assert_int_eq(case_load("redis: { url = \"unix:///x/y\"; };", ENVIRONMENT("REDIS_TLS=true")),
                     ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), "REDIS_TLS: redis.tls asks for TLS, but Redis is "
                                                  "reached over a Unix socket"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_redis");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_files, case_close);
    tcase_add_test(all, the_files_arrive_at_the_address);
    tcase_add_test(all, tls_may_be_said_in_several_ways);
    tcase_add_test(all, a_named_cache_may_be_reached_over_tls_alone);
    tcase_add_loop_test(all, files_that_will_not_do_are_named_with_their_line, 0,
                        sizeof refusals / sizeof *refusals);
    tcase_add_test(all, a_unix_socket_and_tls_exclude_each_other);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
