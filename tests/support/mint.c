#include "mint.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "Authorization: Bearer ";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "mint: %s\n", what);
    abort();
}

size_t mint_base64url(char *out, size_t out_size, const void *bytes, size_t size)
{
    const unsigned char *in = bytes;
    size_t length = 0, bits = 0;
    unsigned held = 0;
    if (out_size < size * 4 / 3 + 4)
        die("buffer too small");
    for (size_t i = 0; i < size; i++) {
        held = (held << 8 | in[i]) & 0xffff;
        for (bits += 8; bits >= 6; bits -= 6)
            out[length++] = alphabet[held >> (bits - 6) & 63];
    }
    if (bits > 0)
        out[length++] = alphabet[held << (6 - bits) & 63];
    out[length] = '\0';
    return length;
}

const char *mint_decode(char *out, size_t out_size, const char *token, int part)
{
    for (; part > 0 && token; part--)
        token = strchr(token, '.') ? strchr(token, '.') + 1 : NULL;
    size_t length = 0, bits = 0;
    unsigned held = 0;
    for (; token && *token != '\0' && *token != '.'; token++) {
        const char *found = strchr(alphabet, *token);
        if (!found || length + 1 >= out_size)
            break;
        held = (held << 6 | (unsigned)(found - alphabet)) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[length++] = (char)(held >> bits & 255);
        }
    }
    out[length] = '\0';
    return out;
}

char *mint_forged(char *out, size_t out_size, const char *header_json, const char *payload_json,
                  const void *key, size_t key_size)
{
    if (out_size < sizeof prefix + 64)
        die("buffer too small");
    size_t length = sizeof prefix - 1;
    memcpy(out, prefix, length);
    length += mint_base64url(out + length, out_size - length, header_json, strlen(header_json));
    out[length++] = '.';
    length += mint_base64url(out + length, out_size - length, payload_json, strlen(payload_json));
    unsigned char mac[32];
    unsigned mac_size = sizeof mac;
    const char *signed_part = out + sizeof prefix - 1;
    if (!HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)signed_part,
              strlen(signed_part), mac, &mac_size))
        die("HMAC");
    out[length++] = '.';
    out[length] = '\0';
    if (key_size > 0)
        mint_base64url(out + length, out_size - length, mac, mac_size);
    return out;
}

char *mint_bearer(char *out, const char *secret, const char *payload, ...)
{
    char json[MINT_SIZE];
    va_list args;
    va_start(args, payload);
    int size = vsnprintf(json, sizeof json, payload, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof json)
        die("payload too long");
    return mint_forged(out, MINT_SIZE, "{\"typ\":\"JWT\",\"alg\":\"HS256\"}", json, secret,
                       strlen(secret));
}

const char *mint_token(const char *line)
{
    return line + sizeof prefix - 1;
}
