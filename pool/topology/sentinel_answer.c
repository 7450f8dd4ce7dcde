#include "topology/sentinel_answer.h"

#include "protocol/resp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void sentinel_add_questions(struct strbuf *out, struct str master_name)
{
    const struct str where[] = {STR("SENTINEL"), STR("get-master-addr-by-name"), master_name};
    const struct str state[] = {STR("SENTINEL"), STR("MASTER"), master_name};
    const struct str quorum[] = {STR("SENTINEL"), STR("CKQUORUM"), master_name};

    resp_add_command(out, 3, where);
    resp_add_command(out, 3, state);
    resp_add_command(out, 3, quorum);
}

/* It becomes part of log lines, and of what a name server is asked. */
static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_' || c == ':';
        if (!fine)
            return false;
    }
    return host.len > 0 && host.len < SENTINEL_HOST_SIZE && host.ptr[0] != '-';
}

static bool read_address(const struct value *reply, struct sentinel_primary *named)
{
    int64_t port;

    if (reply->kind != VALUE_ARRAY || reply->count != 2 || reply->items[0].kind != VALUE_STRING ||
        reply->items[1].kind != VALUE_STRING || !is_host(reply->items[0].text) ||
        !str_to_int64(reply->items[1].text, 1, 65535, &port))
        return false;
    snprintf(named->host, sizeof named->host, "%.*s", STR_ARG(reply->items[0].text));
    named->port = (int)port;
    return true;
}

/* Pairs of names and values. */
static int64_t read_epoch(const struct value *reply)
{
    int64_t epoch = SENTINEL_EPOCH_UNTOLD;

    for (size_t i = 0; reply->kind == VALUE_ARRAY && i + 1 < reply->count; i += 2)
        if (reply->items[i].kind == VALUE_STRING &&
            str_eq(reply->items[i].text, STR("config-epoch")))
            (void)str_to_int64(reply->items[i + 1].text, 0, INT64_MAX, &epoch);
    return epoch;
}

static void take_error(const struct value *reply, struct sentinel_answer *answer)
{
    char sentence[VALUE_SENTENCE_SIZE];

    value_error_sentence(reply, sentence);
    answer->state = SENTINEL_REFUSES;
    snprintf(answer->why, sizeof answer->why, "refuses: %s", sentence);
}

void sentinel_read_answer(const struct value *replies, struct sentinel_answer *answer_out)
{
    const struct value *where = &replies[0], *quorum = &replies[2];

    *answer_out = (struct sentinel_answer){.state = SENTINEL_NAMES};
    if (where->kind == VALUE_ERROR) {
        take_error(where, answer_out);
    } else if (where->kind == VALUE_NIL) {
        answer_out->state = SENTINEL_UNAWARE;
        snprintf(answer_out->why, SENTINEL_WHY_SIZE, "does not know redis.master_name");
    } else if (!read_address(where, &answer_out->named)) {
        answer_out->state = SENTINEL_GARBLED;
        snprintf(answer_out->why, SENTINEL_WHY_SIZE,
                 "its answer is no address: is it a sentinel of Redis?");
    } else {
        answer_out->named.epoch = read_epoch(&replies[1]);
        answer_out->lacks_quorum =
            quorum->kind == VALUE_ERROR && str_eq(value_error_word(quorum), STR("NOQUORUM"));
        if (answer_out->lacks_quorum)
            snprintf(answer_out->why, SENTINEL_WHY_SIZE, "sees too few sentinels for a failover");
    }
}

bool sentinel_same_primary(const struct sentinel_primary *a, const struct sentinel_primary *b)
{
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

/* An address once, with how many name it. */
static size_t gather(const struct sentinel_primary *named, size_t count,
                     struct sentinel_candidate *out)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        if (named[i].port == 0)
            continue;
        while (at < found && !sentinel_same_primary(out[at].primary, &named[i]))
            at++;
        if (at == found)
            out[found++] = (struct sentinel_candidate){.primary = &named[i]};
        out[at].votes++;
        if (named[i].epoch > out[at].primary->epoch)
            out[at].primary = &named[i];
    }
    return found;
}

static bool is_better(const struct sentinel_candidate *a, const struct sentinel_candidate *b)
{
    if (a->primary->epoch != b->primary->epoch)
        return a->primary->epoch > b->primary->epoch;
    return a->votes > b->votes;
}

size_t sentinel_find_candidates(const struct sentinel_primary *named, size_t count,
                                struct sentinel_candidate *candidates_out)
{
    size_t found = gather(named, count, candidates_out), kept = 0;

    for (size_t i = 1; i < found; i++)
        for (size_t j = i; j > 0 && is_better(&candidates_out[j], &candidates_out[j - 1]); j--) {
            struct sentinel_candidate better = candidates_out[j];
            candidates_out[j] = candidates_out[j - 1];
            candidates_out[j - 1] = better;
        }
    for (size_t i = 0; i < found; i++) {
        bool is_newest = candidates_out[i].primary->epoch == candidates_out[0].primary->epoch;
        if (is_newest || candidates_out[i].votes * 2 > count)
            candidates_out[kept++] = candidates_out[i];
    }
    return kept;
}
