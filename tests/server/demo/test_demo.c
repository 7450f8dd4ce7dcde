/* `serve --demo`: what it prints is pasted into a shell and does what it says. */
#include "cw_server.h"
#include "http_client.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct cw_server demo;
static struct cw_result result;
static char *directory;

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void open_all(void)
{
    directory = cw_directory_new();
}

static void close_all(void)
{
    cw_server_stop(&demo);
    cw_result_fini(&result);
    cw_directory_remove(&directory);
}

/* What the demo is given of the environment must not matter, except where it listens. */
static void start_with(const char *variable)
{
    cw_server_start(&demo,
                    &(struct cw_server_options){
                        .arguments = LIST("--demo"),
                        .environment = LIST("DATABASE_URL=sqlite:/proc/nowhere",
                                            "CACHEWARDEN_ENTRIES_REDIS_URL=redis://127.0.0.1:1",
                                            "REDIS_HOST=nowhere", "JWT_SECRET=short",
                                            CW_PATIENT_WITH_REDIS, variable),
                        .directory = directory});
}

static void start(void)
{
    start_with(NULL);
}

static char *file_of(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/.cachewarden/%s", directory, name);
    return cw_file_read(path);
}

/* The lines to paste: from "CW=" to the end. */
static char *lines_to_paste(void)
{
    char *output = cw_file_read(demo.output_path), *from = strstr(output, "\nCW=http://127.0.0.1:");
    ck_assert_msg(from != NULL, "%s", output);
    char *lines = strdup(from + 1);
    free(output);
    return lines;
}

/* The same up to the first line with that in it: each line is a process of its own. */
static char *lines_up_to(const char *text)
{
    char *lines = lines_to_paste(), *at = strstr(lines, text);
    ck_assert_msg(at != NULL, "no %s in %s", text, lines);
    at[strcspn(at, "\n") + 1] = '\0';
    return lines;
}

/* Runs a script with /bin/sh in another folder and with a bare environment; its standard output. */
static char *paste(const char *script)
{
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/", NULL};
    int in[2], out[2], status;
    char *text = calloc(1, 65536);
    size_t size = 0;
    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]), close(out[0]);
        if (chdir("/") == 0)
            execle("/bin/sh", "sh", "-e", (char *)NULL, environment);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    ck_assert_int_eq(write(in[1], script, strlen(script)), (ssize_t)strlen(script));
    close(in[1]);
    for (ssize_t got; (got = read(out[0], text + size, 65535 - size)) > 0;)
        size += (size_t)got;
    close(out[0]);
    waitpid(pid, &status, 0);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the shell ended with %d: %s",
                  status, text);
    return text;
}

START_TEST(the_printed_lines_do_what_they_say)
{
    start();
    char *lines = lines_to_paste(), *answers = paste(lines);
    static const char wanted[] =
        "{\"enabled\":true,\"version\":1,\"message\":\"Cache is enabled\"}\n"
        "{\"version\":2,\"cleared\":true,\"message\":\"Cache cleared successfully (new version: "
        "2)\"}\n"
        "{\"enabled\":false,\"version\":2,\"message\":\"Cache disabled successfully\"}\n"
        "{\"enabled\":true,\"version\":2,\"message\":\"Cache enabled successfully\"}\n"
        "{\"ok\":true,\"message\":\"Cache cleared for user 2\",\"user_id\":2,\"new_version\":3}\n"
        "{\"ok\":true,\"message\":\"Cache cleared\"}\n"
        "{\"flushed\":true,\"keysRemoved\":0}\n"
        "{\"message\":\"Search cache cleared\"}\n"
        "{\"hello\":\"world\"}\n"
        "{\"value\":1}\n"
        "1\n"
        "{\"status\":\"ok\",\"redis\":{\"status\":\"connected\",";
    ck_assert_msg(strncmp(answers, wanted, sizeof wanted - 1) == 0, "%s", answers);
    free(answers);
    /* No comment and no apostrophe but those in pairs: an interactive shell would stumble. */
    ck_assert_ptr_null(strchr(lines, '#'));
    free(lines);
}
END_TEST

