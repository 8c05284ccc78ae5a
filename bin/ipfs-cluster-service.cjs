#!/usr/bin/env node
// Checks Node before anything modern is parsed, sets up V8, then loads the program.
'use strict';
require('./check-node.cjs')('ipfs-cluster-service');

// A peer makes much short-lived garbage: with V8's default young generation of up to 64 MB it holds 120 MB more memory
// for no gain in speed. V8 reads the limit once, at start, so the process replaces itself (30 ms; same pid, same
// terminal). Not possible on Windows or before Node 22.15; then the peer runs as well, and larger. `NODE_OPTIONS` or the
// flag itself on the command line win; with an IPC channel replacing would lose the channel.
const argv = process.execArgv.concat((process.env.NODE_OPTIONS || '').split(' '));
const isChosen = argv.some((argument) => argument.startsWith('--max-semi-space-size'));
const isDaemon = process.argv.includes('daemon');
if (isDaemon && !isChosen && !process.send && process.platform !== 'win32' && typeof process.execve === 'function') {
  const own = ['--max-semi-space-size=8'].concat(process.execArgv, process.argv.slice(1));
  process.execve(process.execPath, [process.execPath].concat(own), process.env);
}

require('node:module').enableCompileCache();
import('../dist/bin/service/main.js');
