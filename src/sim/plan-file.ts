/** Histories in files: what failed once is kept as data, for a seed means another history after the next change. */
import { OperatingError } from '../base/index.ts';
import type { History } from './result.ts';

/** One item a line, so that a difference between two can be read. */
export function formatHistory({ simulation, plan }: History): string {
  const parts = Object.entries(plan).map(([name, value]) => `    ${JSON.stringify(name)}: ${formatPart(value)}`);
  return `{\n  "simulation": "${simulation}",\n  "plan": {\n${parts.join(',\n')}\n  }\n}\n`;
}

function formatPart(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) return JSON.stringify(value);
  return `[\n${value.map((item) => `      ${JSON.stringify(item)}`).join(',\n')}\n    ]`;
}

const partsOf: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['walk', ['seed', 'options', 'steps']],
  ['world', ['seed', 'options', 'faults', 'armed', 'operations']],
]);

/** Throws `OperatingError` `sim/bad-plan`. What is inside is only looked at when it is played: these files are ours. */
export function parseHistory(text: string): History {
  let parsed: Partial<History>;
  try {
    parsed = Object(JSON.parse(text));
  } catch (cause) {
    throw new OperatingError('sim/bad-plan', 'Cannot read the plan: it is not JSON', { cause });
  }
  const { simulation, plan } = parsed;
  const missing = partsOf.get(simulation)?.filter((name) => !(name in Object(plan)));
  if (missing === undefined) {
    throw new OperatingError('sim/bad-plan', `Cannot read a plan of "${simulation}": expected walk or world`);
  }
  if (missing.length > 0) {
    throw new OperatingError(
      'sim/bad-plan',
      `Cannot read the plan of a ${simulation}: it has no ${missing.join(', ')}`,
    );
  }
  // Proof of the cast: it has all its parts.
  return parsed as History;
}
