// See json.h. Whoever sends settings has checked them; this believes nobody.
#include "json.h"
#include <stdlib.h>
#include <string.h>

bool text_is(text_t left, text_t right) { return left.length == right.length && memcmp(left.at, right.at, left.length) == 0; }

typedef struct {
    const uint8_t *at, *end;
} cursor_t;

static void skip_space(cursor_t *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
}

static bool take(cursor_t *c, uint8_t byte) {
    skip_space(c);
    if (c->at == c->end || *c->at != byte) return false;
    c->at++;
    return true;
}

static int hex(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

// `\u0041`: ASCII only. Settings here have no other characters, so another one is as good as wrong.
static bool read_escape(cursor_t *c, uint8_t *decoded) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c->at == c->end) return false;
    uint8_t kind = *c->at++;
    for (size_t at = 0; at < sizeof(from) - 1; at++) {
        if (kind == (uint8_t)from[at]) {
            *decoded = (uint8_t)to[at];
            return true;
        }
    }
    if (kind != 'u' || c->end - c->at < 4) return false;
    int value = 0;
    for (int digit = 0; digit < 4; digit++) {
        int one = hex(*c->at++);
        if (one < 0) return false;
        value = value * 16 + one;
    }
    *decoded = (uint8_t)value;
    return value < 0x80;
}

static bool read_string(cursor_t *c, text_t *string) {
    if (!take(c, '"')) return false;
    uint8_t *decoded = realloc(NULL, (size_t)(c->end - c->at));
    size_t length = 0;
    while (c->at < c->end && *c->at != '"') {
        uint8_t byte = *c->at++;
        if (byte < 0x20 || (byte == '\\' && !read_escape(c, &byte))) return false;
        decoded[length++] = byte;
    }
    *string = (text_t){decoded, length};
    return take(c, '"');
}

static bool read_number(cursor_t *c, int64_t *number) {
    const uint8_t *first = c->at;
    *number = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - first < 15) *number = *number * 10 + (*c->at++ - '0');
    bool leading_zero = c->at - first > 1 && *first == '0';
    bool goes_on = c->at < c->end && (*c->at == '.' || *c->at == 'e' || *c->at == 'E' || (*c->at >= '0' && *c->at <= '9'));
    return c->at > first && !leading_zero && !goes_on;
}

static bool read_member(cursor_t *c, member_t *member) {
    if (!read_string(c, &member->name) || !take(c, ':')) return false;
    skip_space(c);
    member->is_number = c->at < c->end && *c->at != '"';
    return member->is_number ? read_number(c, &member->number) : read_string(c, &member->string);
}

bool json_read(text_t json, object_t *object) {
    cursor_t c = {json.at, json.at + json.length};
    object->count = 0;
    if (!take(&c, '{')) return false;
    if (!take(&c, '}')) {
        do {
            member_t member;
            if (object->count == MEMBERS || !read_member(&c, &member) || json_member(object, member.name) != NULL) return false;
            object->members[object->count++] = member;
        } while (take(&c, ','));
        if (!take(&c, '}')) return false;
    }
    skip_space(&c);
    return c.at == c.end;
}

const member_t *json_member(const object_t *object, text_t name) {
    for (size_t at = 0; at < object->count; at++) {
        if (text_is(object->members[at].name, name)) return &object->members[at];
    }
    return NULL;
}

void put(buffer_t *buffer, text_t text) {
    if (text.length > buffer->room - buffer->length) {
        buffer->room = (buffer->length + text.length) * 2;
        uint8_t *grown = realloc(NULL, buffer->room);
        memcpy(grown, buffer->at, buffer->length);
        buffer->at = grown;
    }
    memcpy(buffer->at + buffer->length, text.at, text.length);
    buffer->length += text.length;
}

void put_number(buffer_t *buffer, uint64_t number) {
    if (number >= 10) put_number(buffer, number / 10);
    uint8_t digit = (uint8_t)('0' + number % 10);
    put(buffer, (text_t){&digit, 1});
}

void put_string(buffer_t *buffer, text_t text) {
    put(buffer, TEXT("\""));
    for (size_t at = 0; at < text.length; at++) {
        if (text.at[at] == '"' || text.at[at] == '\\') put(buffer, TEXT("\\"));
        put(buffer, (text_t){text.at + at, 1});
    }
    put(buffer, TEXT("\""));
}
