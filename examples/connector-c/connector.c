// Connector `sha256_store`: files that are kept by the SHA-256 of their content, in folders by its first digits,
// as caches, registries and media stores do: sha256:9f86d081… is https://files.example.com/blobs/9f/86/9f86d081….
//
// The contract's six functions. Strings that are returned may be literals: nothing is given back (freestanding/libc.c).
#include "json.h"
#include "plugin.h"
#include <stdlib.h>
#include <string.h>

static const char DESCRIPTION[] =
    "{\"id\":\"sha256_store\",\"title\":\"Files named by their SHA-256\",\"version\":\"0.1.0\","
    "\"summary\":\"Reads files that an https server keeps by the SHA-256 of their content, in folders by its first digits.\","
    // JSON Schema 2020-12: forms are drawn from it, requests are checked with it. A secret is marked `writeOnly`.
    "\"settings\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"hostname\",\"access_token\"],\"properties\":{"
    "\"hostname\":{\"type\":\"string\",\"title\":\"Host name\",\"minLength\":1,\"maxLength\":253,\"pattern\":\"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$\","
    "\"description\":\"The server's name, such as files.example.com, without scheme, port or path.\"},"
    "\"port\":{\"type\":\"integer\",\"title\":\"Port\",\"minimum\":1,\"maximum\":65535,\"description\":\"443 unless given.\"},"
    "\"folder\":{\"type\":\"string\",\"title\":\"Folder\",\"minLength\":1,\"maxLength\":255,\"pattern\":\"^[A-Za-z0-9._/-]+$\","
    "\"description\":\"Where the store begins. The server's root unless given.\"},"
    "\"levels\":{\"type\":\"integer\",\"title\":\"Levels of folders\",\"minimum\":0,\"maximum\":8,\"default\":2,"
    "\"description\":\"How many folders, each named by two digits, a file lies in. 2 unless given.\"},"
    "\"access_token\":{\"type\":\"string\",\"title\":\"Access token\",\"minLength\":1,\"maxLength\":8192,\"pattern\":\"^[!-~]+$\",\"writeOnly\":true,"
    "\"description\":\"Sent as Authorization: Bearer by the gateway alone; this plugin never sees it.\"}}},"
    "\"source_schemes\":[\"sha256\"],"
    // Expanded by the gateway from the settings: where a connection may go, whatever is planned below.
    "\"egress\":[\"https://{settings.hostname}:{settings.port}/{settings.folder}\"],\"capabilities\":[]}";

typedef struct {
    text_t hostname, folder; // the folder without slashes at its ends; empty for the root
    uint16_t port;
    uint8_t levels;
} settings_t;

typedef struct {
    const char *pointer, *message;
} wrong_t;

static text_t text_of(plugin_string_t string) { return (text_t){string.ptr, string.len}; }
static plugin_string_t string_of(buffer_t buffer) { return (plugin_string_t){buffer.at, buffer.length}; }
static plugin_string_t literal(const char *text) { return (plugin_string_t){(uint8_t *)text, strlen(text)}; }
static text_t part(text_t text, size_t from, size_t to) { return (text_t){text.at + from, to - from}; }

static exports_connector_error_t error(types_error_kind_t kind, const char *code, const char *message) {
    return (exports_connector_error_t){.kind = kind, .code = literal(code), .message = literal(message)};
}

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
static bool is_lower(uint8_t byte) { return byte >= 'a' && byte <= 'z'; }
static uint8_t lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte; }

static text_t lowered(text_t text) {
    uint8_t *copy = realloc(NULL, text.length);
    for (size_t at = 0; at < text.length; at++) copy[at] = lower(text.at[at]);
    return (text_t){copy, text.length};
}

// Labels of letters, digits and '-', joined by dots. One that ends in a number is an address to some parsers: it has to begin with a letter.
static bool is_hostname(text_t name) {
    size_t label = 0;
    bool last_begins_with_letter = false;
    if (name.length > 253) return false;
    for (size_t at = 0; at <= name.length; at++) {
        if (at == name.length || name.at[at] == '.') {
            if (at == label || at - label > 63 || name.at[label] == '-' || name.at[at - 1] == '-') return false;
            last_begins_with_letter = is_lower(name.at[label]);
            label = at + 1;
        } else if (!is_digit(name.at[at]) && !is_lower(name.at[at]) && name.at[at] != '-') {
            return false;
        }
    }
    return last_begins_with_letter;
}

