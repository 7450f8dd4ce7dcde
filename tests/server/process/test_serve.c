/*
 * The life of the server: starting, the ways it does not start, signals, stopping. What requests meet
 * while it stops is in tests/http/test_lifecycle.c.
 */
#include "cw_server.h"
#include "http_client.h"
#include "patience.h"
#include "redis_server.h"
#include "slowness.h"
#include "suite.h"

#include <dirent.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct cw_server server;
static struct cw_result result;
static char *directory;

static void open_all(void)
{
    directory = cw_directory_new();
}

static void close_all(void)
{
    cw_server_stop(&server);
    cw_result_fini(&result);
    cw_directory_remove(&directory);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A number of /proc/<pid>/status, such as "VmRSS:". */
static long process_number(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    char *text = cw_file_read(path), *at = text ? strstr(text, name) : NULL;
    long number = at ? strtol(at + strlen(name), NULL, 10) : -1;
    free(text);
    return number;
}

/* ---- starting ---- */

START_TEST(it_starts_says_so_and_stops)
{
    cw_server_start(&server, &(struct cw_server_options){.directory = directory});
    ck_assert_int_gt(server.port, 0);
    struct http_client *http = http_client_new(server.base_url);
    ck_assert_int_eq(http_get(http, "/health/ready", NULL)->status, 200);
    http_client_free(&http);
    char line[64];
    snprintf(line, sizeof line, "listening=127.0.0.1:%d ", server.port);
    cw_server_wait_log(&server, line);
    cw_server_stop(&server);
    char *log = cw_server_log(&server);
    ck_assert_ptr_nonnull(strstr(log, "event=server.started"));
    ck_assert_ptr_nonnull(strstr(log, "event=server.stopping signal=TERM"));
    ck_assert_ptr_nonnull(strstr(log, "event=server.stopped"));
    free(log);
}
END_TEST

/* 1024 open files, of which 256 and those for Redis (16, 2 and 2 for each named cache) are no connections. */
START_TEST(it_says_what_fits)
{
    const struct rlimit few = {64, 1024};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    cw_server_start(
        &server, &(struct cw_server_options){.environment = LIST("CACHEWARDEN_SERVER_THREADS=9")});
    cw_server_wait_log(&server, " threads=9 connections=746 ");
    cw_server_wait_log(&server, "level=warn event=server.few_connections connections=746 fix=");
}
END_TEST

START_TEST(what_it_makes_is_private)
{
    struct stat info;
    char path[512];
    cw_server_start(&server, &(struct cw_server_options){.directory = directory});
    static const char *const files[] = {"users.db", "users.db.secret"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_uint_eq(info.st_mode & 07777, 0600);
    }
    char *first = cw_file_read(path);
    cw_server_stop(&server);
    cw_server_start(&server, &(struct cw_server_options){.directory = directory});
    char *second = cw_file_read(path);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

START_TEST(several_listeners)
{
    struct http_client *http;
    char url[64];
    cw_server_start(&server, &(struct cw_server_options){
                                 .environment = LIST("CACHEWARDEN_LISTEN=127.0.0.1:0,[::1]:0")});
    snprintf(url, sizeof url, "http://[::1]:%d", cw_server_port(&server, 1));
    http = http_client_new(url);
    ck_assert_int_eq(http_get(http, "/health/live", NULL)->status, 200);
    http_client_free(&http);
}
END_TEST

/* Whether another program could listen there. */
static bool is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_bound;
}

START_TEST(the_command_line_beats_the_environment)
{
    int port = support_free_port();
    char listen[32];
    ck_assert(!is_free(port)); /* until our server takes it */
    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    cw_server_start(&server, &(struct cw_server_options){
                                 .arguments = LIST("--listen", listen),
                                 .environment = LIST("CACHEWARDEN_LISTEN=127.0.0.1:1"),
                                 .config = "server: { listen = [ \"127.0.0.1:2\" ]; };"});
    ck_assert_int_eq(server.port, port);
}
END_TEST

START_TEST(signals_are_for_the_main_thread)
{
    /* All threads but the one that waits for them have SIGTERM, SIGINT and SIGHUP blocked. */
    const unsigned long long wanted =
        1ull << (SIGTERM - 1) | 1ull << (SIGINT - 1) | 1ull << (SIGHUP - 1);
    char path[64];
    cw_server_start(&server, NULL);
    snprintf(path, sizeof path, "/proc/%d/task", (int)server.pid);
    DIR *tasks = opendir(path);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));) {
        char file[400];
        if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == server.pid)
            continue;
        snprintf(file, sizeof file, "%s/%s/status", path, entry->d_name);
        char *text = cw_file_read(file), *blocked = strstr(text, "SigBlk:");
        ck_assert_uint_eq(strtoull(blocked + 7, NULL, 16) & wanted, wanted);
        free(text);
        count++;
    }
    closedir(tasks);
    ck_assert_int_gt(count, 8);
}
END_TEST

