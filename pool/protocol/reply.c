#include "protocol/reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* hiredis 1.0 counts elements with size_t, reads RESP3 as well, and nests deeper. */
#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

struct reply_reader {
    redisReader *hiredis;
    /* Where the reply being read goes; handed to hiredis as privdata. */
    struct arena *arena;
    struct value *root;
    size_t items;             /* array elements of this reply so far */
    size_t fed;               /* bytes fed since this reply began */
    enum reply_status broken; /* why an object function said no */
};

/* Into the root of the reply, or into the item of the array being read. */
static struct value *put(const redisReadTask *task, struct value value)
{
    struct reply_reader *reader = task->privdata;
    struct value *place = reader->root;
    if (task->parent) {
        const struct value *array = task->parent->obj;
        place = &array->items[task->idx];
    }
    *place = value;
    return place;
}

static void *refuse(const redisReadTask *task, enum reply_status why)
{
    struct reply_reader *reader = task->privdata;
    reader->broken = why;
    return NULL; /* hiredis ends with an error of its own, which nobody looks at */
}

static void *create_string(const redisReadTask *task, char *bytes, size_t size)
{
    if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS &&
        task->type != REDIS_REPLY_ERROR)
        return refuse(task, REPLY_PROTOCOL_ERROR);
    /* hiredis has counted two bytes behind a bulk string without looking at them. */
    if (task->type == REDIS_REPLY_STRING && (bytes[size] != '\r' || bytes[size + 1] != '\n'))
        return refuse(task, REPLY_PROTOCOL_ERROR);
    struct str fixed =
        task->type == REDIS_REPLY_STATUS ? value_fixed_status((struct str){bytes, size}) : STR_NONE;
    if (fixed.ptr)
        return put(task, (struct value){.kind = VALUE_STATUS, .text = fixed});
    struct reply_reader *reader = task->privdata;
    char *text = arena_alloc(reader->arena, size + 1);
    if (!text)
        return refuse(task, REPLY_NO_MEMORY);
    memcpy(text, bytes, size);
    text[size] = '\0';
    enum value_kind kind = task->type == REDIS_REPLY_STRING   ? VALUE_STRING
                           : task->type == REDIS_REPLY_STATUS ? VALUE_STATUS
                                                              : VALUE_ERROR;
    return put(task, (struct value){.kind = kind, .text = {text, size}});
}

static size_t depth_of(const redisReadTask *task)
{
    size_t depth = 0;
    while ((task = task->parent))
        depth++;
    return depth;
}

static void *create_array(const redisReadTask *task, element_count announced)
{
    if (task->type != REDIS_REPLY_ARRAY || depth_of(task) > REPLY_DEPTH_MAX)
        return refuse(task, REPLY_PROTOCOL_ERROR);
    struct reply_reader *reader = task->privdata;
    size_t count = (size_t)announced;
    if (count > REPLY_ITEMS_MAX - reader->items)
        return refuse(task, REPLY_TOO_LARGE);
    reader->items += count;
    struct value *items = arena_calloc(reader->arena, count, sizeof *items);
    if (!items)
        return refuse(task, REPLY_NO_MEMORY);
    return put(task, (struct value){.kind = VALUE_ARRAY, .items = items, .count = count});
}

static void *create_integer(const redisReadTask *task, long long number)
{
    return put(task, (struct value){.kind = VALUE_INTEGER, .integer = number});
}

static void *create_nil(const redisReadTask *task)
{
    if (task->type == REDIS_REPLY_NIL) /* RESP2's are a string or an array that is not there */
        return refuse(task, REPLY_PROTOCOL_ERROR);
    return put(task, (struct value){.kind = VALUE_NIL});
}

#if HIREDIS_MAJOR >= 1
/* Without a function hiredis makes an object of its own of these: a number, cast to a pointer. */
static void *create_double(const redisReadTask *task, double number, char *text, size_t size)
{
    (void)number;
    (void)text;
    (void)size;
    return refuse(task, REPLY_PROTOCOL_ERROR);
}

static void *create_bool(const redisReadTask *task, int flag)
{
    (void)flag;
    return refuse(task, REPLY_PROTOCOL_ERROR);
}
#endif

static void free_object(void *object)
{
    (void)object; /* the arena's */
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = free_object,
};

struct reply_reader *reply_reader_new(void)
{
    struct reply_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->hiredis = redisReaderCreateWithFunctions(&functions);
    if (!reader->hiredis) {
        free(reader);
        return NULL;
    }
    reader->hiredis->privdata = reader;
    return reader;
}

void reply_reader_free(struct reply_reader **reader)
{
    if (!*reader)
        return;
    redisReaderFree((*reader)->hiredis);
    free(*reader);
    *reader = NULL;
}

size_t reply_reader_left(const struct reply_reader *reader)
{
    return reader->hiredis->len - reader->hiredis->pos;
}

bool reply_reader_feed(struct reply_reader *reader, const char *bytes, size_t size)
{
    reader->fed += size;
    return redisReaderFeed(reader->hiredis, bytes, size) == REDIS_OK;
}

/* hiredis would look for the end of an endless line from its start at every feed. */
static bool is_endless_line(const struct reply_reader *reader)
{
    const char *left = reader->hiredis->buf + reader->hiredis->pos;
    return reply_reader_left(reader) > REPLY_LINE_MAX && !memchr(left, '\n', REPLY_LINE_MAX);
}

enum reply_status reply_reader_next(struct reply_reader *reader, struct arena *arena,
                                    struct value *value)
{
    if (reader->broken)
        return reader->broken;
    reader->arena = arena;
    reader->root = value;
    void *reply = NULL;
    if (redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK) {
        if (!reader->broken)
            reader->broken =
                reader->hiredis->err == REDIS_ERR_OOM ? REPLY_NO_MEMORY : REPLY_PROTOCOL_ERROR;
        return reader->broken;
    }
    if (reply) {
        reader->items = 0;
        reader->fed = reply_reader_left(reader);
        return REPLY_READY;
    }
    if (reader->fed > REPLY_BYTES_MAX || is_endless_line(reader))
        reader->broken = REPLY_TOO_LARGE;
    return reader->broken ? reader->broken : REPLY_MORE;
}
