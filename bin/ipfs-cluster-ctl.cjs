#!/usr/bin/env node
// Checks Node before anything modern is parsed, then loads the program.
'use strict';
require('./check-node.cjs')('ipfs-cluster-ctl');
require('node:module').enableCompileCache();
require('../dist/bin/ctl/main.cjs');
