/** What people call a device: short, one line, safe to print on another device's terminal. */
import * as v from 'valibot'

/** In UTF-16 code units; the longest that still fits a line of `segue devices`. */
export const MAX_DEVICE_NAME_LENGTH = 64

export function isDeviceName(text: string): boolean {
  return (
    text.length >= 1 && text.length <= MAX_DEVICE_NAME_LENGTH && text.trim() === text && !UNPRINTABLE.test(text.replace(EMOJI_JOINER, ''))
  )
}

export const deviceName: v.GenericSchema<string> = v.pipe(v.string(), v.check(isDeviceName, 'not a device name'))

// Control characters, line and paragraph separators, whatever has no width or turns the direction of what follows (formatting
// characters), blanks that are letters, lone surrogates.
const UNPRINTABLE = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}|\u115F|\u1160|\u3164|\uFFA0/u
/** What makes one picture of two: nothing is hidden by it. */
const EMOJI_JOINER = /(?<=\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier})?)\u200D(?=\p{Extended_Pictographic})/gu
