const shownLengthMax = 100;

/** A value in a message: as JSON where it has that form, and not all of a long one. */
export function shown(value: unknown): string {
  const text =
    typeof value === 'function'
      ? 'a function'
      : typeof value === 'bigint'
        ? `${value}n`
        : (json(value) ?? String(value));
  return text.length <= shownLengthMax ? text : `${text.slice(0, shownLengthMax)}…`;
}

function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    // Refers to itself, or holds what JSON has no form for.
    return undefined;
  }
}
