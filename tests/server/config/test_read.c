/* The file: reading, places, types, unknown names, numbers that do not fit. Every row of the table. */
#include "config_case.h"

/* ---- a sound value for each row that is not its default ---- */

struct sample {
    const char *name;
    const char *text;      /* as in the environment */
    const char *literal;   /* as in the file */
    const char *companion; /* a variable it needs beside it */
    const char *refused;   /* this version says so */
};

#define EXISTING_FILE CW_SOURCE_DIR "/CMakeLists.txt"
#define SECRET_40     "0123456789012345678901234567890123456789"

static const struct sample samples[] = {
    {"server.listen", "127.0.0.1:9000, [::1]:9001", "[ \"127.0.0.1:9000\", \"[::1]:9001\" ]", NULL,
     NULL},
    {"server.tls.certificate", EXISTING_FILE, "\"" EXISTING_FILE "\"",
     "CACHEWARDEN_SERVER_TLS_KEY=" EXISTING_FILE, NULL},
    {"server.tls.key", EXISTING_FILE, "\"" EXISTING_FILE "\"",
     "CACHEWARDEN_SERVER_TLS_CERTIFICATE=" EXISTING_FILE, NULL},
    {"server.tls.client_ca", EXISTING_FILE, "\"" EXISTING_FILE "\"", "",
     "needs server.tls.certificate beside it"},
    {"server.trusted_proxies", "10.0.0.0/8", "[ \"10.0.0.0/8\" ]", NULL, NULL},
    {"server.cors_origins", "https://a.example", "[ \"https://a.example\" ]", NULL, NULL},
    {"server.origins", "https://a.example", "[ \"https://a.example\" ]", NULL, NULL},
    {"redis.url", "redis://h:1/2", "\"redis://h:1/2\"", NULL, NULL},
    {"redis.username", "u", "\"u\"", "REDIS_PASSWORD=p", NULL},
    {"redis.tls", "true", "true", NULL, NULL},
    {"redis.tls_certificate", EXISTING_FILE, "\"" EXISTING_FILE "\"",
     "CACHEWARDEN_REDIS_TLS_KEY=" EXISTING_FILE, NULL},
    {"redis.tls_key", EXISTING_FILE, "\"" EXISTING_FILE "\"", "",
     "needs redis.tls_certificate beside it"},
    {"redis.topology", "cluster", "\"cluster\"", NULL, "not available in this version"},
    {"redis.sentinels", "h:1", "[ \"h:1\" ]", NULL, NULL},
    {"redis.sentinel_username", "u", "\"u\"", "CACHEWARDEN_REDIS_SENTINEL_PASSWORD=p", NULL},
    {"redis.sentinel_tls", "true", "true", NULL, NULL},
    {"redis.nodes", "h:1", "[ \"h:1\" ]", NULL, NULL},
    {"entries.redis_url", "redis://h:1/2", "\"redis://h:1/2\"", NULL, NULL},
    {"users.database", "sqlite:/tmp/x.db", "\"sqlite:/tmp/x.db\"", NULL, NULL},
    {"users.registration", "open", "\"open\"", NULL, NULL},
    {"auth.secret", SECRET_40, "\"" SECRET_40 "\"", NULL, NULL},
    {"auth.previous_secrets", SECRET_40, "[ \"" SECRET_40 "\" ]", NULL, NULL},
    {"auth.issuers", NULL,
     "( { issuer = \"i\"; algorithms = [ \"RS256\" ]; jwks_url = \"https://i/keys\"; } )", NULL,
     NULL},
    {"auth.session_idle_s", "600", "600", NULL, NULL},
    {"auth.shared.accounts", "local", "\"local\"", NULL, NULL},
    {"auth.flush_permission", "authenticated", "\"authenticated\"", NULL, NULL},
    {"limits.enabled", "false", "false", NULL, NULL},
    {"caches", NULL, "( { name = \"c\"; database = 3; } )", NULL, NULL},
    {"gateway.routes", NULL, "( { prefix = \"/p\"; upstream = \"http://u\"; } )", NULL, NULL},
    {"gateway.max_waiting", "8", "8", NULL, NULL},
    {"backup.schedule", "0 3 * * *", "\"0 3 * * *\"", NULL, NULL},
    {"backup.include_entries", "true", "true", "yes", NULL},
    {"backup.timezone", "Europe/Berlin", "\"Europe/Berlin\"", NULL, NULL},
    {"backup.passphrase", SECRET_40, "\"" SECRET_40 "\"", NULL, NULL},
    {"log.access", "failed", "\"failed\"", NULL, NULL},
    {"log.level", "debug", "\"debug\"", NULL, NULL},
    {"log.format", "json", "\"json\"", NULL, NULL},
};

