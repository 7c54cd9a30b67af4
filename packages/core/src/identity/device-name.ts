/** What people call a device: short, one line, safe to print on another device's terminal. */
import * as v from 'valibot'

/** In UTF-16 code units; the longest that still fits a line of `segue devices`. */
export const MAX_DEVICE_NAME_LENGTH = 64

export function isDeviceName(text: string): boolean {
  return text.length >= 1 && text.length <= MAX_DEVICE_NAME_LENGTH && text.trim() === text && !UNPRINTABLE.test(text)
}

export const deviceName: v.GenericSchema<string> = v.pipe(v.string(), v.check(isDeviceName, 'not a device name'))

// Control characters, line and paragraph separators, and the marks that turn the direction of what follows. Lone surrogates too.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u
