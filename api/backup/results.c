#include "backup/results.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

void backup_results_init(struct backup_results *results)
{
    *results = (struct backup_results){.since_s = 0};
    lock_init(&results->lock, LOCK_RANK_LEAF, "results of backups");
}

void backup_results_fini(struct backup_results *results)
{
    lock_fini(&results->lock);
}

static bool keep(struct users *users, const char *fact, struct str text)
{
    struct error error = {0};
    enum err err = users_fact_set(users, str_from(fact), text, &error);

    if (err != ERR_OK)
        log_event(LOG_LEVEL_WARN, "backup.not_noted", LOG_CSTR("fact", fact),
                  LOG_STR("value", text), LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
    return err == ERR_OK;
}

static bool keep_result(struct users *users, const char *fact, const struct backup_result *result)
{
    char text[BACKUP_RESULT_SIZE];

    return keep(users, fact, backup_result_write(result, text));
}

void backup_results_note(struct backup_results *results, struct users *users,
                         const struct backup_result *result)
{
    bool last_is_kept = keep_result(users, USERS_FACT_BACKUP_LAST, result);
    bool good_is_kept = result->is_good && keep_result(users, USERS_FACT_BACKUP_GOOD, result);

    lock_acquire(&results->lock);
    *(result->is_good ? &results->made : &results->failed) += 1;
    results->last = *result;
    results->last_is_unkept = !last_is_kept;
    if (result->is_good) {
        results->good = *result;
        results->good_is_unkept = !good_is_kept;
    }
    lock_release(&results->lock);
}

void backup_results_begin(struct backup_results *results, struct users *users, int64_t now_s)
{
    char digits[STR_INT64_SIZE];

    lock_acquire(&results->lock);
    results->since_s = now_s;
    lock_release(&results->lock);
    (void)keep(users, USERS_FACT_BACKUP_SINCE, str_of_int64(digits, now_s));
}

/* What the database did not take is kept now. Else what stands there holds, whatever is known here: others wrote it
 * later, or by a clock that is right. What makes no sense is as if it were not there. */
static enum err load_one(struct backup_results *results, struct users *users, struct arena *arena,
                         bool is_good, struct error *error)
{
    const char *fact = is_good ? USERS_FACT_BACKUP_GOOD : USERS_FACT_BACKUP_LAST;
    struct backup_result *place = is_good ? &results->good : &results->last, result;
    bool *is_unkept = is_good ? &results->good_is_unkept : &results->last_is_unkept;
    enum err err = ERR_OK;
    struct str text;

    lock_acquire(&results->lock);
    bool has_own = *is_unkept;
    result = *place;
    lock_release(&results->lock);
    bool is_taken = has_own && keep_result(users, fact, &result);
    if (!has_own)
        err = users_fact_get(users, arena, str_from(fact), &text, error);
    if (!has_own && err == ERR_OK)
        is_taken = backup_result_read(text, &result);
    if (is_taken) {
        lock_acquire(&results->lock);
        *place = result;
        *is_unkept = false;
        lock_release(&results->lock);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err backup_results_load(struct backup_results *results, struct users *users,
                             struct arena *arena, struct error *error)
{
    int64_t since_s = 0;
    struct str text;
    enum err err = load_one(results, users, arena, true, error);

    if (err == ERR_OK)
        err = load_one(results, users, arena, false, error);
    if (err != ERR_OK)
        return err;
    err = users_fact_get(users, arena, STR(USERS_FACT_BACKUP_SINCE), &text, error);
    if (err == ERR_OK && str_to_int64(text, 0, INT64_MAX, &since_s)) {
        lock_acquire(&results->lock);
        results->since_s = since_s;
        lock_release(&results->lock);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

void backup_results_get(struct backup_results *results, struct backup_results *copy_out)
{
    int64_t now_s = clock_wall_s();

    *copy_out = (struct backup_results){.since_s = 0};
    lock_acquire(&results->lock);
    if (backup_result_is_believed(&results->last, now_s))
        copy_out->last = results->last;
    if (backup_result_is_believed(&results->good, now_s))
        copy_out->good = results->good;
    copy_out->since_s = results->since_s;
    copy_out->made = results->made;
    copy_out->failed = results->failed;
    lock_release(&results->lock);
}
