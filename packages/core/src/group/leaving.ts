/**
 * A member's word that it leaves: a group-wide register that it signs. It cannot write its own removal (SPEC.md, before *Keys*), so an
 * admin's device that reads this writes it.
 *
 *     name = "leaving", sequence 1, body = CBOR {v: 1, time}
 */
import * as v from 'valibot'
import { createGroupRegisters, type GroupRegistersComponents } from '../crypto/index.ts'
import { decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import type { ChunkId, DeviceId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'

export interface LeaveCarrier {
  /** This device's. `time`: milliseconds since 1970, information only. */
  seal(time: number): SealedChunk
  /** Who says in it that it leaves; undefined for everything else. Never throws for anything in it. */
  read(chunk: SealedChunk): DeviceId | undefined
  /** Where a device's word lies. */
  idOf(device: DeviceId): ChunkId
}

export function createLeaveCarrier(components: GroupRegistersComponents): LeaveCarrier {
  const registers = createGroupRegisters(components)
  return {
    seal: time => registers.seal({ name: NAME, sequence: 1, body: encodeCbor({ v: 1, time: Math.max(0, Math.trunc(time)) }) }),
    read(chunk) {
      const register = registers.read(chunk)
      return register?.name === NAME && decodeCbor(BODY, register.body, MAX_BODY_BYTES).ok ? register.device : undefined
    },
    idOf: device => registers.idOf(NAME, device),
  }
}

const NAME = 'leaving'
const MAX_BODY_BYTES = 64
const BODY = v.object({ v: v.literal(1), time: wholeNumber })
