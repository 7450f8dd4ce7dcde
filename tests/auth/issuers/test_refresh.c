/* Key files as the thread sees them: read when they change, told of once, no reason not to start. */
#include "issuers/issuers_private.h"

#include "identity_fixture.h"
#include "log_capture.h"
#include "patience.h"
#include "signer.h"
#include "suite.h"

#include "cachewarden/clock.h"

#include <sys/inotify.h>
#include <unistd.h>

/* A round of the thread looks at the first file, then at the second. */
#define FIRST  "https://first.example"
#define SECOND "https://second.example"

static struct issuers *issuers;
static struct signer *signer, *others[2];
static char first_path[300], second_path[300];
static const struct str es256[] = {STR("ES256")};

static void write_text(const char *path, const char *text)
{
    char temporary[310];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(temporary, path), 0);
}

static void write_set(const char *path, const struct signer *of)
{
    char *set = signer_jwks((const struct signer *const[]){of, NULL});
    write_text(path, set);
    free(set);
}

static void set_up(void)
{
    fixture_init();
    snprintf(first_path, sizeof first_path, "%s/first", users_backend_folder.path);
    snprintf(second_path, sizeof second_path, "%s/second", users_backend_folder.path);
    signer = signer_new("ES256", "k");
    others[0] = signer_new("ES256", "a");
    others[1] = signer_new("ES256", "b");
    write_set(second_path, others[0]);
}

static void tear_down(void)
{
    issuers_free(&issuers);
    signer_free(&signer);
    signer_free(&others[0]);
    signer_free(&others[1]);
    fixture_fini();
}

static struct issuer_spec spec_of(const char *name, const char *path)
{
    return (struct issuer_spec){.name = str_from(name),
                                .algorithms = es256,
                                .algorithm_count = 1,
                                .jwks_file = str_from(path),
                                .user_claim = STR("sub"),
                                .accounts = ISSUER_ACCOUNTS_NONE};
}

static enum err open_these(const struct issuer_spec *specs, size_t count, int look_ms)
{
    const struct issuers_options options = {.specs = specs,
                                            .spec_count = count,
                                            .own_name = STR("cachewarden"),
                                            .admin_group = STR("Admin"),
                                            .users = users,
                                            .leeway_s = 30,
                                            .look_ms = look_ms};
    enum err err = issuers_new(&options, &issuers, &error);
    return err ? err : issuers_start(issuers, &error);
}

static enum err open_issuers(void)
{
    const struct issuer_spec specs[] = {spec_of(FIRST, first_path), spec_of(SECOND, second_path)};
    return open_these(specs, 2, 10);
}

static enum err verify(const char *issuer, const struct signer *by)
{
    struct issuer_claims claims;
    char *compact = signer_mint(by, "{\"iss\":\"%s\",\"sub\":\"42\",\"iat\":%lld,\"exp\":%lld}",
                                issuer, (long long)now_s, (long long)now_s + 600);
    enum err err = issuers_verify(issuers, arena, str_from(compact), now_s, &claims, &error);
    arena_reset(arena);
    free(compact);
    return err;
}

static void await(const char *issuer, const struct signer *by)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (verify(issuer, by) != ERR_OK) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s", error.detail);
        usleep(10000);
    }
}

/* Until the thread has looked at the first file `count` times: before each time that it has seen the second
 * file change. */
static void await_looks(int count)
{
    static int turn;
    for (int i = 0; i < count + 1; i++) {
        turn = !turn;
        write_set(second_path, others[turn]);
        await(SECOND, others[turn]);
    }
}

static int failures_told(void)
{
    char *log = log_capture_read();
    int count = 0;
    for (const char *at = log; (at = strstr(at, "event=issuer.keys_failed issuer=" FIRST)); at++)
        count++;
    free(log);
    return count;
}

