/** Why a link was closed; the last frame on it, readable by both sides. A code never changes its meaning. */
export const CLOSE_CODES = {
  done: 0,
  'malformed-frame': 1,
  'frame-too-large': 2,
  'version-unsupported': 3,
  'not-a-member': 4,
  duplicate: 5,
  'shutting-down': 6,
  'too-slow': 7,
  'internal-error': 8,
  /** Another machine linked under the same device key while this link was alive: the keys were copied. */
  'same-key-twice': 9,
  /** Of a relay: so many links of one account are there that this one finds no room. It may be tried again. */
  'too-many': 10,
  /** Nothing was said: the connection broke. Never sent. */
  lost: 255,
} as const
export type CloseCode = keyof typeof CLOSE_CODES

const CODE_BY_NUMBER = new Map<number, CloseCode>(Object.entries(CLOSE_CODES).map(([code, number]) => [number, code as CloseCode]))

export function closeCodeOf(number: number): CloseCode {
  return CODE_BY_NUMBER.get(number) ?? 'lost'
}
