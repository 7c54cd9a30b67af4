/**
 * The signed word of a removed device, carried to everybody who stays: it tells one of them, and that one puts it into a group-wide
 * register of its own. What the register says is the removed device's word, whoever carries it.
 *
 *     name = "erasure/<last 24 characters of the removed device's id>", sequence 1 (2 once it says that it erased), body = the signed frame
 */
import { createGroupRegisters, type GroupRegistersComponents } from '../crypto/index.ts'
import { plainBytes } from '../lib/bytes.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { readErasure, type Erasure } from './erasure.ts'

export interface CarriedErasure {
  readonly erasure: Erasure
  /** What the removed device signed. */
  readonly frame: Uint8Array
}

export interface ErasureCarrier {
  seal(carried: CarriedErasure): SealedChunk
  /** Undefined for everything else. Never throws for anything in it. */
  read(chunk: SealedChunk): CarriedErasure | undefined
}

export function createErasureCarrier(components: GroupRegistersComponents): ErasureCarrier {
  const registers = createGroupRegisters(components)
  return {
    seal({ erasure, frame }) {
      const name = `${NAME_PREFIX}${erasure.device.slice(-ID_CHARACTERS)}`
      return registers.seal({ name, sequence: erasure.erased ? 2 : 1, body: frame })
    },
    read(chunk) {
      const register = registers.read(chunk)
      if (register?.name.startsWith(NAME_PREFIX) !== true) return undefined
      const erasure = readErasure(register.body, components.verifier)
      return erasure && { erasure, frame: plainBytes(register.body) }
    },
  }
}

const NAME_PREFIX = 'erasure/'
const ID_CHARACTERS = 24
