#!/usr/bin/env node
// Checks Node before anything modern is parsed, then loads the program.
'use strict';
require('./check-node.cjs')('ipfs-cluster-follow');
require('node:module').enableCompileCache();
import('../dist/bin/follow/main.js');
