// Ends a program of ours with one clear line on a Node that cannot run it. Plain old syntax: an old Node must parse it.
'use strict';
var oldest = [22, 19];
module.exports = function checkNode(program) {
  var own = process.versions.node.split('.').map(Number);
  if (own[0] > oldest[0] || (own[0] === oldest[0] && own[1] >= oldest[1])) return;
  var place = process.versions.node + ' (' + process.execPath + ')';
  console.error(program + ' needs Node ' + oldest.join('.') + ' or newer; this is Node ' + place);
  process.exit(1);
};
