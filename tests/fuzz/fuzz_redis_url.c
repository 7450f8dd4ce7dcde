/*
 * Addresses of Redis. What is taken must be whole, survive a copy and describe itself without the
 * password; what is refused must say why, without a piece of the URL.
 */
#include "cachewarden/redis.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void check_address(const struct redis_address *address)
{
    struct redis_address copy;
    char text[600], short_text[4];

    expect((address->host != NULL) != (address->unix_path != NULL));
    expect(address->database >= 0);
    expect(!address->host || (address->port >= 1 && address->port <= 65535));
    expect(!address->username || address->password);
    expect(!address->unix_path || !address->tls);
    expect(redis_address_copy(address, &copy) == ERR_OK);
    expect(redis_address_same_server(address, &copy));
    redis_address_describe(&copy, text, sizeof text);
    redis_address_describe(&copy, short_text, sizeof short_text);
    expect(strncmp(text, short_text, sizeof short_text - 1) == 0);
    redis_address_fini(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str url = {(const char *)data, size};
    struct redis_address address;
    struct error error;
    enum err err = redis_address_parse(url, &address, &error);

    if (err == ERR_OK) {
        check_address(&address);
        redis_address_fini(&address);
        return 0;
    }
    expect(err == ERR_BAD_INPUT);
    expect(error.caller[0] != '\0');
    return 0;
}
