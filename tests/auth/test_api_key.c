#include "api_key.h"

#include "ttl_cache.h"

#include "cachewarden/clock.h"
#include "cachewarden/principal.h"
#include "suite.h"
#include "users_backend.h"

enum { NOW = 1700000000 };

static const struct users_backend *backend = &users_backends[0];
static struct users *users;
static struct key_cache *cache;
static struct arena *arena;
static struct error error;
static struct str id, whole, digest;

static void set_up(void)
{
    backend->init();
    users = users_backend_open();
    arena = arena_new(4096, 0);
    error_clear(&error);
    ck_assert_int_eq(key_cache_new(users, &cache), ERR_OK);
    ck_assert_int_eq(api_key_make(arena, &id, &whole, &digest), ERR_OK);
}

static void tear_down(void)
{
    key_cache_free(&cache);
    ck_assert_ptr_null(cache);
    arena_free(&arena);
    users_close(&users);
    backend->fini();
}

static void store(int64_t expires_at_s)
{
    struct api_key key = {.id = id,
                          .name = STR("deploy"),
                          .secret_digest = digest,
                          .scopes = SCOPE_FLUSH,
                          .space = STR("shop"),
                          .expires_at_s = expires_at_s};

    ck_assert_int_eq(api_keys_add(users, &key, &error), ERR_OK);
}

static struct key_record record;
static int64_t stale_ns = TTL_CACHE_STALE_NS;

static enum err verify_at(struct str text, int64_t now_s)
{
    struct str found;

    error_clear(&error);
    return api_key_verify(cache, text, (struct key_times){now_s, now_s * NS_PER_S, stale_ns},
                          &found, &record, &error);
}

START_TEST(form)
{
    struct str found, secret, other_id, other_whole, other_digest;

    ck_assert_uint_eq(whole.len, 4 + 12 + 1 + 64);
    ck_assert(str_starts(whole, STR("cwk_")));
    ck_assert(api_key_split(whole, &found, &secret));
    ck_assert(str_eq(found, id));
    ck_assert_uint_eq(secret.len, 64);
    unsigned char computed[DIGEST_SHA256_SIZE];
    ck_assert_int_eq(digest_sha256(secret, computed), ERR_OK);
    ck_assert(str_eq(digest, (struct str){(const char *)computed, sizeof computed}));

    ck_assert_int_eq(api_key_make(arena, &other_id, &other_whole, &other_digest), ERR_OK);
    ck_assert(!str_eq(id, other_id) && !str_eq(whole, other_whole) &&
              !str_eq(digest, other_digest));
}
END_TEST

START_TEST(texts_that_are_no_keys)
{
    struct str found, secret;
    char text[100];

    for (size_t len = 0; len < whole.len; len++)
        ck_assert(!api_key_split(str_sub(whole, 0, len), &found, &secret));
    ck_assert(!api_key_split(STR_NONE, &found, &secret));
    for (size_t i = 0; i < whole.len; i++) {
        memcpy(text, whole.ptr, whole.len);
        text[i] = 'G';
        ck_assert(!api_key_split((struct str){text, whole.len}, &found, &secret));
        text[i] = '\0';
        ck_assert(!api_key_split((struct str){text, whole.len}, &found, &secret));
        if (whole.ptr[i] >= 'a' && whole.ptr[i] <= 'f' && i >= 4) {
            text[i] = (char)(whole.ptr[i] - 'a' + 'A');
            ck_assert(!api_key_split((struct str){text, whole.len}, &found, &secret));
        }
    }
    memcpy(text, whole.ptr, whole.len);
    text[whole.len] = '0';
    ck_assert(!api_key_split((struct str){text, whole.len + 1}, &found, &secret));
}
END_TEST

