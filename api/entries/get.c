/* Reading an entry: a hit, or a miss with a lease. */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "entries/counter.h"
#include "entries/look.h"
#include "keyspace.h"
#include "services.h"

static void add_get(void *with, struct pipeline *pipeline)
{
    const struct label_key *key = with;

    PIPELINE_ADD(pipeline, EXPECT_UNJUDGED, STR("GET"), label_key_str(key));
}

static enum err give_lease(const struct entry_look *look, int64_t now_ms,
                           struct entry_found *found_out)
{
    const struct entry_request *request = look->request;
    struct lease lease;

    if (!look->is_enabled)
        return ERR_OK;
    enum err err = lease_fill_in(&lease, now_ms, look->version, &look->models);
    return err == ERR_OK ? lease_seal(request->app->entries->lease_key, request->arena,
                                      &request->space, request->label, &lease, &found_out->lease)
                         : err;
}

enum err entry_give_hit(struct arena *arena, const struct envelope *envelope, int64_t now_ms,
                        int64_t left_ms, struct entry_found *found_out)
{
    const struct str tag = {(const char *)envelope->tag, ENVELOPE_TAG_SIZE};
    int64_t age_ms = now_ms > envelope->stored_at_ms ? now_ms - envelope->stored_at_ms : 0;

    found_out->is_hit = true;
    found_out->body = envelope->body;
    found_out->content_type = envelope->content_type;
    found_out->etag = base64url_encode(arena, tag);
    found_out->age_s = age_ms / 1000;
    found_out->ttl_s = left_ms > 0 ? left_ms / 1000 : 0;
    return found_out->etag.ptr ? ERR_OK : ERR_NO_MEMORY;
}

static enum err take_entry(struct entry_look *look, const struct value *reply, int64_t now_ms,
                           struct entry_found *found_out)
{
    struct envelope envelope;
    bool is_good = false;
    enum err err = ERR_OK;

    if (reply->kind == VALUE_STRING && envelope_decode(reply->text, &envelope))
        err = entry_judge(look, &envelope, now_ms, &is_good);
    if (err == ERR_OK && is_good)
        err = entry_give_hit(look->request->arena, &envelope, now_ms,
                             envelope.stored_at_ms + envelope.life_ms - now_ms, found_out);
    return err;
}

enum err entries_get(const struct entry_request *request, struct entry_found *found_out)
{
    struct label_key key = key_entry(&request->space, request->label);
    struct entry_look look = {
        .request = request, .add = add_get, .with = &key, .models = models_of(request)};
    enum err err = entry_look(&look);

    *found_out = (struct entry_found){.is_enabled = look.is_enabled, .version = look.version};
    if (err != ERR_OK)
        return err;
    int64_t now_ms = clock_wall_ms();
    const struct value *reply = pipeline_value(look.pipeline, 0);
    bool is_counter = entry_is_other_type(reply, request->error, &err);
    if (err == ERR_OK && is_counter)
        err = counter_read(&look, &key, now_ms, found_out);
    else if (err == ERR_OK)
        err = take_entry(&look, reply, now_ms, found_out);
    if (err == ERR_OK && !found_out->is_hit)
        err = give_lease(&look, now_ms, found_out);
    if (err == ERR_OK)
        entry_counts_note_read(request, found_out);
    return err;
}