/* ---- not starting: one clear line, exit 1 ---- */

static void expect_refusal(const char *const *environment, const char *const *arguments,
                           const char *words)
{
    cw_result_fini(&result);
    cw_run(&(struct cw_command){.arguments = arguments ? arguments : LIST("serve"),
                                .environment = environment,
                                .directory = directory},
           &result);
    ck_assert_msg(result.status == 1, "exit %d: %s", result.status, result.err);
    ck_assert_msg(strstr(result.err, words) != NULL, "no \"%s\" in: %s", words, result.err);
    ck_assert_msg(strchr(result.err, '\n') == result.err + strlen(result.err) - 1,
                  "more than one line: %s", result.err);
    ck_assert_str_eq(result.out, "");
}

START_TEST(a_port_in_use)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    char item[64], port[16];
    snprintf(item, sizeof item, "CACHEWARDEN_LISTEN=127.0.0.1:%d", ntohs(address.sin_port));
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    expect_refusal(LIST(item), NULL, port);
    ck_assert_ptr_nonnull(strstr(result.err, "in use"));
    close(fd);
}
END_TEST

START_TEST(an_address_that_is_not_ours)
{
    expect_refusal(LIST("CACHEWARDEN_LISTEN=192.0.2.1:0"), NULL, "192.0.2.1");
    expect_refusal(LIST("CACHEWARDEN_LISTEN=nonsense"), NULL,
                   "error: CACHEWARDEN_LISTEN: server.listen must hold \"host:port\"");
}
END_TEST

START_TEST(a_database_that_cannot_be_opened)
{
    expect_refusal(LIST("DATABASE_URL=sqlite:/proc/nowhere/users.db"), NULL, "/proc/nowhere");
    cw_file_write(directory, "noise.db",
                  "this is no database, whatever its name says, and it is long enough to tell",
                  0600);
    expect_refusal(LIST("DATABASE_URL=sqlite:noise.db"), NULL, "noise.db");
}
END_TEST

START_TEST(a_secret_that_is_too_short)
{
    expect_refusal(
        LIST("JWT_SECRET=canary"), NULL,
        "error: JWT_SECRET: auth.secret has 6 bytes and needs at least 32; make one with: "
        "openssl rand -hex 32");
    ck_assert_ptr_null(strstr(result.err, "canary"));
    cw_file_write(directory, "users.db.secret", "canary", 0600);
    expect_refusal(NULL, NULL, "users.db.secret holds fewer than 32 bytes");
    ck_assert_ptr_null(strstr(result.err, "canary"));
}
END_TEST

START_TEST(a_certificate_that_is_none)
{
    cw_file_write(directory, "cert.pem", "no certificate", 0600);
    expect_refusal(LIST("CACHEWARDEN_LISTEN=127.0.0.1:0s",
                        "CACHEWARDEN_SERVER_TLS_CERTIFICATE=cert.pem",
                        "CACHEWARDEN_SERVER_TLS_KEY=cert.pem"),
                   NULL, "cert.pem");
    /* The check tells it before anybody restarts. */
    expect_refusal(
        LIST("CACHEWARDEN_LISTEN=127.0.0.1:0s", "CACHEWARDEN_SERVER_TLS_CERTIFICATE=cert.pem",
             "CACHEWARDEN_SERVER_TLS_KEY=cert.pem"),
        LIST("serve", "--check-config"),
        "error: server.tls.certificate: cert.pem: PEM lib (it must hold a PEM certificate)");
}
END_TEST

