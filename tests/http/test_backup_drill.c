/*
 * The drill of docs/backup.md: a machine is lost and another one stands again, by the commands of the page, word by
 * word. Folders of the system are folders of the test; sudo, systemctl, install, chown and redis-cli do here what they
 * do there.
 */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSWORD "correct-horse-battery-42"

static char *folder;
static struct redis_server *redis;
static int port;
static struct http_client *http;

/* ---- the machine ---- */

static void write_tool(const char *name, const char *format, ...)
{
    char path[512], text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(path, sizeof path, "bin/%s", name);
    cw_file_write(folder, path, text, 0755);
}

static void write_tools(void)
{
    write_tool("cachewarden",
               "#!/bin/sh\nexec %s \"$@\" --config %s/etc/cachewarden/cachewarden.conf\n",
               CW_BINARY, folder);
    write_tool("sudo", "#!/bin/sh\n[ \"$1 $2\" = '-u cachewarden' ] && shift 2 && exec \"$@\"\n");
    write_tool("redis-cli", "#!/bin/sh\nexec /usr/bin/redis-cli -p %d \"$@\"\n",
               redis_server_port(redis));
    /* The account is the tester's. */
    write_tool("install",
               "#!/bin/sh\n[ \"$1 $2 $3 $4\" = '-o cachewarden -g cachewarden' ] && shift 4 "
               "&& exec /usr/bin/install \"$@\"\n");
    write_tool("chown", "#!/bin/sh\n[ \"$1 $2\" = '-R root:cachewarden' ] && [ -d \"$3\" ]\n");
    write_tool(
        "systemctl",
        "#!/bin/sh\nset -e\ncd %s\ncase \"$1\" in\n"
        "start) cachewarden serve >log 2>&1 & echo $! >pid\n"
        "until grep -q event=server.started log; do kill -0 $(cat pid); sleep 0.05; done ;;\n"
        "stop) kill $(cat pid); while kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done ;;\n"
        "esac\n",
        folder);
}

/* As the package leaves it, and an operator's Redis beside it. */
static void install_package(const char *passphrase)
{
    static const char *const folders[] = {"etc", "etc/cachewarden", "state"};
    char path[512], text[1024];

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    snprintf(text, sizeof text,
             "server: { listen = [ \"127.0.0.1:%d\" ]; threads = 4; lame_duck_s = 0; };\n"
             "redis: { url = \"redis://127.0.0.1:%d/0\"; };\n"
             "users: { database = \"sqlite:%s/state/users.db\"; };\n"
             "backup: { directory = \"%s/state/backups\"; passphrase_file = "
             "\"%s/etc/cachewarden/backup-passphrase\"; };\n",
             port, redis_server_port(redis), folder, folder, folder);
    cw_file_write(folder, "etc/cachewarden/cachewarden.conf", text, 0640);
    cw_file_write(folder, "etc/cachewarden/backup-passphrase", passphrase, 0600);
}

static void put_in_place(char *text, size_t size, const char *from, const char *to)
{
    for (char *at = text; (at = strstr(at, from)) != NULL; at += strlen(to)) {
        ck_assert_uint_lt(strlen(text) + strlen(to), size);
        memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
        memcpy(at, to, strlen(to));
    }
}

static int run_script(void)
{
    char script[512], said[512];
    int status;

    snprintf(script, sizeof script, "%s/commands", folder);
    snprintf(said, sizeof said, "%s/said", folder);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(said, O_CREAT | O_TRUNC | O_WRONLY, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        if (chdir(folder) == 0)
            execl("/bin/sh", "sh", "-x", script, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* With what the page calls by its place in the system. */
static void run(const char *commands)
{
    static const char *const places[][2] = {
        {" /etc/", "/etc/"}, {" /var/lib/cachewarden", "/state"}, {" /mnt/", "/"}};
    static char text[16384];
    char to[600];

    snprintf(text, sizeof text, "set -eu\nPATH=%s/bin:$PATH\n%s", folder, commands);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(to, sizeof to, " %s%s", folder, places[i][1]);
        put_in_place(text, sizeof text, places[i][0], to);
    }
    cw_file_write(folder, "commands", text, 0600);
    if (run_script() == 0)
        return;
    snprintf(to, sizeof to, "%s/said", folder);
    ck_abort_msg("%s\n%s", text, cw_file_read(to));
}

/* The n-th block of commands under that heading, from 0. */
static char *block_of_page(const char *heading, int number)
{
    char *page = cw_file_read(CW_SOURCE_DIR "/docs/backup.md");
    char *at = page ? strstr(page, heading) : NULL;

    for (int i = 0; at && i <= number; i++) {
        at = strstr(at, "```sh\n");
        at = at ? at + strlen("```sh\n") : NULL;
    }
    ck_assert_ptr_nonnull(at);
    char *end = strstr(at, "```");
    ck_assert_ptr_nonnull(end);
    char *block = strndup(at, (size_t)(end - at));
    free(page);
    return block;
}

/* ---- */

static bool answers(const void *with)
{
    const struct http_reply *reply = http_get(http, "/health", NULL);

    (void)with;
    return reply->status == 200 && strstr(reply->body, "{\"status\":\"ok\"");
}

static void start(void)
{
    run("systemctl start");
    stand_wait(answers, NULL, "the server answers");
}

static int sign_in(void)
{
    return http_post_json(http, "/auth/login", NULL,
                          "{\"username\":\"alice\",\"password\":\"" PASSWORD "\"}")
        ->status;
}

START_TEST(a_lost_machine_stands_again)
{
    char url[64], path[512];

    folder = cw_directory_new();
    redis = redis_server_start(NULL);
    port = support_free_port();
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    snprintf(path, sizeof path, "%s/bin", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/elsewhere", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/safe", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    write_tools();
    install_package("of this machine and no other one");
    http = http_client_new(url);
    http_client_keep_alive(http, false);
    start();
    run("echo " PASSWORD " >password\n"
        "cachewarden user add alice --email alice@example.com --password-file password\n"
        "cachewarden key create deploy --scope flush");
    char *before = block_of_page("## The drill", 0), *after = block_of_page("## The drill", 1);
    run(before);
    ck_assert_int_eq(sign_in(), 200);
    /* The machine is lost. */
    run("systemctl stop\nrm -rf state etc\nredis-cli FLUSHALL");
    install_package("something that was made up anew");
    start();
    ck_assert_int_eq(sign_in(), 401);
    run(after);
    stand_wait(answers, NULL, "the server answers");
    ck_assert_int_eq(sign_in(), 200);
    run("cachewarden key list | grep deploy\ncachewarden user list | grep alice@example.com\n"
        "systemctl stop");
    free(before);
    free(after);
    http_client_free(&http);
    redis_server_stop(&redis);
    cw_directory_remove(&folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backup_drill");
    TCase *all = tcase_create("all");

    tcase_add_test(all, a_lost_machine_stands_again);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
