import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTarget } from './target.ts';

test('parseTarget finds the command in every spelling of its path', () => {
  const spellings = [
    '/api/v0/pin/add',
    '/api/v0/pin/add/',
    '/api/v0//pin/add',
    '//api//v0/pin/add',
    '/api/v0/./pin/add',
    '/api/v0/x/../pin/add',
    '/../api/v0/pin/add',
    '/api/v0/%70in/add',
    '/api/v0/pin%2Fadd',
    '/api%2fv0%2fpin%2fadd',
    '/api/v0/%2e%2e/v0/pin/add',
    'http://host/api/v0/pin/add',
    'HTTPS://user@host:1//api/v0/pin/add',
  ];
  for (const spelling of spellings) {
    for (const search of ['', 'arg=a', 'arg=/../b?c']) {
      const target = parseTarget(search === '' ? spelling : `${spelling}?${search}`);
      assert.deepEqual(target.command, ['pin', 'add'], spelling);
      assert.equal(target.search, search);
    }
  }
});

test('parseTarget leaves what is no command of the node, and cuts an absolute target down to its path', () => {
  for (const path of ['/', '/api', '/api/v1/pin/add', '/API/v0/pin/add', '/x/api/v0/pin/add', '/api/v0/../pin/add']) {
    assert.deepEqual(parseTarget(path), { path, command: undefined, search: '' });
  }
  assert.equal(parseTarget('http://host').path, '/');
  assert.equal(parseTarget('http://host?a=b').path, '/?a=b');
  assert.equal(parseTarget('http://host/a%20b?c#d').path, '/a%20b?c#d');
  assert.deepEqual(parseTarget('/api/v0/pin/a%64d%ff%').command, ['pin', 'add\u00ff%']);
  // Decoded once, as nodes do.
  assert.deepEqual(parseTarget('/api/v0/pin%252fadd').command, ['pin%2fadd']);
});

test('parseTarget knows no path in other forms', () => {
  for (const target of ['*', '', 'host:80', 'pin/add', 'javascript:x']) {
    assert.equal(parseTarget(target).path, undefined, target);
  }
});
