#include "cachewarden/digest.h"

#include "cachewarden/arena.h"
#include "suite.h"

static void expect(struct str bytes, const char *wanted)
{
    unsigned char digest[DIGEST_SHA256_SIZE];
    struct arena *arena = arena_new(512, 0);

    ck_assert_int_eq(digest_sha256(bytes, digest), ERR_OK);
    struct str hex = hex_encode(arena, (struct str){(const char *)digest, sizeof digest});
    ck_assert_str_eq(hex.ptr, wanted);
    arena_free(&arena);
}

/* FIPS 180-4, the examples published with it. */
START_TEST(known_digests)
{
    expect(STR_NONE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}
END_TEST

START_TEST(of_pieces_it_is_the_same)
{
    const struct str all[] = {STR("a"), STR_NONE, STR("bc")};
    unsigned char whole[DIGEST_SHA256_SIZE], pieces[DIGEST_SHA256_SIZE];
    struct digest *digest;

    ck_assert_int_eq(digest_new(&digest), ERR_OK);
    ck_assert_int_eq(digest_so_far(digest, pieces), ERR_OK);
    ck_assert_int_eq(digest_sha256(STR_NONE, whole), ERR_OK);
    ck_assert_mem_eq(pieces, whole, sizeof whole);
    ck_assert_int_eq(digest_add(digest, STR("ab")), ERR_OK);
    ck_assert_int_eq(digest_so_far(digest, pieces), ERR_OK);
    ck_assert_int_eq(digest_sha256(STR("ab"), whole), ERR_OK);
    ck_assert_mem_eq(pieces, whole, sizeof whole);
    ck_assert_int_eq(digest_add(digest, STR_NONE), ERR_OK);
    ck_assert_int_eq(digest_add(digest, STR("c")), ERR_OK);
    ck_assert_int_eq(digest_so_far(digest, pieces), ERR_OK);
    ck_assert_int_eq(digest_sha256(STR("abc"), whole), ERR_OK);
    ck_assert_mem_eq(pieces, whole, sizeof whole);
    ck_assert_int_eq(digest_sha256_of(all, 3, pieces), ERR_OK);
    ck_assert_mem_eq(pieces, whole, sizeof whole);
    digest_free(&digest);
    digest_free(&digest);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/digest");
    TCase *tcase = tcase_create("digest");

    tcase_add_test(tcase, known_digests);
    tcase_add_test(tcase, of_pieces_it_is_the_same);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
