/* docs/snippets/cachewarden-sync.mjs in a browser; what it does there is in tests/pages/test_sync.mjs. */
#include "gateway_case.h"

#include <sys/wait.h>

#define PAGES CW_SOURCE_DIR "/tests/pages/test_sync.mjs"

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

static void open_stand(void)
{
    gateway_stand_open("{ prefix = \"/page\"; scope = \"public\"; UPSTREAM },\n"
                       "{ prefix = \"/shop\"; UPSTREAM }",
                       "limits: { enabled = false; };");
    set("CACHEWARDEN_URL", stand.server.base_url);
    set("ORIGIN_SOCKET", origin_socket);
    set("FOLDER", stand.directory);
    set("PASSWORD", STAND_PASSWORD);
    set("ALICE", strchr(stand.alice.bearer, ' ') + 1);
    set("BOB", strchr(stand.bob.bearer, ' ') + 1);
    set("BOSS", strchr(stand.boss.bearer, ' ') + 1);
}

START_TEST(a_page_keeps_answers_until_it_hears_news)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execlp("node", "node", PAGES, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pages");
    TCase *tcase = tcase_create("in Chromium");

    tcase_add_unchecked_fixture(tcase, open_stand, gateway_stand_close);
    tcase_add_test(tcase, a_page_keeps_answers_until_it_hears_news);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
