/* Certificates that end: what --check-config, the start, the doctor and the metric tell. */
#include "http/certificates.h"

#include "tls_case.h"

static const struct {
    int from_s, until_s;
    int doctor_status;
    const char *doctor, *warning;
} ends[] = {
    {0, 90 * DAY_S - 60, 0,
     "ok       certificates: server.tls.certificate: node.pem: good for 89 days", NULL},
    {0, 15 * DAY_S - 60, 0,
     "ok       certificates: server.tls.certificate: node.pem: good for 14 days", NULL},
    {0, 14 * DAY_S - 60, 0,
     "warning  certificates: server.tls.certificate: node.pem: expires in 13 days",
     "expires in 13"},
    {-7200, 5400, 0,
     "warning  certificates: server.tls.certificate: node.pem: expires in less than two hours",
     "expires in less than two hours"},
    {-9 * DAY_S, -3 * DAY_S - 60, 1,
     "FAILED   certificates: server.tls.certificate: node.pem: expired 3 days ago",
     "expired 3 days ago"},
    {2 * DAY_S + 60, 9 * DAY_S, 1,
     "FAILED   certificates: server.tls.certificate: node.pem: not valid yet, but in 2 days",
     "not valid yet"},
};

static void run_with_redis(const char *const *arguments, struct cw_result *result)
{
    char url[128];
    const char *environment[10];
    snprintf(url, sizeof url, "REDIS_URL=%s", redis_server_url(redis));
    extend(url, environment);
    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment = environment,
                                .directory = directory},
           result);
}

