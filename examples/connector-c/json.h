// Reads a flat JSON object, whose values are strings and whole numbers; writes JSON. Enough for settings.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes somewhere else, without a zero at their end.
typedef struct {
    const uint8_t *at;
    size_t length;
} text_t;

#define TEXT(literal) ((text_t){(const uint8_t *)(literal), sizeof(literal) - 1})
bool text_is(text_t left, text_t right);

typedef struct {
    text_t name;
    bool is_number;
    text_t string; // decoded
    int64_t number;
} member_t;

#define MEMBERS 16
typedef struct {
    member_t members[MEMBERS];
    size_t count;
} object_t;

// False: not an object, or one with other values than strings and whole numbers, or with too many, or two of a name.
bool json_read(text_t json, object_t *object);
const member_t *json_member(const object_t *object, text_t name);

// Text that grows.
typedef struct {
    uint8_t *at;
    size_t length, room;
} buffer_t;
void put(buffer_t *buffer, text_t text);
void put_number(buffer_t *buffer, uint64_t number);
// In quotes, escaped.
void put_string(buffer_t *buffer, text_t text);
