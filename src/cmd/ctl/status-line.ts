/**
 * One line at the bottom of the terminal that is redrawn while something takes long. It goes to stderr, is gone before anything else is
 * printed, and there is none where no one looks.
 */
import { printable } from '../../base/index.ts';
import type { CtlIo } from './command.ts';

/** More often than this no one can read it. */
const redrawMs = 100;

/** Carriage return, and "erase in line" of ECMA-48. */
const eraseLine = '\r\u001b[K';

export interface StatusLine {
  /** Whether anyone sees it: what it would show need not be found out else. */
  readonly isShown: boolean;
  /** Draws `text` unless the last drawing was a moment ago. */
  show(text: string): void;
  /** Takes the line away. */
  clear(): void;
}

/** The line, and the streams through which all else must be written so that they do not mix. `clockMs` is monotonic. */
export function statusLineOf(
  io: CtlIo,
  clockMs: () => number,
): { readonly io: CtlIo; readonly statusLine: StatusLine } {
  if (!io.isTerminal.stderr || io.environment.TERM === 'dumb') return { io, statusLine: noLine };
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  const clear = (): void => {
    if (!isDrawn) return;
    isDrawn = false;
    io.stderr(eraseLine);
  };
  const show = (text: string): void => {
    const now = clockMs();
    if (now - drawnAt < redrawMs) return;
    drawnAt = now;
    isDrawn = true;
    // A line that is longer than the terminal is wide would be wrapped, and only its last part erased.
    io.stderr(`${eraseLine}${printable(text).slice(0, Math.max(io.columns() - 1, 0))}`);
  };
  const before =
    (write: (text: string) => void) =>
    (text: string): void => {
      clear();
      write(text);
    };
  return {
    io: { ...io, stdout: before(io.stdout), stderr: before(io.stderr) },
    statusLine: { isShown: true, show, clear },
  };
}

const noLine: StatusLine = { isShown: false, show: () => {}, clear: () => {} };