/* The file's format has numbers of 32 bits, and longer ones with an L behind them. */
static void write_for_file(int64_t number, char *out, size_t size)
{
    snprintf(out, size, number > INT32_MAX ? "%lldL" : "%lld", (long long)number);
}

/* The row's sample; made from its bounds, or a plain word, where the table above has none. */
static struct sample sample_of(const struct setting *row)
{
    static char number[24], in_file[24];
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (strcmp(samples[i].name, row->name) == 0)
            return samples[i];
    if (row->kind == KIND_INTEGER) {
        snprintf(number, sizeof number, "%lld", (long long)(row->max - 1));
        write_for_file(row->max - 1, in_file, sizeof in_file);
        return (struct sample){row->name, number, in_file, NULL, NULL};
    }
    if (row->kind == KIND_TEXTS)
        return (struct sample){row->name, "word.example", "[ \"word.example\" ]", NULL, NULL};
    return (struct sample){row->name, "word", "\"word\"", NULL, NULL};
}

/* Puts `literal` under its dotted name, on line 2. */
static const char *file_with(const char *name, const char *literal)
{
    static char text[1024];
    char groups[128];
    snprintf(groups, sizeof groups, "%s", name);
    size_t used = (size_t)snprintf(text, sizeof text, "# line 1\n");
    int depth = 0;
    char *part = groups;
    for (char *dot; (dot = strchr(part, '.')); part = dot + 1, depth++) {
        *dot = '\0';
        used += (size_t)snprintf(text + used, sizeof text - used, "%s: { ", part);
    }
    used += (size_t)snprintf(text + used, sizeof text - used, "%s = %s;", part, literal);
    for (; depth > 0; depth--)
        used += (size_t)snprintf(text + used, sizeof text - used, " };");
    snprintf(text + used, sizeof text - used, "\n");
    return text;
}

static void expect_outcome(const struct setting *row, enum err err, const struct sample *sample,
                           enum config_layer layer, const char *place)
{
    if (sample->refused) {
        ck_assert_msg(err == ERR_BAD_INPUT, "%s was taken", row->name);
        ck_assert_msg(strstr(case_problems(), sample->refused) && strstr(case_problems(), place) &&
                          strstr(case_problems(), row->name),
                      "%s: %s", row->name, case_problems());
        return;
    }
    ck_assert_msg(err == ERR_OK, "%s: %s", row->name, case_problems());
    const struct config_source *source = &one.config->sources[row - config_settings.rows];
    ck_assert_int_eq(source->layer, layer);
    ck_assert_str_eq(source->place, place);
    struct config *plain = calloc(1, sizeof *plain);
    struct config_report ignored = {0};
    config_set_defaults(plain, &ignored);
    ck_assert_msg(!value_equal(row, one.config, plain), "%s kept its default", row->name);
    /* Exactly the settings that have no use yet are warned of. */
    const char *warning = strstr(case_problems(), "has no effect in this version");
    ck_assert_msg(!warning == !(row->flags & LATER), "%s: %s", row->name, case_problems());
    config_free(&plain);
}

/* ---- every row ---- */

FOR_EACH_SETTING(every_default_is_sound)
{
    case_load_well(NULL, NULL);
    ck_assert_str_eq(case_problems(), "");
    const struct setting *row = &config_settings.rows[number];
    ck_assert_int_eq(one.config->sources[number].layer,
                     row->default_text ? CONFIG_DEFAULT : CONFIG_UNSET);
    ck_assert_msg(row->help && row->help[strlen(row->help) - 1] != ' ' && strlen(row->help) > 8,
                  "%s has no help", row->name);
}

