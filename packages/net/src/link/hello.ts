/**
 * The first frame on `control`, each way, before the link is up: CBOR `{v: 1, addresses: [multiaddr...], time, run: 16}`, at most 4 KiB. The dialler
 * speaks first. The acceptor answers once all streams are there and it has decided to keep this connection, so its hello means yes.
 * The addresses are where the speaker can be dialled; only private ones are believed. The time is the speaker's clock: information for
 * people whose clock is wrong, nothing is decided by it. The run is random, drawn when the speaker's node started: two that are alive at
 * once under one key are two machines with a copy of the same keys.
 */
import * as v from 'valibot'
import { bytesOf, decodeCbor, encodeCbor, failed, ok, wholeNumber, type Result } from '@segue/core/sealed'
import { MAX_ADDRESSES, MAX_HELLO_BYTES } from '../limits.ts'
import { isPrivateAddress } from '../private-addresses.ts'

export interface Hello {
  readonly addresses: readonly string[]
  /** Milliseconds since 1970 as the speaker believes. */
  readonly time?: number | undefined
  /** RUN_BYTES; the first versions did not say it. */
  readonly run?: Uint8Array | undefined
}

export function encodeHello(hello: Hello): Uint8Array {
  const { addresses, time, run } = hello
  return encodeCbor({
    v: HELLO_VERSION,
    addresses: addresses.slice(0, MAX_ADDRESSES),
    ...(time === undefined ? {} : { time: Math.max(0, Math.trunc(time)) }),
    ...(run === undefined ? {} : { run }),
  })
}

export function decodeHello(bytes: Uint8Array): Result<Hello, 'malformed-frame' | 'version-unsupported'> {
  const version = decodeCbor(versionSchema, bytes, MAX_HELLO_BYTES)
  if (!version.ok) return failed('malformed-frame')
  if (version.value.v !== HELLO_VERSION) return failed('version-unsupported')
  const hello = decodeCbor(helloSchema, bytes, MAX_HELLO_BYTES)
  if (!hello.ok) return failed('malformed-frame')
  const { addresses, time, run } = hello.value
  return ok({
    addresses: addresses.filter(address => isPrivateAddress(address)),
    ...(time === undefined ? {} : { time }),
    ...(run === undefined ? {} : { run }),
  })
}

/** Of a node's run. */
export const RUN_BYTES = 16
const HELLO_VERSION = 1
const versionSchema = v.object({ v: v.number() })
const helloSchema = v.object({
  v: v.literal(HELLO_VERSION),
  addresses: v.pipe(v.array(v.pipe(v.string(), v.maxLength(256))), v.maxLength(MAX_ADDRESSES)),
  time: v.optional(wholeNumber),
  run: v.optional(bytesOf(RUN_BYTES)),
})
