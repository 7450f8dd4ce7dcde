#include "redis_snapshot.h"

#include "redis_server.h"

#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp((*(redisReply *const *)a)->str, (*(redisReply *const *)b)->str);
}

char *redis_snapshot(const struct redis_server *redis, const char *but)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    redisReply *keys = redis_server_ask(redis, "KEYS *");
    if (!out || keys->type != REDIS_REPLY_ARRAY)
        abort();
    if (keys->elements > 0) /* an empty reply has no elements, and qsort must not be given NULL */
        qsort(keys->element, keys->elements, sizeof(redisReply *), by_text);
    for (size_t i = 0; i < keys->elements; i++) {
        const char *name = keys->element[i]->str;
        if (but && strncmp(name, but, strlen(but)) == 0)
            continue;
        if (strcmp(name, "cw:dataset") == 0) {
            redisReply *epoch = redis_server_ask(redis, "HGET cw:dataset epoch");
            fprintf(out, "epoch %s\n", epoch->str ? epoch->str : "none");
            freeReplyObject(epoch);
            continue;
        }
        redisReply *dump =
            redis_server_ask(redis, "DUMP %b", keys->element[i]->str, keys->element[i]->len);
        fprintf(out, "%s ", keys->element[i]->str);
        for (size_t at = 0; dump->type == REDIS_REPLY_STRING && at < dump->len; at++)
            fprintf(out, "%02x", (unsigned char)dump->str[at]);
        fputc('\n', out);
        freeReplyObject(dump);
    }
    freeReplyObject(keys);
    fclose(out);
    return text;
}
