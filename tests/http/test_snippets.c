/* The snippets of docs/snippets/, run as an operator would, against a server. */
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SNIPPETS CW_SOURCE_DIR "/docs/snippets"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
    ck_assert_int_eq(setenv("CACHEWARDEN_URL", stand.server.base_url, 1), 0);
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* Runs a program, with the script for its -c if there is one, in the folder of the snippets; its exit status, and what
 * it printed, in out. */
static int run(const char *program, const char *script, char *out, size_t size)
{
    int ends[2], status;
    size_t length = 0;
    ssize_t got;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (chdir(SNIPPETS) == 0 && dup2(ends[1], STDOUT_FILENO) >= 0)
            execlp(program, program, script ? "-c" : NULL, script, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while (length < size - 1 && (got = read(ends[0], out + length, size - 1 - length)) > 0)
        length += (size_t)got;
    out[length] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void give_key(const char *scope)
{
    static const char before[] = "x-api-key: ";
    char key[STAND_KEY_SIZE], path[512];

    stand_key(&stand, key, scope, (const char *const[]){"--scope", scope, NULL});
    ck_assert(strncmp(key, before, sizeof before - 1) == 0);
    cw_file_write(stand.directory, scope, key + sizeof before - 1, 0600);
    snprintf(path, sizeof path, "%s/%s", stand.directory, scope);
    ck_assert_int_eq(setenv("CACHEWARDEN_KEY_FILE", path, 1), 0);
}

START_TEST(a_deploy_script_flushes)
{
    char out[1024];

    give_key("flush");
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    ck_assert_int_eq(run("./deploy_flush.sh", NULL, out, sizeof out), 0);
    ck_assert_str_eq(out, "{\"flushed\":true,\"keysRemoved\":1}\n");
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS whatsapp:development:in"), 0);
}
END_TEST

START_TEST(a_deploy_script_fails_with_the_flush)
{
    char out[1024];

    give_key("metrics");
    redis_server_do(stand.redis, "SET whatsapp:development:in x");
    /* 22: what curl says of a refusal. */
    ck_assert_int_eq(run("./deploy_flush.sh", NULL, out, sizeof out), 22);
    ck_assert_int_eq(redis_server_ask_integer(stand.redis, "EXISTS whatsapp:development:in"), 1);
}
END_TEST

START_TEST(python_asks_and_clears)
{
    char out[1024];

    ck_assert_int_eq(setenv("PYTHONDONTWRITEBYTECODE", "1", 1), 0);
    ck_assert_int_eq(setenv("PYTHONPATH", CW_SOURCE_DIR "/clients/python", 1), 0);
    ck_assert_int_eq(setenv("AUTHORIZATION", strchr(stand.alice.bearer, ' ') + 1, 1), 0);
    static const char script[] =
        "import os\n"
        "from cachewarden import Client, LocalMemory\n"
        "import cachewarden_client as c\n"
        "c.client = Client.from_environment(timeout=60)\n"
        "memory, headers = LocalMemory(), {'Authorization': os.environ['AUTHORIZATION']}\n"
        "orders = lambda n: c.orders(headers, memory, lambda: n)\n"
        "me = c.client.view(headers).user_id\n"
        "print(me, orders(1), orders(2))\n"
        "c.after_a_write(me)\n"
        "print(orders(3), c.client.clear(headers), c.client.clear_caller(headers))\n"
        "c.client.clear_subject('shop', '6f1c2a9e-0000-4000-8000-000000000001')\n"
        "print(c.client.user_of('shop', '6f1c2a9e-0000-4000-8000-000000000001'))\n"
        "print(c.orders({'Cookie': 'a=b'}, memory, lambda: 4), c.client.wait_for_owed(0))";
    give_key("admin");
    ck_assert_int_eq(run("python3", script, out, sizeof out), 0);
    ck_assert_str_eq(out,
                     "1 (1, {'X-Cache-Enabled': 'true', 'X-Cache-Version': '1', 'X-User-Id': '1'}) "
                     "(1, {'X-Cache-Enabled': 'true', 'X-Cache-Version': '1', 'X-User-Id': '1'})\n"
                     "(3, {'X-Cache-Enabled': 'true', 'X-Cache-Version': '2', 'X-User-Id': '1'}) 3 "
                     "View(user_id=1, version=4, must_bypass=False)\n"
                     "None\n"
                     "(4, {}) True\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snippets");
    TCase *tcase = tcase_create("with Redis");
    tcase_add_unchecked_fixture(tcase, open_stand, close_stand);
    tcase_add_test(tcase, a_deploy_script_flushes);
    tcase_add_test(tcase, a_deploy_script_fails_with_the_flush);
    tcase_add_test(tcase, python_asks_and_clears);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