static void expect_end(int i)
{
    struct cw_result result;
    run_with_redis((const char *const[]){"doctor", NULL}, &result);
    ck_assert_msg(strstr(result.out, ends[i].doctor) != NULL, "no \"%s\" in\n%s", ends[i].doctor,
                  result.out);
    ck_assert_msg(result.status == ends[i].doctor_status, "exit %d\n%s", result.status, result.out);
    cw_result_fini(&result);

    run_with_redis((const char *const[]){"serve", "--check-config", NULL}, &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    ck_assert_msg(!strstr(result.err, "warning: ") == !ends[i].warning, "%s", result.err);
    ck_assert_msg(!ends[i].warning || strstr(result.err, ends[i].warning), "%s", result.err);
    cw_result_fini(&result);

    run_with_redis((const char *const[]){"serve", "--check-config", "--json", NULL}, &result);
    ck_assert_ptr_nonnull(strstr(result.out, "{\"ok\":true,"));
    ck_assert_msg(!strstr(result.out, "\"warnings\":[]") == !!ends[i].warning, "%s", result.out);
    cw_result_fini(&result);
}

START_TEST(the_end_is_told_before)
{
    redis = redis_server_start(NULL);
    issue("ending", "one-ca", ends[_i].from_s, ends[_i].until_s);
    install("ending");
    expect_end(_i);
    /* It starts all the same: in the night an expired certificate may be all there is. */
    start(NULL);
    char *log = cw_server_log(&server);
    ck_assert_msg(!strstr(log, "event=config.warning") == !ends[_i].warning, "%s", log);
    ck_assert_msg(!ends[_i].warning || strstr(log, ends[_i].warning), "%s", log);
    free(log);
}
END_TEST

/* It is the chain that is served: whoever signed the certificate may end before it does. */
START_TEST(the_earliest_end_of_the_chain_counts)
{
    char *leaf, *between, chain[4096];
    redis = redis_server_start(NULL);
    issue("between", "one-ca", -9 * DAY_S, -3 * DAY_S - 60);
    leaf = cw_file_read(path_of("one.pem"));
    between = cw_file_read(path_of("between.pem"));
    snprintf(chain, sizeof chain, "%s%s", leaf, between);
    cw_file_write(directory, "node.pem", chain, 0600);
    free(leaf);
    free(between);
    expect_end(4);
}
END_TEST

/* While one of the trusted authorities is good, the end of another is no news. */
START_TEST(the_last_end_of_authorities_counts)
{
    char *first, *second, both[4096];
    struct cw_result result;
    redis = guarded_redis_start(directory, NULL);
    issue("ended", "one-ca", -9 * DAY_S, -3 * DAY_S - 60);
    first = cw_file_read(path_of("ended.pem"));
    second = cw_file_read(path_of("ca.pem"));
    snprintf(both, sizeof both, "%s%s", first, second);
    char *variables[GUARDED_REDIS_VARIABLES];
    guarded_redis_environment(redis, directory, variables);
    const struct cw_command doctor = {
        .arguments = (const char *const[]){"doctor", NULL},
        .environment =
            (const char *const[]){variables[0], variables[1], variables[2], variables[3], NULL},
        .directory = directory};
    cw_file_write(directory, "ca.pem", both, 0600);
    cw_run(&doctor, &result);
    ck_assert_msg(strstr(result.out, "certificates: redis.tls_ca: ") != NULL, "%s", result.out);
    ck_assert_msg(!strstr(result.out, "expired"), "%s", result.out);
    cw_result_fini(&result);
    /* Alone it is. */
    cw_file_write(directory, "ca.pem", first, 0600);
    cw_run(&doctor, &result);
    ck_assert_msg(strstr(result.out, "FAILED   certificates: redis.tls_ca: ") != NULL, "%s",
                  result.out);
    cw_result_fini(&result);
    free(first);
    free(second);
    free_all(variables);
}
END_TEST

/* The doctor looks at what only the start would have told. */
START_TEST(the_doctor_compares_key_and_certificate)
{
    struct cw_result result;
    redis = redis_server_start(NULL);
    copy("two.key", "node.key");
    run_with_redis((const char *const[]){"doctor", NULL}, &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_msg(strstr(result.out, "FAILED   certificates: server.tls.key: ") != NULL, "%s",
                  result.out);
    cw_result_fini(&result);
}
END_TEST

/* What no listener shows and no connection to Redis asks for may end as it likes: it is told to be unused,
 * which is no failure. */
START_TEST(what_nobody_uses_may_end)
{
    char url[128];
    struct cw_result result;
    redis = redis_server_start(NULL);
    issue("ended", "one-ca", -9 * DAY_S, -3 * DAY_S - 60);
    install("ended");
    snprintf(url, sizeof url, "REDIS_URL=%s", redis_server_url(redis));
    cw_run(
        &(struct cw_command){
            .arguments = (const char *const[]){"doctor", NULL},
            .environment = (const char *const[]){url, "CACHEWARDEN_LISTEN=127.0.0.1:0",
                                                 "CACHEWARDEN_SERVER_TLS_CERTIFICATE=node.pem",
                                                 "CACHEWARDEN_SERVER_TLS_KEY=node.key",
                                                 "CACHEWARDEN_SERVER_TLS_CLIENT_CA=node.pem",
                                                 "CACHEWARDEN_REDIS_TLS_CA=node.pem",
                                                 "CACHEWARDEN_REDIS_TLS_CERTIFICATE=node.pem",
                                                 "CACHEWARDEN_REDIS_TLS_KEY=node.key", NULL},
            .directory = directory},
        &result);
    ck_assert_msg(result.status == 0, "%s", result.out);
    ck_assert_msg(!strstr(result.out, "expired"), "%s", result.out);
    ck_assert_msg(strstr(result.out, ": redis.tls_ca is not used: ") != NULL, "%s", result.out);
    ck_assert_ptr_nonnull(strstr(result.out, ": server.tls.certificate is not used: "));
    cw_result_fini(&result);
}
END_TEST

START_TEST(the_metric_tells_what_is_in_use)
{
    struct certificates_in_use in_use = {0};
    struct strbuf out;
    strbuf_init(&out, NULL, 256);
    certificates_write_metrics(&in_use, 1000, &out);
    ck_assert_uint_eq(out.len, 0);
    in_use.until_s[CERTIFICATE_LISTENERS] = 4600;
    in_use.until_s[CERTIFICATE_REDIS] = 900;
    certificates_write_metrics(&in_use, 1000, &out);
    strbuf_add_char(&out, '\0');
    ck_assert_ptr_nonnull(strstr(out.ptr,
                                 "# TYPE cachewarden_certificate_expires_seconds gauge\n"
                                 "cachewarden_certificate_expires_seconds{setting=\"server.tls."
                                 "certificate\"} 3600\n"
                                 "cachewarden_certificate_expires_seconds{setting=\"redis.tls_"
                                 "certificate\"} -100\n"));
    strbuf_fini(&out);
}
END_TEST

/* What the metric says of the listeners' certificate; a fresh connection, whatever is served. */
static long long seconds_left(const char *key)
{
    static const char line[] =
        "\ncachewarden_certificate_expires_seconds{setting=\"server.tls.certificate\"} ";
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d", server.port);
    struct http_client *client = http_client_new(url);
    http_client_trust(client, NULL);
    const struct http_reply *reply = http_get(client, "/metrics", key);
    expect_status(reply, 200);
    const char *found = strstr(reply->body, line);
    ck_assert_msg(found != NULL, "%s", reply->body);
    long long seconds = strtoll(found + strlen(line), NULL, 10);
    http_client_free(&client);
    return seconds;
}

static bool is_fresh(const void *with)
{
    long long left = seconds_left(with);
    return left > 89 * DAY_S && left <= 90 * DAY_S;
}

START_TEST(the_metric_follows_a_renewal)
{
    char key[256];
    issue("ending", "one-ca", 0, 3 * DAY_S);
    issue("fresh", "one-ca", 0, 90 * DAY_S);
    install("ending");
    start(NULL);
    make_key("metrics", NULL, key);
    long long left = seconds_left(key);
    ck_assert(left > 2 * DAY_S && left <= 3 * DAY_S);
    /* A file that cannot be used is not in use. */
    copy("fresh.pem", "node.pem");
    renew("event=tls.kept of=listeners");
    left = seconds_left(key);
    ck_assert(left > 2 * DAY_S && left <= 3 * DAY_S);
    install("fresh");
    renew("event=tls.renewed setting=server.tls.certificate");
    stand_wait(is_fresh, key, "the metric follows");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/config/certificates");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, prepare, clean_up);
    tcase_add_loop_test(each, the_end_is_told_before, 0, sizeof ends / sizeof *ends);
    tcase_add_test(each, the_earliest_end_of_the_chain_counts);
    tcase_add_test(each, the_last_end_of_authorities_counts);
    tcase_add_test(each, the_doctor_compares_key_and_certificate);
    tcase_add_test(each, what_nobody_uses_may_end);
    tcase_add_test(each, the_metric_tells_what_is_in_use);
    tcase_add_test(each, the_metric_follows_a_renewal);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