START_TEST(a_good_key)
{
    struct str found;

    store(0);
    ck_assert_int_eq(api_key_verify(cache, whole,
                                    (struct key_times){NOW, NS_PER_S, TTL_CACHE_STALE_NS}, &found,
                                    &record, &error),
                     ERR_OK);
    ck_assert(str_eq(found, id));
    ck_assert_uint_eq(record.scopes, SCOPE_FLUSH);
    ck_assert(str_eq((struct str){record.name, record.name_len}, STR("deploy")));
    ck_assert(str_eq((struct str){record.space, record.space_len}, STR("shop")));
    ck_assert_int_eq(record.owner_id, 0);
}
END_TEST

START_TEST(wrong_secrets)
{
    char text[100];

    store(0);
    for (size_t i = 4; i < whole.len; i++) {
        if (whole.ptr[i] == '_')
            continue;
        memcpy(text, whole.ptr, whole.len);
        text[i] = text[i] == '0' ? '1' : '0';
        ck_assert_int_eq(verify_at((struct str){text, whole.len}, NOW), ERR_UNAUTHENTICATED);
        ck_assert_str_eq(error.detail, "API key: no such key");
        ck_assert_str_eq(error.caller, "");
    }
    ck_assert_int_eq(verify_at(STR("nonsense"), NOW), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify_at(whole, NOW), ERR_OK);
}
END_TEST

START_TEST(expiry)
{
    store(NOW + 10);
    ck_assert_int_eq(verify_at(whole, NOW + 9), ERR_OK);
    ck_assert_int_eq(verify_at(whole, NOW + 10), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "API key: expired");
}
END_TEST

START_TEST(revocation_is_felt_after_a_second)
{
    store(0);
    ck_assert_int_eq(verify_at(whole, NOW), ERR_OK);
    ck_assert_int_eq(api_keys_revoke(users, STR("deploy"), NOW, &error), ERR_OK);
    ck_assert_int_eq(verify_at(whole, NOW), ERR_OK);
    ck_assert_int_eq(verify_at(whole, NOW + 1), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "API key: revoked");
}
END_TEST

/* What the database said last is good while it is away, as long as the caller allows, and no wrong key. */
START_TEST(the_database_is_away)
{
    char text[100];

    store(NOW + 100000);
    ck_assert_int_eq(verify_at(whole, NOW), ERR_OK);
    backend->ruin();
    ck_assert_int_eq(verify_at(whole, NOW + 29), ERR_OK);
    ck_assert_int_eq(verify_at(whole, NOW + 31), ERR_UPSTREAM_DOWN);
    stale_ns = 24 * 3600 * NS_PER_S;
    ck_assert_int_eq(verify_at(whole, NOW + 31), ERR_OK);
    ck_assert_int_eq(verify_at(whole, NOW + 24 * 3600 - 1), ERR_OK);
    ck_assert_int_eq(verify_at(whole, NOW + 24 * 3600 + 1), ERR_UPSTREAM_DOWN);
    memcpy(text, whole.ptr, whole.len);
    text[whole.len - 1] = text[whole.len - 1] == '0' ? '1' : '0';
    ck_assert_int_eq(verify_at((struct str){text, whole.len}, NOW + 31), ERR_UNAUTHENTICATED);
    stale_ns = TTL_CACHE_STALE_NS;
}
END_TEST

/* Its own end needs no database. */
START_TEST(it_expires_without_the_database)
{
    store(NOW + 60);
    ck_assert_int_eq(verify_at(whole, NOW), ERR_OK);
    backend->ruin();
    stale_ns = 24 * 3600 * NS_PER_S;
    ck_assert_int_eq(verify_at(whole, NOW + 59), ERR_OK);
    ck_assert_int_eq(verify_at(whole, NOW + 60), ERR_UNAUTHENTICATED);
    stale_ns = TTL_CACHE_STALE_NS;
}
END_TEST

static struct str found_in(struct str authorization)
{
    struct str found;

    return api_key_of_authorization(arena, authorization, &found) ? found : STR("no");
}

