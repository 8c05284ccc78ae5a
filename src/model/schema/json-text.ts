/**
 * Text in JSON as Go's `encoding/json` writes it: characters that HTML gives a meaning are escaped.
 */
const special = /[<>&\u2028\u2029]/g;
// Anything beyond these needs a look; most names, ids and addresses need none.
const plain = /^[ !#-%'-;=?-[\]-~]*$/;

/** A JSON string literal. Lone surrogates become U+FFFD. */
export function jsonText(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  return JSON.stringify(text.toWellFormed()).replace(
    special,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
