/* What INFO tells. */
#include "cachewarden/redis.h"

struct str redis_info_field(struct str info, const char *name)
{
    struct str line, wanted = str_from(name);

    while (str_split(&info, '\n', &line)) {
        if (!str_starts(line, wanted) || line.len == wanted.len || line.ptr[wanted.len] != ':')
            continue;
        size_t end = str_ends(line, STR("\r")) ? line.len - 1 : line.len;
        return str_sub(line, wanted.len + 1, end - wanted.len - 1);
    }
    return STR_NONE;
}