// Names without escapes, joined by single slashes; no '.' and no '..'.
static bool is_folder(text_t folder) {
    size_t name = 0;
    bool only_dots = true;
    for (size_t at = 0; at <= folder.length; at++) {
        if (at == folder.length || folder.at[at] == '/') {
            if (only_dots) return false;
            name = at + 1;
            only_dots = true;
        } else {
            uint8_t byte = folder.at[at];
            if (!is_digit(byte) && !is_lower(lower(byte)) && byte != '.' && byte != '_' && byte != '-') return false;
            only_dots = only_dots && byte == '.' && at - name < 2;
        }
    }
    return folder.length <= 255;
}

static bool read_settings(text_t json, settings_t *settings, wrong_t *wrong) {
    object_t given;
    *settings = (settings_t){.port = 443, .levels = 2};
    *wrong = (wrong_t){"", "settings are a JSON object of strings and whole numbers"};
    if (!json_read(json, &given)) return false;
    const member_t *hostname = json_member(&given, TEXT("hostname")), *port = json_member(&given, TEXT("port"));
    const member_t *folder = json_member(&given, TEXT("folder")), *levels = json_member(&given, TEXT("levels"));

    *wrong = (wrong_t){"", "there is a setting that this connector does not know"};
    if (given.count != (size_t)((hostname != NULL) + (port != NULL) + (folder != NULL) + (levels != NULL))) return false;

    *wrong = (wrong_t){"/hostname", "a host name is labels of letters, digits and '-', joined by dots: no scheme, port or path"};
    if (hostname == NULL || hostname->is_number) return false;
    settings->hostname = lowered(hostname->string);
    if (!is_hostname(settings->hostname)) return false;

    *wrong = (wrong_t){"/port", "a port is a number from 1 to 65535"};
    if (port != NULL && (!port->is_number || port->number < 1 || port->number > 65535)) return false;
    if (port != NULL) settings->port = (uint16_t)port->number;

    *wrong = (wrong_t){"/folder", "a folder is names of letters, digits, '.', '_' and '-', joined by slashes, such as media/blobs"};
    if (folder != NULL) {
        size_t from = 0, to = folder->string.length;
        if (folder->is_number) return false;
        while (from < to && folder->string.at[from] == '/') from++;
        while (from < to && folder->string.at[to - 1] == '/') to--;
        settings->folder = part(folder->string, from, to);
        if (!is_folder(settings->folder)) return false;
    }

    *wrong = (wrong_t){"/levels", "a file lies in 0 to 8 folders"};
    if (levels != NULL && (!levels->is_number || levels->number > 8)) return false;
    if (levels != NULL) settings->levels = (uint8_t)levels->number;
    return true;
}

static bool known(exports_connector_json_t *json, settings_t *settings, exports_connector_error_t *err) {
    wrong_t wrong;
    if (read_settings(text_of(*json), settings, &wrong)) return true;
    *err = error(TYPES_ERROR_KIND_INVALID, "invalid_settings", wrong.message);
    return false;
}

// The URL of `sha256:<64 hex digits>`, or of the digits alone.
static bool locate(const settings_t *settings, text_t source, buffer_t *url, exports_connector_error_t *err) {
    static const text_t SCHEME = TEXT("sha256:");
    if (source.length > SCHEME.length && text_is(lowered(part(source, 0, SCHEME.length)), SCHEME)) source = part(source, SCHEME.length, source.length);
    text_t digits = lowered(source);
    bool fits = digits.length == 64;
    for (size_t at = 0; fits && at < 64; at++) fits = is_digit(digits.at[at]) || (digits.at[at] >= 'a' && digits.at[at] <= 'f');
    if (!fits) {
        *err = error(TYPES_ERROR_KIND_INVALID, "invalid_digest", "a source path here is sha256: and the 64 hex digits of a file's SHA-256");
        return false;
    }
    put(url, TEXT("https://"));
    put(url, settings->hostname);
    if (settings->port != 443) {
        put(url, TEXT(":"));
        put_number(url, settings->port);
    }
    if (settings->folder.length > 0) {
        put(url, TEXT("/"));
        put(url, settings->folder);
    }
    for (size_t level = 0; level < settings->levels; level++) {
        put(url, TEXT("/"));
        put(url, part(digits, level * 2, level * 2 + 2));
    }
    put(url, TEXT("/"));
    put(url, digits);
    return true;
}

