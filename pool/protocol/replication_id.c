/* Which Redis is it? Read out of INFO replication. */
#include "cachewarden/redis.h"

/* So many hexadecimal digits of the replication id's forty are plenty to tell histories apart, and
 * leave two bits below for the role and for the numbers that mean nothing was told. */
#define DIGITS    15
#define IS_TOLD   4
#define ROLE_MASK UINT64_C(1)

static bool read_digits(struct str text, uint64_t *number_out)
{
    *number_out = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        char c = i < text.len ? text.ptr[i] : '?';
        if (c >= '0' && c <= '9')
            *number_out = *number_out * 16 + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *number_out = *number_out * 16 + (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    return true;
}

uint64_t redis_replication_id_of(struct str replication_info)
{
    struct str id = redis_info_field(replication_info, "master_replid");
    struct str role = redis_info_field(replication_info, "role");
    uint64_t number;

    if (role.len == 0 || !read_digits(id, &number))
        return REDIS_REPLICATION_ID_UNTOLD;
    return number << 3 | IS_TOLD | (str_eq(role, STR("master")) ? 0 : ROLE_MASK);
}

bool redis_replication_id_is_other(uint64_t a, uint64_t b)
{
    return (a | ROLE_MASK) != (b | ROLE_MASK);
}