FOR_EACH_SETTING(every_variable_is_read)
{
    const struct setting *row = &config_settings.rows[number];
    struct sample sample = sample_of(row);
    char item[512];
    if (!row->environment) {
        ck_assert_msg(setting_fields(row->kind) != NULL, "%s has no variable", row->name);
        return;
    }
    snprintf(item, sizeof item, "%s=%s", row->environment, sample.text);
    enum err err = case_load(NULL, ENVIRONMENT(item, sample.companion ? sample.companion : "X=1"));
    expect_outcome(row, err, &sample, CONFIG_ENVIRONMENT, row->environment);
}

FOR_EACH_SETTING(every_setting_is_read_from_the_file)
{
    const struct setting *row = &config_settings.rows[number];
    struct sample sample = sample_of(row);
    enum err err = case_load(file_with(row->name, sample.literal),
                             ENVIRONMENT(sample.companion ? sample.companion : "X=1"));
    expect_outcome(row, err, &sample, CONFIG_FILE, one.path);
    ck_assert(sample.refused || one.config->sources[number].line == 2);
}

FOR_EACH_SETTING(a_wrong_type_is_an_error_with_its_place)
{
    const struct setting *row = &config_settings.rows[number];
    const bool takes_text =
        row->kind != KIND_INTEGER && row->kind != KIND_BOOLEAN && !setting_fields(row->kind);
    const char *const wrong[] = {"{ a = 1; }", "1.5", takes_text ? "true" : "\"word\"",
                                 row->kind == KIND_INTEGER ? "[ 1, 2 ]" : "17"};
    char place[400];
    snprintf(place, sizeof place, "error: %s:2: %s must be ", one.path, row->name);
    for (size_t i = 0; i < 4; i++)
        case_expect_error(file_with(row->name, wrong[i]), NULL, place);
}

FOR_EACH_SETTING(numbers_keep_to_their_bounds)
{
    const struct setting *row = &config_settings.rows[number];
    if (row->kind != KIND_INTEGER)
        return;
    ck_assert_int_lt(row->min, row->max);
    ck_assert_int_lt(row->max, INT64_MAX);
    const int64_t wrong[] = {row->min - 1, row->max + 1};
    for (size_t i = 0; i < 2; i++) {
        char literal[32], item[128], words[512], in_file[34];
        snprintf(literal, sizeof literal, "%lld", (long long)wrong[i]);
        write_for_file(wrong[i], in_file, sizeof in_file);
        snprintf(words, sizeof words,
                 "error: %s:2: %s must be a whole number from %lld to %lld, not %s", one.path,
                 row->name, (long long)row->min, (long long)row->max, literal);
        case_expect_error(file_with(row->name, in_file), NULL, words);
        snprintf(item, sizeof item, "%s=%s", row->environment, literal);
        snprintf(words, sizeof words,
                 "error: %s: %s must be a whole number from %lld to %lld, not \"%s\"",
                 row->environment, row->name, (long long)row->min, (long long)row->max, literal);
        case_expect_error(NULL, ENVIRONMENT(item), words);
    }
    const int64_t right[] = {row->min, row->max};
    for (size_t i = 0; i < 2; i++) {
        char literal[32];
        write_for_file(right[i], literal, sizeof literal);
        enum err err = case_load(file_with(row->name, literal), NULL);
        /* Two lifetimes must also fit each other; that is another complaint. */
        ck_assert_msg(err == ERR_OK || !strstr(case_problems(), "whole number"), "%s",
                      case_problems());
    }
}

FOR_EACH_SETTING(variables_take_numbers_only_whole)
{
    const struct setting *row = &config_settings.rows[number];
    static const char *const wrong[] = {
        "abc", "1.5", "+5", "0x10", "1e3", " 5", "5 ", "5s", "99999999999999999999"};
    for (size_t i = 0; row->kind == KIND_INTEGER && i < sizeof wrong / sizeof *wrong; i++) {
        char item[128];
        snprintf(item, sizeof item, "%s=%s", row->environment, wrong[i]);
        case_expect_error(NULL, ENVIRONMENT(item), "must be a whole number from");
    }
}

/* ---- the file as a whole ---- */