void exports_connector_describe(exports_connector_json_t *ret) { *ret = literal(DESCRIPTION); }

bool exports_connector_normalize(exports_connector_json_t *json, exports_connector_json_t *ret, exports_connector_list_field_error_t *err) {
    settings_t settings;
    wrong_t wrong;
    if (!read_settings(text_of(*json), &settings, &wrong)) {
        err->ptr = realloc(NULL, sizeof(*err->ptr));
        err->len = 1;
        *err->ptr = (exports_connector_field_error_t){literal(wrong.pointer), literal(wrong.message)};
        return false;
    }
    buffer_t normal = {0};
    put(&normal, TEXT("{\"hostname\":"));
    put_string(&normal, settings.hostname);
    put(&normal, TEXT(",\"port\":"));
    put_number(&normal, settings.port);
    put(&normal, TEXT(",\"levels\":"));
    put_number(&normal, settings.levels);
    if (settings.folder.length > 0) {
        put(&normal, TEXT(",\"folder\":"));
        put_string(&normal, settings.folder);
    }
    put(&normal, TEXT("}"));
    *ret = string_of(normal);
    return true;
}

bool exports_connector_setup(exports_connector_json_t *json, exports_connector_principal_t *principal, plugin_string_t *external_id,
                             exports_connector_list_setup_step_t *ret, exports_connector_error_t *err) {
    settings_t settings;
    if (!known(json, &settings, err)) return false;
    buffer_t text = {0};
    put(&text, TEXT("On "));
    put(&text, settings.hostname);
    put(&text, TEXT(", make a token for "));
    put(&text, text_of(principal->platform_name));
    put(&text, TEXT(" that may read the store and nothing else; enter it as the connection's access token."));
    ret->ptr = realloc(NULL, sizeof(*ret->ptr));
    ret->len = 1;
    *ret->ptr = (exports_connector_setup_step_t){.title = literal("Make and enter a token"), .text = string_of(text)};
    return true;
}

bool exports_connector_locate(exports_connector_json_t *json, plugin_list_string_t *sources, exports_connector_plan_t *ret, exports_connector_error_t *err) {
    settings_t settings;
    if (!known(json, &settings, err)) return false;
    // A recipe: it names the secret. The gateway alone has its value.
    ret->credentials.ptr = realloc(NULL, sizeof(*ret->credentials.ptr));
    ret->credentials.len = 1;
    *ret->credentials.ptr = (types_credential_t){.tag = TYPES_CREDENTIAL_BEARER, .val.bearer = literal("access_token")};
    ret->locations.ptr = realloc(NULL, sources->len * sizeof(*ret->locations.ptr));
    ret->locations.len = sources->len;
    for (size_t at = 0; at < sources->len; at++) {
        buffer_t url = {0};
        types_result_location_error_t *location = &ret->locations.ptr[at];
        *location = (types_result_location_error_t){0};
        location->is_err = !locate(&settings, text_of(sources->ptr[at]), &url, &location->val.err);
        if (!location->is_err) location->val.ok = (types_location_t){.target = {.tag = TYPES_TARGET_HTTP, .val.http.url = string_of(url)}, .credential = 0};
    }
    return true;
}

// This connector asks for no power, so all it can say is whether the test location makes sense.
void exports_connector_check(exports_connector_json_t *json, plugin_string_t *test_location, exports_connector_list_finding_t *ret) {
    settings_t settings;
    exports_connector_error_t err;
    buffer_t url = {0};
    bool passed = known(json, &settings, &err) && (test_location == NULL || locate(&settings, text_of(*test_location), &url, &err));
    ret->ptr = realloc(NULL, sizeof(*ret->ptr));
    ret->len = 1;
    *ret->ptr = (exports_connector_finding_t){
        .check = literal(test_location == NULL ? "settings" : "test_location"),
        .passed = passed,
        .code = passed ? literal("ok") : err.code,
        .message = passed ? literal("well formed; nothing was asked of the server") : err.message,
    };
}

bool exports_connector_list(exports_connector_json_t *json, plugin_string_t *prefix, plugin_string_t *cursor, uint32_t limit, exports_connector_page_t *ret,
                            exports_connector_error_t *err) {
    *err = error(TYPES_ERROR_KIND_INVALID, "list_not_supported", "a store by digest has no folders to look into: name each file by its digest");
    return false;
}