START_TEST(each_bad_version_is_told_once)
{
    write_set(first_path, signer);
    ck_assert_msg(open_issuers() == ERR_OK, "%s", error.caller);
    log_capture_start();
    write_text(first_path, "{\"keys\":[");
    await_looks(3);
    ck_assert_int_eq(failures_told(), 1);
    write_text(first_path, "{\"keys\":["); /* another file that says the same */
    await_looks(2);
    ck_assert_int_eq(failures_told(), 1);
    ck_assert_int_eq(verify(FIRST, signer), ERR_OK);
    write_text(first_path, "[]");
    await_looks(2);
    ck_assert_int_eq(failures_told(), 2);
    ck_assert_int_eq(unlink(first_path), 0);
    await_looks(2);
    ck_assert_int_eq(failures_told(), 3);
    ck_assert_int_eq(verify(FIRST, signer), ERR_OK);
    write_set(first_path, signer);
    await_looks(1);
    char *log = log_capture_end();
    ck_assert_ptr_nonnull(strstr(log, "event=issuer.keys_loaded issuer=" FIRST));
    free(log);
}
END_TEST

static bool was_opened(int watch, const char *name)
{
    char events[4096] __attribute__((aligned(8)));
    bool is_found = false;
    ssize_t got;
    while ((got = read(watch, events, sizeof events)) > 0) {
        for (char *at = events; at < events + got;) {
            const struct inotify_event *event = (const void *)at;
            is_found = is_found || (event->len > 0 && strcmp(event->name, name) == 0);
            at += sizeof *event + event->len;
        }
    }
    return is_found;
}

START_TEST(an_old_file_is_not_opened)
{
    int watch = inotify_init1(IN_NONBLOCK);
    write_set(first_path, signer);
    ck_assert_msg(open_issuers() == ERR_OK, "%s", error.caller);
    /* Until a second change could be told from the first. */
    int64_t written_s = clock_wall_s();
    while (clock_wall_s() <= written_s + 3)
        usleep(10000);
    await_looks(1);
    ck_assert_int_ge(inotify_add_watch(watch, users_backend_folder.path, IN_OPEN), 0);
    await_looks(2);
    ck_assert(!was_opened(watch, "first"));
    write_set(first_path, others[0]);
    await(FIRST, others[0]);
    ck_assert(was_opened(watch, "first"));
    close(watch);
}
END_TEST

/* Neither at the start nor when settings change: the issuer's tokens are refused until there are keys. */
START_TEST(a_bad_file_keeps_its_issuer_out)
{
    log_capture_start();
    ck_assert_msg(open_issuers() == ERR_OK, "%s", error.caller);
    await_looks(2);
    ck_assert_int_eq(failures_told(), 1);
    ck_assert_int_eq(verify(FIRST, signer), ERR_UNAUTHENTICATED);
    write_set(first_path, signer);
    await(FIRST, signer);
    write_text(first_path, "[]");
    await_looks(1);
    const struct issuer_spec spec = spec_of(FIRST, first_path);
    ck_assert_int_eq(issuers_set(issuers, &spec, 1, &error), ERR_OK);
    /* The last good keys, as without the change. */
    ck_assert_int_eq(verify(FIRST, signer), ERR_OK);
    free(log_capture_end());
}
END_TEST

/* Also where looking at all takes longer than the time from one look to the next. */
START_TEST(each_file_has_its_turn)
{
    enum { COUNT = 2000 };
    static struct issuer_spec specs[COUNT];
    static char names[COUNT][40];
    write_set(first_path, signer);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "https://%d.example", i);
        specs[i] = spec_of(names[i], first_path);
    }
    specs[COUNT - 1] = spec_of(SECOND, second_path);
    ck_assert_msg(open_these(specs, COUNT, 1) == ERR_OK, "%s", error.caller);
    write_set(second_path, others[1]);
    await(SECOND, others[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/refresh");
    TCase *tcase = tcase_create("issuers_refresh");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_bad_version_is_told_once);
    tcase_add_test(tcase, an_old_file_is_not_opened);
    tcase_add_test(tcase, a_bad_file_keeps_its_issuer_out);
    tcase_add_test(tcase, each_file_has_its_turn);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
