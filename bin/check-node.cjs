// Ends a program of ours with one clear line on a Node that cannot run it. Plain old syntax: an old Node must parse it.
'use strict';
var oldestMajor = 22;
module.exports = function checkNode(program) {
  if (Number(process.versions.node.split('.')[0]) >= oldestMajor) return;
  console.error(program + ' needs Node ' + oldestMajor + ' or newer; this is Node ' + process.versions.node + ' (' + process.execPath + ')');
  process.exit(1);
};
