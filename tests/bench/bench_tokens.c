/*
 * What a token costs, by algorithm, in microseconds of one thread:
 *
 *   signature  taken apart and proven, nothing else
 *   first      a token of another issuer seen for the first time: signature, claims, memory
 *   again      the same token again, remembered by its digest
 *   own        one of our own, which is proven every time
 *
 *   tests/bench/bench_tokens [MILLISECONDS]     for each number: 300
 */
#include "issuers/issuers_private.h"
#include "signer.h"

#include "cachewarden/clock.h"
#include "cachewarden/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256",
                                         "PS256", "ES256", "EdDSA"};
enum { ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms, DEFAULT_MS = 300, BATCH = 16 };

struct bench {
    struct arena *arena;
    struct issuers *issuers;
    struct issuer_keys *keys;
    struct tokens *own;
    struct str compact;
    int64_t now_s;
};

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_tokens: %s\n", what);
    exit(1);
}

static bool prove(struct bench *bench)
{
    const char *why;
    struct jws jws;

    return jws_parse(bench->arena, bench->compact, &jws, NULL) == ERR_OK &&
           jws_verify(issuer_keys_find(bench->keys, &jws, &why), &jws, NULL) == ERR_OK;
}

static bool verify_first(struct bench *bench)
{
    struct issuer_claims claims;

    return issuers_verify(bench->issuers, bench->arena, bench->compact, bench->now_s, &claims,
                          NULL) == ERR_OK;
}

static bool verify_again(struct bench *bench)
{
    struct issuer_claims claims;

    return issuers_recall(bench->issuers, bench->arena, bench->compact, bench->now_s, &claims,
                          NULL) == ERR_OK;
}

static bool verify_own(struct bench *bench)
{
    struct token_claims claims;

    return token_verify(bench->own, (struct work){.arena = bench->arena, .error = NULL},
                        bench->compact, TOKEN_ACCESS, bench->now_s, &claims) == ERR_OK;
}

/* The best of many small batches: what else runs on the machine only ever adds. */
static double measure_us(struct bench *bench, bool (*call)(struct bench *bench), int64_t ms)
{
    int64_t end_ns = clock_mono_ns() + ms * NS_PER_MS, best_ns = INT64_MAX, start_ns;

    do {
        start_ns = clock_mono_ns();
        for (int i = 0; i < BATCH; i++) {
            arena_reset(bench->arena);
            must(call(bench), "a good token is refused");
        }
        int64_t took_ns = clock_mono_ns() - start_ns;
        if (took_ns < best_ns)
            best_ns = took_ns;
    } while (start_ns < end_ns);
    return (double)best_ns / 1000 / BATCH;
}

static void write_key(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    must(file && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

static void measure_issuer(struct bench *bench, const char *algorithm, int64_t ms)
{
    char path[] = "/tmp/bench-tokens-XXXXXX";
    bool is_secret = algorithm[0] == 'H';
    struct signer *signer = signer_new(algorithm, is_secret ? NULL : "k");
    char *set = signer_jwks((const struct signer *const[]){signer, NULL});
    char *compact = signer_mint(signer,
                                "{\"iss\":\"https://id.example\",\"sub\":\"4711\",\"aud\":\"shop\","
                                "\"iat\":%" PRId64 ",\"exp\":%" PRId64
                                ",\"jti\":\"0123456789abcdef\",\"scope\":\"openid profile\"}",
                                bench->now_s, bench->now_s + 600);
    struct str name = str_from(algorithm);
    struct issuer_spec spec = {.name = STR("https://id.example"),
                               .audience = STR("shop"),
                               .algorithms = &name,
                               .algorithm_count = 1,
                               .user_claim = STR("sub"),
                               .accounts = ISSUER_ACCOUNTS_NONE};

    struct key_file_stamp stamp;

    int fd = mkstemp(path);
    must(fd >= 0, path);
    close(fd);
    write_key(path, is_secret ? signer_secret(signer) : set);
    *(is_secret ? &spec.secret_file : &spec.jwks_file) = str_from(path);
    const struct issuers_options options = {
        .specs = &spec, .spec_count = 1, .own_name = STR("cachewarden")};
    must(issuers_new(&options, &bench->issuers, NULL) == ERR_OK, "the issuer is refused");
    must(issuer_keys_load(&spec, &stamp, &bench->keys, NULL) == ERR_OK, "the keys are refused");
    bench->compact = str_from(compact);
    double signature_us = measure_us(bench, prove, ms);
    double first_us = measure_us(bench, verify_first, ms);
    printf("%-6s %6zu %10.2f %10.2f %10.2f\n", algorithm, bench->compact.len, signature_us,
           first_us, measure_us(bench, verify_again, ms));
    issuers_free(&bench->issuers);
    issuer_keys_release(&bench->keys);
    unlink(path);
    free(compact);
    free(set);
    signer_free(&signer);
}

static void measure_own(struct bench *bench, int64_t ms)
{
    const struct token_options options = {.secret = STR("0123456789abcdef0123456789abcdef"),
                                          .issuer = STR("cachewarden"),
                                          .access_ttl_s = 900,
                                          .refresh_ttl_s = 900,
                                          .session_idle_s = 900,
                                          .session_ttl_s = 900};
    struct arena *memory = arena_new(4096, 0);
    struct token_claims claims = {.user_id = 4711,
                                  .subject = STR("alice"),
                                  .family = STR("f"),
                                  .incarnation = STR("0123456789abcdef")};

    must(memory && tokens_new(&options, &bench->own, NULL) == ERR_OK &&
             token_issue(bench->own, memory, bench->now_s, &claims, &bench->compact) == ERR_OK,
         "our own tokens");
    printf("own    %6zu %32.2f\n", bench->compact.len, measure_us(bench, verify_own, ms));
    tokens_free(&bench->own);
    arena_free(&memory);
}

int main(int argc, char **argv)
{
    struct bench bench = {.arena = arena_new(16384, 0), .now_s = clock_wall_s()};
    int64_t ms = DEFAULT_MS;

    must(bench.arena && (argc < 2 || str_to_int64(str_from(argv[1]), 1, 60000, &ms)),
         "usage: bench_tokens [MILLISECONDS]");
    printf("%-6s %6s %10s %10s %10s\n", "", "bytes", "signature", "first", "again");
    for (size_t i = 0; i < ALGORITHM_COUNT; i++)
        measure_issuer(&bench, algorithms[i], ms);
    measure_own(&bench, ms);
    arena_free(&bench.arena);
    return 0;
}