START_TEST(a_configuration_that_is_missing)
{
    expect_refusal(NULL, LIST("serve", "--config", "nowhere.conf"),
                   "error: nowhere.conf: cannot be read: No such file or directory");
}
END_TEST

START_TEST(a_cache_that_would_take_the_control_data)
{
    cw_file_write(directory, "c.conf", "caches = ( { name = \"all\"; database = 0; } );", 0600);
    expect_refusal(NULL, LIST("serve", "--config", "c.conf"), "holds the control data");
    expect_refusal(NULL, LIST("serve", "--check-config", "--config", "c.conf"),
                   "holds the control data");
}
END_TEST

/* ---- --check-config ---- */

static int check_config(const char *const *environment, const char *more)
{
    cw_result_fini(&result);
    cw_run(&(struct cw_command){.arguments =
                                    LIST("serve", "--check-config", "--config", "c.conf", more),
                                .environment = environment,
                                .directory = directory},
           &result);
    return result.status;
}

START_TEST(a_good_configuration_is_ok)
{
    cw_file_write(directory, "c.conf", "server: { threads = 3; };", 0600);
    ck_assert_int_eq(check_config(LIST("JWT_SECRET=canary-0123456789-0123456789-0123456789"), NULL),
                     0);
    ck_assert_str_eq(result.out, "configuration ok\n");
    ck_assert_str_eq(result.err, "");
    ck_assert_int_eq(check_config(LIST("JWT_SECRET=canary-0123456789-0123456789-0123456789",
                                       "REDIS_PASSWORD=canary"),
                                  "-v"),
                     0);
    ck_assert_ptr_nonnull(strstr(result.out, "server.threads = 3  # c.conf:1\n"));
    ck_assert_ptr_nonnull(strstr(result.out, "auth.secret = \"(set)\"  # JWT_SECRET\n"));
    ck_assert_ptr_nonnull(strstr(result.out, "\nconfiguration ok\n"));
    ck_assert_ptr_null(strstr(result.out, "canary"));
    /* It only looks. */
    char path[400];
    snprintf(path, sizeof path, "%s/users.db", directory);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_bad_configuration_has_all_its_errors_told)
{
    cw_file_write(directory, "c.conf", "server: {\n  threads = 0;\n  lisen = 1;\n};\n", 0600);
    ck_assert_int_eq(check_config(LIST("REDIS_DB=x", "CACHEWARDEN_REDIS_MASTER_NAME=m"), NULL), 1);
    ck_assert_str_eq(result.out, "");
    ck_assert_str_eq(
        result.err,
        "error: c.conf:2: server.threads must be a whole number from 1 to 1024, not 0\n"
        "error: c.conf:3: there is no setting server.lisen; did you mean server.listen?\n"
        "error: REDIS_DB: redis.db must be a whole number from 0 to 65535, not \"x\"\n"
        "warning: CACHEWARDEN_REDIS_MASTER_NAME: redis.master_name is not used without "
        "redis.topology = \"sentinel\"\n");
}
END_TEST

START_TEST(the_check_as_json)
{
    json_error_t error;
    cw_file_write(directory, "c.conf", "server: { threads = 3; };", 0600);
    ck_assert_int_eq(check_config(LIST("CACHEWARDEN_REDIS_MASTER_NAME=m"), "--json"), 0);
    json_t *root = json_loads(result.out, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root != NULL, "%s", result.out);
    ck_assert(json_is_true(json_object_get(root, "ok")));
    ck_assert_uint_eq(json_array_size(json_object_get(root, "errors")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "warnings")), 1);
    json_t *threads = json_object_get(json_object_get(root, "settings"), "server.threads");
    ck_assert_int_eq(json_integer_value(json_object_get(threads, "value")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(threads, "from")), "c.conf:1");
    json_decref(root);

    cw_file_write(directory, "c.conf", "server: { threads = 0; };", 0600);
    ck_assert_int_eq(check_config(NULL, "--json"), 1);
    root = json_loads(result.out, JSON_REJECT_DUPLICATES, &error);
    ck_assert(json_is_false(json_object_get(root, "ok")));
    ck_assert_uint_eq(json_array_size(json_object_get(root, "errors")), 1);
    json_decref(root);
}
END_TEST

/* ---- SIGHUP ---- */

