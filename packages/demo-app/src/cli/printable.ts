/** What others wrote (titles, names, excerpts, preferences) without what would move a terminal's cursor or pretend to be other text. */

/** One line: white space becomes spaces, whatever is not to be seen or turns the writing round becomes U+FFFD. */
export function printable(text: string): string {
  return text.replace(/[\t\n\v\f\r\u0085\u2028\u2029]/g, ' ').replace(UNPRINTABLE, (_found, joiner?: string) => joiner ?? '\uFFFD')
}

/** The same for text of several lines that this program wrote around what others did. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

// Control characters (C0, C1, ESC), formatting ones (zero-width, bidi, tags), blanks that are letters, and halves of surrogate pairs;
// caught apart, and kept: what makes one picture of two.
const UNPRINTABLE =
  /((?<=\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?)\u200D(?=\p{Extended_Pictographic}))|\p{Cc}|\p{Cf}|\p{Cs}|\u115F|\u1160|\u3164|\uFFA0/gu
