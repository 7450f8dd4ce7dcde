/* What needs more than the form of one setting: listeners, TLS, proxies, origins, named caches, lifetimes. */
#include "config_case.h"

struct refusal {
    const char *item; /* of the environment, or of the file when it has braces */
    const char *words;
};

static void expect_refusal(const struct refusal *refusal)
{
    bool is_file = strchr(refusal->item, '{') != NULL;
    case_expect_error(is_file ? refusal->item : NULL, is_file ? NULL : ENVIRONMENT(refusal->item),
                      refusal->words);
}

/* ---- listeners ---- */

static const struct refusal bad_listeners[] = {
    {"CACHEWARDEN_LISTEN=8000", "CACHEWARDEN_LISTEN: server.listen must hold \"host:port\""},
    {"CACHEWARDEN_LISTEN=:8000", "not \":8000\""},
    {"CACHEWARDEN_LISTEN=127.0.0.1", "not \"127.0.0.1\""},
    {"CACHEWARDEN_LISTEN=127.0.0.1:65536", "must hold"},
    {"CACHEWARDEN_LISTEN=127.0.0.1:-1", "must hold"},
    {"CACHEWARDEN_LISTEN=127.0.0.1:08", "must hold"},
    {"CACHEWARDEN_LISTEN=127.0.0.1:80r", "must hold"},
    {"CACHEWARDEN_LISTEN=::1:8000", "must hold"},
    {"CACHEWARDEN_LISTEN=[::1]", "must hold"},
    {"CACHEWARDEN_LISTEN=[::1]8000", "must hold"},
    {"CACHEWARDEN_LISTEN=[127.0.0.1]:8000", "must hold"},
    {"CACHEWARDEN_LISTEN=a b:1", "must hold"},
    {"CACHEWARDEN_LISTEN=,", "must name at least one address"},
    {"server: { listen = [ ]; };", "must name at least one address"},
    {"CACHEWARDEN_LISTEN=127.0.0.1:1,127.0.0.1:1", "names port 1 of 127.0.0.1 twice"},
    {"CACHEWARDEN_LISTEN=127.0.0.1:1s", "needs server.tls.certificate and server.tls.key"},
    {"CACHEWARDEN_SERVER_TLS_CERTIFICATE=/nonexistent",
     "server.tls.certificate needs server.tls.key beside it"},
    {"CACHEWARDEN_SERVER_TLS_CERTIFICATE=/nonexistent",
     "server.tls.certificate cannot be read: /nonexistent: No such file"},
    {"CACHEWARDEN_SERVER_TLS_KEY=/nonexistent",
     "server.tls.key needs server.tls.certificate beside it"},
};

START_TEST(listeners_that_will_not_do)
{
    expect_refusal(&bad_listeners[_i]);
}
END_TEST

START_TEST(listeners_that_will)
{
    case_load_well(
        NULL,
        ENVIRONMENT(
            "CACHEWARDEN_LISTEN=127.0.0.1:8000,[::]:0,*:65535,localhost:1,127.0.0.1:0,127.0.0.1:0s",
            "CACHEWARDEN_SERVER_TLS_CERTIFICATE=" CW_SOURCE_DIR "/dev",
            "CACHEWARDEN_SERVER_TLS_KEY=" CW_SOURCE_DIR "/dev"));
    static const struct listen_address wanted[] = {
        {"127.0.0.1", 8000, false}, {"::", 0, false},        {"*", 65535, false},
        {"localhost", 1, false},    {"127.0.0.1", 0, false}, {"127.0.0.1", 0, true}};
    ck_assert_uint_eq(one.config->listen_count, 6);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_str_eq(one.config->listen[i].host, wanted[i].host);
        ck_assert_int_eq(one.config->listen[i].port, wanted[i].port);
        ck_assert(one.config->listen[i].tls == wanted[i].tls);
    }
}
END_TEST

