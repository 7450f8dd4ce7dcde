#include "gateway/clear.h"

#include "cachewarden/entries.h"
#include "entries/models.h"

static enum err clear(struct app *app, struct str name, struct work work, int64_t *generation_out)
{
    const struct entry_request request = {
        .app = app, .work = work, .space = namespace_of_gateway()};
    int64_t count = 0;
    enum err err = models_clear(&request, name, &count);

    *generation_out = 1 + count;
    return err;
}

enum err gateway_clear_model(struct app *app, struct str model, bool is_soft, struct work work,
                             int64_t *generation_out)
{
    struct str soft = is_soft ? models_soft_name(work.arena, model) : model;

    return soft.ptr ? clear(app, soft, work, generation_out) : ERR_NO_MEMORY;
}

enum err gateway_clear_all(struct app *app, struct work work, int64_t *generation_out)
{
    return clear(app, MODELS_EVERYTHING, work, generation_out);
}