/* Basic as RFC 7617 has it: name:password in base64. */
static struct str basic(struct str scheme, struct str name, struct str password)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct str text = str_format(arena, "%.*s:%.*s", STR_ARG(name), STR_ARG(password));
    struct strbuf out;

    strbuf_init(&out, arena, 256);
    strbuf_addf(&out, "%.*s ", STR_ARG(scheme));
    for (size_t i = 0; i < text.len; i += 3) {
        unsigned bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < text.len ? (unsigned char)text.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            strbuf_add_char(&out, i + k > text.len ? '=' : letters[bits >> (18 - 6 * k) & 63]);
    }
    return strbuf_str(&out);
}

START_TEST(keys_in_authorization)
{
    /* Of each length, so that the padding is none, one and two; with letters that base64url lacks. */
    static const struct str names[] = {STR(""), STR("p"), STR("pr"), STR("pro"),
                                       STR("\xfb\xff\xbe")};

    ck_assert(str_eq(found_in(str_format(arena, "Bearer %.*s", STR_ARG(whole))), whole));
    ck_assert(str_eq(found_in(str_format(arena, "bEARER   %.*s ", STR_ARG(whole))), whole));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert(str_eq(found_in(basic(STR("Basic"), names[i], whole)), whole));
        ck_assert(str_eq(found_in(basic(STR("basic"), names[i], whole)), whole));
    }
    const struct str others[] = {
        STR(""),
        STR("Basic"),
        STR("Basic "),
        STR("Bearer"),
        STR("Bearer x.y.z"),
        whole,
        basic(STR("Basic"), whole, STR("")), /* as the name it would stand in logs of proxies */
        basic(STR("Basic"), STR("p"), STR("hunter2")),
        basic(STR("Basic"), STR("p"), str_format(arena, "%.*s ", STR_ARG(whole))),
        basic(STR("Digest"), STR("p"), whole),
        str_format(arena, "Basic %.*s", STR_ARG(whole)),
        str_format(arena, "%.*s=", STR_ARG(basic(STR("Basic"), STR("pr"), whole))),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(str_eq(found_in(others[i]), STR("no")), "%zu", i);
}
END_TEST

START_TEST(forgetting)
{
    store(0);
    ck_assert_int_eq(verify_at(whole, NOW), ERR_OK);
    ck_assert_int_eq(api_keys_revoke(users, STR("deploy"), NOW, &error), ERR_OK);
    key_cache_forget_all(cache);
    ck_assert_int_eq(verify_at(whole, NOW), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(names)
{
    static const struct str good[] = {
        STR("a"), STR("Deploy-1.prod_x"),
        STR("0123456789012345678901234567890123456789012345678901234567890123")};
    static const struct str bad[] = {
        STR(""),    STR("a b"),
        STR("a/b"), STR("a:b"),
        STR("ä"),   STR("a\0"),
        STR("a\n"), STR("{a}"),
        STR("a*"),  STR("01234567890123456789012345678901234567890123456789012345678901234")};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_int_eq(api_key_check_name("name", good[i], &error), ERR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(api_key_check_name("namespace", bad[i], &error) == ERR_BAD_INPUT,
                      "taken: %zu", i);
        ck_assert_ptr_eq(strstr(error.caller, "namespace: "), error.caller);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/api_key");
    TCase *tcase = tcase_create("api_key");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, form);
    tcase_add_test(tcase, texts_that_are_no_keys);
    tcase_add_test(tcase, a_good_key);
    tcase_add_test(tcase, wrong_secrets);
    tcase_add_test(tcase, expiry);
    tcase_add_test(tcase, revocation_is_felt_after_a_second);
    tcase_add_test(tcase, forgetting);
    tcase_add_test(tcase, the_database_is_away);
    tcase_add_test(tcase, it_expires_without_the_database);
    tcase_add_test(tcase, keys_in_authorization);
    tcase_add_test(tcase, names);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