START_TEST(every_problem_is_reported)
{
    case_expect(
        "server: {\n"
        "  threads = 0;\n"
        "  lisen = [ \"127.0.0.1:1\" ];\n"
        "};\n"
        "nonsense = 1;\n"
        "log: { level = 3; };\n",
        ENVIRONMENT("REDIS_PORT=x"),
        "error: %s:2: server.threads must be a whole number from 1 to 1024, not 0\n"
        "error: %s:3: there is no setting server.lisen; did you mean server.listen?\n"
        "error: %s:5: there is no setting nonsense; `cachewarden help settings` lists them\n"
        "error: %s:6: log.level must be debug or info or warn or error, in quotes, not a number\n"
        "error: REDIS_PORT: redis.port must be a whole number from 1 to 65535, not \"x\"\n");
}
END_TEST

START_TEST(near_names_are_suggested)
{
    static const char *const cases[][2] = {
        {"redis: { poolsize = 3; };",
         "there is no setting redis.poolsize; did you mean redis.pool_size?"},
        {"pool_size = 3;", "there is no setting pool_size; did you mean redis.pool_size?"},
        {"server: { tls: { certficate = \"x\"; }; };", "did you mean server.tls.certificate?"},
        {"auth: { secrt = \"x\"; };", "did you mean auth.secret?"},
        {"enviroment = \"x\";", "did you mean environment?"},
        {"caches = ( { name = \"a\"; key = [ \"k\" ]; } );",
         "there is no setting caches[0].key; did you mean caches[0].keys?"},
        {"zzzzzzzzzzzzz = 1;",
         "there is no setting zzzzzzzzzzzzz; `cachewarden help settings` lists them"},
    };
    case_expect_error(cases[_i][0], NULL, cases[_i][1]);
}
END_TEST

START_TEST(a_misspelt_variable_is_warned_of)
{
    case_expect(
        NULL,
        ENVIRONMENT("CACHEWARDEN_REDIS_POOLSIZE=3", "CACHEWARDEN_HELLO=1", "HELLO=1",
                    "CACHEWARDEN_SERVICE_HOST=10.0.0.1", "CACHEWARDEN_PORT=tcp://10.0.0.1:80",
                    "CACHEWARDEN_PORT_80_TCP=tcp://10.0.0.1:80"),
        "warning: CACHEWARDEN_REDIS_POOLSIZE: no setting is read from this variable; did you mean "
        "CACHEWARDEN_REDIS_POOL_SIZE?\n"
        "warning: CACHEWARDEN_HELLO: no setting is read from this variable\n");
}
END_TEST

START_TEST(a_service_link_of_kubernetes_is_explained)
{
    case_expect_error(NULL, ENVIRONMENT("REDIS_PORT=tcp://10.0.0.1:6379"),
                      "enableServiceLinks: false");
    case_expect_error(NULL, ENVIRONMENT("REDIS_HOST=redis", "REDIS_PORT=tcp://10.0.0.1:6379"),
                      "enableServiceLinks: false");
}
END_TEST

/* Nobody has set it; and who says where Redis is means it. */
START_TEST(a_service_link_beside_what_was_set_is_no_matter)
{
    static const char warning[] =
        "warning: REDIS_PORT: redis.port is not used: Kubernetes sets this variable for a Service "
        "of that name, and Redis is named elsewhere; enableServiceLinks: false stops it\n";
    char address[256];
    case_expect(NULL, ENVIRONMENT("REDIS_URL=redis://h:7/1", "REDIS_PORT=tcp://10.0.0.1:6379"),
                warning);
    redis_address_describe(&one.config->redis, address, sizeof address);
    ck_assert_str_eq(address, "h:7/1");
    case_expect("redis: { host = \"h\"; port = 8; };",
                ENVIRONMENT("REDIS_PORT=tcp://10.0.0.1:6379"), warning);
    redis_address_describe(&one.config->redis, address, sizeof address);
    ck_assert_str_eq(address, "h:8/0");
    case_expect("redis: { url = \"redis://h:9\"; };", ENVIRONMENT("REDIS_PORT=tcp://10.0.0.1:6379"),
                warning);
}
END_TEST

