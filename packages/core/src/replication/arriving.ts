/** A chunk on its way to disk. */
import type { DeviceId } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Session } from './session-host.ts'

export interface Arriving {
  readonly chunk: SealedChunk
  readonly from: Session | undefined
  /** Have it, as far as known: no need to tell them of it. */
  readonly knownBy: Set<Session>
  /** Said that they have it, or sent it. */
  readonly confirmedBy: Set<DeviceId>
  /** Sent it. */
  readonly givenBy: Set<Session>
}

export function arrivingFrom(chunk: SealedChunk, from: Session): Arriving {
  return { chunk, from, knownBy: new Set([from]), confirmedBy: new Set([from.peer]), givenBy: new Set([from]) }
}

/** Made here: nobody has it yet, and often nobody is there to hear of it, so its sets are made when they are asked for. */
export function arrivingHere(chunk: SealedChunk): Arriving {
  return new Made(chunk)
}

class Made implements Arriving {
  readonly chunk: SealedChunk
  readonly from = undefined
  #knownBy: Set<Session> | undefined
  #confirmedBy: Set<DeviceId> | undefined
  #givenBy: Set<Session> | undefined

  constructor(chunk: SealedChunk) {
    this.chunk = chunk
  }
  get knownBy(): Set<Session> {
    return (this.#knownBy ??= new Set())
  }
  get confirmedBy(): Set<DeviceId> {
    return (this.#confirmedBy ??= new Set())
  }
  get givenBy(): Set<Session> {
    return (this.#givenBy ??= new Set())
  }
}
