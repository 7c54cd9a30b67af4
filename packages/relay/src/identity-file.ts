/** The relay's key, which is its address: 32 bytes (an Ed25519 seed) as hex in a file of its own, for the operator to keep. */
import { randomBytes } from 'node:crypto'
import { chmod, open, readFile, stat } from 'node:fs/promises'
import { createIdentity, SegueError, type DeviceIdentity } from '@segue/core/sealed'
import { Refusal } from './ops/explain.ts'

/** In the relay's folder. */
export const KEY_FILE = 'relay.key'

/** Made on first use, 0600. Throws STORE_NOT_PRIVATE when others may read it. */
export async function readOrCreateKey(path: string): Promise<string> {
  const present = await readKey(path)
  if (present !== undefined) return present
  const seed = randomBytes(SEED_BYTES).toString('hex')
  await writeKey(path, seed)
  return seed
}

export async function readKey(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim()
    const { mode } = await stat(path)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new SegueError('STORE_NOT_PRIVATE', { path, problem: 'can be read or changed by other users', mend: `chmod 600 '${path}'` })
    }
    if (!isSeed(text)) throw new Refusal(`${path} holds no relay's key (64 hex digits): put back the one that was there; a backup has it.`)
    return text
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Never replaces one that is there. */
export async function writeKey(path: string, seed: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(`${seed}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await chmod(path, 0o600)
}

export function isSeed(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

/** The keys that follow from the seed. */
export function identityOf(seed: string): Pick<DeviceIdentity, 'id' | 'signing'> {
  const bytes = new Uint8Array(Buffer.from(seed, 'hex'))
  return createIdentity({ name: 'relay', random: { bytes: length => bytes.slice(0, length) } })
}

const SEED_BYTES = 32
