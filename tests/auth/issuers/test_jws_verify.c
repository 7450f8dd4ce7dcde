/* The program tests/tools/jws_verify: its exit status is what others build on. */
#include "foreign_tokens.h"
#include "rfc_vectors.h"
#include "suite.h"
#include "temp_folder.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp_folder folder;
static char program[512], key_path[400];

static void set_up(void)
{
    temp_folder_init(&folder);
    snprintf(key_path, sizeof key_path, "%s/key", folder.path);
    snprintf(program, sizeof program, "%s", CW_BINARY);
    char *name = strrchr(program, '/') + 1;
    snprintf(name, sizeof program - (size_t)(name - program), "tests/tools/jws_verify");
}

static void tear_down(void)
{
    temp_folder_fini(&folder);
}

static void write_key(const char *text)
{
    FILE *file = fopen(key_path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* The exit status; what it says goes nowhere. `input` is its standard input. */
static int run(const char *input, const char *a, const char *b, const char *c)
{
    int ends[2], status;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        execl(program, "jws_verify", a, b, c, (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    ck_assert_int_eq(write(ends[1], input, strlen(input)), (ssize_t)strlen(input));
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(valid)
{
    for (size_t i = 0; i < RFC_VECTOR_COUNT; i++) {
        write_key(rfc_vectors[i].jwk);
        ck_assert_msg(run("", rfc_vectors[i].algorithm, key_path, rfc_vectors[i].compact) == 0,
                      "%s", rfc_vectors[i].where);
    }
    for (size_t i = 0; i < FOREIGN_TOKEN_COUNT; i++) {
        write_key(foreign_tokens[i].jwk);
        ck_assert_int_eq(run("", foreign_tokens[i].algorithm, key_path, foreign_tokens[i].compact),
                         0);
    }
}
END_TEST

START_TEST(from_a_set_and_from_standard_input)
{
    char text[8192];

    snprintf(text, sizeof text, "{\"keys\":[%s,%s,%s]}", foreign_tokens[3].jwk,
             foreign_tokens[5].jwk, foreign_tokens[0].jwk);
    write_key(text);
    ck_assert_int_eq(run("", "ES256", key_path, foreign_tokens[5].compact), 0);
    ck_assert_int_eq(run("", "HS256", key_path, foreign_tokens[0].compact), 0);
    snprintf(text, sizeof text, "%s\n", foreign_tokens[3].compact);
    ck_assert_int_eq(run(text, "RS256", key_path, "-"), 0);
    ck_assert_int_eq(run("", "RS256", key_path, "-"), 1);
}
END_TEST

START_TEST(invalid)
{
    char text[4096];

    write_key(foreign_tokens[5].jwk);
    snprintf(text, sizeof text, "%s", foreign_tokens[5].compact);
    text[strlen(text) - 5] = text[strlen(text) - 5] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(run("", "ES256", key_path, text), 1);
    ck_assert_int_eq(run("", "ES256", key_path, foreign_tokens[12].compact), 1);
    ck_assert_int_eq(run("", "ES256", key_path, foreign_tokens[0].compact), 1);
    ck_assert_int_eq(run("", "ES256", key_path, ""), 1);
    ck_assert_int_eq(run("", "ES256", key_path, "a.b.c"), 1);
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(run("", "ES256", key_path, text), 1);
}
END_TEST

START_TEST(unusable_keys)
{
    const char *token = foreign_tokens[5].compact;

    write_key(foreign_tokens[5].jwk);
    ck_assert_int_eq(run("", "none", key_path, token), 2);
    ck_assert_int_eq(run("", "ES257", key_path, token), 2);
    ck_assert_int_eq(run("", "RS256", key_path, token), 2);
    ck_assert_int_eq(run("", "HS256", key_path, token), 2);
    ck_assert_int_eq(run("", "ES256", folder.path, token), 2);
    ck_assert_int_eq(run("", "ES256", "/nowhere/key", token), 2);
    write_key("{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}");
    ck_assert_int_eq(run("", "HS256", key_path, foreign_tokens[0].compact), 2);
    write_key("nonsense");
    ck_assert_int_eq(run("", "ES256", key_path, token), 2);
    write_key("");
    ck_assert_int_eq(run("", "ES256", key_path, token), 2);
}
END_TEST

START_TEST(usage)
{
    ck_assert_int_eq(run("", NULL, NULL, NULL), 64);
    ck_assert_int_eq(run("", "ES256", key_path, NULL), 64);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/jws_verify");
    TCase *tcase = tcase_create("jws_verify");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, valid);
    tcase_add_test(tcase, from_a_set_and_from_standard_input);
    tcase_add_test(tcase, invalid);
    tcase_add_test(tcase, unusable_keys);
    tcase_add_test(tcase, usage);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