/* Every line stands for itself once the first four are pasted: each in a shell of its own behind them. */
START_TEST(each_line_works_by_itself)
{
    start_with("CACHEWARDEN_LIMITS_ENABLED=false"); /* signs in twice a line */
    char *lines = lines_to_paste(), *rest = NULL;
    static char script[8192];
    int tried = 0;
    for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        bool is_call = strncmp(line, "curl", 4) == 0 || strncmp(line, "REDIS_URL=", 10) == 0;
        size_t used = strlen(script);
        snprintf(script + used, sizeof script - used, is_call ? "(%s)\n" : "%s\n", line);
        tried += is_call;
    }
    ck_assert_int_eq(tried, 12);
    free(lines);
    char *answers = paste(script);
    for (char *answer = strtok_r(answers, "\n", &rest); answer;
         answer = strtok_r(NULL, "\n", &rest)) {
        ck_assert_msg((answer[0] == '{' || strcmp(answer, "1") == 0) && !strstr(answer, "detail") &&
                          !strstr(answer, "error"),
                      "%s", answer);
        tried--;
    }
    ck_assert_int_eq(tried, 0);
    free(answers);
}
END_TEST

START_TEST(everything_is_in_its_folder_and_private)
{
    static const char *const files[] = {"credentials",     "users.db",
                                        "users.db.secret", "lock",
                                        "redis.log",       "appendonlydir/appendonly.aof.manifest"};
    struct stat info;
    char path[512];
    umask(0);
    start();
    snprintf(path, sizeof path, "%s/.cachewarden", directory);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0700);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/.cachewarden/%s", directory, files[i]);
        ck_assert_msg(stat(path, &info) == 0, "%s: %s", path, strerror(errno));
        ck_assert_msg((info.st_mode & 07777) == 0600, "%s has mode %o", path, info.st_mode);
    }
}
END_TEST