START_TEST(numbers_that_do_not_fit_are_found)
{
    static const char *const numbers[] = {
        "5000000000",          "-5000000000",           "2147483648",
        "0xFFFFFFFF",          "99999999999999999999L", "-9223372036854775809L",
        "0x1FFFFFFFFFFFFFFFFL"};
    char text[128], words[512];
    snprintf(text, sizeof text, "server: {\n  threads = %s;\n};\n", numbers[_i]);
    snprintf(words, sizeof words,
             "error: %%s:2: server.threads must be a whole number from 1 to 1024, not %s\n",
             numbers[_i]);
    case_expect(text, NULL, words);
}
END_TEST

START_TEST(long_numbers_are_read_as_they_are)
{
    case_expect(
        "server: { threads = 5000000000L; };", NULL,
        "error: %s:1: server.threads must be a whole number from 1 to 1024, not 5000000000\n");
    case_load_well("server: { threads = 12L; max_body = 0x200; };", NULL);
    ck_assert_int_eq(one.config->server_threads, 12);
    ck_assert_int_eq(one.config->server_max_body, 512);
}
END_TEST

/* What libconfig makes of it depends on its version: another number, or a syntax error. */
START_TEST(a_number_on_a_line_of_its_own_is_found_too)
{
    const char *text = "server: { threads =\n5000000004;\n};";
    case_expect_error(text, NULL, ":1: server.threads must be a whole number from 1 to 1024, not ");
    case_expect_error(text, NULL, ":2: the number 5000000004 is too large");
}
END_TEST

START_TEST(numbers_beyond_64_bits_are_named)
{
    case_expect_error("server: {\n  threads = 99999999999999999999;\n};", NULL,
                      "99999999999999999999");
    ck_assert_ptr_nonnull(strstr(case_problems(), ":2: "));
    ck_assert_ptr_null(strstr(case_problems(), "syntax"));
}
END_TEST

/* Octal for one version, decimal for another, and 08 is no number for the first. */
START_TEST(numbers_with_a_zero_before_them_are_refused)
{
    static const char *const numbers[] = {"010", "-010", "08", "00", "010L"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[64];
        snprintf(text, sizeof text, "server: {\n  threads = %s;\n};", numbers[i]);
        case_expect_error(text, NULL, "; write it without");
        ck_assert_ptr_nonnull(strstr(case_problems(), numbers[i]));
        ck_assert_ptr_nonnull(strstr(case_problems(), ":2: "));
    }
    case_load_well("server: { threads = 0x0c; drain_s = 0; };", NULL);
    ck_assert_int_eq(one.config->server_threads, 12);
}
END_TEST

/* libconfig tells of the second place only. */
static const char *const twice[][2] = {
    {"log: { level = \"info\";\n level = \"info\"; };\n",
     "error: %s:2: log.level stands twice, here and on line 1; keep one\n"},
    {"server: { threads = 4; };\n\nserver:\n{ drain_s = 1; };\n",
     "error: %s:3: server stands twice, here and on line 1; put what is in both into one group\n"},
    {"server: { tls: { key = \"a\";\n}; };\n redis: { tls = true; tls_key = \"{\"; # {\n };\n"
     "redis: { };",
     "error: %s:5: redis stands twice, here and on line 3; put what is in both into one group\n"},
    {"server: { threads /* = */ =\n4; drain_s = 1;\nthreads = 4;\n };",
     "error: %s:3: server.threads stands twice, here and on line 1; keep one\n"},
    {"log: { level = \"info\"; };\nlog = 3;\nlog = 4;",
     "error: %s:2: log stands twice, here and on line 1; keep one\n"
     "error: %s:3: log stands twice, here and on line 1; keep one\n"},
    {"caches = ( { name = \"a\"; prefix = \"a\"; },\n { name = \"b\"; prefix = \"b\"; },\n"
     " { name = \"c\";\nname = \"d\"; } );",
     "error: %s:4: caches.name stands twice, here and on line 3; keep one\n"},
};

START_TEST(a_name_that_stands_twice_is_told_with_both_lines)
{
    case_expect(twice[_i][0], NULL, twice[_i][1]);
}
END_TEST

