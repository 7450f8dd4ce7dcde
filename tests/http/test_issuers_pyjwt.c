/*
 * Tokens minted here and now by an implementation that is not ours: Debian's python3-jwt on
 * python3-cryptography. Without them this test fails; it has nothing to skip to.
 */
#include "key_server.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS "/api/cache/status/"
#define PYTHON "/usr/bin/python3" /* the one the packages belong to, whatever else PATH has */

static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                         "RS512", "PS256", "PS384", "PS512", "ES256",
                                         "ES384", "ES512", "EdDSA"};
enum { ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms };

static struct stand stand;
static struct key_server *keys;
static char *directory;
static char config[8192];

/* Once a program: it takes a second. */
static void mint(void)
{
    int status = -1;
    directory = cw_directory_new();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        execl(PYTHON, PYTHON, "-I", CW_SOURCE_DIR "/tests/support/mint_pyjwt.py", directory,
              (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "minting failed: are python3-jwt and python3-cryptography installed?");
}

static char *file_of(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    char *text = cw_file_read(path);
    ck_assert_msg(text != NULL, "%s", path);
    return text;
}

static void open_stand(void)
{
    keys = key_server_start(NULL, 0);
    char *set = file_of("jwks.json");
    key_server_publish(keys, set);
    free(set);
    size_t used =
        (size_t)snprintf(config, sizeof config,
                         "limits: { enabled = false; };\nauth: { issuers = ( { issuer = "
                         "\"https://py.example\"; audience = \"cachewarden\"; algorithms = [ "
                         "\"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \"PS512\", "
                         "\"ES256\", \"ES384\", \"ES512\", \"EdDSA\" ]; jwks_url = \"%s\"; }",
                         key_server_url(keys));
    for (size_t i = 0; i < 3; i++)
        used += (size_t)snprintf(config + used, sizeof config - used,
                                 ", { issuer = \"https://py.example/%s\"; audience = "
                                 "\"cachewarden\"; algorithms = [ \"%s\" ]; secret_file = "
                                 "\"%s/%s.secret\"; }",
                                 algorithms[i], algorithms[i], directory, algorithms[i]);
    snprintf(config + used, sizeof config - used, " ); };\n");
    stand_open(&stand, &(struct stand_options){.config = config});
}

static void close_stand(void)
{
    stand_close(&stand);
    key_server_stop(&keys);
}

static void remove_minted(void)
{
    cw_directory_remove(&directory);
}

static const struct http_reply *get_with(const char *compact)
{
    static char line[8192];
    snprintf(line, sizeof line, "Authorization: Bearer %s", compact);
    return http_get(stand.http, STATUS, line);
}

static const struct http_reply *get_with_file(const char *algorithm, const char *kind)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", algorithm, kind);
    char *compact = file_of(name);
    const struct http_reply *reply = get_with(compact);
    free(compact);
    return reply;
}

START_TEST(every_algorithm)
{
    static const char *const bad[] = {"expired", "audience", "early", "other"};
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        const struct http_reply *reply = get_with_file(algorithms[i], "good");
        ck_assert_msg(reply->status == 200, "%s: %d", algorithms[i], reply->status);
        expect_status(get_with_file(algorithms[i], "typed"), 200);
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            reply = get_with_file(algorithms[i], bad[j]);
            ck_assert_msg(reply->status == 401, "%s %s: %d", algorithms[i], bad[j], reply->status);
        }
    }
}
END_TEST

/* One character in every part, at its ends and in its middle, becomes another. */
START_TEST(changed_on_the_way)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.good", algorithms[i]);
        char *compact = file_of(name);
        expect_status(get_with(compact), 200);
        char *first = strchr(compact, '.'), *second = strchr(first + 1, '.');
        char *const places[] = {compact,
                                compact + (first - compact) / 2,
                                first - 1,
                                first + 1,
                                second - 1,
                                first + (second - first) / 2,
                                second + 1,
                                second + strlen(second) / 2,
                                second + strlen(second) - 1};
        for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
            char was = *places[j];
            *places[j] = was == 'Q' ? 'g' : 'Q';
            const struct http_reply *reply = get_with(compact);
            ck_assert_msg(reply->status == 401, "%s, place %zu: %d", algorithms[i], j,
                          reply->status);
            *places[j] = was;
        }
        expect_status(get_with(compact), 200);
        free(compact);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("issuers, PyJWT");
    TCase *tcase = tcase_create("pyjwt");
    tcase_add_unchecked_fixture(tcase, mint, remove_minted);
    tcase_add_checked_fixture(tcase, open_stand, close_stand);
    tcase_add_test(tcase, every_algorithm);
    tcase_add_test(tcase, changed_on_the_way);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
