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
import {
  GROUP_DOCUMENT_ID,
  chunkIdOf,
  decodeRegister,
  encodeRegister,
  labelledHmac,
  openChunk,
  registerContentKey,
  sealChunk,
} from '../crypto/index.ts'
import type { Keyring } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { GROUP_DOC_TAG, RANDOM_ID_BYTES, hexId, idBytes, type ChunkId, type DeviceId, type EntryId, type MailboxId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Verifier } from '../ports/verifier.ts'
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

export interface HeartbeatCarrierComponents {
  readonly identity: Pick<DeviceIdentity, 'id' | 'signing'>
  readonly keyring: Keyring
  readonly random: Random
  readonly hasher?: Hasher | undefined
  readonly verifier?: Verifier | undefined
}

export function createHeartbeatCarrier({ identity, keyring, random, hasher, verifier }: HeartbeatCarrierComponents): HeartbeatCarrier {
  const withHasher = hasher === undefined ? {} : { hasher }
  return {
    chunkIdOf: device => chunkIdOf(keyring.idKey, 'register', GROUP_DOCUMENT_ID, registerContentKey(HEARTBEAT_NAME, device), hasher),
    seal(heartbeat) {
      const { epoch, secret } = keyring.current()
      const sequence = heartbeat.counter
      const register = {
        documentId: GROUP_DOCUMENT_ID,
        name: HEARTBEAT_NAME,
        device: identity.id,
        sequence,
        body: encodeHeartbeat(heartbeat),
      }
      return sealChunk({
        keys: keyring,
        epoch,
        epochSecret: secret,
        class: 'register',
        documentId: GROUP_DOCUMENT_ID,
        contentKey: registerContentKey(HEARTBEAT_NAME, identity.id),
        sequence,
        content: encodeRegister(register, identity.signing),
        random,
        ...withHasher,
      })
    },
    read(chunk) {
      const secret = chunk.class === 'register' && chunk.docTag === GROUP_DOC_TAG ? keyring.secretOf(chunk.epoch) : undefined
      if (secret === undefined) return failed('heartbeat: not readable here')
      const opened = openChunk(chunk, secret)
      if (!opened.ok) return opened
      const { content, documentId } = opened.value
      const register = decodeRegister(content, { sequence: chunk.sequence, documentId }, verifier)
      if (!register.ok) return register
      if (register.value.name !== HEARTBEAT_NAME) return failed('heartbeat: another register')
      const heartbeat = decodeHeartbeat(register.value.body, chunk.sequence)
      return heartbeat.ok ? ok({ device: register.value.device, heartbeat: heartbeat.value }) : heartbeat
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