/* Groups that are deeper than any of ours, and names in them. */
START_TEST(deep_groups_are_no_matter)
{
    char text[1024] = "";
    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "a = { b = 1; a = {");
    ck_assert_int_eq(case_load(text, NULL), ERR_BAD_INPUT);
    ck_assert_ptr_null(strstr(case_problems(), "twice"));
}
END_TEST

START_TEST(a_byte_order_mark_is_named)
{
    case_expect("\xef\xbb\xbflog: { level = \"info\"; };\n", NULL,
                "error: %s:1: the file begins with a byte order mark; save it as UTF-8 without "
                "one\n");
    case_expect("\xff\xfel\n", NULL,
                "error: %s:1: the file is UTF-16; save it as UTF-8 without a byte order mark\n");
}
END_TEST

START_TEST(syntax_errors_have_their_line)
{
    case_expect("server: {\n  threads = ;\n};\n", NULL, "error: %s:2: syntax error\n");
    case_expect(
        "\nredis.url = \"redis://h\";\n", NULL,
        "error: %s:2: syntax error; names have no dots here: write group: { name = value; }\n");
    case_expect("server = 3;\n", NULL, "error: %s:1: server must be a group: server: { … }\n");
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    case_expect_error("users: { database = \"sqlite:/a\\x00b\"; };", NULL,
                      ":1: there is a NUL byte");
    FILE *file = fopen(one.path, "we");
    fwrite("log: { };\0log: { };", 1, 19, file);
    fclose(file);
    const struct config_input input = {.file = one.path};
    ck_assert_int_eq(case_load_input(&input), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), ":1: there is a NUL byte"));
}
END_TEST

START_TEST(texts_are_clean)
{
    case_expect_error("log: { };\nenvironment = \"a\\nb\";", NULL,
                      ":2: environment must be UTF-8 without control characters");
    case_expect_error("auth: { issuer = \"\xff\"; };", NULL, ":1: auth.issuer must be UTF-8");
    case_expect_error("auth: { issuer = \"\"; };", NULL, ":1: auth.issuer must not be empty");
    case_load_well("auth: { audience = \"\"; };", NULL);
    ck_assert_ptr_null(one.config->auth_audience);
}
END_TEST

START_TEST(a_list_may_be_one_text)
{
    case_load_well("server: { listen = \"127.0.0.1:9\"; };", NULL);
    ck_assert_uint_eq(one.config->listen_count, 1);
    case_load_well("server: { listen = ( \"127.0.0.1:9\", \"127.0.0.1:10\" ); };", NULL);
    ck_assert_uint_eq(one.config->listen_count, 2);
}
END_TEST

START_TEST(groups_in_lists_are_read)
{
    case_load_well("caches = (\n"
                   "  { name = \"a\"; keys = [ \"k1\", \"k2\" ]; },\n"
                   "  { name = \"b\"; database = \"redis://h:1/7\"; },\n"
                   "  { name = \"c\"; keys = [ \"k\" ]; redis_url = \"redis://g:2/0\"; } );\n",
                   NULL);
    const struct config_cache *caches = one.config->caches.items;
    ck_assert_uint_eq(one.config->caches.count, 3);
    ck_assert_str_eq(caches[0].name, "a");
    ck_assert_uint_eq(caches[0].keys.count, 2);
    ck_assert_str_eq(caches[0].keys.items[1], "k2");
    ck_assert(caches[1].database.given);
    ck_assert_int_eq(caches[1].database.number, 7);
    ck_assert_str_eq(caches[2].redis_url, "redis://g:2/0");
    ck_assert_uint_eq(caches[2].source.line, 4);
    case_load_well("caches = ( );", NULL);
    ck_assert_uint_eq(one.config->caches.count, 0);
    case_expect_error("caches = ( { keys = [ \"k\" ]; } );", NULL, ":1: caches[0].name is missing");
    case_expect_error("caches = ( 3 );", NULL, ":1: caches[0] must be a group: { … }");
    case_expect_error("caches = ( { name = \"a\"; database = 70000; } );", NULL,
                      "caches[0].database must be a whole number");
}
END_TEST

