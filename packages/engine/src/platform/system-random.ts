/** The Random port: the operating system's cryptographic source, fetched a page at a time, for a nonce each would be a system call each. */
import { randomFillSync } from 'node:crypto'
import type { Random } from '@segue/core/ports'

const page = new Uint8Array(4_096)
let used = page.length

export const systemRandom: Random = {
  bytes(length) {
    if (length > page.length / 4) return randomFillSync(new Uint8Array(length))
    if (used + length > page.length) {
      randomFillSync(page)
      used = 0
    }
    const bytes = page.slice(used, used + length)
    page.fill(0, used, used + length) // what was given once is nowhere else
    used += length
    return bytes
  },
}