START_TEST(a_reload_applies_what_it_can_and_tells_the_rest)
{
    cw_server_start(&server, &(struct cw_server_options){.config = "log: { level = \"info\"; };\n",
                                                         .environment = LIST(CW_DEFAULT_THREADS)});
    cw_file_write(server.directory, "test.conf",
                  "log: { format = \"json\"; };\nserver: { threads = 7; drain_s = 9; };\nusers: { "
                  "registration = \"open\"; };\n",
                  0600);
    cw_server_signal(&server, SIGHUP);
    cw_server_wait_log(&server, "\"config.loaded\"");
    char *log = cw_server_log(&server);
    ck_assert_ptr_nonnull(strstr(log, "event=config.reloaded setting=log.format"));
    ck_assert_ptr_nonnull(strstr(log, "event=config.reloaded setting=users.registration"));
    ck_assert_ptr_nonnull(strstr(log, "event=config.reloaded setting=server.drain_s"));
    ck_assert_ptr_nonnull(strstr(log, "event=config.needs_restart setting=server.threads"));
    free(log);
}
END_TEST

/* Who may flush, before and after; without Redis a permitted flush fails, which tells the two apart. */
START_TEST(a_reload_changes_who_may_flush)
{
    static const char open[] = "users: { registration = \"open\"; };\n";
    char config[256], credential[2048];
    json_error_t error;
    cw_server_start(&server, &(struct cw_server_options){.config = open});
    struct http_client *http = http_client_new(server.base_url);
    const struct http_reply *reply =
        http_post_json(http, "/auth/register", NULL,
                       "{\"username\":\"carol\",\"email\":\"carol@example.com\","
                       "\"password\":\"violet-lantern-42\"}");
    ck_assert_int_eq(reply->status, 201);
    json_t *body = json_loads(reply->body, 0, &error);
    snprintf(credential, sizeof credential, "Authorization: Bearer %s",
             json_string_value(json_object_get(body, "access_token")));
    ck_assert_int_eq(http_call(http, "DELETE", "/api/v1/cache", credential)->status, 403);

    snprintf(config, sizeof config, "%sauth: { flush_permission = \"authenticated\"; };\n", open);
    cw_file_write(server.directory, "test.conf", config, 0600);
    cw_server_signal(&server, SIGHUP);
    cw_server_wait_log(&server, "event=config.loaded");
    ck_assert_int_eq(http_call(http, "DELETE", "/api/v1/cache", credential)->status, 500);
    json_decref(body);
    http_client_free(&http);
}
END_TEST

START_TEST(a_bad_reload_keeps_everything)
{
    cw_server_start(&server,
                    &(struct cw_server_options){.config = "log: { format = \"text\"; };\n"});
    cw_file_write(server.directory, "test.conf",
                  "log: {\n format = \"json\";\n level = \"loud\"; };\nnonsense = 1;\n", 0600);
    cw_server_signal(&server, SIGHUP);
    cw_server_wait_log(&server, "event=config.kept");
    char *log = cw_server_log(&server);
    ck_assert_ptr_nonnull(
        strstr(log, "test.conf:3: log.level must be debug or info or warn or error"));
    ck_assert_ptr_nonnull(strstr(log, "test.conf:4: there is no setting nonsense"));
    free(log);
    struct http_client *http = http_client_new(server.base_url);
    ck_assert_int_eq(http_get(http, "/health/live", NULL)->status, 200);
    http_client_free(&http);
}
END_TEST

START_TEST(many_reloads_leak_nothing_and_change_nothing)
{
    struct http_client *http;
    cw_server_start(&server,
                    &(struct cw_server_options){.config = "log: { level = \"info\"; };\n"});
    http = http_client_new(server.base_url);
    for (int i = 0; i < 50; i++) {
        cw_server_signal(&server, SIGHUP);
        ck_assert_int_eq(http_get(http, "/health/live", NULL)->status, 200);
    }
    http_client_free(&http);
}
END_TEST

/* ---- stopping ---- */