START_TEST(includes_are_read_and_named)
{
    cw_file_write(one.directory, "more.conf", "log: {\n  level = \"debug\";\n};\n", 0600);
    case_load_well("@include \"more.conf\"\nserver: { threads = 2; };\n", NULL);
    ck_assert_int_eq(one.config->log_level, 0);
    ck_assert_int_eq(one.config->server_threads, 2);

    char words[512];
    cw_file_write(one.directory, "more.conf", "log: {\n  level = 1;\n};\n", 0600);
    snprintf(words, sizeof words, "%s/more.conf:2: log.level must be debug or info", one.directory);
    case_expect_error("@include \"more.conf\"\n", NULL, words);
    cw_file_write(one.directory, "more.conf", "server: {\n\n  threads = 5000000000;\n};\n", 0600);
    snprintf(words, sizeof words,
             "%s/more.conf:3: server.threads must be a whole number from 1 to 1024, not 5000000000",
             one.directory);
    case_expect_error("@include \"more.conf\"\n", NULL, words);
    case_expect_error("\n@include \"none.conf\"\n", NULL, "/none.conf, which cannot be read");
}
END_TEST

START_TEST(comments_and_strings_hide_numbers)
{
    case_load_well("# 99999999999\n// 99999999999\n/* 99999999999\n 99999999999 */\n"
                   "environment = \"e99999999999\"; auth: { issuer = \"a \\\" 99999999999\"; }; // "
                   "99999999999\n",
                   NULL);
    ck_assert_str_eq(one.config->environment, "e99999999999");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    const struct config_input missing = {.file = "/nonexistent/x.conf"};
    ck_assert_int_eq(case_load_input(&missing), ERR_BAD_INPUT);
    ck_assert_str_eq(case_problems(),
                     "error: /nonexistent/x.conf: cannot be read: No such file or directory\n");
    const struct config_input folder = {.file = one.directory};
    ck_assert_int_eq(case_load_input(&folder), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), "cannot be read: Is a directory"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *rows = tcase_create("every row");
    TCase *file = tcase_create("the file");
    tcase_add_checked_fixture(rows, case_open, case_close);
    tcase_add_test(rows, every_default_is_sound);
    tcase_add_test(rows, every_variable_is_read);
    tcase_add_test(rows, every_setting_is_read_from_the_file);
    tcase_add_test(rows, a_wrong_type_is_an_error_with_its_place);
    tcase_add_test(rows, numbers_keep_to_their_bounds);
    tcase_add_test(rows, variables_take_numbers_only_whole);
    tcase_add_checked_fixture(file, case_open, case_close);
    tcase_add_test(file, every_problem_is_reported);
    tcase_add_loop_test(file, near_names_are_suggested, 0, 7);
    tcase_add_test(file, a_misspelt_variable_is_warned_of);
    tcase_add_test(file, a_service_link_of_kubernetes_is_explained);
    tcase_add_test(file, a_service_link_beside_what_was_set_is_no_matter);
    tcase_add_loop_test(file, numbers_that_do_not_fit_are_found, 0, 7);
    tcase_add_test(file, long_numbers_are_read_as_they_are);
    tcase_add_test(file, a_number_on_a_line_of_its_own_is_found_too);
    tcase_add_test(file, numbers_beyond_64_bits_are_named);
    tcase_add_test(file, numbers_with_a_zero_before_them_are_refused);
    tcase_add_test(file, syntax_errors_have_their_line);
    tcase_add_loop_test(file, a_name_that_stands_twice_is_told_with_both_lines, 0,
                        sizeof twice / sizeof *twice);
    tcase_add_test(file, deep_groups_are_no_matter);
    tcase_add_test(file, a_byte_order_mark_is_named);
    tcase_add_test(file, nul_bytes_are_refused);
    tcase_add_test(file, texts_are_clean);
    tcase_add_test(file, a_list_may_be_one_text);
    tcase_add_test(file, groups_in_lists_are_read);
    tcase_add_test(file, includes_are_read_and_named);
    tcase_add_test(file, comments_and_strings_hide_numbers);
    tcase_add_test(file, a_file_that_cannot_be_read_is_an_error);
    suite_add_tcase(suite, rows);
    suite_add_tcase(suite, file);
    return suite_run(suite);
}
