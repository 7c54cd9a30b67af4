/** The Random port: the operating system's cryptographic source. */
import { randomBytes } from 'node:crypto'
import type { Random } from '@segue/core/ports'

export const systemRandom: Random = {
  bytes: length => new Uint8Array(randomBytes(length)),
}
