/** One line of JSON a figure, so that runs can be compared by a program. */
import { execFileSync } from 'node:child_process';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The figure divided by its limit, or by what it is compared with, measured in the same run. */
  readonly ratio?: number;
  /** What `ratio` is of. */
  readonly of?: string;
}

/** Prints a figure with the commit and the Node version it was measured with. */
export function report(figure: Figure): void {
  const rounded = {
    ...figure,
    value: round(figure.value),
    ...(figure.ratio === undefined ? {} : { ratio: round(figure.ratio) }),
  };
  console.log(JSON.stringify({ ...rounded, commit: commit(), node: process.version }));
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

let known: string | undefined;
function commit(): string {
  known ??= execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  return known;
}
