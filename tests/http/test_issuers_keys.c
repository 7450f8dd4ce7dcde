/* The keys of other issuers, from outside: they come, go, fail to come, and change with the settings. */
#include "issuers_case.h"
#include "self_signed.h"
#include "slowness.h"

/* ---- keys that come and go ---- */

START_TEST(rotation)
{
    start_server("");
    char *old = mint_for(ec, "42");
    expect_status(get_with(STATUS, old), 200);
    PUBLISH(ec, spare);
    stand_wait(is_accepted, spare, "the new key is known");
    ck_assert_int_eq(key_server_count(keys), 2);
    expect_status(get_with(STATUS, old), 200);
    free(old);
    /* Whatever else is asked for within the minute, nobody is sent again. */
    for (int i = 0; i < 30; i++) {
        char kid[16];
        snprintf(kid, sizeof kid, "flood%d", i);
        struct signer *stranger = signer_new("EdDSA", kid);
        expect_refused(mint_for(stranger, "42"), "a stranger");
        signer_free(&stranger);
    }
    ck_assert_int_eq(key_server_count(keys), 2);
    ck_assert(is_accepted(ec));
}
END_TEST

START_TEST(withdrawn)
{
    start_server("");
    char *old = mint_for(rsa, "42");
    expect_status(get_with(STATUS, old), 200);
    PUBLISH(spare);
    cw_server_signal(&stand.server, SIGHUP);
    stand_wait(is_refused, rsa, "the old key is not known any more");
    expect_refused(old, "it was good when its key was");
    ck_assert(is_accepted(spare));
}
END_TEST

/* A set that cannot be had leaves the last one in use, and everybody served at once. */
static void fail_to_refetch(void)
{
    int64_t start_ms = stand_now_ms();
    expect_refused(mint_for(spare, "42"), "a key that is not there");
    key_server_wait_count(keys, 2);
    for (int i = 0; i < 50; i++)
        ck_assert(is_accepted(ec));
    /* Far less than what one fetch may take, times that many. */
    expect_within_ms(stand_now_ms() - start_ms, 60000);
    ck_assert(is_refused(spare));
    expect_status(http_get(stand.http, "/health/ready", NULL), 200);
}

static const struct {
    const char *name, *bytes;
    int drip_ms;
    const char *logged;
} failures[] = {
    {"wrong content", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>Sign in</html>", 0,
     "no JSON object"},
    {"no usable key",
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"keys\":[{\"kty\":\"oct\",\"k\":"
     "\"AAAA\"}]}",
     0, "no key of the set can be used"},
    {"an error", "HTTP/1.1 503 Oops\r\nContent-Length: 0\r\n\r\n", 0, "it answered 503"},
    {"a redirect",
     "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0,
     "redirects are not followed"},
    {"a slow drip", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", 200, NULL},
    {"a cut answer", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":[", 0,
     "issuer.keys_failed"},
};
enum { FAILURES = sizeof failures / sizeof *failures };

START_TEST(a_set_that_cannot_be_had)
{
    start_server("");
    key_server_say(keys, failures[_i].bytes, strlen(failures[_i].bytes), failures[_i].drip_ms);
    fail_to_refetch();
    if (failures[_i].logged)
        cw_server_wait_log(&stand.server, failures[_i].logged);
}
END_TEST

START_TEST(a_huge_set)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    size_t size = sizeof head - 1 + (4 << 20);
    char *text = malloc(size);
    memset(text, ' ', size);
    memcpy(text, head, sizeof head - 1);
    start_server("");
    key_server_say(keys, text, size, 0);
    fail_to_refetch();
    cw_server_wait_log(&stand.server, "the key set has more than 262144 bytes");
    free(text);
}
END_TEST

START_TEST(a_mute_server)
{
    start_server("");
    key_server_mute(keys);
    fail_to_refetch();
}
END_TEST

START_TEST(down_at_the_start)
{
    int port = key_server_port(keys);
    config_with("");
    key_server_stop(&keys);
    stand_open(&stand, &(struct stand_options){.config = config});
    cw_server_wait_log(&stand.server, "event=issuer.keys_failed");
    cw_server_wait_log(&stand.server, "its tokens are refused until there are keys");
    ck_assert(is_refused(ec));
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    keys = key_server_start(NULL, port);
    PUBLISH(ec);
    stand_wait(is_accepted, ec, "its keys are fetched once it is there");
}
END_TEST

START_TEST(mute_at_the_start)
{
    key_server_mute(keys);
    start_server("");
    ck_assert(is_refused(ec));
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    expect_status(http_get(stand.http, "/health/ready", NULL), 200);
    /* And it ends although it is asking: close_all. */
}
END_TEST