START_TEST(a_certificate_nobody_uses_is_warned_of)
{
    case_expect(NULL,
                ENVIRONMENT("CACHEWARDEN_SERVER_TLS_CERTIFICATE=" CW_SOURCE_DIR "/dev",
                            "CACHEWARDEN_SERVER_TLS_KEY=" CW_SOURCE_DIR "/dev"),
                "warning: CACHEWARDEN_SERVER_TLS_CERTIFICATE: server.tls.certificate is not used: "
                "no address of server.listen "
                "ends in \"s\"\n");
}
END_TEST

/* ---- proxies, hosts, origins ---- */

static const struct refusal bad_networks[] = {
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=10.0.0.1/8",
     "with zeros behind the prefix, not \"10.0.0.1/8\""},
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=10.0.0.0/33", "must hold address blocks"},
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=10.0.0.0/", "must hold address blocks"},
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=10.0.0.0/-1", "must hold address blocks"},
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=10.0.0", "must hold address blocks"},
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=localhost", "must hold address blocks"},
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=fd00::/129", "must hold address blocks"},
    {"CACHEWARDEN_SERVER_TRUSTED_PROXIES=fd00::1/8", "must hold address blocks"},
    {"CACHEWARDEN_SERVER_ALLOWED_HOSTS=a.example:80",
     "must hold host names without port, not \"a.example:80\""},
    {"CACHEWARDEN_SERVER_ALLOWED_HOSTS=http://a", "must hold host names"},
    {"CACHEWARDEN_SERVER_ALLOWED_HOSTS=*", "must hold host names"},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=*", "and without \"*\""},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=https://a.example/", "without path or slash at the end"},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=https://a.example/x", "must hold origins"},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=a.example", "must hold origins"},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=https://*.example", "must hold origins"},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=https://", "must hold origins"},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=https://a:0", "must hold origins"},
    {"CACHEWARDEN_SERVER_CORS_ORIGINS=null", "must hold origins"},
};

START_TEST(networks_that_will_not_do)
{
    expect_refusal(&bad_networks[_i]);
}
END_TEST

