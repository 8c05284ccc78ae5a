/** Values of JSON in messages: what was found is shown, but not all of it. */

const lengthMax = 100;

/** JSON text of the beginning of a value, `nothing` for `undefined`. Never fails, however deep the value is. */
export function briefJson(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? 'nothing';
  } catch {
    // Parsing takes any depth, printing does not.
    return 'a value that is nested too deeply';
  }
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`;
}
