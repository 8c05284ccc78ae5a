#!/usr/bin/env node
// Checks Node before anything modern is parsed, sets up V8, then loads the program.
'use strict';
require('./check-node.cjs')('ipfs-cluster-service');

// A peer makes much short-lived garbage: with V8's default young generation of up to 64 MB it holds 120 MB more memory
// for no gain in speed. V8 reads the limit once, at start, so the process replaces itself (30 ms; same pid, same
// terminal). Not possible on Windows or before Node 22.15; then the peer runs as well, and larger. `NODE_OPTIONS` or the
// flag itself on the command line win; with an IPC channel replacing would lose the channel.
// glibc reads its own limit at start as well: with a heap for each thread that asks for memory, instead of two, a peer with 100,000
// pins holds 20 MB more (mallopt(3), M_ARENA_MAX).
const argv = process.execArgv.concat((process.env.NODE_OPTIONS || '').split(' '));
const isChosen = argv.some((argument) => argument.startsWith('--max-semi-space-size'));
const isDaemon = process.argv.includes('daemon');
if (isDaemon && !isChosen && !process.send && process.platform !== 'win32' && typeof process.execve === 'function') {
  const own = ['--max-semi-space-size=8'].concat(process.execArgv, process.argv.slice(1));
  const env = Object.assign({ MALLOC_ARENA_MAX: '2' }, process.env);
  process.execve(process.execPath, [process.execPath].concat(own), env);
}

require('node:module').enableCompileCache();
import('../dist/bin/service/main.js');
