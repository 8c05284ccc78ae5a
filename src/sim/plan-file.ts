/** Histories in files: what failed once is kept as data, for a seed means another history after the next change. */
import { OperatingError } from '../base/index.ts';
import type { History } from './result.ts';

/** Of steps, which are short and many. */
export const stepsPerLine = 6;

/** One item a line, but for steps, so that a difference between two can be read. */
export function formatHistory({ simulation, plan }: History): string {
  const perLine = simulation === 'walk' ? stepsPerLine : 1;
  const parts = Object.entries(plan).map(
    ([name, value]) => `    ${JSON.stringify(name)}: ${formatPart(value, perLine)}`,
  );
  return `{\n  "simulation": "${simulation}",\n  "plan": {\n${parts.join(',\n')}\n  }\n}\n`;
}

function formatPart(value: unknown, perLine: number): string {
  if (!Array.isArray(value) || value.length === 0) return JSON.stringify(value);
  return `[\n${linesOf(value, perLine)
    .map((line) => `      ${line}`)
    .join(',\n')}\n    ]`;
}

/** Items as JSON, a few on a line. */
export function linesOf(items: readonly unknown[], perLine: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < items.length; at += perLine) {
    lines.push(
      items
        .slice(at, at + perLine)
        .map((item) => JSON.stringify(item))
        .join(', '),
    );
  }
  return lines;
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
