/** Control characters, and the marks that change the direction of a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text of others that a terminal can be given: what would move its cursor or break the line becomes `\u` and four digits. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
