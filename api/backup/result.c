#include "cachewarden/backup_result.h"

#include <inttypes.h>
#include <stdio.h>

#define HOUR_S INT64_C(3600)

/* People read it, too: "1785456000 good 52341 812 20260730T030000Z-01234567 db-1 ". What stands between blanks is
 * no text of others: ids are ours, and a host's name has none. */
struct str backup_result_write(const struct backup_result *result, char out[BACKUP_RESULT_SIZE])
{
    int length = snprintf(out, BACKUP_RESULT_SIZE, "%" PRId64 " %s %" PRId64 " %" PRId64 " %s %s ",
                          result->at_s, result->is_good ? "good" : "failed", result->size_bytes,
                          result->duration_ms, result->id[0] ? result->id : "-",
                          result->node[0] ? result->node : "-");
    size_t used = (size_t)length;

    /* One line, whatever somebody's words were. */
    for (const char *c = result->reason; *c && used < BACKUP_RESULT_SIZE - 1; c++)
        out[used++] = (unsigned char)*c < ' ' ? ' ' : *c;
    out[used] = '\0';
    return (struct str){out, used};
}

static bool take_number(struct str *rest, int64_t *number_out)
{
    struct str part;

    return str_split(rest, ' ', &part) && str_to_int64(part, 0, INT64_MAX, number_out);
}

static bool take_word(struct str *rest, char *out, size_t size)
{
    struct str part;

    if (!str_split(rest, ' ', &part) || part.len == 0 || part.len >= size)
        return false;
    if (!str_eq(part, STR("-")))
        memcpy(out, part.ptr, part.len);
    return true;
}

bool backup_result_read(struct str text, struct backup_result *result_out)
{
    struct backup_result result = {0};
    struct str rest = text;
    char state[8] = "";

    if (!take_number(&rest, &result.at_s) || !take_word(&rest, state, sizeof state) ||
        !take_number(&rest, &result.size_bytes) || !take_number(&rest, &result.duration_ms) ||
        !take_word(&rest, result.id, sizeof result.id) ||
        !take_word(&rest, result.node, sizeof result.node) || rest.len >= sizeof result.reason)
        return false;
    memcpy(result.reason, rest.len > 0 ? rest.ptr : "", rest.len);
    result.is_good = strcmp(state, "good") == 0;
    if (!result.is_good && strcmp(state, "failed") != 0)
        return false;
    *result_out = result;
    return true;
}

bool backup_result_is_believed(const struct backup_result *result, int64_t now_s)
{
    return result->at_s <= now_s + 24 * HOUR_S;
}

int64_t backup_asked_for_s(const struct cron *cron, cron_offset *offset, int64_t since_s,
                           int64_t now_s)
{
    int64_t last_s = cron_last(cron, offset, now_s - HOUR_S);
    int64_t before_s = cron_last(cron, offset, last_s - 1);

    return before_s > since_s && before_s != CRON_NEVER ? before_s : 0;
}