START_TEST(blocks_are_sixteen_bytes)
{
    case_load_well(
        NULL,
        ENVIRONMENT(
            "CACHEWARDEN_SERVER_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.7, fd00::/8, ::1, 0.0.0.0/0"));
    static const int bits[] = {104, 128, 8, 128, 96};
    ck_assert_uint_eq(one.config->proxy_count, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(one.config->proxies[i].bits, bits[i]);
    static const uint8_t ten[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    ck_assert_mem_eq(one.config->proxies[0].bytes, ten, 16);
    ck_assert_uint_eq(one.config->proxies[2].bytes[0], 0xfd);
}
END_TEST

START_TEST(hosts_and_origins_that_will)
{
    case_load_well(NULL,
                   ENVIRONMENT("CACHEWARDEN_SERVER_ALLOWED_HOSTS=Cache.Example,[::1],127.0.0.1",
                               "CACHEWARDEN_SERVER_CORS_ORIGINS=https://a.example,http://"
                               "localhost:3000,http://[::1]:80,"
                               "http://[::1]"));
    ck_assert_str_eq(one.config->server_allowed_hosts.items[0], "cache.example");
    ck_assert_uint_eq(one.config->server_cors_origins.count, 4);
}
END_TEST

/* ---- the rest ---- */

#define SENTINEL "topology = \"sentinel\"; sentinels = [ \"a:26379\" ];"

static const struct refusal others[] = {
    {"NODE_ENV=a b", "NODE_ENV: environment must be 1 to 64 of a-z A-Z 0-9 . _ -"},
    {"NODE_ENV=a}b", "environment must be"},
    {"NODE_ENV=x/../y", "environment must be"},
    {"DATABASE_URL=mysql://h",
     "DATABASE_URL: users.database is not the URL of a users database: not "
     "a kind of database this program knows, write sqlite:PATH or "
     "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"},
    {"DATABASE_URL=sqlite:",
     "users.database is not the URL of a users database: the path is missing"},
    {"DATABASE_URL=sqlite://x.db",
     "users.database is not the URL of a users database: no // stands before a path of SQLite, "
     "write sqlite:PATH, such as sqlite:/var/lib/cachewarden/users.db"},
    {"DATABASE_URL=sqlite:///x.db", "no // stands before a path of SQLite, write sqlite:PATH"},
    {"DATABASE_URL=sqlite:////tmp/x.db", "no // stands before a path of SQLite"},
    {"DATABASE_URL=sqlite:\"x.db\"", "the path stands in quotes; take them out"},
    {"DATABASE_URL=\"sqlite:x.db\"", "users.database stands in quotes; take them off"},
    {"DATABASE_URL=postgresql://u:can@ary@h/d",
     "users.database is not the URL of a users database: an @ is in the wrong place"},
    {"JWT_SECRET=0123456789012345678901234567890",
     "JWT_SECRET: auth.secret has 31 bytes and needs at least 32"},
    {"CACHEWARDEN_AUTH_REFRESH_TTL_S=100",
     "auth.refresh_ttl_s must not be less than auth.access_ttl_s"},
    {"CACHEWARDEN_AUTH_SESSION_TTL_S=100",
     "auth.session_ttl_s must not be less than auth.session_idle_s"},
    {"REDIS_USERNAME=u", "REDIS_USERNAME: redis.username needs redis.password beside it"},
    {"CACHEWARDEN_REDIS_SENTINELS=h", "redis.sentinels must hold \"host:port\", not \"h\""},
    {"redis: { topology = \"sentinel\"; };", "redis.topology needs redis.sentinels beside it"},
    {"redis: { topology = \"sentinel\"; };", "redis.topology needs redis.master_name beside it"},
    {"redis: { " SENTINEL " master_name = \"a b\"; };",
     "redis.master_name must be 1 to 128 of a-z A-Z 0-9 . _ -"},
    {"redis: { " SENTINEL " master_name = \"m\"; sentinel_username = \"u\"; };",
     "redis.sentinel_username needs redis.sentinel_password beside it"},
    {"redis: { " SENTINEL " master_name = \"m\"; url = \"unix:///run/redis.sock\"; };",
     "redis.url is a Unix socket, and sentinels name none; write redis://"},
    {"redis: { topology = \"sentinel\"; master_name = \"m\"; sentinels = [ \"a:1\", \"a:2\", "
     "\"a:3\",\n"
     "\"a:4\", \"a:5\", \"a:6\", \"a:7\", \"a:8\", \"a:9\", \"a:10\", \"a:11\", \"a:12\", "
     "\"a:13\",\n"
     "\"a:14\", \"a:15\", \"a:16\", \"a:17\" ]; };",
     "redis.sentinels may hold 16 addresses at most"},
    {"CACHEWARDEN_REDIS_NODES=h:0", "redis.nodes must hold \"host:port\", not \"h:0\""},
    {"CACHEWARDEN_ENTRIES_REDIS_URL=h:1", "entries.redis_url is not the URL of a Redis"},
    {"CACHEWARDEN_USERS_REGISTRATION=perhaps",
     "users.registration must be closed or open, not \"perhaps\""},
    {"caches = ( { name = \"a\"; } );",
     "caches[0] must have one of keys, database and prefix, not none"},
    {"caches = ( { name = \"a\"; keys = [ \"k\" ]; database = 1; } );", "not several"},
    {"caches = ( { name = \"a/b\"; database = 1; } );", "caches[0].name must be 1 to 64 of"},
    {"caches = ( { name = \"\"; database = 1; } );", "caches[0].name must not be empty"},
    {"caches = ( { name = \"a\"; database = 1; },\n { name = \"a\"; database = 2; } );",
     ":2: caches[1].name is \"a\", like that of caches[0]; names must differ"},
    {"caches = ( { name = \"a\"; database = \"h:1\"; } );",
     "caches[0].database is not the URL of a Redis"},
    {"caches = ( { name = \"a\"; database = \"redis://h/1\"; redis_url = \"redis://h/1\"; } );",
     "keep one"},
    {"caches = ( { name = \"a\"; keys = [ \"\" ]; } );", "must hold texts that are not empty"},
    {"BACKUP_SCHEDULE=0 25 * * *",
     "error: BACKUP_SCHEDULE: backup.schedule must be a cron expression such as \"0 3 * * *\": the "
     "hour \"25\" is not a number from 0 to 23"},
    {"backup: { schedule = \"0 0 30 2 *\"; };",
     "backup.schedule must be a cron expression such as \"0 3 * * *\": it never comes: no month of "
     "\"2\" has a day of the month \"30\""},
    {"CACHEWARDEN_BACKUP_TIMEZONE=Europe/Berlln",
     "backup.timezone must be the name of a time zone: this system knows no time zone "
     "\"Europe/Berlln\""},
    {"backup: { timezone = \"../UTC\"; };", "\"../UTC\" is no name of a time zone"},
};

START_TEST(others_that_will_not_do)
{
    expect_refusal(&others[_i]);
}
END_TEST

/* It has the name of the master from then on, and of the URL what does not say where it is. */
START_TEST(sentinels_say_where_redis_is)
{
    char where[64];

    case_load_well(
        "redis: { " SENTINEL " master_name = \"m\"; url = \"rediss://u:p@ignored:1/3\"; };", NULL);
    const struct redis_address *redis = &one.config->redis;
    redis_address_describe(redis, where, sizeof where);
    ck_assert_str_eq(where, "m/3");
    ck_assert(redis->tls);
    ck_assert_str_eq(redis->username, "u");
    ck_assert_str_eq(redis->password, "p");
    case_expect("redis: { " SENTINEL " master_name = \"m\"; };\n",
                ENVIRONMENT("REDIS_HOST=h", "REDIS_PORT=7"),
                "warning: REDIS_HOST: redis.host is not used: the sentinels say where Redis is\n"
                "warning: REDIS_PORT: redis.port is not used: the sentinels say where Redis is\n");
}
END_TEST

/* Nodes that share accounts must agree on the secret; a file beside a database is one node's. */
START_TEST(postgresql_needs_a_secret)
{
    static const char *const urls[] = {
        "DATABASE_URL=postgresql://u:canary@h/d",
        "DATABASE_URL=postgres://u:can%40ary@h1,h2:5433/d?target_session_attrs=read-write",
    };

    for (size_t i = 0; i < 2; i++) {
        case_expect_error(NULL, ENVIRONMENT(urls[i]),
                          "auth.secret must be given where the users database is PostgreSQL");
        ck_assert_ptr_null(strstr(case_problems(), "ary"));
        case_load_well(NULL, ENVIRONMENT(urls[i], "JWT_SECRET=0123456789abcdef0123456789abcdef"));
    }
    case_expect_error(NULL,
                      ENVIRONMENT("DATABASE_URL=postgresql://u:can/ary@h/d",
                                  "JWT_SECRET=0123456789abcdef0123456789abcdef"),
                      "error: DATABASE_URL: users.database is not the URL of a users database: an "
                      "@ is in the wrong place");
    ck_assert_ptr_null(strstr(case_problems(), "ary"));
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

int main(void)
{
    Suite *suite = suite_create("config_check");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, case_open, case_close);
    tcase_add_loop_test(all, listeners_that_will_not_do, 0, COUNT(bad_listeners));
    tcase_add_test(all, listeners_that_will);
    tcase_add_test(all, a_certificate_nobody_uses_is_warned_of);
    tcase_add_loop_test(all, networks_that_will_not_do, 0, COUNT(bad_networks));
    tcase_add_test(all, blocks_are_sixteen_bytes);
    tcase_add_test(all, hosts_and_origins_that_will);
    tcase_add_loop_test(all, others_that_will_not_do, 0, COUNT(others));
    tcase_add_test(all, sentinels_say_where_redis_is);
    tcase_add_test(all, postgresql_needs_a_secret);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
