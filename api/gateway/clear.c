#include "gateway/clear.h"

#include "cachewarden/entries.h"
#include "entries/models.h"

static enum err clear(struct app *app, const struct str *names, size_t count, struct work work,
                      int64_t *generation_out)
{
    const struct entry_request request = {
        .app = app, .work = work, .space = namespace_of_gateway()};
    int64_t cleared = 0;
    enum err err = models_clear(&request, names, count, &cleared);

    *generation_out = 1 + cleared;
    return err;
}

enum err gateway_clear_model(struct app *app, struct str model, bool is_soft, struct work work,
                             int64_t *generation_out)
{
    struct str name = is_soft ? models_soft_name(work.arena, model) : model;

    return name.ptr ? clear(app, &name, 1, work, generation_out) : ERR_NO_MEMORY;
}

enum err gateway_clear_models(struct app *app, const struct str *models, size_t count,
                              struct work work)
{
    int64_t generation;

    return count > 0 ? clear(app, models, count, work, &generation) : ERR_OK;
}

enum err gateway_clear_all(struct app *app, struct work work, int64_t *generation_out)
{
    const struct str everything = MODELS_EVERYTHING;

    return clear(app, &everything, 1, work, generation_out);
}
