/** All parsers under fuzz. */
import type { FuzzTarget } from '../target.ts';
import { doorTargets } from './doors.ts';
import { fileTargets } from './files.ts';
import { httpTargets } from './http.ts';
import { modelTargets } from './model.ts';
import { streamTargets } from './streams.ts';

export const targets: readonly FuzzTarget[] = [
  ...modelTargets,
  ...streamTargets,
  ...fileTargets,
  ...httpTargets,
  ...doorTargets,
];
