import { printable } from '../../../base/index.ts';

/** Rows with their cells below each other; two blanks between, none at the end of a line. */
export function columnsText(rows: readonly (readonly string[])[], indent: string): string {
  const cells = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of cells) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  const line = (row: readonly string[]): string => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
  return cells.map((row) => `${indent}${line(row).trimEnd()}\n`).join('');
}
