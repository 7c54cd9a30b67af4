/**
 * Under a passphrase: scrypt with N = 2^17, r = 8, p = 1 (OWASP's recommendation; about 0.4 s and 128 MiB), once per run.
 *
 *     salt 16 || sealed device key
 */
import { scrypt } from 'node:crypto'
import { openRecord, sealRecord } from '@segue/core/sealed'
import type { Unlock } from './unlock.ts'

/** The passphrase itself, or what asks a person for it; asked only when it is needed. Compared in Unicode NFKC. */
export function passphrase(source: string | (() => string | Promise<string>)): Unlock {
  const text = async (): Promise<string> => (typeof source === 'string' ? source : source())
  return {
    kind: 'passphrase',
    async wrap(deviceKey, { random }) {
      const salt = random.bytes(SALT_BYTES)
      const sealed = sealRecord(await stretch(await text(), salt), PURPOSE, deviceKey, random)
      return Buffer.concat([salt, sealed])
    },
    async unwrap(wrapped) {
      if (wrapped.length <= SALT_BYTES) return undefined
      const key = await stretch(await text(), wrapped.subarray(0, SALT_BYTES))
      return openRecord(key, PURPOSE, wrapped.subarray(SALT_BYTES))
    },
  }
}

const PURPOSE = 'vault/passphrase'
const SALT_BYTES = 16
const N = 2 ** 17
const R = 8

function stretch(text: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // Node refuses over 32 MiB unless told; scrypt needs 128 * N * r and a little.
    scrypt(text.normalize('NFKC'), salt, 32, { N, r: R, p: 1, maxmem: 256 * N * R }, (error, key) => {
      if (error === null) resolve(new Uint8Array(key))
      else reject(error)
    })
  })
}
