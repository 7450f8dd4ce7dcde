/* Whether a signing key was made by a generator or by a person: what can be seen without knowing. */
#include "cachewarden/token.h"

#include <string.h>
#include <strings.h>

enum {
    DISTINCT_MIN =
        8, /* 32 random hexadecimal digits have fewer in less than one of a million keys */
    PERIOD_MAX = 16,
};

static bool is_repetition(struct str secret)
{
    for (size_t period = 1; period <= PERIOD_MAX && period < secret.len; period++)
        if (memcmp(secret.ptr, secret.ptr + period, secret.len - period) == 0)
            return true;
    return false;
}

static size_t count_distinct(struct str secret)
{
    bool seen[256] = {false};
    size_t count = 0;
    for (size_t i = 0; i < secret.len; i++) {
        count += !seen[(unsigned char)secret.ptr[i]];
        seen[(unsigned char)secret.ptr[i]] = true;
    }
    return count;
}

/* "abcdefgh…", "0123…": most bytes are one more, or one less, than their neighbour. */
static bool is_run(struct str secret)
{
    size_t up = 0, down = 0;
    for (size_t i = 1; i < secret.len; i++) {
        up += secret.ptr[i] == secret.ptr[i - 1] + 1;
        down += secret.ptr[i] == secret.ptr[i - 1] - 1;
    }
    return 2 * (up > down ? up : down) > secret.len;
}

/* Words of examples and of people; each long enough not to come out of a generator. */
static bool has_word(struct str secret)
{
    static const char *const words[] = {
        "secret", "password", "changeme", "change-me",   "change_me", "example",  "insecure",
        "your-",  "your_",    "default",  "cachewarden", "qwerty",    "12345678", "development"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t len = strlen(words[w]);
        for (size_t i = 0; i + len <= secret.len; i++)
            if (strncasecmp(secret.ptr + i, words[w], len) == 0)
                return true;
    }
    return false;
}

const char *token_secret_weakness(struct str secret)
{
    if (secret.len < TOKEN_SECRET_MIN_SIZE)
        return "it is shorter than 32 bytes";
    if (is_repetition(secret))
        return "it repeats itself";
    if (is_run(secret))
        return "its characters follow each other in order";
    if (has_word(secret))
        return "it has a word in it that guessers try first";
    if (count_distinct(secret) < DISTINCT_MIN)
        return "it has too few different characters";
    return NULL;
}
