/* The package clients/node against a server; what it does there is in tests/clients/node/live.mjs. */
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE CW_SOURCE_DIR "/tests/clients/node/live.mjs"

static struct stand stand;

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

/* "Name: value" */
static void set_value_of(const char *name, const char *line)
{
    set(name, strchr(line, ' ') + 1);
}

static void open_stand(void)
{
    char key[STAND_KEY_SIZE];

    stand_open(&stand, NULL);
    set("CACHEWARDEN_URL", stand.server.base_url);
    set_value_of("CACHEWARDEN_KEY",
                 stand_key(&stand, key, "shop",
                           (const char *const[]){"--scope", "admin", "--scope", "entries",
                                                 "--namespace", "shop", NULL}));
    set_value_of("ALICE", stand.alice.bearer);
    set_value_of("BOB", stand.bob.bearer);
    set("NODE_PATH", CW_SOURCE_DIR "/tests/frameworks/node_modules");
}

static void close_stand(void)
{
    stand_close(&stand);
}

START_TEST(it_keeps_and_clears)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execlp("node", "node", LIVE, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("node_client");
    TCase *tcase = tcase_create("with Redis");
    tcase_add_unchecked_fixture(tcase, open_stand, close_stand);
    tcase_add_test(tcase, it_keeps_and_clears);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
