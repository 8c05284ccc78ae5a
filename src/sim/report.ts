/** What a failing history needs to be understood and repeated, ready to print. */
import { linesOf, stepsPerLine } from './plan-file.ts';
import type { History, SeedResult } from './result.ts';

const traceLinesShown = 60;

export interface FailureReport {
  /** As it was drawn. */
  readonly original: History;
  /** Of the shrunk history, with its trace. */
  readonly result: SeedResult;
  /** Of the code. */
  readonly commit: string;
  /** Commands that repeat the original and the shrunk history. */
  readonly repeat: readonly string[];
  readonly traceFile: string;
}

/** What, how to repeat it, what happened as data, the end of the trace, all peers. */
export function failureLines({ original, result, commit, repeat, traceFile }: FailureReport): string[] {
  const { history, finding, at, trace, table } = result;
  const { simulation, plan } = history;
  const lines = [
    `${simulation} ${plan.seed} failed at ${at}, commit ${commit}: ${finding?.message ?? 'nothing was found'}`,
    `options: ${JSON.stringify(plan.options)}`,
    ...repeat.map((command) => `repeat: ${command}`),
    ...dataLines(original, history),
    `trace, the last ${traceLinesShown} of ${trace.outline.length} lines; all ${trace.lines.length} are in ${traceFile}:`,
    ...trace.outline.slice(-traceLinesShown).map((line) => `  ${line}`),
    'peers:',
    ...table.map((line) => `  ${line}`),
  ];
  const cause = finding?.cause;
  return cause instanceof Error ? [...lines, cause.stack ?? cause.message] : lines;
}

function dataLines(original: History, shrunk: History): string[] {
  const before = new Map(listsOf(original));
  return listsOf(shrunk).flatMap(([name, items]) => [
    `${name}, ${items.length} of ${before.get(name)?.length}:`,
    ...linesOf(items, shrunk.simulation === 'walk' ? stepsPerLine : 1).map((line) => `  ${line}`),
  ]);
}

function listsOf({ simulation, plan }: History): [string, readonly unknown[]][] {
  if (simulation === 'walk') return [['steps', plan.steps]];
  return [
    ['faults', plan.faults],
    ['armed', plan.armed],
    ['operations', plan.operations],
  ];
}
