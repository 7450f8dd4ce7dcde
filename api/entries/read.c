#include "entries/read.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "entries/counter.h"
#include "keyspace.h"

static void add_get(void *with, struct pipeline *pipeline)
{
    const struct label_key *key = with;

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GET"), label_key_str(key));
    pipeline_note_stored(pipeline, label_key_str(key));
}

enum err entry_give_lease(const struct reading *reading, bool is_promised,
                          struct entry_found *found_out)
{
    const struct entry_look *look = &reading->look;
    const struct entry_request *request = look->request;
    struct lease lease;

    if (!look->is_enabled)
        return ERR_OK;
    enum err err = lease_fill_in(&lease, reading->now_ms, look->version, &look->models);
    lease.is_promised = is_promised;
    const struct lease_scope scope = entry_lease_scope(request);
    return err == ERR_OK ? lease_seal(&scope, request->work.arena, &lease, &found_out->lease) : err;
}

static int64_t age_ms(const struct envelope *envelope, int64_t now_ms)
{
    return now_ms > envelope->stored_at_ms ? now_ms - envelope->stored_at_ms : 0;
}

enum err entry_give_hit(struct arena *arena, const struct envelope *envelope, int64_t now_ms,
                        int64_t left_ms, struct entry_found *found_out)
{
    const struct str tag = {(const char *)envelope->tag, ENVELOPE_TAG_SIZE};

    found_out->is_hit = true;
    found_out->body = envelope->body;
    found_out->content_type = envelope->content_type;
    found_out->etag = base64url_encode(arena, tag);
    found_out->age_s = age_ms(envelope, now_ms) / 1000;
    found_out->ttl_s = left_ms > 0 ? left_ms / 1000 : 0;
    return found_out->etag.ptr ? ERR_OK : ERR_NO_MEMORY;
}

static enum err take_entry(struct reading *reading, const struct value *reply,
                           struct entry_found *found_out)
{
    struct envelope envelope;
    bool is_good = false;
    enum err err = ERR_OK;

    if (reply->kind == VALUE_STRING && envelope_decode(reply->text, &envelope))
        err = entry_judge(&reading->look, &envelope, reading->now_ms, &is_good);
    if (err != ERR_OK || !is_good)
        return err;
    reading->fill_ms = envelope.fill_ms;
    /* Who stored it may have a clock that is ahead of ours. */
    reading->left_ms = envelope.life_ms - age_ms(&envelope, reading->now_ms);
    return entry_give_hit(reading->look.request->work.arena, &envelope, reading->now_ms,
                          reading->left_ms, found_out);
}

enum err entry_read(struct reading *reading, struct entry_found *found_out)
{
    const struct entry_request *request = reading->look.request;
    struct entry_look *look = &reading->look;

    reading->key = key_entry(&request->space, request->label);
    reading->fill_ms = 0;
    *look = (struct entry_look){
        .request = request, .add = add_get, .with = &reading->key, .models = models_of(request)};
    enum err err = entry_look(look);
    *found_out = (struct entry_found){.is_enabled = look->is_enabled, .version = look->version};
    if (err != ERR_OK)
        return err;
    reading->now_ms = clock_wall_ms();
    const struct value *reply = entry_reply(look, 0);
    bool is_counter = entry_is_other_type(reply, request->work.error, &err);
    if (err == ERR_OK && is_counter)
        err = counter_read(look, &reading->key, reading->now_ms, found_out);
    else if (err == ERR_OK)
        err = take_entry(reading, reply, found_out);
    return err;
}
