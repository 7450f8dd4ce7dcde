/* The numbers that a few entries of the cache service are judged by: read together, behind what is judged. */
#ifndef API_BACKUP_ENTRIES_NUMBERS_H
#define API_BACKUP_ENTRIES_NUMBERS_H

#include "cachewarden/namespace.h"
#include "cachewarden/pipeline.h"
#include "control/dataset.h"
#include "entries/models.h"

/* Of one entry. */
struct entries_numbers {
    struct namespace space;
    struct model_set models; /* names; then their numbers */
    bool keeps;              /* the hash of models is made where there is none */
    size_t at;               /* of the replies */
    int64_t clears;          /* -1: what is there is no number */
    /* How many of them restores have raised it by, so that who was cleared before is not cleared less. */
    int64_t raised;
    bool
        was_off; /* the account's cache was switched off since the data has its id: then it drops what comes */
};

/* Adds the commands of one. */
void entries_numbers_ask(struct pipeline *pipeline, struct entries_numbers *numbers);
/* Errors of models_take. */
CW_MUST_CHECK enum err entries_numbers_take(const struct pipeline *pipeline,
                                            struct entries_numbers *numbers, struct error *error);

/* Of all of them. */
struct entries_data {
    size_t at;
    bool is_whole;     /* there is control data */
    bool is_uncleared; /* nobody has cleared for all since it has its id */
    int64_t epoch;
    struct str id;               /* in the reply */
    struct dataset_entries back; /* in the reply: what was put back before */
};
/* The last commands of a look: the clears come first, the epoch behind them. */
void entries_data_ask(struct pipeline *pipeline, struct entries_data *data);
void entries_data_take(const struct pipeline *pipeline, struct entries_data *data);

/* The version of a namespace with these clears. */
int64_t entries_version(const struct entries_data *data, const struct entries_numbers *numbers);

#endif
