/**
 * What a device says of itself now and then: a group-wide signed register, one per device, each replacing the one before it.
 *
 *     name = "heartbeat", sequence = its number, counted from 1
 *     body = CBOR {v: 1, log: 32, heads: 32, since, time, relays: [{mailbox: 16, counter}...]}
 *
 * `log` and `heads` are fingerprints of the log's heads and of the heads of all documents, never of how they are stored: a device that
 * compacted and one that did not say the same.
 */
import * as v from 'valibot'
import { createGroupRegisters, labelledHmac, type GroupRegistersComponents, type Keyring } from '../crypto/index.ts'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { RANDOM_ID_BYTES, hexId, idBytes, type ChunkId, type DeviceId, type EntryId, type MailboxId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { MAX_REGISTER_BYTES, MAX_RELAYS } from '../wire/limits.ts'

export const HEARTBEAT_NAME = 'heartbeat'

export interface Heartbeat {
  /** The register's sequence: 1, 2, 3... */
  readonly counter: number
  /** 32 bytes. */
  readonly log: Uint8Array
  /** 32 bytes. */
  readonly heads: Uint8Array
  /** The counter of the first heartbeat that said this `log` and these `heads`. */
  readonly since: number
  /** Milliseconds since 1970 as the device believed. Information only. */
  readonly time: number
  readonly relays: readonly RelayEvidence[]
}

/** This mailbox has had on disk, for a while already, everything that the device held when it wrote the heartbeat of this number. */
export interface RelayEvidence {
  readonly mailbox: MailboxId
  readonly counter: number
}

export interface HeartbeatCarrier {
  /** The chunk that carries the heartbeats of `device`. */
  chunkIdOf(device: DeviceId): ChunkId
  seal(heartbeat: Heartbeat): SealedChunk
  /** The heartbeat in a chunk and whose it is, its signature verified. Never throws for anything in it. */
  read(chunk: SealedChunk): Result<{ readonly device: DeviceId; readonly heartbeat: Heartbeat }, string>
}

export function createHeartbeatCarrier(components: GroupRegistersComponents): HeartbeatCarrier {
  const registers = createGroupRegisters(components)
  return {
    chunkIdOf: device => registers.idOf(HEARTBEAT_NAME, device),
    seal: heartbeat => registers.seal({ name: HEARTBEAT_NAME, sequence: heartbeat.counter, body: encodeHeartbeat(heartbeat) }),
    read(chunk) {
      const register = registers.read(chunk)
      if (register?.name !== HEARTBEAT_NAME) return failed('heartbeat: another register, or none')
      const heartbeat = decodeHeartbeat(register.body, chunk.sequence)
      return heartbeat.ok ? ok({ device: register.device, heartbeat: heartbeat.value }) : heartbeat
    },
  }
}

export function encodeHeartbeat({ log, heads, since, time, relays }: Omit<Heartbeat, 'counter'>): Uint8Array {
  const said = relays.map(({ mailbox, counter }) => ({ mailbox: idBytes(mailbox), counter }))
  return encodeCbor({ v: 1, log, heads, since, time, relays: said })
}

export function decodeHeartbeat(body: Uint8Array, counter: number): Result<Heartbeat, string> {
  const decoded = decodeCbor(SHAPE, body, MAX_REGISTER_BYTES)
  if (!decoded.ok) return failed(`heartbeat: ${decoded.error.reason}`)
  const { log, heads, since, time, relays } = decoded.value
  const said = relays.map(each => ({ mailbox: hexId<MailboxId>(each.mailbox), counter: each.counter }))
  return ok({ counter, log, heads, since, time, relays: said })
}

/** The same for whoever knows the same of the group. */
export function logFingerprint(keyring: Pick<Keyring, 'idKey'>, heads: readonly EntryId[], hasher?: Hasher): Uint8Array {
  return labelledHmac(keyring.idKey, 'log-fingerprint', heads.toSorted().map(idBytes), hasher)
}

const SHAPE = v.strictObject({
  v: v.literal(1),
  log: bytesOf(32),
  heads: bytesOf(32),
  since: wholeNumber,
  time: wholeNumber,
  relays: v.pipe(v.array(v.strictObject({ mailbox: bytesOf(RANDOM_ID_BYTES), counter: wholeNumber })), v.maxLength(2 * MAX_RELAYS)),
})
