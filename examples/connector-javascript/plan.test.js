// `npm test`: the pure half, without WebAssembly.

import assert from 'node:assert/strict';
import test from 'node:test';

import { fileUrl, listing, normalize, treeUrl } from './plan.js';

const settings = normalize({ hostname: 'Gitlab.example.com.', project_id: '17', ref: 'v1.0' }).normal;
const api = 'https://gitlab.example.com/api/v4/projects/17/repository';

test('a source path becomes a URL or says why not', () => {
  for (const [source, expected] of [
    ['images/ä b.jpg', `${api}/files/images%2F%C3%A4%20b.jpg/raw?ref=v1.0&lfs=true`],
    ['gitlab://17/100%.txt', `${api}/files/100%25.txt/raw?ref=v1.0&lfs=true`],
    ['gitlab://18/a', 'scope_violation'],
    ['https://evil.example/a', 'unsupported_uri_scheme'],
    ['../a', 'unsupported_key'],
    ['/a', 'unsupported_key'],
    ['', 'unsupported_key'],
  ]) {
    let found;
    try {
      found = fileUrl(settings, source);
    } catch (refused) {
      found = refused.code;
    }
    assert.equal(found, expected, source);
  }
});

test('wrong settings are pointed at', () => {
  const good = { hostname: 'gitlab.com', project_id: '17' };
  for (const [change, pointer] of [
    [{ hostname: 'https://gitlab.com' }, '/hostname'],
    [{ hostname: '127.1' }, '/hostname'],
    [{ project_id: '17/..' }, '/project_id'],
    [{ port: 0 }, '/port'],
    [{ ref: 'a b' }, '/ref'],
    [{ nickname: 'x' }, ''],
  ]) {
    assert.deepEqual(normalize({ ...good, ...change }).wrong?.map((wrong) => wrong.pointer), [pointer], JSON.stringify(change));
  }
  assert.ok(normalize({ ...good, hostname: '192.0.2.1' }).normal);
});

test('a listing goes on where its pages are full', () => {
  const page = treeUrl(settings, 'gitlab://17/images/', undefined, 2);
  assert.equal(page.url, `${api}/tree?ref=v1.0&path=images&per_page=2&page=1`);
  const found = listing(settings, JSON.stringify([{ id: '1', type: 'blob', path: 'images/a' }, { id: '2', type: 'tree', path: 'images/b' }]), page);
  assert.deepEqual(found, { entries: [{ path: 'gitlab://17/images/a', etag: '1' }], prefixes: ['gitlab://17/images/b/'], next: '2x2' });
  assert.equal(treeUrl(settings, '', '2x2', 2).url, `${api}/tree?ref=v1.0&per_page=2&page=2`);
  for (const cursor of ['', '0x2', '2', '2x3', '2x2&x=1']) assert.throws(() => treeUrl(settings, '', cursor, 2), { code: 'invalid_cursor' }, cursor);
  for (const broken of ['<html>', '{}', '[1]', '[{"path":1}]']) assert.throws(() => listing(settings, broken, page), { code: 'unexpected_answer' }, broken);
});