/* A request that is under way, which its 100 (RFC 9110 section 15.2.1) proves, until its body comes. */
static struct raw *begin_request(void)
{
    struct raw *raw = raw_open(server.port);
    raw_print(raw, "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert(reply && reply->status == 100);
    return raw;
}

static void wait_draining(void)
{
    cw_server_wait_log(&server, "event=server.stopping");
}

START_TEST(a_request_under_way_is_answered)
{
    cw_server_start(
        &server, &(struct cw_server_options){.environment = LIST("CACHEWARDEN_SERVER_DRAIN_S=20")});
    struct raw *raw = begin_request();
    cw_server_signal(&server, SIGTERM);
    wait_draining();
    raw_print(raw, "{}");
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->status, 400);
    ck_assert_str_eq(http_header(reply, "Connection"), "close");
    raw_close(&raw);
    ck_assert_int_eq(cw_server_wait(&server), 0);
}
END_TEST

START_TEST(the_second_signal_does_not_wait)
{
    cw_server_start(&server, &(struct cw_server_options){
                                 .environment = LIST("CACHEWARDEN_SERVER_DRAIN_S=3600",
                                                     "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=600000")});
    struct raw *raw = begin_request();
    cw_server_signal(&server, SIGTERM);
    wait_draining();
    int64_t from = now_ms();
    cw_server_signal(&server, SIGINT);
    cw_server_wait(&server);
    expect_within_ms(now_ms() - from, 5000);
    cw_server_wait_log(&server, "event=server.cut_off reason=\"second signal\"");
    raw_close(&raw);
}
END_TEST

START_TEST(idle_clients_do_not_delay_the_end)
{
    cw_server_start(&server,
                    &(struct cw_server_options){
                        .environment = LIST("CACHEWARDEN_SERVER_DRAIN_S=600",
                                            "CACHEWARDEN_SERVER_KEEP_ALIVE_TIMEOUT_MS=600000")});
    struct http_client *http = http_client_new(server.base_url);
    ck_assert_int_eq(http_get(http, "/health/live", NULL)->status, 200);
    int64_t from = now_ms();
    cw_server_signal(&server, SIGTERM);
    ck_assert_int_eq(cw_server_wait(&server), 0);
    expect_within_ms(now_ms() - from, 10000);
    http_client_free(&http);
}
END_TEST

/* ---- lean ---- */

START_TEST(it_is_small)
{
    cw_server_start(&server, &(struct cw_server_options){.environment = LIST(CW_DEFAULT_THREADS)});
    struct http_client *http = http_client_new(server.base_url);
    ck_assert_int_eq(http_get(http, "/health/live", NULL)->status, 200);
    http_client_free(&http);
    long rss_kib = process_number(server.pid, "VmRSS:"),
         threads = process_number(server.pid, "Threads:");
    ck_assert_int_gt(threads, 64);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
    ck_assert_msg(rss_kib < 30 * 1024, "%ld KiB resident with %ld threads", rss_kib, threads);
#else
    (void)rss_kib;
#endif
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("serve");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, it_starts_says_so_and_stops);
    tcase_add_test(all, it_says_what_fits);
    tcase_add_test(all, what_it_makes_is_private);
    tcase_add_test(all, several_listeners);
    tcase_add_test(all, the_command_line_beats_the_environment);
    tcase_add_test(all, signals_are_for_the_main_thread);
    tcase_add_test(all, a_port_in_use);
    tcase_add_test(all, an_address_that_is_not_ours);
    tcase_add_test(all, a_database_that_cannot_be_opened);
    tcase_add_test(all, a_secret_that_is_too_short);
    tcase_add_test(all, a_certificate_that_is_none);
    tcase_add_test(all, a_configuration_that_is_missing);
    tcase_add_test(all, a_cache_that_would_take_the_control_data);
    tcase_add_test(all, a_good_configuration_is_ok);
    tcase_add_test(all, a_bad_configuration_has_all_its_errors_told);
    tcase_add_test(all, the_check_as_json);
    tcase_add_test(all, a_reload_applies_what_it_can_and_tells_the_rest);
    tcase_add_test(all, a_reload_changes_who_may_flush);
    tcase_add_test(all, a_bad_reload_keeps_everything);
    tcase_add_test(all, many_reloads_leak_nothing_and_change_nothing);
    tcase_add_test(all, a_request_under_way_is_answered);
    tcase_add_test(all, the_second_signal_does_not_wait);
    tcase_add_test(all, idle_clients_do_not_delay_the_end);
    tcase_add_test(all, it_is_small);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