/* What an admin makes, too. */
START_TEST(backups_are_in_its_folder)
{
    char path[512], script[512];
    start();
    snprintf(script, sizeof script,
             ". %s/.cachewarden/credentials\n"
             "T=$(curl -s %s/auth/login -d username=admin -d password=$ADMIN_PASSWORD |"
             " sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n"
             "curl -s -X POST -H \"Authorization: Bearer $T\" %s/api/v1/backups\n",
             directory, demo.base_url, demo.base_url);
    char *answer = paste(script);
    ck_assert_msg(strstr(answer, "{\"id\":\"20"), "%s", answer);
    free(answer);
    snprintf(path, sizeof path, "%s/.cachewarden/backups", directory);
    ck_assert_int_eq(access(path, R_OK), 0);
    snprintf(path, sizeof path, "%s/backups", directory);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(a_second_start_has_the_same_people)
{
    start();
    char *first = file_of("credentials"), *secret = file_of("users.db.secret");
    cw_server_stop(&demo);
    start();
    char *second = file_of("credentials"), *secret_again = file_of("users.db.secret");
    ck_assert_str_eq(first, second);
    ck_assert_str_eq(secret, secret_again);
    char *lines = lines_up_to("user_id="), *answers = paste(lines);
    ck_assert_ptr_nonnull(strstr(answers, "\"Cache is enabled\""));
    ck_assert_ptr_nonnull(strstr(answers, "\"Cache cleared for user 2\""));
    free(first), free(second), free(secret), free(secret_again), free(lines), free(answers);
}
END_TEST

START_TEST(what_is_printed_is_true_whatever_was_changed)
{
    char path[512];
    start();
    cw_server_stop(&demo);
    /* Somebody has played with the accounts, and lost the file with their passwords. */
    cw_run(&(struct cw_command){.arguments = LIST("user", "revoke", "admin", "--superuser"),
                                .environment = LIST("DATABASE_URL=sqlite:.cachewarden/users.db"),
                                .directory = directory},
           &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    snprintf(path, sizeof path, "%s/.cachewarden/credentials", directory);
    ck_assert_int_eq(unlink(path), 0);
    start();
    char *lines = lines_up_to("-X DELETE"), *answers = paste(lines);
    ck_assert_ptr_nonnull(strstr(answers, "\"Cache is enabled\""));
    ck_assert_ptr_nonnull(strstr(answers, "\"Cache cleared for user 2\""));
    ck_assert_ptr_nonnull(strstr(answers, "{\"flushed\":true,\"keysRemoved\":0}"));
    free(lines), free(answers);
}
END_TEST

START_TEST(registration_is_open)
{
    start();
    struct http_client *http = http_client_new(demo.base_url);
    const struct http_reply *reply =
        http_post_json(http, "/auth/register", NULL,
                       "{\"username\":\"carol\",\"email\":\"carol@example.com\",\"password\":"
                       "\"violet-lantern-42\"}");
    ck_assert_int_eq(reply->status, 201);
    http_client_free(&http);
}
END_TEST

/* ---- two at once, and crashes ---- */

START_TEST(a_second_demo_in_the_folder_is_refused)
{
    start();
    cw_run(&(struct cw_command){.arguments = LIST("serve", "--demo"), .directory = directory},
           &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_ptr_nonnull(strstr(result.err, "one is running in this folder already (pid "));
    struct http_client *http = http_client_new(demo.base_url);
    ck_assert_int_eq(http_get(http, "/health", NULL)->status, 200);
    http_client_free(&http);
}
END_TEST

/* The redis-server of a demo, by the process that has our folder as its own; 0 when there is none. */
static pid_t find_redis(void)
{
    char wanted[600], link[300], found[600];
    pid_t pid = 0;
    DIR *processes = opendir("/proc");
    ck_assert_ptr_nonnull(processes);
    snprintf(wanted, sizeof wanted, "%s/.cachewarden", directory);
    for (struct dirent *entry; pid == 0 && (entry = readdir(processes));) {
        snprintf(link, sizeof link, "/proc/%s/cwd", entry->d_name);
        ssize_t size = readlink(link, found, sizeof found - 1);
        found[size > 0 ? size : 0] = '\0';
        if (strcmp(found, wanted) == 0)
            pid = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    closedir(processes);
    return pid;
}

static void wait_gone(pid_t pid)
{
    const struct timespec two_ms = {0, 2000000};
    time_t give_up = time(NULL) + PATIENCE_S;
    while (kill(pid, 0) == 0) {
        ck_assert_msg(time(NULL) < give_up, "redis-server %d lives on", (int)pid);
        nanosleep(&two_ms, NULL);
    }
}

START_TEST(redis_ends_with_it)
{
    start();
    pid_t redis = find_redis();
    ck_assert_int_gt(redis, 0);
    cw_server_stop(&demo);
    ck_assert_int_eq(kill(redis, 0), -1);
    char *log = cw_server_log(&demo);
    ck_assert_ptr_nonnull(strstr(log, "event=server.stopped"));
    free(log);
}
END_TEST

START_TEST(a_crash_leaves_nothing_in_the_way)
{
    start();
    pid_t redis = find_redis();
    char *before = file_of("credentials");
    cw_server_signal(&demo, SIGKILL);
    ck_assert_int_eq(cw_server_wait(&demo), -SIGKILL);
    /* At once: the redis-server of the first may still be on its way out. */
    start();
    wait_gone(redis);
    char *after = file_of("credentials");
    ck_assert_str_eq(before, after);
    struct http_client *http = http_client_new(demo.base_url);
    const struct http_reply *reply = http_get(http, "/health", NULL);
    ck_assert_ptr_nonnull(strstr(reply->body, "\"status\":\"connected\""));
    http_client_free(&http);
    free(before), free(after);
}
END_TEST

START_TEST(a_stale_socket_is_no_obstacle)
{
    struct stat info;
    char path[512];
    start();
    cw_server_stop(&demo);
    snprintf(path, sizeof path, "%s/.cachewarden/redis.sock", directory);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    start();
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert(S_ISSOCK(info.st_mode));
}
END_TEST

START_TEST(without_its_redis_it_gives_up)
{
    start();
    pid_t redis = find_redis();
    ck_assert_int_eq(kill(redis, SIGKILL), 0);
    ck_assert_int_eq(cw_server_wait(&demo), 1);
    cw_server_wait_log(&demo, "event=demo.redis_ended");
}
END_TEST

START_TEST(versions_survive_a_restart)
{
    start();
    char *lines = lines_up_to("clear-cache/\""), *answers = paste(lines);
    free(answers);
    cw_server_stop(&demo);
    free(lines);
    start();
    lines = lines_up_to("/api/cache/status/");
    answers = paste(lines);
    ck_assert_msg(strncmp(answers, "{\"enabled\":true,\"version\":4,", 28) == 0, "%s", answers);
    free(lines), free(answers);
}
END_TEST

/* ---- commands beside it ---- */

static void run_beside(const char *out, const char *const *arguments)
{
    char redis_url[512];
    snprintf(redis_url, sizeof redis_url, "REDIS_URL=unix://%s/.cachewarden/redis.sock", directory);
    cw_result_fini(&result);
    cw_run(&(struct cw_command){.arguments = arguments,
                                .environment = LIST("DATABASE_URL=sqlite:.cachewarden/users.db",
                                                    redis_url, CW_PATIENT_WITH_REDIS),
                                .directory = directory},
           &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    ck_assert_str_eq(result.out, out);
}

/* Looking changes nothing, and a clear is one clear: the demo relies on its Redis, and a command that
 * does not must not take that for a loss of data. */
START_TEST(commands_show_and_do_what_it_does)
{
    static const char *const status[] = {"cache", "status", "--user", "2", NULL};
    start();
    run_beside("Cache of user 2 is enabled (version 1)\n", status);
    run_beside("Cache of user 2 is enabled (version 1)\n", status);
    char *lines = lines_up_to("/api/cache/clear/"), *answers = paste(lines);
    ck_assert_msg(strncmp(answers, "{\"enabled\":true,\"version\":1,", 28) == 0, "%s", answers);
    free(answers);
    run_beside("Cache of user 2 is enabled (version 2)\n", status);
    run_beside("Cache of user 2 cleared (new version: 3)\n", LIST("cache", "clear", "--user", "2"));
    run_beside("Everybody's cache cleared (epoch: 1)\n", LIST("cache", "clear", "--all"));
    answers = paste(lines);
    ck_assert_msg(strncmp(answers, "{\"enabled\":true,\"version\":4,", 28) == 0, "%s", answers);
    free(answers), free(lines);
}
END_TEST

/* ---- not starting ---- */

START_TEST(without_redis_server_the_fix_is_told)
{
    cw_run(&(struct cw_command){.arguments = LIST("serve", "--demo"),
                                .environment = LIST("PATH=/nonexistent:"),
                                .directory = directory},
           &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_ptr_nonnull(strstr(
        result.err, "redis-server is not installed; install it (Debian: apt install redis-server"));
    ck_assert_str_eq(result.out, "");
}
END_TEST

START_TEST(a_busy_port_is_told_with_the_way_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char listen_at[32];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    snprintf(listen_at, sizeof listen_at, "127.0.0.1:%d", ntohs(address.sin_port));
    cw_run(&(struct cw_command){.arguments = LIST("serve", "--demo", "--listen", listen_at),
                                .directory = directory},
           &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_ptr_nonnull(strstr(result.err, "in use"));
    ck_assert_ptr_nonnull(strstr(result.err, "choose another address with --listen"));
    ck_assert_str_eq(result.out, "");
    ck_assert_int_eq(find_redis(), 0);
    close(fd);
}
END_TEST

/* A socket's name has 107 bytes at most, and a URL may not hold blanks: neither is the user's problem. */
START_TEST(any_folder_will_do)
{
    char *outer = directory, *deep = NULL;
    ck_assert_int_gt(asprintf(&deep, "%s/with blank %%41 and ?", outer), 0);
    ck_assert_int_eq(mkdir(deep, 0700), 0);
    for (int i = 0; _i == 1 && i < 3; i++) {
        char *deeper = NULL;
        ck_assert_int_gt(asprintf(&deeper, "%s/%040d", deep, i), 0);
        ck_assert_int_eq(mkdir(deeper, 0700), 0);
        free(deep);
        deep = deeper;
    }
    /* The fixture's own socket has the same limit, so it stays outside and the demo is run by a shell. */
    char script[1024], port[16];
    snprintf(port, sizeof port, "%d", support_free_port());
    snprintf(script, sizeof script,
             "cd '%s'\n%s serve --demo --listen 127.0.0.1:%s >out 2>err & pid=$!\n"
             "until grep -q '^curl.*health' out; do kill -0 $pid; sleep 0.05; done\n"
             "sed -n '/^CW=/,$p' out >lines; sh ./lines; kill $pid; wait $pid\n",
             deep, CW_BINARY, port);
    char *answers = paste(script);
    ck_assert_ptr_nonnull(strstr(answers, "\"Cache is enabled\""));
    ck_assert_ptr_nonnull(strstr(answers, "\"status\":\"connected\""));
    ck_assert_ptr_nonnull(strstr(answers, "{\"value\":1}\n1\n"));
    free(answers);
    free(deep);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("demo");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, the_printed_lines_do_what_they_say);
    tcase_add_test(all, each_line_works_by_itself);
    tcase_add_test(all, everything_is_in_its_folder_and_private);
    tcase_add_test(all, backups_are_in_its_folder);
    tcase_add_test(all, a_second_start_has_the_same_people);
    tcase_add_test(all, what_is_printed_is_true_whatever_was_changed);
    tcase_add_test(all, registration_is_open);
    tcase_add_test(all, a_second_demo_in_the_folder_is_refused);
    tcase_add_test(all, redis_ends_with_it);
    tcase_add_test(all, a_crash_leaves_nothing_in_the_way);
    tcase_add_test(all, a_stale_socket_is_no_obstacle);
    tcase_add_test(all, without_its_redis_it_gives_up);
    tcase_add_test(all, versions_survive_a_restart);
    tcase_add_test(all, commands_show_and_do_what_it_does);
    tcase_add_test(all, without_redis_server_the_fix_is_told);
    tcase_add_test(all, a_busy_port_is_told_with_the_way_out);
    tcase_add_loop_test(all, any_folder_will_do, 0, 2);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
