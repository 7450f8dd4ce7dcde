#include "protocol/reply.h"

#include "protocol/frame.h"

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
    /* What was fed goes to hiredis reply by reply, so that one can be left out. */
    char *held;
    size_t held_at, held_size, held_room;
    struct frame frame;
    bool is_passing_over; /* a reply that is too large, to its end */
    bool is_unframed;     /* nobody knows any more where replies end: hiredis gets everything */
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

static redisReader *make_hiredis(struct reply_reader *reader)
{
    redisReader *hiredis = redisReaderCreateWithFunctions(&functions);
    if (hiredis)
        hiredis->privdata = reader;
    return hiredis;
}

struct reply_reader *reply_reader_new(void)
{
    struct reply_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->hiredis = make_hiredis(reader);
    if (!reader->hiredis) {
        free(reader);
        return NULL;
    }
    frame_begin(&reader->frame);
    return reader;
}

void reply_reader_free(struct reply_reader **reader)
{
    if (!*reader)
        return;
    if ((*reader)->hiredis)
        redisReaderFree((*reader)->hiredis);
    free((*reader)->held);
    free(*reader);
    *reader = NULL;
}

static size_t left_in_hiredis(const struct reply_reader *reader)
{
    return reader->hiredis ? reader->hiredis->len - reader->hiredis->pos : 0;
}

static size_t left_held(const struct reply_reader *reader)
{
    return reader->held_size - reader->held_at;
}

size_t reply_reader_left(const struct reply_reader *reader)
{
    return left_held(reader) + left_in_hiredis(reader);
}

bool reply_reader_feed(struct reply_reader *reader, const char *bytes, size_t size)
{
    if (reader->broken)
        return false;
    if (left_held(reader) == 0)
        reader->held_at = reader->held_size = 0;
    if (reader->held_size + size > reader->held_room) {
        size_t room = (reader->held_size + size) * 2;
        char *more = realloc(reader->held, room);
        if (!more)
            return false;
        reader->held = more;
        reader->held_room = room;
    }
    if (size > 0)
        memcpy(reader->held + reader->held_size, bytes, size);
    reader->held_size += size;
    return true;
}

/* hiredis would look for the end of an endless line from its start at every feed. */
static bool is_endless_line(const struct reply_reader *reader)
{
    const char *left = reader->hiredis->buf + reader->hiredis->pos;
    return left_in_hiredis(reader) > REPLY_LINE_MAX && !memchr(left, '\n', REPLY_LINE_MAX);
}

static bool hand_over(struct reply_reader *reader, size_t size)
{
    bool is_well = size == 0 || redisReaderFeed(reader->hiredis, reader->held + reader->held_at,
                                                size) == REDIS_OK;
    reader->held_at += size;
    reader->fed += size;
    return is_well;
}

/* *may_pass_out: the reply is too large, and nothing else is wrong with it. */
static enum reply_status ask_hiredis(struct reply_reader *reader, bool *may_pass_out)
{
    void *reply = NULL;

    *may_pass_out = false;
    if (redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK) {
        *may_pass_out = reader->broken == REPLY_TOO_LARGE;
        if (!reader->broken)
            reader->broken =
                reader->hiredis->err == REDIS_ERR_OOM ? REPLY_NO_MEMORY : REPLY_PROTOCOL_ERROR;
        return reader->broken;
    }
    if (reply) {
        reader->items = 0;
        reader->fed = left_in_hiredis(reader);
        return REPLY_READY;
    }
    *may_pass_out = reader->fed > REPLY_BYTES_MAX;
    if (*may_pass_out || is_endless_line(reader))
        reader->broken = REPLY_TOO_LARGE;
    return reader->broken ? reader->broken : REPLY_MORE;
}

/* What hiredis has of the reply is thrown away. */
static enum reply_status begin_passing_over(struct reply_reader *reader)
{
    redisReaderFree(reader->hiredis);
    reader->hiredis = make_hiredis(reader);
    reader->broken = reader->hiredis ? REPLY_READY : REPLY_NO_MEMORY;
    reader->items = reader->fed = 0;
    reader->is_passing_over = true;
    return reader->broken;
}

static enum reply_status end_passing_over(struct reply_reader *reader)
{
    reader->is_passing_over = false;
    frame_begin(&reader->frame);
    *reader->root = (struct value){
        .kind = VALUE_ERROR, .text = STR(REPLY_TOO_LARGE_WORD " a reply is larger than allowed")};
    return REPLY_READY;
}

static enum reply_status pass_over(struct reply_reader *reader, enum frame_step step, size_t used)
{
    reader->held_at += used;
    if (step == FRAME_LOST)
        return reader->broken = REPLY_TOO_LARGE;
    return step == FRAME_END ? end_passing_over(reader) : REPLY_MORE;
}

/* The bytes up to the end of the reply, or all there are. */
static enum frame_step take_frame(struct reply_reader *reader, size_t *used_out)
{
    enum frame_step step = FRAME_LOST;

    if (!reader->is_unframed)
        step =
            frame_take(&reader->frame, reader->held + reader->held_at, left_held(reader), used_out);
    if (step == FRAME_LOST)
        *used_out = left_held(reader);
    return step;
}

enum reply_status reply_reader_next(struct reply_reader *reader, struct arena *arena,
                                    struct value *value)
{
    size_t used;
    bool may_pass;

    if (reader->broken)
        return reader->broken;
    reader->arena = arena;
    reader->root = value;
    enum frame_step step = take_frame(reader, &used);
    if (reader->is_passing_over)
        return pass_over(reader, step, used);
    reader->is_unframed = step == FRAME_LOST;
    if (!hand_over(reader, used))
        return reader->broken = REPLY_NO_MEMORY;
    enum reply_status status = ask_hiredis(reader, &may_pass);
    if (may_pass && !reader->is_unframed) {
        status = begin_passing_over(reader);
        if (status != REPLY_READY)
            return status;
        return pass_over(reader, step, 0);
    }
    /* hiredis reads it otherwise: from here on it has the say. */
    if ((status == REPLY_READY) != (step == FRAME_END) && step != FRAME_LOST &&
        (status == REPLY_READY || status == REPLY_MORE)) {
        reader->is_unframed = true;
        if (!hand_over(reader, left_held(reader)))
            return reader->broken = REPLY_NO_MEMORY;
        return status == REPLY_READY ? status : ask_hiredis(reader, &may_pass);
    }
    if (status == REPLY_READY)
        frame_begin(&reader->frame);
    return status;
}