START_TEST(over_https)
{
    char *directory = cw_directory_new();
    char certificate[400], more[500];
    self_signed_write(directory, "keys");
    snprintf(certificate, sizeof certificate, "%s/keys", directory);
    key_server_stop(&keys);
    keys = key_server_start(certificate, 0);
    PUBLISH(ec);
    /* Nobody knows who signed this. */
    start_server("");
    cw_server_wait_log(&stand.server, "event=issuer.keys_failed");
    ck_assert(is_refused(ec));
    snprintf(more, sizeof more, "jwks_ca = \"%s/keys.pem\";", directory);
    cw_file_write(stand.directory, "test.conf", config_with(more), 0600);
    cw_server_signal(&stand.server, SIGHUP);
    stand_wait(is_accepted, ec, "the authority is known");
    cw_directory_remove(&directory);
}
END_TEST

/* ---- settings ---- */

START_TEST(a_reload)
{
    start_server("");
    char *compact = mint_for(ec, "42");
    expect_status(get_with(STATUS, compact), 200);
    cw_file_write(stand.directory, "test.conf", config_with("audience = \"cw\";"), 0600);
    cw_server_signal(&stand.server, SIGHUP);
    stand_wait(is_refused, ec, "an audience is asked for");
    expect_refused(compact, "it was good before the reload");
    /* Nonsense changes nothing. */
    cw_file_write(stand.directory, "test.conf", config_with("jwks_file = \"/nonexistent\";"), 0600);
    cw_server_signal(&stand.server, SIGHUP);
    cw_server_wait_log(&stand.server, "event=config.kept");
    char *good = signer_mint(
        ec, "{\"iss\":\"" ISSUER "\",\"aud\":\"cw\",\"sub\":\"42\",\"exp\":%lld}", now() + 60);
    ck_assert_int_eq(status_of(STATUS, good), 200);
}
END_TEST

/* Somebody else's file: neither commands nor the server stop for it. The stand makes its accounts with the
 * command line. */
START_TEST(a_key_file_that_is_not_there)
{
    stand_open(&stand, &(struct stand_options){
                           .config = "auth: { issuers = ( { issuer = \"" ISSUER "\"; algorithms = "
                                     "[ \"ES256\" ]; jwks_file = \"keys.json\"; accounts = "
                                     "\"none\"; } ); };\nlimits: { enabled = false; };\n"});
    struct cw_result result;
    stand_cli(&stand, NULL, (const char *const[]){"user", "deactivate", "bob", NULL}, &result);
    ck_assert_msg(result.status == 0, "%s", result.err);
    ck_assert_msg(strstr(result.err, "warning: ") && strstr(result.err, "jwks_file"), "%s",
                  result.err);
    cw_result_fini(&result);
    stand_cli(&stand, NULL, (const char *const[]){"serve", "--check-config", NULL}, &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_msg(strstr(result.err, "error: ") && strstr(result.err, "jwks_file"), "%s",
                  result.err);
    cw_result_fini(&result);
    ck_assert(is_refused(ec));
    char *set = signer_jwks((const struct signer *const[]){ec, NULL});
    cw_file_write(stand.directory, "keys.json", set, 0600);
    free(set);
    stand_wait(is_accepted, ec, "the file is there");
}
END_TEST

START_TEST(nonsense_does_not_start)
{
    start_server("");
    struct cw_result result;
    cw_file_write(
        stand.directory, "test.conf",
        "auth: { issuers = (\n { issuer = \"i\"; algorithms = [ \"ES256\" ];\n jwks_url = "
        "\"http://id.example/\"; } ); };\n",
        0600);
    stand_cli(&stand, NULL, (const char *const[]){"serve", "--check-config", NULL}, &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_msg(
        strstr(result.err, "test.conf:2: auth.issuers[0].jwks_url must begin with https") != NULL,
        "%s", result.err);
    cw_result_fini(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("issuers' keys");
    TCase *tcase = tcase_create("keys");
    tcase_add_unchecked_fixture(tcase, make_signers, free_signers);
    tcase_add_checked_fixture(tcase, open_keys, close_all);
    tcase_add_test(tcase, rotation);
    tcase_add_test(tcase, withdrawn);
    tcase_add_loop_test(tcase, a_set_that_cannot_be_had, 0, FAILURES);
    tcase_add_test(tcase, a_huge_set);
    tcase_add_test(tcase, a_mute_server);
    tcase_add_test(tcase, down_at_the_start);
    tcase_add_test(tcase, mute_at_the_start);
    tcase_add_test(tcase, over_https);
    tcase_add_test(tcase, a_reload);
    tcase_add_test(tcase, a_key_file_that_is_not_there);
    tcase_add_test(tcase, nonsense_does_not_start);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
