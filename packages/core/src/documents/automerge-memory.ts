/**
 * Room for many documents. Automerge's memory (WebAssembly) grows by as little as 64 KB at a time; with each growth V8 gets an
 * ArrayBuffer of the *whole* memory and counts it as newly allocated, so that from 64 MB on each one brings a collection of all
 * garbage: the third thousand documents took 70 s, the second 2 s. A large block that Automerge takes and gives back leaves it room
 * that it fills without growing.
 */
import * as A from '@automerge/automerge'
import { MIB } from '../lib/units.ts'

/** Call as each document is opened, with how many are open now. */
export function makeRoomInMemory(openDocuments: number): void {
  if (openDocuments < MANY_DOCUMENTS || openDocuments % EVERY_DOCUMENTS !== 0) return
  try {
    A.load(new Uint8Array(ROOM_BYTES))
  } catch {
    return // always: zeros are no document
  }
}

/** Until here growing costs little, and the memory stays with the process. */
const MANY_DOCUMENTS = 512
const EVERY_DOCUMENTS = 256
/** 64 KB for each: an empty document takes 25, and what a first change needs on the way is given back by the garbage collector only. */
const ROOM_BYTES: number = 16 * MIB
